#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include <ktrdr/features/indicator_state.hpp>

/// Values of a series as they came, kept for a while. `run` is what `next` and `take` do, for `count` values that
/// follow each other, to the bit. In the header because every indicator's loop over a series has it inside.
namespace ktrdr {

/// The value `bars` bars ago; NaN before there is one. With 0 it is the value itself.
class Delay final {
public:
    explicit Delay(std::size_t bars) : values_(bars, no_value) {}

    double next(double value) {
        if (values_.empty()) {
            return value;
        }
        const double old = values_[at_];
        values_[at_] = value;
        at_ = at_ + 1 == values_.size() ? 0 : at_ + 1;
        return old;
    }

    /// `use(which, old)` for each of `count` values, with what `next` gives for it.
    template <class Use>
    void run(const double* from, std::size_t count, Use use) {
        const std::size_t kept = values_.size();
        if (count < kept) {
            for (std::size_t i = 0; i < count; ++i) {
                use(i, next(from[i]));
            }
            return;
        }
        std::ranges::rotate(values_, values_.begin() + static_cast<std::ptrdiff_t>(at_));
        at_ = 0;
        for (std::size_t i = 0; i < kept; ++i) {
            use(i, values_[i]);
        }
        for (std::size_t i = kept; i < count; ++i) {
            use(i, from[i - kept]);
        }
        std::copy(from + count - kept, from + count, values_.begin());
    }

private:
    std::vector<double> values_;
    std::size_t at_{0};
};

/// The last `period` values in one piece, and how far they lie from a value on average. O(period) a bar.
class RecentValues final {
public:
    explicit RecentValues(std::size_t period) : period_(period), values_(period + longest_run) {}

    void take(double value) {
        if (count_ == values_.size()) {
            std::copy(values_.end() - static_cast<std::ptrdiff_t>(period_ - 1), values_.end(), values_.begin());
            count_ = period_ - 1;
        }
        values_[count_++] = value;
    }
    /// Asked once `period` values have been taken.
    [[nodiscard]] double mean_distance(double from) const {
        const double* const first = values_.data() + count_ - period_;
        double sum = 0;
        for (std::size_t i = 0; i < period_; ++i) {
            sum += std::abs(first[i] - from);
        }
        return sum / static_cast<double>(period_);
    }
    /// `take` each of at most `longest_run` values, and how far the window that ends with it lies from its own value of
    /// `from`. Asked once `period` values have been taken.
    void run(const double* values, const double* from, double* to, std::size_t count) {
        std::copy(values_.begin() + static_cast<std::ptrdiff_t>(count_ - (period_ - 1)),
                  values_.begin() + static_cast<std::ptrdiff_t>(count_), values_.begin());
        std::copy_n(values, count, values_.begin() + static_cast<std::ptrdiff_t>(period_ - 1));
        count_ = period_ - 1 + count;
        // Several windows side by side: each sum waits for its last addition, but not for those of the others.
        constexpr std::size_t lanes = 8;
        const double whole = static_cast<double>(period_);
        std::size_t bar = 0;
        for (; bar + lanes <= count; bar += lanes) {
            std::array<double, lanes> sums{};
            std::array<double, lanes> centres{};
            std::copy_n(from + bar, lanes, centres.begin());
            const double* const first = values_.data() + bar;
            for (std::size_t i = 0; i < period_; ++i) {
                for (std::size_t lane = 0; lane < lanes; ++lane) {
                    sums[lane] += std::abs(first[i + lane] - centres[lane]);
                }
            }
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                to[bar + lane] = sums[lane] / whole;
            }
        }
        for (; bar < count; ++bar) {
            double sum = 0;
            for (std::size_t i = 0; i < period_; ++i) {
                sum += std::abs(values_[bar + i] - from[bar]);
            }
            to[bar] = sum / whole;
        }
    }

private:
    std::size_t period_;
    /// When it is full, the values still needed move to its front.
    std::vector<double> values_;
    std::size_t count_{0};
};

}  // namespace ktrdr
