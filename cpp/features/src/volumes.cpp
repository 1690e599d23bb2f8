#include <ktrdr/features/volumes.hpp>

#include <cmath>

#include <ktrdr/features/windows.hpp>

#include "rows.hpp"

namespace ktrdr {
namespace {

/// High, low, close, volume.
using TradedBar = std::array<double, 4>;

double typical_price(const TradedBar& bar) {
    return (bar[0] + bar[1] + bar[2]) / 3;
}

/// Volume, with a sign and a share of it by where the close lies between low and high.
double accumulated(const TradedBar& bar) {
    const double height = bar[0] - bar[1];
    const double share = ((bar[2] - bar[1]) - (bar[0] - bar[2])) / height * bar[3];
    return height == 0 ? 0 : share;
}

void accumulate(const BarRun<4, 1>& run, double* to) {
    const auto [high, low, close, volume] = run.from;
    for (std::size_t bar = 0; bar < run.bars; ++bar) {
        to[bar] = accumulated({high[bar], low[bar], close[bar], volume[bar]});
    }
}

/// Of the values added to what there was before; gives what there is behind them.
double running_total(const RunRoom& values, double total, double* to, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        total += values[i];
        to[i] = total;
    }
    return total;
}

class OnBalanceVolume final {
public:
    static constexpr bool takes_volume = true;

    std::array<double, 1> next(const std::array<double, 2>& bar) {
        const auto [close, volume] = bar;
        total_ += begun_ ? with_sign(volume, close, close_) : volume;
        begun_ = true;
        close_ = close;
        return {total_};
    }
    void run(const BarRun<2, 1>& run) {
        RunRoom values;
        const auto [close, volume] = run.from;
        values[0] = begun_ ? with_sign(volume[0], close[0], close_) : volume[0];
        for (std::size_t bar = 1; bar < run.bars; ++bar) {
            values[bar] = with_sign(volume[bar], close[bar], close[bar - 1]);
        }
        begun_ = true;
        close_ = close[run.bars - 1];
        total_ = running_total(values, total_, run.to[0], run.bars);
    }

private:
    /// Without a branch: nobody can guess which way the next bar goes.
    static double with_sign(double volume, double close, double before) {
        return (static_cast<double>(close > before) - static_cast<double>(close < before)) * volume;
    }

    bool begun_{false};
    double close_{0};
    double total_{0};
};

class AccumulationLine final {
public:
    static constexpr bool takes_volume = true;

    std::array<double, 1> next(const TradedBar& bar) {
        total_ += accumulated(bar);
        return {total_};
    }
    void run(const BarRun<4, 1>& run) {
        RunRoom values;
        accumulate(run, values.data());
        total_ = running_total(values, total_, run.to[0], run.bars);
    }

private:
    double total_{0};
};

class ChaikinMoneyFlow final {
public:
    static constexpr bool takes_volume = true;

    explicit ChaikinMoneyFlow(std::size_t period) : flow_(period), volume_(period) {}

    std::array<double, 1> next(const TradedBar& bar) {
        const double flow = flow_.next(accumulated(bar));
        return {share(flow, volume_.next(bar[3]))};
    }
    void run(const BarRun<4, 1>& run) {
        RunRoom values;
        RunRoom flows;
        RunRoom volumes;
        accumulate(run, values.data());
        flow_.run(values.data(), flows.data(), run.bars);
        volume_.run(run.from[3], volumes.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            run.to[0][bar] = share(flows[bar], volumes[bar]);
        }
    }

private:
    static double share(double flow, double volume) {
        const double share = flow / volume;
        return volume == 0 ? 0 : share;
    }

    WindowSum flow_;
    WindowSum volume_;
};

class MoneyFlowIndex final {
public:
    static constexpr bool takes_volume = true;

    explicit MoneyFlowIndex(std::size_t period) : up_(period), down_(period) {}

    std::array<double, 1> next(const TradedBar& bar) {
        const double typical = typical_price(bar);
        const double before = typical_;
        typical_ = typical;
        if (!begun_) {
            begun_ = true;
            return {no_value};
        }
        const double flow = std::abs(typical) * bar[3];
        const double move = typical - before;
        // Two bars whose prices come to the same differ by rounding.
        const double still = 1e-13 * std::abs(typical);
        const double up = up_.next(move > still ? flow : 0);
        const double all = up + down_.next(move < -still ? flow : 0);
        return {all == 0 ? 50 : 100 * up / all};
    }

private:
    WindowSum up_;
    WindowSum down_;
    bool begun_{false};
    double typical_{0};
};

class Vwap final {
public:
    static constexpr bool takes_volume = true;

