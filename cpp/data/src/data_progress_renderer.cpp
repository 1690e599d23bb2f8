#include <ktrdr/data/data_progress_renderer.hpp>

#include <fmt/format.h>

#include <ktrdr/base/json.hpp>

namespace ktrdr {
namespace {

constexpr std::array<std::string_view, 6> step_names{"validate symbol",  "first timestamp", "read local", "plan",
                                                     "loading segments", "read bars"};

/// Percent of the bar.
constexpr std::array<double, 6> step_weights{2, 2, 2, 2, 86, 6};

bool in_segments(const ProgressState& state) {
    return state.step_name == to_string(LoadStep::segments);
}

std::string_view told(const ProgressState& state, std::string_view key) {
    const std::string_view text = text_or_empty(state.context, key);
    return text.empty() ? "?" : text;
}

}  // namespace

std::string_view to_string(LoadStep step) noexcept {
    return step_names[static_cast<std::size_t>(step)];
}

std::vector<ProgressStep> load_steps(LoadMode mode) {
    if (mode == LoadMode::local) {
        return {ProgressStep{.name = std::string(to_string(LoadStep::read_local))}};
    }
    std::vector<ProgressStep> steps;
    for (std::size_t i = 0; i < step_names.size(); ++i) {
        steps.push_back({.name = std::string(step_names[i]), .weight = step_weights[i]});
    }
    return steps;
}

std::string DataProgressRenderer::render_message(const ProgressState& state) const {
    const std::string loading = fmt::format("Loading {} {} data ({} mode)", told(state, "symbol"),
                                            told(state, "timeframe"), told(state, "mode"));
    if (in_segments(state) && state.step_total > 0) {
        return fmt::format("{} [{}/{}]", loading, state.step_current, state.step_total);
    }
    if (state.percentage >= 100) {
        return loading + ": done";
    }
    return state.step_name.empty() ? loading : fmt::format("{}: {}", loading, state.step_name);
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
