#include <ktrdr/data/data_progress_renderer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <ktrdr/base/json.hpp>

namespace ktrdr {
namespace {

constexpr std::array<std::string_view, 7> step_names{"validate symbol",  "first timestamp", "read local", "plan",
                                                     "loading segments", "read bars",       "quality"};

/// Percent of the bar.
constexpr std::array<double, 7> step_weights{2, 2, 2, 2, 86, 3, 3};

bool in_segments(const ProgressState& state) {
    return state.step_name == to_string(LoadStep::segments);
}

bool is_step_of_ours(const ProgressState& state) {
    return std::ranges::find(step_names, state.step_name) != step_names.end();
}

/// `Loading AAPL 1d data (full mode)`, without what the context does not say.
std::string loading(const ProgressState& state) {
    std::string words = "Loading ";
    for (const std::string_view key : {"symbol", "timeframe"}) {
        if (const std::string_view text = text_or_empty(state.context, key); !text.empty()) {
            words += fmt::format("{} ", text);
        }
    }
    words += "data";
    if (const std::string_view mode = text_or_empty(state.context, "mode"); !mode.empty()) {
        words += fmt::format(" ({} mode)", mode);
    }
    return words;
}

/// ` [3/5]`: the units of the step in work, else the segments that the context tells of, else the steps themselves.
std::string count(const ProgressState& state) {
    const auto told = [&state](std::string_view key) {
        const auto* const value = state.context.if_contains(key);
        boost::system::error_code none;
        return value == nullptr ? std::int64_t{0} : value->to_number<std::int64_t>(none);
    };
    for (const auto& [done, total] :
         {std::pair{state.step_current, state.step_total}, std::pair{told("current_segment"), told("total_segments")},
          std::pair{state.current_step, state.total_steps}}) {
        if (total > 0) {
            return fmt::format(" [{}/{}]", done, total);
        }
    }
    return {};
}

}  // namespace

std::string_view to_string(LoadStep step) noexcept {
    return step_names[static_cast<std::size_t>(step)];
}

std::vector<ProgressStep> load_steps(LoadMode mode, bool checked) {
    const auto last = static_cast<std::size_t>(LoadStep::quality);
    std::vector<ProgressStep> steps;
    if (mode == LoadMode::local) {
        steps.push_back({.name = std::string(to_string(LoadStep::read_local))});
    } else {
        for (std::size_t i = 0; i < last; ++i) {
            steps.push_back({.name = std::string(step_names[i]), .weight = step_weights[i]});
        }
    }
    if (checked) {
        steps.push_back({.name = std::string(step_names[last]),
                         .weight = mode == LoadMode::local ? steps.front().weight : step_weights[last]});
    } else if (mode != LoadMode::local) {
        steps.back().weight += step_weights[last];
    }
    return steps;
}

std::string DataProgressRenderer::render_message(const ProgressState& state) const {
    const bool counted = !is_step_of_ours(state) || (in_segments(state) && state.step_total > 0);
    if (const std::string units = counted ? count(state) : std::string{}; !units.empty()) {
        return loading(state) + units;
    }
    if (state.percentage >= 100) {
        return loading(state) + ": done";
    }
    return state.step_name.empty() ? loading(state) : fmt::format("{}: {}", loading(state), state.step_name);
}

ProgressState DataProgressRenderer::enhance_state(ProgressState state) const {
    if (in_segments(state)) {
        state.context["current_segment"] = state.step_current;
        state.context["total_segments"] = state.step_total;
        state.context["bars_processed"] = state.items_processed;
    }
    return state;
}

}  // namespace ktrdr
