#include <ktrdr/progress/renderer.hpp>

#include <fmt/format.h>

namespace ktrdr {

std::string DefaultProgressRenderer::render_message(const ProgressState& state) const {
    const std::string_view step = state.step_name.empty() ? "Working" : std::string_view(state.step_name);
    const std::string_view name = state.detail.empty() ? step : std::string_view(state.detail);
    if (state.step_total <= 0) {
        return std::string(name);
    }
    return fmt::format("{} [{}/{}]", name, state.step_current, state.step_total);
}

}  // namespace ktrdr
