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
    return height == 0 ? 0 : ((bar[2] - bar[1]) - (bar[0] - bar[2])) / height * bar[3];
}

class OnBalanceVolume final {
public:
    std::array<double, 1> next(const std::array<double, 2>& bar) {
        const auto [close, volume] = bar;
        const double rise = begun_ ? static_cast<double>(close > close_) - static_cast<double>(close < close_) : 1;
        begun_ = true;
        close_ = close;
        total_ += rise * volume;
        return {total_};
    }

private:
    bool begun_{false};
    double close_{0};
    double total_{0};
};

class AccumulationLine final {
public:
    std::array<double, 1> next(const TradedBar& bar) {
        total_ += accumulated(bar);
        return {total_};
    }

private:
    double total_{0};
};

class ChaikinMoneyFlow final {
public:
    explicit ChaikinMoneyFlow(std::size_t period) : flow_(period), volume_(period) {}

    std::array<double, 1> next(const TradedBar& bar) {
        const double flow = flow_.next(accumulated(bar));
        const double volume = volume_.next(bar[3]);
        return {volume == 0 ? 0 : flow / volume};
    }

private:
    WindowSum flow_;
    WindowSum volume_;
};

class MoneyFlowIndex final {
public:
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
    explicit Vwap(std::size_t period) : value_(period), volume_(period) {}

    std::array<double, 1> next(const TradedBar& bar) {
        const double value = value_.next(typical_price(bar) * bar[3]);
        const double volume = volume_.next(bar[3]);
        return {volume == 0 ? no_value : value / volume};
    }

private:
    WindowSum value_;
    WindowSum volume_;
};

class VolumeRatio final {
public:
    explicit VolumeRatio(std::size_t period) : average_(period) {}

    std::array<double, 1> next(const std::array<double, 1>& volume) {
        const double average = average_.next(volume[0]);
        return {average == 0 ? no_value : volume[0] / average};
    }

private:
    MovingAverage average_;
};

constexpr std::array close_and_volume{BarColumn::close, BarColumn::volume};
constexpr std::array volume_alone{BarColumn::volume};
constexpr std::array window_parameters{rows::period(20)};
constexpr std::array mfi_parameters{rows::period(14)};
constexpr std::array<std::string_view, 1> obv_outputs{"obv"};
constexpr std::array<std::string_view, 1> line_outputs{"ad_line"};
constexpr std::array<std::string_view, 1> cmf_outputs{"cmf"};
constexpr std::array<std::string_view, 1> mfi_outputs{"mfi"};
constexpr std::array<std::string_view, 1> vwap_outputs{"vwap"};
constexpr std::array<std::string_view, 1> ratio_outputs{"volume_ratio"};

WarmUp running_total(const IndicatorParameters&) {
    return rows::never_exact(0);
}

constexpr std::array volumes{
    IndicatorSpec{.name = "obv",
                  .inputs = close_and_volume,
                  .outputs = obv_outputs,
                  .make_state = [](const IndicatorParameters&) { return make_state<2, 1>(OnBalanceVolume{}); },
                  .warm_up = running_total},
    IndicatorSpec{.name = "ad_line",
                  .inputs = rows::prices_and_volume,
                  .outputs = line_outputs,
                  .make_state = [](const IndicatorParameters&) { return make_state<4, 1>(AccumulationLine{}); },
                  .warm_up = running_total},
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
