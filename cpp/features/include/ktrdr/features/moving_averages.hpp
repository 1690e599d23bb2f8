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
/// The values go in groups. Within one the mean is told from the group's first value: how far the values since pull it
/// from there, and what is left of the way to the mean before the group. Both fade alike, so a pull is taken as what it
/// would have been at the mean before the group, and what faded since then is left out at the end: a long series waits
/// for one chain of operations in a whole group. Equal values leave the mean as it is, to the last bit.
/// In the header, as the windows: every indicator's loop over a series has it inside.
class ForgettingAverage final {
public:
    /// `period` is at least 2, `share` less than 1.
    ForgettingAverage(std::size_t period, double share) : period_(period) {
        double left = 1;
        for (std::size_t step = 0; step < group; ++step) {
            left *= 1 - share;
            left_[step] = left;
            pulls_[step] = share / left;
        }
    }

    double next(double value) {
        double mean = no_value;
        run(&value, &mean, 1);
        return mean;
    }

    /// `next` for values that follow each other, to the bit. `to` may be `from`.
    void run(const double* from, double* to, std::size_t count) {
        std::size_t i = 0;
        for (; i < count && count_ < period_; ++i) {
            to[i] = begin(from[i]);
        }
        while (i < count) {
            const bool whole = step_ == 0 && count - i >= group;
            const std::size_t taken = whole ? (count - i) / group * group : std::min(group - step_, count - i);
            if (whole) {
                run_groups(from + i, to + i, taken);
            } else {
                run_part(from + i, to + i, taken);
            }
            i += taken;
        }
    }

private:
    static constexpr std::size_t group = 8;
    static constexpr double vanished = 1e-290;
    using Group = std::array<double, group>;

    double begin(double value) {
        if (count_ == 0) {
            base_ = value;
        }
        sum_ += value - base_;
        if (++count_ < period_) {
            return no_value;
        }
        base_ += sum_ / static_cast<double>(period_);
        return base_;
    }

    void run_groups(const double* from, double* to, std::size_t count) {
        // In locals: a column might overlap anything that lies in memory.
        const Group pulls = pulls_;
        const Group left = left_;
        double base = base_;
        for (std::size_t i = 0; i < count; i += group) {
            const double first = from[i];
            const double away = base - first;
            Group sums;
            for (std::size_t step = 0; step < group; ++step) {
                sums[step] = pulls[step] * (from[i + step] - first);
            }
            for (std::size_t step = 1; step < group; ++step) {
                sums[step] += sums[step - 1];
            }
            for (std::size_t step = 0; step < group; ++step) {
                to[i + step] = first + left[step] * (sums[step] + away);
            }
            base = without_traces(first + left.back() * (sums.back() + away));
        }
        base_ = base;
    }

    /// The same of some values of one group.
    void run_part(const double* from, double* to, std::size_t count) {
        const double first = step_ == 0 ? from[0] : first_;
        const double away = base_ - first;
        double sum = step_ == 0 ? 0 : sum_;
        double mean = 0;
        for (std::size_t i = 0; i < count; ++i) {
            sum += pulls_[step_ + i] * (from[i] - first);
            mean = first + left_[step_ + i] * (sum + away);
            to[i] = mean;
        }
        first_ = first;
        sum_ = sum;
        step_ += count;
        if (step_ == group) {
            base_ = without_traces(mean);
            step_ = 0;
        }
    }

    /// What has all but vanished is nothing: it would stay a denormal number, and slow, for ever.
    static double without_traces(double mean) { return std::abs(mean) < vanished ? nothing() : mean; }
    /// A call, so that the compiler makes a branch of it: the next group waits for a choice, and for no guess that is
    /// always right.
    [[gnu::noinline, gnu::cold]] static double nothing() { return 0; }

    std::size_t period_;
    std::size_t count_{0};
    std::size_t step_{0};
    /// How far a value of this place in its group pulls the mean before it, as a share of its distance.
    Group pulls_{};
    /// What is left of that, and of the way from the group's first value to the mean before it.
    Group left_{};
    /// While it begins, the first value, from which the others are told; then the mean before the group.
    double base_{0};
    double first_{0};
    /// The group's pulls so far. While it begins, the sum of the distances.
    double sum_{0};
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
