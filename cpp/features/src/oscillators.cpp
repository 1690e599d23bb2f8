#include <ktrdr/features/oscillators.hpp>

#include <algorithm>
#include <cmath>

#include <ktrdr/features/moving_averages.hpp>

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
        const double moved = gain + loss_.next(0.5 * (amount - change));
        return {moved == 0 ? 50 : 100 * gain / moved};
    }

private:
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
        const double distance = window_.mean_distance(average);
        return {distance == 0 ? 0 : (typical - average) / (0.015 * distance)};
    }

private:
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

private:
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
constexpr std::array vigor_inputs{BarColumn::open, BarColumn::high, BarColumn::low, BarColumn::close};
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
WarmUp macd_warm_up(const IndicatorParameters& parameters) {
    const std::size_t slow = whole(parameters, "slow_period");
    const std::size_t signal = whole(parameters, "signal_period");
    return {slow + signal - 2, slow - 1 + exponential_steps_to_forget(slow) + exponential_steps_to_forget(signal)};
}

/// Three bars before the weighed four, and three before the signal's.
WarmUp vigor_warm_up(const IndicatorParameters& parameters) {
    const std::size_t before = whole(parameters, "period") + 5;
    return {before, before};
}

/// The transform forgets by halves what the smoothed place, which keeps 0.67 of itself, has forgotten before.
WarmUp fisher_warm_up(const IndicatorParameters& parameters) {
    const std::size_t period = whole(parameters, "period");
    return {period, period - 1 + steps_to_forget(0.67) + steps_to_forget(0.5)};
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
                  .warm_up = macd_warm_up},
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
                  .warm_up = vigor_warm_up},
    IndicatorSpec{.name = "fisher",
                  .parameters = vigor_parameters,
                  .inputs = rows::high_low,
                  .outputs = fisher_outputs,
                  .make_state = rows::by_period<2, 2, Fisher>,
                  .warm_up = fisher_warm_up},
};

}  // namespace

std::span<const IndicatorSpec> oscillator_specs() noexcept {
    return oscillators;
}

}  // namespace ktrdr
