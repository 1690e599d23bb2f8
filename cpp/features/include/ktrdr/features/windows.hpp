#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <ktrdr/features/indicator_state.hpp>

/// What the newest `period` values of a series come to, for a constant price a bar and whatever the period.
///
/// A series is cut into blocks of `period` values. A window is then the end of one block and the beginning of the next:
/// what each end of a block comes to is worked out once, when the block is whole, and what the beginning comes to grows
/// by a value a bar (van Herk 1992, Gil and Werman 1993, for maxima). Nothing is ever taken off again, so no rounding
/// outlives its block, and what has left the window has left the result. Everything here is handed numbers only, and is
/// in the header because every indicator's loop over a series has it inside.
namespace ktrdr {

/// Where the next value goes in its block, and whether there are enough of them.
class BlockPlace final {
public:
    explicit BlockPlace(std::size_t period) : period_(period) {}

    [[nodiscard]] bool begins() const noexcept { return at_ == 0; }
    /// How many values of this block there are.
    [[nodiscard]] std::size_t count() const noexcept { return at_; }
    [[nodiscard]] std::size_t period() const noexcept { return period_; }
    /// How many values of the window lie in the block before.
    [[nodiscard]] std::size_t before() const noexcept { return period_ - at_; }
    [[nodiscard]] bool ready() const noexcept { return full_; }
    std::size_t take() noexcept { return at_++; }
    /// Whether the block is whole with the value that was just taken.
    [[nodiscard]] bool ends() const noexcept { return at_ == period_; }
    void begin_next() noexcept {
        at_ = 0;
        full_ = true;
    }

private:
    std::size_t period_;
    std::size_t at_{0};
    bool full_{false};
};

/// Sum of the last `period` values; NaN before there are that many. Zeros come to exactly 0.
class WindowSum final {
public:
    explicit WindowSum(std::size_t period) : place_(period), rests_(period) {}

    double next(double value) {
        sum_ = place_.begins() ? value : sum_ + value;
        rests_[place_.take()] = value;
        if (!place_.ends()) {
            return place_.ready() ? rests_[place_.count()] + sum_ : no_value;
        }
        double rest = 0;
        for (std::size_t i = rests_.size(); i-- > 0;) {
            rest += rests_[i];
            rests_[i] = rest;
        }
        place_.begin_next();
        return sum_;
    }

private:
    BlockPlace place_;
    /// The values of this block, and behind them the sums of the last block's ends.
    std::vector<double> rests_;
    double sum_{0};
};

/// Mean of the last `period` values; NaN before there are that many. Equal values have exactly their value as mean.
///
/// Each part is summed as its distances from a value of its own, so that a large price costs a small one no digits.
class MovingAverage final {
public:
    explicit MovingAverage(std::size_t period)
        : place_(period), rests_(period), share_(1 / static_cast<double>(period)) {}

    double next(double value) {
        if (place_.begins()) {
            base_ = value;
            sum_ = 0;
        }
        sum_ += value - base_;
        rests_[place_.take()] = value;
        if (!place_.ends()) {
            if (!place_.ready()) {
                return no_value;
            }
            const double before = static_cast<double>(place_.before()) * (last_ - base_) + rests_[place_.count()];
            return base_ + (before + sum_) * share_;
        }
        close_block(value);
        return base_ + sum_ * share_;
    }

private:
    void close_block(double value) {
        last_ = value;
        double rest = 0;
        for (std::size_t i = rests_.size(); i-- > 0;) {
            rest += rests_[i] - last_;
            rests_[i] = rest;
        }
        place_.begin_next();
    }

    BlockPlace place_;
    /// The values of this block, and behind them how far the last block's ends lie from its last value, summed.
    std::vector<double> rests_;
    double share_;
    /// This block's first value and the last block's last: both are in every window that their blocks are part of.
    double base_{0};
    double last_{0};
    double sum_{0};
};

/// Mean and standard deviation (of the population) of the last `period` values; NaN before there are that many.
///
/// The variances of the two parts and the distance of their means are put together (Chan, Golub and LeVeque 1979); each
/// is taken around a value of its part, so that it loses no more than `period` roundings to cancellation. Equal values
/// deviate by exactly 0.
class WindowDeviation final {
public:
    struct Result {
        double mean{no_value};
        double deviation{no_value};
    };

    explicit WindowDeviation(std::size_t period)
        : place_(period), values_(period), rests_(period + 1), shares_(period + 1), between_(period + 1) {
        const auto n = static_cast<double>(period);
        for (std::size_t i = 1; i <= period; ++i) {
            const auto count = static_cast<double>(i);
            shares_[i] = 1 / count;
            between_[i] = count * (n - count) / n;
        }
    }

    Result next(double value) {
        if (place_.begins()) {
            base_ = value;
            sum_ = 0;
            squares_ = 0;
        }
        const double distance = value - base_;
        sum_ += distance;
        squares_ += distance * distance;
        values_[place_.take()] = value;
        const std::size_t count = place_.count();
        const double mean = sum_ * shares_[count];
        const double scatter = std::max(0.0, squares_ - sum_ * mean);
        if (place_.ends()) {
            close_block(value);
            return {base_ + mean, std::sqrt(scatter * shares_[count])};
        }
        if (!place_.ready()) {
            return {};
        }
        const Part& rest = rests_[count];
        // How much lower the mean of this block's part is than that of what is left of the last.
        const double apart = last_ - base_ + rest.mean - mean;
        const double share = shares_[place_.period()];
        const double whole = scatter + rest.scatter + apart * apart * between_[count];
        return {base_ + mean + apart * static_cast<double>(place_.before()) * share, std::sqrt(whole * share)};
    }

private:
    /// The last values of a block: their mean as distance from the very last, and their squared distances from it.
    struct Part {
        double mean{0};
        double scatter{0};
    };

