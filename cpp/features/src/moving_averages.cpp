#include <ktrdr/features/moving_averages.hpp>

#include <array>
#include <cmath>

namespace ktrdr {
namespace {

class DistanceFromAverage final {
public:
    explicit DistanceFromAverage(std::size_t period) : average_(period) {}

    std::array<double, 1> next(const std::array<double, 1>& price) {
        const double average = average_.next(price[0]);
        return {average == 0 ? no_value : 100 * (price[0] - average) / average};
    }

private:
    MovingAverage average_;
};

constexpr std::array distance_parameters{IndicatorParameter{"period", 20, 2, 2000}};
constexpr std::array<std::string_view, 1> distance_outputs{"distance"};

std::unique_ptr<IndicatorState> make_distance(const IndicatorParameters& parameters) {
    return make_state<1, 1>(DistanceFromAverage(whole(parameters, "period")));
}

/// What lies before the window has no say.
WarmUp window_warm_up(const IndicatorParameters& parameters) {
    const std::size_t before = whole(parameters, "period") - 1;
    return {before, before};
}

constexpr std::array moving_averages{
    IndicatorSpec{.name = "distance_from_ma",
                  .parameters = distance_parameters,
                  .outputs = distance_outputs,
                  .make_state = make_distance,
                  .warm_up = window_warm_up},
};

}  // namespace

std::size_t steps_to_forget(double kept) {
    return kept <= 0 ? 1 : static_cast<std::size_t>(std::ceil(-53 * std::log(2.0) / std::log(kept)));
}

std::size_t ExponentialAverage::steps_to_forget(std::size_t period) {
    const auto n = static_cast<double>(period);
    return ktrdr::steps_to_forget((n - 1) / (n + 1));
}

Column ema(std::span<const double> values, std::size_t period) {
    Column result;
    result.reserve(values.size());
    ExponentialAverage average(period);
    for (const double value : values) {
        result.push_back(average.next(value));
    }
    return result;
}

Column distance_from_sma(std::span<const double> values, std::size_t period) {
    Column result(values.size());
    make_state<1, 1>(DistanceFromAverage(period))->run(std::array{values}, std::array{std::span(result)});
    return result;
}

std::span<const IndicatorSpec> moving_average_specs() noexcept {
    return moving_averages;
}

}  // namespace ktrdr
