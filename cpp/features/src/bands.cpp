#include <ktrdr/features/bands.hpp>

#include <algorithm>

#include <ktrdr/features/moving_averages.hpp>
#include <ktrdr/features/trends.hpp>

#include "rows.hpp"

namespace ktrdr {
namespace {

class BollingerBands final {
public:
    BollingerBands(std::size_t period, double multiplier) : window_(period), multiplier_(multiplier) {}

    std::array<double, 3> next(const std::array<double, 1>& price) {
        const auto [mean, deviation] = window_.next(price[0]);
        const double away = multiplier_ * deviation;
        return {mean + away, mean, mean - away};
    }
    void run(const rows::PriceRun<3>& run) {
        const auto [upper, middle, lower] = run.to;
        window_.run(run.from[0], middle, upper, run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            const double away = multiplier_ * upper[bar];
            upper[bar] = middle[bar] + away;
            lower[bar] = middle[bar] - away;
        }
    }

private:
    WindowDeviation window_;
    double multiplier_;
};

class BollingerBandWidth final {
public:
    BollingerBandWidth(std::size_t period, double multiplier) : window_(period), multiplier_(multiplier) {}

    std::array<double, 1> next(const std::array<double, 1>& price) {
        const auto [mean, deviation] = window_.next(price[0]);
        return {rows::percent(2 * multiplier_ * deviation, mean)};
    }
    void run(const rows::PriceRun<1>& run) {
        RunRoom means;
        RunRoom deviations;
        window_.run(run.from[0], means.data(), deviations.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            run.to[0][bar] = rows::percent(2 * multiplier_ * deviations[bar], means[bar]);
        }
    }

private:
    WindowDeviation window_;
    double multiplier_;
};

class Keltner final {
public:
    Keltner(std::size_t period, std::size_t atr_period, double multiplier)
        : middle_(exponential_average(period)), range_(atr_period), multiplier_(multiplier) {}

    std::array<double, 3> next(const rows::Bar& bar) {
        const double middle = middle_.next(bar[2]);
        const double away = multiplier_ * range_.next(bar[0], bar[1], bar[2]);
        return {middle + away, middle, middle - away};
    }
    void run(const BarRun<3, 3>& run) {
        RunRoom ranges;
        middle_.run(run.from[2], run.to[1], run.bars);
        range_.run(run.from, ranges.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            const double away = multiplier_ * ranges[bar];
            run.to[0][bar] = run.to[1][bar] + away;
            run.to[2][bar] = run.to[1][bar] - away;
        }
    }

private:
    ForgettingAverage middle_;
    AverageTrueRange range_;
    double multiplier_;
};

class Squeeze final {
public:
    Squeeze(std::size_t period, double bollinger, double keltner)
        : window_(period), range_(period), bollinger_(bollinger), keltner_(keltner) {}

    std::array<double, 1> next(const rows::Bar& bar) {
        const double deviation = window_.next(bar[2]).deviation;
        return {narrower(deviation, range_.next(bar[0], bar[1], bar[2]))};
    }
    void run(const BarRun<3, 1>& run) {
        RunRoom means;
        RunRoom deviations;
        RunRoom ranges;
        window_.run(run.from[2], means.data(), deviations.data(), run.bars);
        range_.run(run.from, ranges.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            run.to[0][bar] = narrower(deviations[bar], ranges[bar]);
        }
    }

private:
    [[nodiscard]] double narrower(double deviation, double range) const {
        const double inner = bollinger_ * deviation;
        const double outer = keltner_ * range;
        return outer == 0 && inner == 0 ? 0 : rows::percent(outer - inner, outer);
    }

    WindowDeviation window_;
    AverageTrueRange range_;
    double bollinger_;
    double keltner_;
};

constexpr std::array bollinger_parameters{rows::period(20), rows::multiplier("multiplier", 2)};
constexpr std::array<std::string_view, 3> band_outputs{"upper", "middle", "lower"};
constexpr std::array<std::string_view, 1> width_outputs{"width"};
constexpr std::array keltner_parameters{rows::period(20), IndicatorParameter{"atr_period", 10, 2, 2000},
                                        rows::multiplier("multiplier", 2)};
constexpr std::array squeeze_parameters{rows::period(20), rows::multiplier("bollinger_multiplier", 2),
                                        rows::multiplier("keltner_multiplier", 1.5)};
constexpr std::array<std::string_view, 1> squeeze_outputs{"intensity"};

template <class Bands>
std::unique_ptr<IndicatorState> of_deviations(const IndicatorParameters& parameters) {
    constexpr std::size_t outputs = std::is_same_v<Bands, BollingerBands> ? 3 : 1;
    return make_state<1, outputs>(Bands(whole(parameters, "period"), parameters.at("multiplier")));
}

std::unique_ptr<IndicatorState> make_keltner(const IndicatorParameters& parameters) {
    return make_state<3, 3>(
        Keltner(whole(parameters, "period"), whole(parameters, "atr_period"), parameters.at("multiplier")));
}

/// The middle is the mean alone.
WarmUp keltner_warm_up(const IndicatorParameters& parameters, std::size_t output) {
    const std::size_t period = whole(parameters, "period");
    const WarmUp mean{period - 1, period - 1 + exponential_steps_to_forget(period)};
    if (output == 1) {
        return mean;
    }
    const std::size_t ranges = whole(parameters, "atr_period");
    return {std::max(mean.least, ranges), std::max(mean.exact, ranges + wilder_steps_to_forget(ranges))};
}

std::unique_ptr<IndicatorState> make_squeeze(const IndicatorParameters& parameters) {
    return make_state<3, 1>(Squeeze(whole(parameters, "period"), parameters.at("bollinger_multiplier"),
                                    parameters.at("keltner_multiplier")));
}

constexpr std::array bands{
    IndicatorSpec{.name = "bollinger_bands",
                  .parameters = bollinger_parameters,
                  .outputs = band_outputs,
                  .make_state = of_deviations<BollingerBands>,
                  .warm_up = rows::window_warm_up},
    IndicatorSpec{.name = "bollinger_band_width",
                  .parameters = bollinger_parameters,
                  .outputs = width_outputs,
                  .make_state = of_deviations<BollingerBandWidth>,
                  .warm_up = rows::window_warm_up},
    IndicatorSpec{.name = "keltner",
                  .parameters = keltner_parameters,
                  .inputs = rows::high_low_close,
                  .outputs = band_outputs,
                  .make_state = make_keltner,
                  .output_warm_up = keltner_warm_up},
    IndicatorSpec{.name = "squeeze_intensity",
                  .parameters = squeeze_parameters,
                  .inputs = rows::high_low_close,
                  .outputs = squeeze_outputs,
                  .make_state = make_squeeze,
                  .warm_up = rows::range_warm_up},
};

}  // namespace

std::span<const IndicatorSpec> band_specs() noexcept {
    return bands;
}

}  // namespace ktrdr
