#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/progress/recent.hpp>

namespace ktrdr {

/// Time left, from the median duration of the last five outer units (epochs, segments).
///
/// The first unit begins with `reset`. Before it is done the fraction's own speed is smoothed. Nothing is said before
/// two units or three seconds. Pauses at the end of a unit belong to that unit, so they do not make the estimate jump.
///
/// Work may begin in the middle: what an earlier run did, or several units of which nobody was told. So a first
/// movement by more than one unit says nothing of how long one takes; it is measured from there.
class KTRDR_EXPORT EtaEstimator final {
public:
    /// Forget everything: a new step begins.
    void reset(SteadyTime now);
    /// `done` units of `total`, and the fraction (0..1) of the unit in work. True where the work turns out to have
    /// begun in the middle: what else is measured of it begins here too.
    bool observe(SteadyTime now, std::int64_t done, std::int64_t total, double fraction);
    [[nodiscard]] std::optional<std::chrono::milliseconds> remaining(SteadyTime now) const;

private:
    [[nodiscard]] bool too_early(SteadyTime now) const;
    /// Seconds, by the units that were measured.
    [[nodiscard]] double left_by_units(SteadyTime now) const;
    /// Seconds, by the speed of the fraction.
    [[nodiscard]] double left_by_speed(SteadyTime now) const;

    /// Since when it is measured.
    SteadyTime started_{};
    SteadyTime unit_started_{};
    std::int64_t done_{0};
    /// Units done when `unit_started_` was taken.
    std::int64_t window_done_{0};
    std::int64_t total_{0};
    double speed_{0};
    SteadyTime speed_at_{};
    double speed_progress_{0};
    /// How long the last movement let wait.
    double speed_gap_{0};
    /// Seconds of each.
    RecentFive units_{};
};

}  // namespace ktrdr
