#include "schedule.hpp"

namespace ktrdr {

ScheduleState after_epoch(const LearningRateSchedule& schedule, ScheduleState state, std::int64_t epoch, double score) {
    if (schedule.type == "exponential" || (schedule.type == "step" && epoch % schedule.step_size == 0)) {
        state.rate *= schedule.gamma;
    }
    if (schedule.type == "plateau") {
        const bool better = epoch == 1 || score > state.best;
        state.best = better ? score : state.best;
        state.waited = better ? 0 : state.waited + 1;
        if (state.waited > schedule.patience) {
            state.rate *= schedule.gamma;
            state.waited = 0;
        }
    }
    return state;
}

}  // namespace ktrdr
