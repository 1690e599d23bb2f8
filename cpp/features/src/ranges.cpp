#include <ktrdr/features/ranges.hpp>

#include <algorithm>
#include <cmath>

#include <ktrdr/features/recent_values.hpp>
#include <ktrdr/features/windows.hpp>

#include "rows.hpp"

namespace ktrdr {
namespace {

/// Highest high and lowest low of the last `period` bars.
class Channel final {
public:
    struct Extremes {
        double highest;
        double lowest;
        [[nodiscard]] double middle() const { return (highest + lowest) / 2; }
    };

    explicit Channel(std::size_t period) : highest_(period), lowest_(period) {}

    Extremes next(double high, double low) { return {highest_.next(high), lowest_.next(low)}; }
    void run(const double* high, const double* low, double* highest, double* lowest, std::size_t bars) {
        highest_.run(high, highest, bars);
        lowest_.run(low, lowest, bars);
    }

private:
    WindowExtreme<Higher> highest_;
    WindowExtreme<Lower> lowest_;
};

class Stochastic final {
public:
    Stochastic(std::size_t k_period, std::size_t smooth, std::size_t d_period)
        : channel_(k_period), k_(smooth), d_(d_period) {}

    std::array<double, 2> next(const rows::Bar& bar) {
        const Channel::Extremes found = channel_.next(bar[0], bar[1]);
        if (std::isnan(found.highest)) {
            return {no_value, no_value};
        }
        const double k = k_.next(place(bar[2], found));
        return {k, std::isnan(k) ? no_value : d_.next(k)};
    }
    void run(const BarRun<3, 2>& run) {
        RunRoom highest;
        RunRoom lowest;
        RunRoom places;
        channel_.run(run.from[0], run.from[1], highest.data(), lowest.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            places[bar] = place(run.from[2][bar], {highest[bar], lowest[bar]});
        }
        std::size_t first = 0;
        for (; first < run.bars && std::isnan(highest[first]); ++first) {
            run.to[0][first] = run.to[1][first] = no_value;
        }
        k_.run(places.data() + first, run.to[0] + first, run.bars - first);
        for (; first < run.bars && std::isnan(run.to[0][first]); ++first) {
            run.to[1][first] = no_value;
        }
        d_.run(run.to[0] + first, run.to[1] + first, run.bars - first);
    }

private:
    static double place(double close, Channel::Extremes found) {
        const double height = found.highest - found.lowest;
        const double percent = 100 * (close - found.lowest) / height;
        return height == 0 ? 50 : percent;
    }

    Channel channel_;
    MovingAverage k_;
    MovingAverage d_;
};

class WilliamsR final {
public:
    explicit WilliamsR(std::size_t period) : channel_(period) {}

    std::array<double, 1> next(const rows::Bar& bar) { return {place(bar[2], channel_.next(bar[0], bar[1]))}; }
    void run(const BarRun<3, 1>& run) {
        RunRoom highest;
        RunRoom lowest;
        channel_.run(run.from[0], run.from[1], highest.data(), lowest.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            run.to[0][bar] = place(run.from[2][bar], {highest[bar], lowest[bar]});
        }
    }

private:
    static double place(double close, Channel::Extremes found) {
        const double height = found.highest - found.lowest;
        const double percent = -100 * (found.highest - close) / height;
        return height == 0 ? -50 : percent;
    }

    Channel channel_;
};

class Aroon final {
public:
    explicit Aroon(std::size_t period)
        : high_age_(period + 1), low_age_(period + 1), step_(100 / static_cast<double>(period)) {}

    std::array<double, 3> next(const std::array<double, 2>& bar) {
        const double up = 100 - step_ * high_age_.next(bar[0]);
        const double down = 100 - step_ * low_age_.next(bar[1]);
        return {up, down, up - down};
    }

private:
    ExtremeAge<Higher> high_age_;
    ExtremeAge<Lower> low_age_;
    double step_;
};

class Donchian final {
public:
    explicit Donchian(std::size_t period) : channel_(period) {}

    std::array<double, 3> next(const std::array<double, 2>& bar) {
        const Channel::Extremes found = channel_.next(bar[0], bar[1]);
        return {found.highest, found.middle(), found.lowest};
    }
    void run(const BarRun<2, 3>& run) {
        channel_.run(run.from[0], run.from[1], run.to[0], run.to[2], run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            run.to[1][bar] = Channel::Extremes{run.to[0][bar], run.to[2][bar]}.middle();
        }
    }

private:
    Channel channel_;
};

class Ichimoku final {
public:
    Ichimoku(std::size_t tenkan, std::size_t kijun, std::size_t senkou, std::size_t displacement)
        : tenkan_(tenkan), kijun_(kijun), senkou_(senkou), span_a_(displacement), span_b_(displacement) {}

