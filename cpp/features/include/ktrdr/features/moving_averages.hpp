#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/features/indicator.hpp>

namespace ktrdr {

using Column = std::vector<double>;

/// Mean of the last `period` values; NaN before there are that many, and while one of them is NaN.
///
/// In the header, as the next one: every indicator's loop over a series has it inside.
class MovingAverage final {
public:
    explicit MovingAverage(std::size_t period) : period_(period), values_(period + 1024) {}

    double next(double value) {
        if (count_ == values_.size()) {
            std::copy(values_.end() - static_cast<std::ptrdiff_t>(period_ - 1), values_.end(), values_.begin());
            count_ = period_ - 1;
        }
        values_[count_++] = value;
        if (count_ < period_) {
            return no_value;
        }
        // Summed anew for each bar: a running sum would carry rounding (and a single NaN) along for ever.
        const double* const newest = values_.data() + count_;
        return std::accumulate(newest - period_, newest, 0.0) / static_cast<double>(period_);
    }

private:
    std::size_t period_;
    /// The newest values in one piece; when it is full, those still needed move to its front.
    std::vector<double> values_;
    std::size_t count_{0};
};

/// Exponential mean with weight 2 / (period + 1), begun with the plain mean of the first `period` values that are not
/// NaN. Leading NaN stay NaN; a later one ends the series.
class ExponentialAverage final {
public:
    explicit ExponentialAverage(std::size_t period)
        : period_(period), weight_(2.0 / (static_cast<double>(period) + 1)) {}

    double next(double value) {
        if (count_ >= period_) {
            average_ += weight_ * (value - average_);
            return average_;
        }
        if (count_ > 0 || !std::isnan(value)) {
            average_ += value;
            ++count_;
        }
        if (count_ < period_) {
            return no_value;
        }
        average_ /= static_cast<double>(period_);
        return average_;
    }

    /// Steps after which what it began with has a weight of no more than 2^-53, half a unit in the last place of a
    /// double: each step leaves the share (period - 1) / (period + 1) of it.
    [[nodiscard]] KTRDR_EXPORT static std::size_t steps_to_forget(std::size_t period);

private:
    std::size_t period_;
    double weight_;
    std::size_t count_{0};
    /// The sum of the first values, then the mean.
    double average_{0};
};

/// Steps after which something of which each step leaves the share `kept` has no more than 2^-53 of its weight.
[[nodiscard]] KTRDR_EXPORT std::size_t steps_to_forget(double kept);

[[nodiscard]] KTRDR_EXPORT Column ema(std::span<const double> values, std::size_t period);
/// How far a value lies above its simple mean of `period` values, in percent of that mean; NaN where the mean is 0.
[[nodiscard]] KTRDR_EXPORT Column distance_from_sma(std::span<const double> values, std::size_t period);

/// The registry's rows of this family: distance_from_ma.
[[nodiscard]] KTRDR_EXPORT std::span<const IndicatorSpec> moving_average_specs() noexcept;

}  // namespace ktrdr
