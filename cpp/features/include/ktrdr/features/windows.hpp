#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include <ktrdr/features/indicator_state.hpp>

/// What the newest `period` values of a series come to, for a constant price a bar and whatever the period.
///
/// A series is cut into blocks of `period` values. A window is then the end of one block and the beginning of the next:
/// what each end of a block comes to is worked out once, when the block is whole, and what the beginning comes to grows
/// by a value a bar (van Herk 1992, Gil and Werman 1993, for maxima). Nothing is ever taken off again, so no rounding
/// outlives its block, and what has left the window has left the result. Everything here is handed numbers only, and is
/// in the header because every indicator's loop over a series has it inside.
///
/// `run` is `next` for `count` values that follow each other, to the bit: what lies in one block goes by in loops that
/// decide nothing from value to value.
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
    /// Where the next value goes, or the first of the next `values`, all of one block.
    std::size_t take(std::size_t values = 1) noexcept { return std::exchange(at_, at_ + values); }
    /// Whether the block is whole with what was just taken.
    [[nodiscard]] bool ends() const noexcept { return at_ == period_; }
    void begin_next() noexcept {
        at_ = 0;
        full_ = true;
    }

    /// Of `count` values that follow: `whole(first)` for each whole block with one before it, `part(first, taken)` for
    /// what lies in another block, and takes it.
    template <class Whole, class Part>
    void each_block(std::size_t count, Whole whole, Part part) const {
        for (std::size_t done = 0; done < count;) {
            const std::size_t taken = std::min(before(), count - done);
            if (taken == period_ && ready()) {
                whole(done);
            } else {
                part(done, taken);
            }
            done += taken;
        }
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
        sum_ += value;
        rests_[place_.take()] = value;
        if (!place_.ends()) {
            return place_.ready() ? rests_[place_.count()] + sum_ : no_value;
        }
        place_.begin_next();
        return close_block(rests_.data());
    }

    void run(const double* from, double* to, std::size_t count) {
        place_.each_block(
            count, [&](std::size_t first) { run_block(from + first, to + first); },
            [&](std::size_t first, std::size_t taken) { run_part(from + first, to + first, taken); });
    }

private:
    void run_block(const double* values, double* sums) {
        const std::size_t last = rests_.size() - 1;
        grow(values, rests_.data() + 1, sums, last, 0);
        sums[last] = close_block(values);
    }

    void run_part(const double* values, double* sums, std::size_t count) {
        if (!place_.ready()) {
            std::transform(values, values + count, sums, [this](double value) { return next(value); });
            return;
        }
        double* const rests = rests_.data() + place_.take(count);
        const std::size_t within = place_.ends() ? count - 1 : count;
        sum_ = grow(values, rests + 1, sums, within, sum_);
        std::copy_n(values, count, rests);
        if (place_.ends()) {
            sums[within] = close_block(rests_.data());
            place_.begin_next();
        }
    }

    /// Of the next values of a block, and what is left of the last block behind each.
    static double grow(const double* values, const double* rests, double* sums, std::size_t count, double sum) {
        for (std::size_t i = 0; i < count; ++i) {
            sum += values[i];
            sums[i] = rests[i] + sum;
        }
        return sum;
    }

    double close_block(const double* values) {
        double* const rests = rests_.data();
        double rest = 0;
        for (std::size_t i = rests_.size(); i-- > 0;) {
            rest += values[i];
            rests[i] = rest;
        }
        sum_ = 0;
        return rest;
    }

    BlockPlace place_;
    /// The values of this block, and behind them the sums of the last block's ends.
    std::vector<double> rests_;
    double sum_{0};
};

/// Mean of the last `period` values; NaN before there are that many. Equal values have exactly their value as mean.
///
/// What is left of the last block and the beginning of this one are summed as their distances from the last block's
/// last value, which is in the window too, so that a large price costs a small one no digits.
class MovingAverage final {
public:
    explicit MovingAverage(std::size_t period)
        : place_(period), rests_(period), share_(1 / static_cast<double>(period)) {}

