#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/features/indicator.hpp>
#include <ktrdr/features/windows.hpp>

namespace ktrdr {

using Column = std::vector<double>;

/// A mean that forgets: the plain mean of the first `period` values, from then on moved towards each value by a share
/// of its distance. NaN before there are that many.
///
/// The mean is told from the one of up to four values ago and the values since, by weights worked out beforehand, so
/// that a long series waits for one chain of operations in four bars. Equal values leave it as it is, to the last bit.
/// In the header, as the windows: every indicator's loop over a series has it inside.
class ForgettingAverage final {
public:
    ForgettingAverage(std::size_t period, double share) : period_(period) {
        for (double& weight : weights_) {
            weight = share;
            share *= 1 - weights_[0];
        }
    }

    double next(double value) {
        if (count_ < period_) [[unlikely]] {
            return begin(value);
        }
        const double distance = value - base_;
        switch (step_) {
            case 0:
                first_ = distance;
                step_ = 1;
                return base_ + weights_[0] * distance;
            case 1:
                second_ = distance;
                step_ = 2;
                return base_ + (weights_[0] * distance + weights_[1] * first_);
            case 2:
                third_ = distance;
                step_ = 3;
                return base_ + (weights_[0] * distance + weights_[1] * second_ + weights_[2] * first_);
            default: break;
        }
        base_ += (weights_[0] * distance + weights_[1] * third_) + (weights_[2] * second_ + weights_[3] * first_);
        // What has all but vanished is nothing: it would stay a denormal number, and slow, for ever.
        if (std::abs(base_) < vanished) [[unlikely]] {
            base_ = 0;
        }
        step_ = 0;
        return base_;
    }

private:
    static constexpr double vanished = 1e-290;

    double begin(double value) {
        if (count_ == 0) {
            base_ = value;
        }
        first_ += value - base_;
        if (++count_ < period_) {
            return no_value;
        }
        base_ += first_ / static_cast<double>(period_);
        return base_;
    }

    std::size_t period_;
    std::size_t count_{0};
    unsigned step_{0};
    /// What a value weighs in the mean of its bar, and one, two, three bars later.
    std::array<double, 4> weights_{};
    /// While it begins, the first value, from which the others are told; then the mean that the next are told from.
    double base_{0};
    /// How far the values since lie from it. While it begins, the sum of the distances.
    double first_{0};
    double second_{0};
    double third_{0};
};

/// Exponential mean: of each step's distance it takes 2 / (period + 1).
[[nodiscard]] inline ForgettingAverage exponential_average(std::size_t period) {
    return {period, 2 / (static_cast<double>(period) + 1)};
}

/// Wilder's mean: of each step's distance it takes 1 / period.
[[nodiscard]] inline ForgettingAverage wilder_average(std::size_t period) {
    return {period, 1 / static_cast<double>(period)};
}

/// Steps after which something of which each step leaves the share `kept` has no more than 2^-53 of its weight, half a
/// unit in the last place of a double.
[[nodiscard]] KTRDR_EXPORT std::size_t steps_to_forget(double kept);
/// The same of the two means that forget.
[[nodiscard]] KTRDR_EXPORT std::size_t exponential_steps_to_forget(std::size_t period);
[[nodiscard]] KTRDR_EXPORT std::size_t wilder_steps_to_forget(std::size_t period);

/// The registry's rows of this family.
///
/// sma: mean of the last `period` values.
/// ema: exponential mean, begun with the plain mean of its first `period` values, as TA-Lib does.
/// distance_from_ma: how far a value lies above its simple mean, in percent of the amount of that mean; NaN where the
/// mean is 0.
[[nodiscard]] KTRDR_EXPORT std::span<const IndicatorSpec> moving_average_specs() noexcept;

}  // namespace ktrdr
