// The sentence of a training's progress, from what its state says.

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include <ktrdr/training/training_progress.hpp>

namespace ktrdr {
namespace {

const boost::json::value* find(const boost::json::object& object, std::string_view key) {
    const boost::json::value* const value = object.if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

std::string text(const boost::json::object& context, std::string_view key) {
    const boost::json::value* const value = find(context, key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::string join(const boost::json::object& context, std::string_view key) {
    const boost::json::value* const list = find(context, key);
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

std::string upper(std::string word) {
    for (char& c : word) {
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return word;
}

std::optional<std::int64_t> whole(const boost::json::object& object, std::string_view key) {
    const boost::json::value* const value = find(object, key);
    if (value == nullptr || !value->is_number()) {
        return std::nullopt;
    }
    const auto number = value->to_number<double>();
    return std::isfinite(number) ? std::optional(static_cast<std::int64_t>(number)) : std::nullopt;
}

std::string epoch_text(const ProgressState& state) {
    const std::int64_t total = whole(state.context, "total_epochs").value_or(state.step_total);
    const std::int64_t epoch = whole(state.context, "current_epoch").value_or(state.step_current);
    std::string words = fmt::format("[epoch {}/{}]", epoch, total);
    const auto batch = whole(state.context, "current_batch");
    const auto batches = whole(state.context, "total_batches");
    if (batch && batches) {
        words += fmt::format(" (batch {}/{})", *batch, *batches);
    }
    return words;
}

std::string step_text(const ProgressState& state) {
    if (state.step_name == "initializing") {
        return "loading LibTorch";
    }
    if (state.step_name == "data_preparation") {
        std::string words =
            fmt::format("preparing {}: {}", text(state.context, "symbol"), text(state.context, "stage"));
        if (state.step_total > 0) {
            words += fmt::format(" [{}/{}]", std::min(state.step_current + 1, state.step_total), state.step_total);
        }
        return words;
    }
    if (state.step_name == "training") {
        return epoch_text(state);
    }
    return state.step_name == "evaluation" ? "evaluating" : state.step_name;
}

}  // namespace

ProgressState TrainingProgressRenderer::enhance_state(ProgressState state) const {
    boost::json::value* const found = state.context.if_contains("metrics");
    if (found == nullptr || !found->is_object()) {
        return state;
    }
    boost::json::object metrics = std::move(found->get_object());
    for (const char* const key : {"current_epoch", "current_batch", "total_batches"}) {
        if (const auto number = whole(metrics, key)) {
            state.context[key] = *number;
        }
        metrics.erase(key);
    }
    state.context["metrics"] = std::move(metrics);
    return state;
}

std::string TrainingProgressRenderer::render_message(const ProgressState& given) const {
    const ProgressState state = enhance_state(given);
    std::string head = fmt::format("Training {} model on {} [{}]", upper(text(state.context, "model_type")),
                                   join(state.context, "symbols"), join(state.context, "timeframes"));
    const std::string tail = step_text(state);
    return tail.empty() ? head : head + " " + tail;
}

}  // namespace ktrdr