    double next(double value) {
        sum_ += value - last_;
        rests_[place_.take()] = value;
        if (!place_.ends()) {
            return place_.ready() ? last_ + (rests_[place_.count()] + sum_) * share_ : no_value;
        }
        place_.begin_next();
        return close_block(rests_.data());
    }

    void run(const double* from, double* to, std::size_t count) {
        place_.each_block(
            count, [&](std::size_t first) { run_block(from + first, to + first); },
            [&](std::size_t first, std::size_t taken) { run_part(from + first, to + first, taken); });
    }

private:
    void run_block(const double* values, double* means) {
        const std::size_t last = rests_.size() - 1;
        grow(values, rests_.data() + 1, means, last);
        means[last] = close_block(values);
    }

    void run_part(const double* values, double* means, std::size_t count) {
        if (!place_.ready()) {
            std::transform(values, values + count, means, [this](double value) { return next(value); });
            return;
        }
        double* const rests = rests_.data() + place_.take(count);
        const std::size_t within = place_.ends() ? count - 1 : count;
        grow(values, rests + 1, means, within);
        std::copy_n(values, count, rests);
        if (place_.ends()) {
            means[within] = close_block(rests_.data());
            place_.begin_next();
        }
    }

    /// Of the next values of a block, and what is left of the last block behind each.
    void grow(const double* values, const double* rests, double* means, std::size_t count) {
        const double base = last_;
        const double share = share_;
        double sum = sum_;
        for (std::size_t i = 0; i < count; ++i) {
            sum += values[i] - base;
            means[i] = base + (rests[i] + sum) * share;
        }
        sum_ = sum;
    }

    double close_block(const double* values) {
        double* const rests = rests_.data();
        const double base = values[rests_.size() - 1];
        double rest = 0;
        for (std::size_t i = rests_.size(); i-- > 0;) {
            rest += values[i] - base;
            rests[i] = rest;
        }
        last_ = base;
        sum_ = 0;
        return base + rest * share_;
    }

    BlockPlace place_;
    /// The values of this block, and behind them how far the last block's ends lie from its last value, summed.
    std::vector<double> rests_;
    double share_;
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
        : place_(period),
          values_(period),
          rest_means_(period + 1),
          rest_scatters_(period + 1),
          shares_(period + 1),
          between_(period + 1) {
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
            close_block();
            return {base_ + mean, std::sqrt(scatter * shares_[count])};
        }
        if (!place_.ready()) {
            return {};
        }
        // How much lower the mean of this block's part is than that of what is left of the last.
        const double apart = last_ - base_ + rest_means_[count] - mean;
        const double share = shares_[place_.period()];
        const double whole = scatter + rest_scatters_[count] + apart * apart * between_[count];
        return {base_ + mean + apart * (static_cast<double>(place_.before()) * share), std::sqrt(whole * share)};
    }

    void run(const double* from, double* means, double* deviations, std::size_t count) {
        const auto part = [&](std::size_t first, std::size_t taken) {
            run_part(from + first, means + first, deviations + first, taken);
        };
        place_.each_block(count, [&](std::size_t first) { part(first, place_.period()); }, part);
    }

