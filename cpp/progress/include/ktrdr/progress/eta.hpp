#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Time left, from the median duration of the last five outer units (epochs, segments).
///
/// Before the first unit is done it smooths the fraction's own speed. Nothing is said before two units or three
/// seconds. Pauses at the end of a unit belong to that unit, so they do not make the estimate jump.
class KTRDR_EXPORT EtaEstimator final {
public:
    /// Forget everything: a new step begins.
    void reset(SteadyTime now);
    /// `done` units of `total`, and the fraction (0..1) of the unit in work.
    void observe(SteadyTime now, std::int64_t done, std::int64_t total, double fraction);
    [[nodiscard]] std::optional<std::chrono::milliseconds> remaining(SteadyTime now) const;

private:
    void keep_unit(std::chrono::nanoseconds taken);
    [[nodiscard]] std::chrono::nanoseconds median_unit() const;

    SteadyTime started_{};
    SteadyTime unit_started_{};
    std::int64_t done_{0};
    /// Units done when `unit_started_` was taken.
    std::int64_t window_done_{0};
    std::int64_t total_{0};
    double fraction_{0};
    double speed_{0};
    SteadyTime speed_at_{};
    double speed_progress_{0};
    /// Durations of the last units: a ring, `unit_count_` ever put in.
    std::array<std::chrono::nanoseconds, 5> units_{};
    std::size_t unit_count_{0};
};

}  // namespace ktrdr
