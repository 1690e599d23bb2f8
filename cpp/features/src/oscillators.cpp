#include <ktrdr/features/oscillators.hpp>

#include <algorithm>
#include <cmath>

#include <ktrdr/features/moving_averages.hpp>
#include <ktrdr/features/recent_values.hpp>

#include "rows.hpp"

namespace ktrdr {
namespace {

class Rsi final {
public:
    explicit Rsi(std::size_t period) : gain_(wilder_average(period)), loss_(wilder_average(period)) {}

    std::array<double, 1> next(const std::array<double, 1>& price) {
        const double change = price[0] - last_;
        last_ = price[0];
        if (!begun_) {
            begun_ = true;
            return {no_value};
        }
        // Half of the amount and the move, or of their difference: nobody can guess which way the next bar goes, so a
        // branch here would cost more than everything else.
        const double amount = std::abs(change);
        const double gain = gain_.next(0.5 * (amount + change));
        return {share(gain, loss_.next(0.5 * (amount - change)))};
    }
    void run(rows::PriceRun<1> run) {
        if (!begun_) {
            run.to[0][0] = next({run.from[0][0]})[0];
            run = run.behind(1);
        }
        RunRoom gains;
        RunRoom losses;
        double last = last_;
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            const double change = run.from[0][bar] - last;
            last = run.from[0][bar];
            const double amount = std::abs(change);
            gains[bar] = 0.5 * (amount + change);
            losses[bar] = 0.5 * (amount - change);
        }
        last_ = last;
        gain_.run(gains.data(), gains.data(), run.bars);
        loss_.run(losses.data(), losses.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            run.to[0][bar] = share(gains[bar], losses[bar]);
        }
    }

private:
    static double share(double gain, double loss) {
        const double moved = gain + loss;
        const double percent = 100 * gain / moved;
        return moved == 0 ? 50 : percent;
    }

    ForgettingAverage gain_;
    ForgettingAverage loss_;
    bool begun_{false};
    double last_{0};
};

class Macd final {
public:
    Macd(std::size_t fast, std::size_t slow, std::size_t signal, bool in_percent)
        : fast_(exponential_average(fast)),
          slow_(exponential_average(slow)),
          signal_(exponential_average(signal)),
          percent_(in_percent) {}

    std::array<double, 3> next(const std::array<double, 1>& price) {
        const double line = fast_.next(price[0]) - slow_.next(price[0]);
        const double signal = std::isnan(line) ? no_value : signal_.next(line);
        const double histogram = line - signal;
        if (!percent_) {
            return {line, signal, histogram};
        }
        return {rows::percent(line, price[0]), rows::percent(signal, price[0]), rows::percent(histogram, price[0])};
    }
    void run(const rows::PriceRun<3>& run) {
        const double* const prices = run.from[0];
        const auto [lines, signals, histograms] = run.to;
        RunRoom slow;
        fast_.run(prices, lines, run.bars);
        slow_.run(prices, slow.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            lines[bar] -= slow[bar];
        }
        // The slow mean has no value for a while, and then always.
        std::size_t first = 0;
        for (; first < run.bars && std::isnan(lines[first]); ++first) {
            signals[first] = no_value;
        }
        signal_.run(lines + first, signals + first, run.bars - first);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            histograms[bar] = lines[bar] - signals[bar];
        }
        for (std::size_t output = 0; percent_ && output < run.to.size(); ++output) {
            for (std::size_t bar = 0; bar < run.bars; ++bar) {
                run.to[output][bar] = rows::percent(run.to[output][bar], prices[bar]);
            }
        }
    }

private:
    ForgettingAverage fast_;
    ForgettingAverage slow_;
    ForgettingAverage signal_;
    bool percent_;
};

class Momentum final {
public:
    explicit Momentum(std::size_t period) : before_(period) {}

    std::array<double, 1> next(const std::array<double, 1>& price) { return {price[0] - before_.next(price[0])}; }
    void run(const rows::PriceRun<1>& run) {
        const auto [from, to, bars] = run;
        before_.run(from[0], bars, [price = from[0], change = to[0]](std::size_t bar, double before) {
            change[bar] = price[bar] - before;
        });
    }

private:
    Delay before_;
};

class RateOfChange final {
public:
    explicit RateOfChange(std::size_t period) : before_(period) {}

    std::array<double, 1> next(const std::array<double, 1>& price) {
        const double before = before_.next(price[0]);
        return {rows::percent(price[0] - before, before)};
    }
    void run(const rows::PriceRun<1>& run) {
        const auto [from, to, bars] = run;
        before_.run(from[0], bars, [price = from[0], change = to[0]](std::size_t bar, double before) {
            change[bar] = rows::percent(price[bar] - before, before);
        });
    }

private:
    Delay before_;
};

