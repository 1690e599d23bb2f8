#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/features/indicator.hpp>

namespace ktrdr {

using Column = std::vector<double>;

/// Mean of the last `period` values; NaN before there are that many, and while one of them is NaN.
class KTRDR_EXPORT MovingAverage final {
public:
    explicit MovingAverage(std::size_t period) : period_(period), window_(2 * period) {}
    double next(double value);

private:
    std::size_t period_;
    /// Each value stands twice, a period apart, so that the last `period_` of them always lie in one piece.
    std::vector<double> window_;
    std::size_t at_{0};
    std::size_t count_{0};
};

/// Exponential mean with weight 2 / (period + 1), begun with the plain mean of the first `period` values that are not
/// NaN. Leading NaN stay NaN; a later one ends the series.
class KTRDR_EXPORT ExponentialAverage final {
public:
    explicit ExponentialAverage(std::size_t period)
        : period_(period), weight_(2.0 / (static_cast<double>(period) + 1)) {}
    double next(double value);

    /// Steps after which what it began with has a weight of no more than 2^-53, half a unit in the last place of a
    /// double: each step leaves the share (period - 1) / (period + 1) of it.
    [[nodiscard]] static std::size_t steps_to_forget(std::size_t period);

private:
    std::size_t period_;
    double weight_;
    std::size_t count_{0};
    /// The sum of the first values, then the mean.
    double average_{0};
};

/// Steps after which something of which each step leaves the share `kept` has no more than 2^-53 of its weight.
[[nodiscard]] KTRDR_EXPORT std::size_t steps_to_forget(double kept);

[[nodiscard]] KTRDR_EXPORT Column sma(std::span<const double> values, std::size_t period);
[[nodiscard]] KTRDR_EXPORT Column ema(std::span<const double> values, std::size_t period);
/// How far a value lies above its simple mean of `period` values, in percent of that mean; NaN where the mean is 0.
[[nodiscard]] KTRDR_EXPORT Column distance_from_sma(std::span<const double> values, std::size_t period);

/// The registry's rows of this family: distance_from_ma.
[[nodiscard]] KTRDR_EXPORT std::span<const IndicatorSpec> moving_average_specs() noexcept;

}  // namespace ktrdr