private:
    void run_part(const double* values, double* means, double* deviations, std::size_t count) {
        if (!place_.ready()) {
            for (std::size_t i = 0; i < count; ++i) {
                const auto [mean, deviation] = next(values[i]);
                means[i] = mean;
                deviations[i] = deviation;
            }
            return;
        }
        if (place_.begins()) {
            base_ = values[0];
            sum_ = 0;
            squares_ = 0;
        }
        const std::size_t here = place_.take(count);
        const double base = base_;
        double sum = sum_;
        double squares = squares_;
        for (std::size_t i = 0; i < count; ++i) {
            const double distance = values[i] - base;
            sum += distance;
            squares += distance * distance;
            means[i] = sum;
            deviations[i] = squares;
        }
        sum_ = sum;
        squares_ = squares;
        std::copy_n(values, count, values_.data() + here);
        const std::size_t last = place_.ends() ? count - 1 : count;
        put_together(here + 1, means, deviations, last);
        if (place_.ends()) {
            const double share = shares_[place_.period()];
            const double mean = sum * share;
            means[last] = base + mean;
            deviations[last] = std::sqrt(std::max(0.0, squares - sum * mean) * share);
            close_block();
        }
    }

    /// Of sums and sums of squares, the first of so many values of this block, with what is left of the last block.
    void put_together(std::size_t first, double* means, double* deviations, std::size_t count) const {
        const double* const shares = shares_.data() + first;
        const double* const between = between_.data() + first;
        const double* const rest_means = rest_means_.data() + first;
        const double* const rest_scatters = rest_scatters_.data() + first;
        const double share = shares_[place_.period()];
        const double base = base_;
        const double step = last_ - base;
        const auto before = static_cast<int>(place_.period() - first);
        for (std::size_t i = 0; i < count; ++i) {
            const double mean = means[i] * shares[i];
            const double scatter = std::max(0.0, deviations[i] - means[i] * mean);
            const double apart = step + rest_means[i] - mean;
            const double whole = scatter + rest_scatters[i] + apart * apart * between[i];
            means[i] = base + mean + apart * (static_cast<double>(before - static_cast<int>(i)) * share);
            deviations[i] = std::sqrt(whole * share);
        }
    }

    void close_block() {
        const double* const values = values_.data();
        const std::size_t period = place_.period();
        last_ = values[period - 1];
        double sum = 0;
        double squares = 0;
        for (std::size_t count = 1; count <= period; ++count) {
            const double distance = values[period - count] - last_;
            sum += distance;
            squares += distance * distance;
            const double mean = sum * shares_[count];
            rest_means_[period - count] = mean;
            rest_scatters_[period - count] = std::max(0.0, squares - sum * mean);
        }
        place_.begin_next();
    }

    BlockPlace place_;
    std::vector<double> values_;
    /// The last values of the last block: their mean as distance from the very last, and their squared distances from
    /// it.
    std::vector<double> rest_means_;
    std::vector<double> rest_scatters_;
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
        best_ = better(value, best_);
        rests_[place_.take()] = value;
        if (!place_.ends()) {
            return place_.ready() ? better(rests_[place_.count()], best_) : no_value;
        }
        place_.begin_next();
        return close_block(rests_.data());
    }

    void run(const double* from, double* to, std::size_t count) {
        place_.each_block(
            count, [&](std::size_t first) { run_block(from + first, to + first); },
            [&](std::size_t first, std::size_t taken) { run_part(from + first, to + first, taken); });
    }

private:
    void run_block(const double* values, double* bests) {
        const std::size_t last = rests_.size() - 1;
        grow(values, rests_.data() + 1, bests, last, Order::none);
        bests[last] = close_block(values);
    }

    void run_part(const double* values, double* bests, std::size_t count) {
        if (!place_.ready()) {
            std::transform(values, values + count, bests, [this](double value) { return next(value); });
            return;
        }
        double* const rests = rests_.data() + place_.take(count);
        const std::size_t within = place_.ends() ? count - 1 : count;
        best_ = grow(values, rests + 1, bests, within, best_);
        std::copy_n(values, count, rests);
        if (place_.ends()) {
            bests[within] = close_block(rests_.data());
            place_.begin_next();
        }
    }

    /// Of the next values of a block, and what is left of the last block behind each.
    static double grow(const double* values, const double* rests, double* bests, std::size_t count, double best) {
        for (std::size_t i = 0; i < count; ++i) {
            best = better(values[i], best);
            bests[i] = better(rests[i], best);
        }
        return best;
    }

    double close_block(const double* values) {
        double* const rests = rests_.data();
        double rest = Order::none;
        for (std::size_t i = rests_.size(); i-- > 0;) {
            rest = better(values[i], rest);
            rests[i] = rest;
        }
        best_ = Order::none;
        return rest;
    }

    static double better(double left, double right) { return Order::beats(left, right) ? left : right; }

    BlockPlace place_;
    /// The values of this block, and behind them the extremes of the last block's ends.
    std::vector<double> rests_;
    double best_{Order::none};
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

}  // namespace ktrdr