    void close_block(double value) {
        last_ = value;
        double sum = 0;
        double squares = 0;
        for (std::size_t count = 1; count <= values_.size(); ++count) {
            const double distance = values_[values_.size() - count] - last_;
            sum += distance;
            squares += distance * distance;
            const double mean = sum * shares_[count];
            rests_[values_.size() - count] = {mean, std::max(0.0, squares - sum * mean)};
        }
        place_.begin_next();
    }

    BlockPlace place_;
    std::vector<double> values_;
    std::vector<Part> rests_;
    /// 1 / n, and n (period - n) / period.
    std::vector<double> shares_;
    std::vector<double> between_;
    double base_{0};
    double last_{0};
    double sum_{0};
    double squares_{0};
};

struct Higher {
    static constexpr double none = -std::numeric_limits<double>::infinity();
    static constexpr bool beats(double left, double right) { return left > right; }
};

struct Lower {
    static constexpr double none = std::numeric_limits<double>::infinity();
    static constexpr bool beats(double left, double right) { return left < right; }
};

/// The highest (or lowest) of the last `period` values; NaN before there are that many.
template <class Order>
class WindowExtreme final {
public:
    explicit WindowExtreme(std::size_t period) : place_(period), rests_(period) {}

    double next(double value) {
        best_ = place_.begins() ? value : better(value, best_);
        rests_[place_.take()] = value;
        if (!place_.ends()) {
            return place_.ready() ? better(rests_[place_.count()], best_) : no_value;
        }
        double rest = Order::none;
        for (std::size_t i = rests_.size(); i-- > 0;) {
            rest = better(rests_[i], rest);
            rests_[i] = rest;
        }
        place_.begin_next();
        return best_;
    }

private:
    static double better(double left, double right) { return Order::beats(left, right) ? left : right; }

    BlockPlace place_;
    /// The values of this block, and behind them the extremes of the last block's ends.
    std::vector<double> rests_;
    double best_{0};
};

/// How many bars ago the highest (or lowest) of the last `period` values was, the newest of equal ones; NaN before
/// there are that many.
template <class Order>
class ExtremeAge final {
public:
    explicit ExtremeAge(std::size_t period) : place_(period), rests_(period), places_(period) {}

    double next(double value) {
        const std::size_t here = place_.take();
        if (here == 0 || !Order::beats(best_, value)) {
            best_ = value;
            best_place_ = here;
        }
        rests_[here] = value;
        if (place_.ends()) {
            close_block();
            return static_cast<double>(here - best_place_);
        }
        if (!place_.ready()) {
            return no_value;
        }
        const std::size_t next = here + 1;
        const std::size_t ago =
            Order::beats(rests_[next], best_) ? here + places_.size() - places_[next] : here - best_place_;
        return static_cast<double>(ago);
    }

private:
    void close_block() {
        double rest = Order::none;
        std::size_t place = 0;
        for (std::size_t i = rests_.size(); i-- > 0;) {
            if (Order::beats(rests_[i], rest)) {
                rest = rests_[i];
                place = i;
            }
            rests_[i] = rest;
            places_[i] = place;
        }
        place_.begin_next();
    }

    BlockPlace place_;
    std::vector<double> rests_;
    std::vector<std::size_t> places_;
    double best_{0};
    std::size_t best_place_{0};
};

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

private:
    std::vector<double> values_;
    std::size_t at_{0};
};

/// The last `period` values in one piece, and how far they lie from a value on average. O(period) a bar.
class RecentValues final {
public:
    explicit RecentValues(std::size_t period) : period_(period), values_(period + 1024) {}

    void take(double value) {
        if (count_ == values_.size()) {
            std::copy(values_.end() - static_cast<std::ptrdiff_t>(period_ - 1), values_.end(), values_.begin());
            count_ = period_ - 1;
        }
        values_[count_++] = value;
    }
    /// Asked once `period` values have been taken.
    [[nodiscard]] double mean_distance(double from) const {
        // Four sums, so that one addition need not wait for the last.
        std::array<double, 4> sums{};
        const double* const first = values_.data() + count_ - period_;
        std::size_t i = 0;
        for (; i + sums.size() <= period_; i += sums.size()) {
            for (std::size_t lane = 0; lane < sums.size(); ++lane) {
                sums[lane] += std::abs(first[i + lane] - from);
            }
        }
        for (; i < period_; ++i) {
            sums[0] += std::abs(first[i] - from);
        }
        return (sums[0] + sums[1] + (sums[2] + sums[3])) / static_cast<double>(period_);
    }

private:
    std::size_t period_;
    /// When it is full, the values still needed move to its front.
    std::vector<double> values_;
    std::size_t count_{0};
};

}  // namespace ktrdr