class Cci final {
public:
    explicit Cci(std::size_t period) : average_(period), window_(period) {}

    std::array<double, 1> next(const rows::Bar& bar) {
        const double typical = (bar[0] + bar[1] + bar[2]) / 3;
        const double average = average_.next(typical);
        window_.take(typical);
        if (std::isnan(average)) {
            return {no_value};
        }
        return {index(typical, average, window_.mean_distance(average))};
    }
    void run(const BarRun<3, 1>& run) {
        RunRoom typical;
        RunRoom averages;
        RunRoom distances;
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            typical[bar] = (run.from[0][bar] + run.from[1][bar] + run.from[2][bar]) / 3;
        }
        average_.run(typical.data(), averages.data(), run.bars);
        std::size_t first = 0;
        for (; first < run.bars && std::isnan(averages[first]); ++first) {
            window_.take(typical[first]);
            run.to[0][first] = no_value;
        }
        if (first == run.bars) {
            return;
        }
        window_.run(typical.data() + first, averages.data() + first, distances.data() + first, run.bars - first);
        for (std::size_t bar = first; bar < run.bars; ++bar) {
            run.to[0][bar] = index(typical[bar], averages[bar], distances[bar]);
        }
    }

private:
    static double index(double typical, double average, double distance) {
        const double share = (typical - average) / (0.015 * distance);
        return distance == 0 ? 0 : share;
    }

    MovingAverage average_;
    RecentValues window_;
};

/// Four bars weighed 1, 2, 2, 1, in sixths.
class FourBars final {
public:
    double next(double value) {
        const double result = (value + 2 * (before_[0] + before_[1]) + before_[2]) / 6;
        before_ = {value, before_[0], before_[1]};
        return result;
    }

private:
    std::array<double, 3> before_{no_value, no_value, no_value};
};

class RelativeVigor final {
public:
    explicit RelativeVigor(std::size_t period) : moves_(period), heights_(period) {}

    std::array<double, 2> next(const std::array<double, 4>& bar) {
        const double move = move_.next(bar[3] - bar[0]);
        const double height = height_.next(bar[1] - bar[2]);
        if (std::isnan(move)) {
            return {no_value, no_value};
        }
        const double moved = moves_.next(move);
        const double high = heights_.next(height);
        const double vigor = high == 0 ? 0 : moved / high;
        return {vigor, signal_.next(vigor)};
    }

private:
    FourBars move_;
    FourBars height_;
    WindowSum moves_;
    WindowSum heights_;
    FourBars signal_;
};

class Fisher final {
public:
    explicit Fisher(std::size_t period) : highest_(period), lowest_(period) {}

    std::array<double, 2> next(const std::array<double, 2>& bar) {
        const double middle = (bar[0] + bar[1]) / 2;
        const double highest = highest_.next(middle);
        const double lowest = lowest_.next(middle);
        return follow(middle, highest, lowest);
    }
    void run(const BarRun<2, 2>& run) {
        RunRoom middles;
        RunRoom highest;
        RunRoom lowest;
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            middles[bar] = (run.from[0][bar] + run.from[1][bar]) / 2;
        }
        highest_.run(middles.data(), highest.data(), run.bars);
        lowest_.run(middles.data(), lowest.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            const auto [line, signal] = follow(middles[bar], highest[bar], lowest[bar]);
            run.to[0][bar] = line;
            run.to[1][bar] = signal;
        }
    }

private:
    std::array<double, 2> follow(double middle, double highest, double lowest) {
        if (std::isnan(highest)) {
            return {no_value, no_value};
        }
        const double height = highest - lowest;
        const double place = height == 0 ? 0.5 : (middle - lowest) / height;
        // Ehlers' weights; the transform has no value at 1.
        value_ = std::clamp(0.66 * (place - 0.5) + 0.67 * value_, -0.999, 0.999);
        const double before = fisher_;
        const double last = std::isnan(before) ? 0 : before;
        fisher_ = 0.5 * std::log((1 + value_) / (1 - value_)) + 0.5 * last;
        return {fisher_, before};
    }

    WindowExtreme<Higher> highest_;
    WindowExtreme<Lower> lowest_;
    double value_{0};
    double fisher_{no_value};
};

constexpr std::array rsi_parameters{IndicatorParameter{"period", 14, 2, 1000}};
constexpr std::array<std::string_view, 1> rsi_outputs{"rsi"};

constexpr std::array macd_parameters{
    IndicatorParameter{"fast_period", 12, 2, 1000}, IndicatorParameter{"slow_period", 26, 3, 2000},
    IndicatorParameter{"signal_period", 9, 2, 1000},
    // 1: every output in percent of the price, so that a share at 3 and one at 300 read alike.
    IndicatorParameter{"percent", 0, 0, 1}};
