#include <ktrdr/features/trends.hpp>

#include <utility>

#include "rows.hpp"

namespace ktrdr {
namespace {

class Atr final {
public:
    explicit Atr(std::size_t period) : average_(period) {}

    std::array<double, 1> next(const rows::Bar& bar) { return {average_.next(bar[0], bar[1], bar[2])}; }
    void run(const BarRun<3, 1>& run) { average_.run(run.from, run.to[0], run.bars); }

private:
    AverageTrueRange average_;
};

/// Wilder's sum: it loses a `period`-th of itself in each step. Begun with the sum of `period` - 1 values.
class WilderSum final {
public:
    explicit WilderSum(std::size_t period) : share_(1 / static_cast<double>(period)) {}

    void begin(double value) { sum_ += value; }
    double next(double value) {
        sum_ += value - sum_ * share_;
        return sum_;
    }

private:
    double share_;
    double sum_{0};
};

class Adx final {
public:
    explicit Adx(std::size_t period) : period_(period), up_(period), down_(period), range_(period) {}

    std::array<double, 3> next(const rows::Bar& bar) {
        const rows::Bar before = std::exchange(last_, bar);
        if (count_++ == 0) {
            return {no_value, no_value, no_value};
        }
        const double rise = bar[0] - before[0];
        const double fall = before[1] - bar[1];
        const double up = rise > fall && rise > 0 ? rise : 0;
        const double down = fall > rise && fall > 0 ? fall : 0;
        const double range = true_range(bar[0], bar[1], before[2]);
        if (count_ <= period_) {
            up_.begin(up);
            down_.begin(down);
            range_.begin(range);
            return {no_value, no_value, no_value};
        }
        const double ranges = range_.next(range);
        const double plus = share(up_.next(up), ranges);
        const double minus = share(down_.next(down), ranges);
        return {index(plus, minus), plus, minus};
    }

private:
    static double share(double part, double whole) { return whole == 0 ? 0 : 100 * part / whole; }

    /// The mean of |plus - minus| in percent of their sum.
    double index(double plus, double minus) {
        const auto n = static_cast<double>(period_);
        const double both = plus + minus;
        if (count_ <= 2 * period_) {
            index_ += both == 0 ? 0 : 100 * std::abs(plus - minus) / both / n;
            return count_ < 2 * period_ ? no_value : index_;
        }
        if (both != 0) {
            index_ += (100 * std::abs(plus - minus) / both - index_) / n;
        }
        return index_;
    }

    std::size_t period_;
    WilderSum up_;
    WilderSum down_;
    WilderSum range_;
    std::size_t count_{0};
    rows::Bar last_{};
    double index_{0};
};

/// Worked out for a rising trend; in a falling one every price is taken with its sign turned, so that highs and lows
/// change places.
class ParabolicSar final {
public:
    ParabolicSar(double acceleration, double maximum)
        : acceleration_(std::min(acceleration, maximum)), maximum_(maximum) {}

    std::array<double, 1> next(const std::array<double, 2>& bar) {
        const auto [high_before, low_before] = std::exchange(last_, Range{bar[0], bar[1]});
        if (!begun_) {
            begun_ = true;
            return {no_value};
        }
        Range before{high_before, low_before};
        if (pace_ == 0) {
            begin(before, last_);
            before = last_;
        }
        const double stop = follow(turned(before), turned(last_));
        return {sign_ * stop};
    }

private:
    struct Range {
        double high{0};
        double low{0};
    };

    static Range opposite(Range range) { return {-range.low, -range.high}; }
    [[nodiscard]] Range turned(Range range) const { return sign_ > 0 ? range : opposite(range); }

    void begin(Range first, Range second) {
        const double fall = first.low - second.low;
        sign_ = fall > 0 && fall > second.high - first.high ? -1 : 1;
        stop_ = turned(first).low;
        extreme_ = turned(second).high;
        pace_ = acceleration_;
    }

    /// The stop for this bar, in the sign of the trend that it ends in; works out that of the next bar.
    double follow(Range before, Range now) {
        double stop = stop_;
        if (now.low <= stop) {
            // The other way: the stop is the trend's extreme, outside both bars.
            sign_ = -sign_;
            stop = std::min({-extreme_, -before.high, -now.high});
            extreme_ = -now.low;
            pace_ = acceleration_;
            before = opposite(before);
            now = opposite(now);
        } else if (now.high > extreme_) {
            extreme_ = now.high;
            pace_ = std::min(pace_ + acceleration_, maximum_);
        }
        // The stop comes last: each bar's waits for that of the bar before.
        stop_ = std::min(std::min(before.low, now.low), stop + pace_ * (extreme_ - stop));
        return stop;
    }

    double acceleration_;
    double maximum_;
    bool begun_{false};
    Range last_{};
    double sign_{1};
    double stop_{0};
    double extreme_{0};
    /// 0 before there are two bars.
    double pace_{0};
};

class SuperTrend final {
public:
    SuperTrend(std::size_t period, double multiplier) : range_(period), multiplier_(multiplier) {}