    explicit Vwap(std::size_t period) : value_(period), volume_(period) {}

    std::array<double, 1> next(const TradedBar& bar) {
        const double value = value_.next(typical_price(bar) * bar[3]);
        return {mean(value, volume_.next(bar[3]))};
    }
    void run(const BarRun<4, 1>& run) {
        const auto [high, low, close, volume] = run.from;
        RunRoom values;
        RunRoom sums;
        RunRoom volumes;
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            values[bar] = typical_price({high[bar], low[bar], close[bar], volume[bar]}) * volume[bar];
        }
        value_.run(values.data(), sums.data(), run.bars);
        volume_.run(volume, volumes.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            run.to[0][bar] = mean(sums[bar], volumes[bar]);
        }
    }

private:
    static double mean(double value, double volume) {
        const double mean = value / volume;
        return volume == 0 ? no_value : mean;
    }

    WindowSum value_;
    WindowSum volume_;
};

class VolumeRatio final {
public:
    static constexpr bool takes_volume = true;

    explicit VolumeRatio(std::size_t period) : average_(period) {}

    std::array<double, 1> next(const std::array<double, 1>& volume) {
        return {ratio(volume[0], average_.next(volume[0]))};
    }
    void run(const rows::PriceRun<1>& run) {
        RunRoom averages;
        average_.run(run.from[0], averages.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            run.to[0][bar] = ratio(run.from[0][bar], averages[bar]);
        }
    }

private:
    static double ratio(double volume, double average) {
        const double ratio = volume / average;
        return average == 0 ? no_value : ratio;
    }

    MovingAverage average_;
};

constexpr std::array close_and_volume{InputColumn::close, InputColumn::volume};
constexpr std::array volume_alone{InputColumn::volume};
constexpr std::array window_parameters{rows::period(20)};
constexpr std::array mfi_parameters{rows::period(14)};
constexpr std::array<std::string_view, 1> obv_outputs{"obv"};
constexpr std::array<std::string_view, 1> line_outputs{"ad_line"};
constexpr std::array<std::string_view, 1> cmf_outputs{"cmf"};
constexpr std::array<std::string_view, 1> mfi_outputs{"mfi"};
constexpr std::array<std::string_view, 1> vwap_outputs{"vwap"};
constexpr std::array<std::string_view, 1> ratio_outputs{"volume_ratio"};

WarmUp total_warm_up(const IndicatorParameters&) {
    return rows::never_exact(0);
}

constexpr std::array volumes{
    IndicatorSpec{.name = "obv",
                  .inputs = close_and_volume,
                  .outputs = obv_outputs,
                  .make_state = [](const IndicatorParameters&) { return make_state<2, 1>(OnBalanceVolume{}); },
                  .warm_up = total_warm_up},
    IndicatorSpec{.name = "ad_line",
                  .inputs = rows::prices_and_volume,
                  .outputs = line_outputs,
                  .make_state = [](const IndicatorParameters&) { return make_state<4, 1>(AccumulationLine{}); },
                  .warm_up = total_warm_up},
    IndicatorSpec{.name = "cmf",
                  .parameters = window_parameters,
                  .inputs = rows::prices_and_volume,
                  .outputs = cmf_outputs,
                  .make_state = rows::by_period<4, 1, ChaikinMoneyFlow>,
                  .warm_up = rows::window_warm_up},
    IndicatorSpec{.name = "mfi",
                  .parameters = mfi_parameters,
                  .inputs = rows::prices_and_volume,
                  .outputs = mfi_outputs,
                  .make_state = rows::by_period<4, 1, MoneyFlowIndex>,
                  .warm_up = rows::longer_window_warm_up},
    IndicatorSpec{.name = "vwap",
                  .parameters = window_parameters,
                  .inputs = rows::prices_and_volume,
                  .outputs = vwap_outputs,
                  .make_state = rows::by_period<4, 1, Vwap>,
                  .warm_up = rows::window_warm_up},
    IndicatorSpec{.name = "volume_ratio",
                  .parameters = window_parameters,
                  .inputs = volume_alone,
                  .outputs = ratio_outputs,
                  .make_state = rows::by_period<1, 1, VolumeRatio>,
                  .warm_up = rows::window_warm_up},
};

}  // namespace

std::span<const IndicatorSpec> volume_specs() noexcept {
    return volumes;
}

}  // namespace ktrdr
