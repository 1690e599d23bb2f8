#include <ktrdr/features/moving_averages.hpp>

#include <array>
#include <cmath>

#include "rows.hpp"

namespace ktrdr {
namespace {

class SimpleAverage final {
public:
    explicit SimpleAverage(std::size_t period) : average_(period) {}

    std::array<double, 1> next(const std::array<double, 1>& price) { return {average_.next(price[0])}; }
    void run(const rows::PriceRun<1>& run) { average_.run(run.from[0], run.to[0], run.bars); }

private:
    MovingAverage average_;
};

class ExponentialMean final {
public:
    explicit ExponentialMean(std::size_t period) : average_(exponential_average(period)) {}

    std::array<double, 1> next(const std::array<double, 1>& price) { return {average_.next(price[0])}; }
    void run(const rows::PriceRun<1>& run) { average_.run(run.from[0], run.to[0], run.bars); }

private:
    ForgettingAverage average_;
};

class DistanceFromAverage final {
public:
    explicit DistanceFromAverage(std::size_t period) : average_(period) {}

    std::array<double, 1> next(const std::array<double, 1>& price) {
        const double average = average_.next(price[0]);
        return {rows::percent(price[0] - average, average)};
    }
    void run(const rows::PriceRun<1>& run) {
        RunRoom averages;
        average_.run(run.from[0], averages.data(), run.bars);
        for (std::size_t bar = 0; bar < run.bars; ++bar) {
            run.to[0][bar] = rows::percent(run.from[0][bar] - averages[bar], averages[bar]);
        }
    }

private:
    MovingAverage average_;
};

WarmUp ema_warm_up(const IndicatorParameters& parameters) {
    const std::size_t period = whole(parameters, "period");
    return {period - 1, period - 1 + exponential_steps_to_forget(period)};
}

constexpr std::array average_parameters{rows::period(20)};
constexpr std::array<std::string_view, 1> sma_outputs{"sma"};
constexpr std::array<std::string_view, 1> ema_outputs{"ema"};
constexpr std::array<std::string_view, 1> distance_outputs{"distance"};

constexpr std::array moving_averages{
    IndicatorSpec{.name = "sma",
                  .parameters = average_parameters,
                  .outputs = sma_outputs,
                  .make_state = rows::by_period<1, 1, SimpleAverage>,
                  .warm_up = rows::window_warm_up},
    IndicatorSpec{.name = "ema",
                  .parameters = average_parameters,
                  .outputs = ema_outputs,
                  .make_state = rows::by_period<1, 1, ExponentialMean>,
                  .warm_up = ema_warm_up},
    IndicatorSpec{.name = "distance_from_ma",
                  .parameters = average_parameters,
                  .outputs = distance_outputs,
                  .make_state = rows::by_period<1, 1, DistanceFromAverage>,
                  .warm_up = rows::window_warm_up},
};

}  // namespace

std::size_t steps_to_forget(double kept) {
    return kept <= 0 ? 1 : static_cast<std::size_t>(std::ceil(-53 * std::log(2.0) / std::log(kept)));
}

std::size_t exponential_steps_to_forget(std::size_t period) {
    const auto n = static_cast<double>(period);
    return steps_to_forget((n - 1) / (n + 1));
}

std::size_t wilder_steps_to_forget(std::size_t period) {
    const auto n = static_cast<double>(period);
    return steps_to_forget((n - 1) / n);
}

std::span<const IndicatorSpec> moving_average_specs() noexcept {
    return moving_averages;
}

}  // namespace ktrdr