    std::array<double, 4> next(const std::array<double, 2>& bar) {
        const double tenkan = tenkan_.next(bar[0], bar[1]).middle();
        const double kijun = kijun_.next(bar[0], bar[1]).middle();
        const double longest = senkou_.next(bar[0], bar[1]).middle();
        return {tenkan, kijun, span_a_.next((tenkan + kijun) / 2), span_b_.next(longest)};
    }
    void run(const BarRun<2, 4>& run) {
        RunRoom values;
        middles(tenkan_, run, run.to[0]);
        middles(kijun_, run, run.to[1]);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            values[bar] = (run.to[0][bar] + run.to[1][bar]) / 2;
        }
        span_a_.run(values.data(), run.bars,
                    [span_a = run.to[2]](std::size_t bar, double before) { span_a[bar] = before; });
        middles(senkou_, run, values.data());
        span_b_.run(values.data(), run.bars,
                    [span_b = run.to[3]](std::size_t bar, double before) { span_b[bar] = before; });
    }

private:
    static void middles(Channel& channel, const BarRun<2, 4>& run, double* to) {
        RunRoom highest;
        RunRoom lowest;
        channel.run(run.from[0], run.from[1], highest.data(), lowest.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            to[bar] = Channel::Extremes{highest[bar], lowest[bar]}.middle();
        }
    }

    Channel tenkan_;
    Channel kijun_;
    Channel senkou_;
    Delay span_a_;
    Delay span_b_;
};

constexpr std::array stochastic_parameters{IndicatorParameter{"k_period", 14, 1, 2000},
                                           IndicatorParameter{"smooth", 3, 1, 2000},
                                           IndicatorParameter{"d_period", 3, 1, 2000}};
constexpr std::array<std::string_view, 2> stochastic_outputs{"k", "d"};
constexpr std::array range_parameters{rows::period(14)};
constexpr std::array<std::string_view, 1> williams_outputs{"williams_r"};
constexpr std::array aroon_parameters{rows::period(25)};
constexpr std::array<std::string_view, 3> aroon_outputs{"up", "down", "oscillator"};
constexpr std::array donchian_parameters{rows::period(20)};
constexpr std::array<std::string_view, 3> channel_outputs{"upper", "middle", "lower"};
constexpr std::array ichimoku_parameters{
    IndicatorParameter{"tenkan_period", 9, 1, 2000}, IndicatorParameter{"kijun_period", 26, 2, 2000},
    IndicatorParameter{"senkou_b_period", 52, 3, 2000}, IndicatorParameter{"displacement", 26, 0, 2000}};
constexpr std::array<std::string_view, 4> ichimoku_outputs{"tenkan", "kijun", "senkou_a", "senkou_b"};
constexpr std::array<std::string_view, 3> ichimoku_rising{"tenkan_period", "kijun_period", "senkou_b_period"};

std::unique_ptr<IndicatorState> make_stochastic(const IndicatorParameters& parameters) {
    return make_state<3, 2>(
        Stochastic(whole(parameters, "k_period"), whole(parameters, "smooth"), whole(parameters, "d_period")));
}

WarmUp stochastic_warm_up(const IndicatorParameters& parameters, std::size_t output) {
    const std::size_t first = whole(parameters, "k_period") + whole(parameters, "smooth") - 2;
    const std::size_t before = first + (output == 0 ? 0 : whole(parameters, "d_period") - 1);
    return {before, before};
}

std::unique_ptr<IndicatorState> make_ichimoku(const IndicatorParameters& parameters) {
    return make_state<2, 4>(Ichimoku(whole(parameters, "tenkan_period"), whole(parameters, "kijun_period"),
                                     whole(parameters, "senkou_b_period"), whole(parameters, "displacement")));
}

/// The leading spans are those of `displacement` bars before, and the first of them needs both lines.
WarmUp ichimoku_warm_up(const IndicatorParameters& parameters, std::size_t output) {
    constexpr std::array windows{"tenkan_period", "kijun_period", "kijun_period", "senkou_b_period"};
    const std::size_t before =
        whole(parameters, windows.at(output)) - 1 + (output < 2 ? 0 : whole(parameters, "displacement"));
    return {before, before};
}

constexpr std::array ranges{
    IndicatorSpec{.name = "stochastic",
                  .parameters = stochastic_parameters,
                  .inputs = rows::high_low_close,
                  .outputs = stochastic_outputs,
                  .make_state = make_stochastic,
                  .output_warm_up = stochastic_warm_up},
    IndicatorSpec{.name = "williams_r",
                  .parameters = range_parameters,
                  .inputs = rows::high_low_close,
                  .outputs = williams_outputs,
                  .make_state = rows::by_period<3, 1, WilliamsR>,
                  .warm_up = rows::window_warm_up},
    IndicatorSpec{.name = "aroon",
                  .parameters = aroon_parameters,
                  .inputs = rows::high_low,
                  .outputs = aroon_outputs,
                  .make_state = rows::by_period<2, 3, Aroon>,
                  .warm_up = rows::longer_window_warm_up},
    IndicatorSpec{.name = "donchian",
                  .parameters = donchian_parameters,
                  .inputs = rows::high_low,
                  .outputs = channel_outputs,
                  .make_state = rows::by_period<2, 3, Donchian>,
                  .warm_up = rows::window_warm_up},
    IndicatorSpec{.name = "ichimoku",
                  .parameters = ichimoku_parameters,
                  .inputs = rows::high_low,
                  .outputs = ichimoku_outputs,
                  .rising = ichimoku_rising,
                  .make_state = make_ichimoku,
                  .output_warm_up = ichimoku_warm_up},
};

}  // namespace

std::span<const IndicatorSpec> range_specs() noexcept {
    return ranges;
}

}  // namespace ktrdr
