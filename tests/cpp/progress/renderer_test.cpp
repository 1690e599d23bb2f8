#include <gtest/gtest.h>

#include <ktrdr/progress/renderer.hpp>

namespace ktrdr {
namespace {

ProgressState at(std::string step, std::int64_t current, std::int64_t total) {
    ProgressState state;
    state.step_name = std::move(step);
    state.step_current = current;
    state.step_total = total;
    return state;
}

TEST(DefaultProgressRenderer, SaysTheStepAndItsUnits) {
    const DefaultProgressRenderer renderer;
    EXPECT_EQ(renderer.render_message(at("Checking files", 3, 5)), "Checking files [3/5]");
    EXPECT_EQ(renderer.render_message(at("Checking files", 3, 0)), "Checking files");
    EXPECT_EQ(renderer.render_message(at("", 0, 0)), "Working");
}

TEST(DefaultProgressRenderer, ChangesNoState) {
    const auto state = at("Checking files", 3, 5);
    EXPECT_EQ(DefaultProgressRenderer{}.enhance_state(state), state);
}

}  // namespace
}  // namespace ktrdr
