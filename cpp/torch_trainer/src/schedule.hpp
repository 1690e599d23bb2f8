#pragma once

#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

/// What a schedule remembers from epoch to epoch.
struct ScheduleState {
    double rate{0};
    /// Of `plateau`: the best score so far (more is better), and the epochs since.
    double best{0};
    std::int64_t waited{0};
};

/// The state after `epoch` (from 1), whose score was `score`.
[[nodiscard]] ScheduleState after_epoch(const LearningRateSchedule& schedule, ScheduleState state, std::int64_t epoch,
                                        double score);

}  // namespace ktrdr
