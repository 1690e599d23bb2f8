#pragma once

#include <chrono>

#include <ktrdr/base/clock.hpp>

namespace ktrdr {

/// What happens within less is too little to take a pace from. Seconds.
inline constexpr double shortest_window = 1;
/// So long without news is no stop yet. Seconds.
inline constexpr double quiet_seconds = 3;

[[nodiscard]] inline double seconds_between(SteadyTime from, SteadyTime to) {
    return std::chrono::duration<double>(to - from).count();
}

}  // namespace ktrdr