constexpr std::array<std::string_view, 3> macd_outputs{"line", "signal", "histogram"};
constexpr std::array<std::string_view, 2> macd_rising{"fast_period", "slow_period"};

constexpr std::array change_parameters{rows::period(10, 1)};
constexpr std::array<std::string_view, 1> momentum_outputs{"momentum"};
constexpr std::array<std::string_view, 1> roc_outputs{"roc"};
constexpr std::array cci_parameters{rows::period(20)};
constexpr std::array<std::string_view, 1> cci_outputs{"cci"};
constexpr std::array vigor_parameters{rows::period(10)};
constexpr std::array vigor_inputs{InputColumn::open, InputColumn::high, InputColumn::low, InputColumn::close};
constexpr std::array<std::string_view, 2> vigor_outputs{"line", "signal"};
constexpr std::array<std::string_view, 2> fisher_outputs{"line", "signal"};

/// Gains and losses forget alike, so does their ratio.
WarmUp rsi_warm_up(const IndicatorParameters& parameters) {
    const std::size_t period = whole(parameters, "period");
    return {period, period + wilder_steps_to_forget(period)};
}

std::unique_ptr<IndicatorState> make_macd(const IndicatorParameters& parameters) {
    return make_state<1, 3>(Macd(whole(parameters, "fast_period"), whole(parameters, "slow_period"),
                                 whole(parameters, "signal_period"), parameters.at("percent") != 0));
}

/// The line has forgotten its beginning when the slow mean has, the fast one long before. Only then can the signal
/// begin to forget what it took from lines that still remembered theirs.
WarmUp macd_warm_up(const IndicatorParameters& parameters, std::size_t output) {
    const std::size_t slow = whole(parameters, "slow_period");
    const WarmUp line{slow - 1, slow - 1 + exponential_steps_to_forget(slow)};
    if (output == 0) {
        return line;
    }
    const std::size_t signal = whole(parameters, "signal_period");
    return {line.least + signal - 1, line.exact + exponential_steps_to_forget(signal)};
}

/// Three bars before the weighed four, and three before the signal's.
WarmUp vigor_warm_up(const IndicatorParameters& parameters, std::size_t output) {
    const std::size_t before = whole(parameters, "period") + 2 + (output == 0 ? 0 : 3);
    return {before, before};
}

/// The transform forgets by halves what the smoothed place, which keeps 0.67 of itself, has forgotten before. The
/// signal is the line of the bar before.
WarmUp fisher_warm_up(const IndicatorParameters& parameters, std::size_t output) {
    const std::size_t before = whole(parameters, "period") - 1;
    return {before + (output == 0 ? 0 : 1), before + steps_to_forget(0.67) + steps_to_forget(0.5)};
}

constexpr std::array oscillators{
    IndicatorSpec{.name = "rsi",
                  .parameters = rsi_parameters,
                  .outputs = rsi_outputs,
                  .make_state = rows::by_period<1, 1, Rsi>,
                  .warm_up = rsi_warm_up},
    IndicatorSpec{.name = "macd",
                  .parameters = macd_parameters,
                  .outputs = macd_outputs,
                  .rising = macd_rising,
                  .make_state = make_macd,
                  .output_warm_up = macd_warm_up},
    IndicatorSpec{.name = "momentum",
                  .parameters = change_parameters,
                  .outputs = momentum_outputs,
                  .make_state = rows::by_period<1, 1, Momentum>,
                  .warm_up = rows::longer_window_warm_up},
    IndicatorSpec{.name = "roc",
                  .parameters = change_parameters,
                  .outputs = roc_outputs,
                  .make_state = rows::by_period<1, 1, RateOfChange>,
                  .warm_up = rows::longer_window_warm_up},
    IndicatorSpec{.name = "cci",
                  .parameters = cci_parameters,
                  .inputs = rows::high_low_close,
                  .outputs = cci_outputs,
                  .make_state = rows::by_period<3, 1, Cci>,
                  .warm_up = rows::window_warm_up},
    IndicatorSpec{.name = "rvi",
                  .parameters = vigor_parameters,
                  .inputs = vigor_inputs,
                  .outputs = vigor_outputs,
                  .make_state = rows::by_period<4, 2, RelativeVigor>,
                  .output_warm_up = vigor_warm_up},
    IndicatorSpec{.name = "fisher",
                  .parameters = vigor_parameters,
                  .inputs = rows::high_low,
                  .outputs = fisher_outputs,
                  .make_state = rows::by_period<2, 2, Fisher>,
                  .output_warm_up = fisher_warm_up},
};

}  // namespace

std::span<const IndicatorSpec> oscillator_specs() noexcept {
    return oscillators;
}

}  // namespace ktrdr