    std::array<double, 2> next(const rows::Bar& bar) { return follow(bar, range_.next(bar[0], bar[1], bar[2])); }
    void run(const BarRun<3, 2>& run) {
        RunRoom ranges;
        range_.run(run.from, ranges.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            const auto [line, direction] = follow({run.from[0][bar], run.from[1][bar], run.from[2][bar]}, ranges[bar]);
            run.to[0][bar] = line;
            run.to[1][bar] = direction;
        }
    }

private:
    std::array<double, 2> follow(const rows::Bar& bar, double range) {
        const double away = multiplier_ * range;
        const double before = std::exchange(close_, bar[2]);
        if (std::isnan(away)) {
            return {no_value, no_value};
        }
        const double middle = (bar[0] + bar[1]) / 2;
        // A band moves towards the price only, until a close has been beyond it.
        const double upper = begun_ && before <= upper_ ? std::min(middle + away, upper_) : middle + away;
        const double lower = begun_ && before >= lower_ ? std::max(middle - away, lower_) : middle - away;
        if (rising_ ? bar[2] < lower : bar[2] > upper) {
            rising_ = !rising_;
        }
        begun_ = true;
        upper_ = upper;
        lower_ = lower;
        return {rising_ ? lower : upper, rising_ ? 1.0 : -1.0};
    }

    AverageTrueRange range_;
    double multiplier_;
    bool begun_{false};
    bool rising_{true};
    double close_{0};
    double upper_{0};
    double lower_{0};
};

class ZigZag final {
public:
    explicit ZigZag(double threshold) : back_(threshold / 100) {}

    std::array<double, 3> next(const std::array<double, 1>& price) {
        const double value = price[0];
        if (!begun_) {
            begun_ = true;
            pivot_ = highest_ = lowest_ = value;
        }
        highest_ = std::max(highest_, value);
        lowest_ = std::min(lowest_, value);
        if (direction_ <= 0 && value > lowest_ && value - lowest_ >= back_ * std::abs(lowest_)) {
            turn(lowest_, value, 1);
        } else if (direction_ >= 0 && value < highest_ && highest_ - value >= back_ * std::abs(highest_)) {
            turn(highest_, value, -1);
        }
        return {pivot_, direction_, rows::percent(value - pivot_, pivot_)};
    }

private:
    void turn(double pivot, double value, double direction) {
        pivot_ = pivot;
        direction_ = direction;
        highest_ = lowest_ = value;
    }

    double back_;
    bool begun_{false};
    double pivot_{0};
    /// Since the last turn.
    double highest_{0};
    double lowest_{0};
    double direction_{0};
};

constexpr std::array trend_parameters{rows::period(14)};
constexpr std::array<std::string_view, 1> atr_outputs{"atr"};
constexpr std::array<std::string_view, 3> adx_outputs{"adx", "plus_di", "minus_di"};
constexpr std::array sar_parameters{IndicatorParameter{"acceleration", 0.02, 0.0001, 1, false},
                                    IndicatorParameter{"maximum", 0.2, 0.0001, 1, false}};
constexpr std::array<std::string_view, 1> sar_outputs{"sar"};
constexpr std::array supertrend_parameters{rows::period(10), rows::multiplier("multiplier", 3)};
constexpr std::array<std::string_view, 2> supertrend_outputs{"line", "direction"};
constexpr std::array zigzag_parameters{IndicatorParameter{"threshold", 5, 0.01, 90, false}};
constexpr std::array<std::string_view, 3> zigzag_outputs{"pivot", "direction", "distance"};

/// Directions forget with their sums; only then can their mean begin to forget what it took from those that remembered.
WarmUp adx_warm_up(const IndicatorParameters& parameters, std::size_t output) {
    const std::size_t period = whole(parameters, "period");
    const std::size_t forgotten = wilder_steps_to_forget(period);
    return output == 0 ? WarmUp{2 * period - 1, period + 2 * forgotten} : WarmUp{period, period + forgotten};
}

std::unique_ptr<IndicatorState> make_sar(const IndicatorParameters& parameters) {
    return make_state<2, 1>(ParabolicSar(parameters.at("acceleration"), parameters.at("maximum")));
}

std::unique_ptr<IndicatorState> make_supertrend(const IndicatorParameters& parameters) {
    return make_state<3, 2>(SuperTrend(whole(parameters, "period"), parameters.at("multiplier")));
}

WarmUp supertrend_warm_up(const IndicatorParameters& parameters) {
    return rows::never_exact(whole(parameters, "period"));
}

constexpr std::array trends{
    IndicatorSpec{.name = "atr",
                  .parameters = trend_parameters,
                  .inputs = rows::high_low_close,
                  .outputs = atr_outputs,
                  .make_state = rows::by_period<3, 1, Atr>,
                  .warm_up = rows::range_warm_up},
    IndicatorSpec{.name = "adx",
                  .parameters = trend_parameters,
                  .inputs = rows::high_low_close,
                  .outputs = adx_outputs,
                  .make_state = rows::by_period<3, 3, Adx>,
                  .output_warm_up = adx_warm_up},
    IndicatorSpec{.name = "parabolic_sar",
                  .parameters = sar_parameters,
                  .inputs = rows::high_low,
                  .outputs = sar_outputs,
                  .make_state = make_sar,
                  .warm_up = [](const IndicatorParameters&) { return rows::never_exact(1); }},
    IndicatorSpec{.name = "supertrend",
                  .parameters = supertrend_parameters,
                  .inputs = rows::high_low_close,
                  .outputs = supertrend_outputs,
                  .make_state = make_supertrend,
                  .warm_up = supertrend_warm_up},
    IndicatorSpec{
        .name = "zigzag",
        .parameters = zigzag_parameters,
        .outputs = zigzag_outputs,
        .make_state =
            [](const IndicatorParameters& parameters) { return make_state<1, 3>(ZigZag(parameters.at("threshold"))); },
        .warm_up = [](const IndicatorParameters&) { return rows::never_exact(0); }},
};

}  // namespace

std::span<const IndicatorSpec> trend_specs() noexcept {
    return trends;
}

}  // namespace ktrdr
