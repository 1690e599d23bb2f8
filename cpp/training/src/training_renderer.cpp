// The sentence of a training's progress, from what its state says.

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include <ktrdr/base/json.hpp>
#include <ktrdr/training/training_progress.hpp>

namespace ktrdr {
namespace {

std::string join(const boost::json::object& context, std::string_view key) {
    const boost::json::value* const list = context.if_contains(key);
    std::string joined;
    if (list == nullptr || !list->is_array()) {
        return joined;
    }
    constexpr std::size_t shown = 4;
    const boost::json::array& items = list->get_array();
    for (std::size_t i = 0; i < items.size() && i < shown; ++i) {
        if (const auto* const item = items[i].if_string()) {
            joined += (joined.empty() ? "" : ", ") + std::string(*item);
        }
    }
    return items.size() > shown ? fmt::format("{} and {} more", joined, items.size() - shown) : joined;
}

std::string upper(std::string_view given) {
    std::string word(given);
    for (char& c : word) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return word;
}

/// Under which names older readers find the fields.
constexpr std::array<std::pair<const char*, std::int64_t ProgressState::*>, 4> older_names{{
    {"current_epoch", &ProgressState::epoch},
    {"total_epochs", &ProgressState::total_epochs},
    {"current_batch", &ProgressState::batch},
    {"total_batches", &ProgressState::total_batches},
}};

/// `15/50`, or `15` where the total is not known.
std::string of(std::int64_t number, std::int64_t total) {
    return total > 0 ? fmt::format("{}/{}", number, total) : std::to_string(number);
}

std::string epoch_text(const ProgressState& state) {
    const bool training = state.step_name == "training";
    const std::int64_t epoch = state.epoch > 0 || !training ? state.epoch : state.step_current;
    const std::int64_t total = state.total_epochs > 0 || !training ? state.total_epochs : state.step_total;
    std::string words;
    if (epoch > 0 || total > 0) {
        words = fmt::format("[epoch {}]", of(epoch, total));
    }
    if (state.total_batches > 0) {
        words += fmt::format("{}(batch {}/{})", words.empty() ? "" : " ", state.batch, state.total_batches);
    }
    return words;
}

/// `queued, place 2 of 5: waits for a running training to end`, of one that waits for its turn.
std::string queue_text(const boost::json::object& context) {
    const boost::json::value* const place = context.if_contains("queue_place");
    const boost::json::value* const length = context.if_contains("queue_length");
    if (place == nullptr || length == nullptr || !place->is_number() || !length->is_number()) {
        return {};
    }
    const std::string_view reason = text_or_empty(context, "queue_reason");
    return fmt::format("queued, place {} of {}: {}", place->to_number<std::uint64_t>(),
                       length->to_number<std::uint64_t>(),
                       reason.empty() ? "waits for a running training to end" : reason);
}

std::string step_text(const ProgressState& state) {
    if (std::string queued = queue_text(state.context); state.step_name.empty() && !queued.empty()) {
        return queued;
    }
    if (state.step_name == "initializing") {
        return "loading LibTorch";
    }
    if (state.step_name == "data_preparation") {
        const std::string_view symbol = text_or_empty(state.context, "symbol");
        const std::string_view stage = text_or_empty(state.context, "stage");
        std::string words = symbol.empty() ? "preparing" : fmt::format("preparing {}", symbol);
        words += stage.empty() ? std::string{} : fmt::format(": {}", stage);
        if (state.step_total > 0) {
            words += fmt::format(" [{}/{}]", std::min(state.step_current + 1, state.step_total), state.step_total);
        }
        return words;
    }
    if (state.step_name == "evaluation") {
        if (const std::string_view stage = text_or_empty(state.context, "stage"); !stage.empty()) {
            return fmt::format("evaluating: {}", stage);
        }
        return "evaluating";
    }
    if (state.step_name == "training" || state.epoch > 0) {
        return epoch_text(state);
    }
    if (!state.step_name.empty() || state.total_steps <= 0) {
        return state.step_name;
    }
    return fmt::format("[{}/{}]", state.current_step, state.total_steps);
}

/// `Training MLP model on AAPL, MSFT [1d]`, without what the context does not say.
std::string head(const boost::json::object& context) {
    const std::string model = upper(text_or_empty(context, "model_type"));
    const std::string symbols = join(context, "symbols");
    const std::string timeframes = join(context, "timeframes");
    return fmt::format("Training {}{}model{}{}{}", model, model.empty() ? "" : " ",
                       symbols.empty() ? "" : " on " + symbols, timeframes.empty() ? "" : " [" + timeframes,
                       timeframes.empty() ? "" : "]");
}

}  // namespace

ProgressState TrainingProgressRenderer::enhance_state(ProgressState state) const {
    for (const auto& [name, field] : older_names) {
        if (state.*field > 0) {
            state.context[name] = state.*field;
        } else if (const auto* const told = state.context.if_contains(name)) {
            boost::system::error_code unreadable;
            state.*field = told->to_number<std::int64_t>(unreadable);
        }
    }
    return state;
}

std::string TrainingProgressRenderer::render_message(const ProgressState& given) const {
    const ProgressState state = enhance_state(given);
    const std::string tail = step_text(state);
    return tail.empty() ? head(state.context) : head(state.context) + " " + tail;
}

}  // namespace ktrdr
