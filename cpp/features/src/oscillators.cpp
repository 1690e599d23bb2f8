#include <ktrdr/features/oscillators.hpp>

#include <algorithm>
#include <cmath>

namespace ktrdr {
namespace {

class Rsi final {
public:
    explicit Rsi(std::size_t period) : period_(period) {}

    std::array<double, 1> next(const std::array<double, 1>& price) {
        const double change = price[0] - last_;
        last_ = price[0];
        if (count_ == 0) {
            count_ = 1;
            return {no_value};
        }
        const auto n = static_cast<double>(period_);
        // A NaN price must not pass for a bar without a move.
        const double up = std::isnan(change) ? no_value : std::max(change, 0.0);
        const double down = std::isnan(change) ? no_value : std::max(-change, 0.0);
        if (count_ <= period_) {
            gain_ += up / n;
            loss_ += down / n;
            return {count_++ < period_ ? no_value : strength()};
        }
        gain_ += (up - gain_) / n;
        loss_ += (down - loss_) / n;
        return {strength()};
    }

private:
    [[nodiscard]] double strength() const {
        const double moved = gain_ + loss_;
        return moved == 0 ? 50 : 100 * gain_ / moved;
    }

    std::size_t period_;
    /// Bars so far, counted no further than period + 1.
    std::size_t count_{0};
    double last_{0};
    double gain_{0};
    double loss_{0};
};

class Macd final {
public:
    Macd(std::size_t fast, std::size_t slow, std::size_t signal, bool percent)
        : fast_(fast), slow_(slow), signal_(signal), percent_(percent) {}

    std::array<double, 3> next(const std::array<double, 1>& price) {
        const double line = fast_.next(price[0]) - slow_.next(price[0]);
        const double signal = signal_.next(line);
        const double histogram = line - signal;
        if (!percent_) {
            return {line, signal, histogram};
        }
        const auto share = [price](double value) { return price[0] == 0 ? no_value : 100 * value / price[0]; };
        return {share(line), share(signal), share(histogram)};
    }

private:
    ExponentialAverage fast_;
    ExponentialAverage slow_;
    ExponentialAverage signal_;
    bool percent_;
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

std::unique_ptr<IndicatorState> make_rsi(const IndicatorParameters& parameters) {
    return make_state<1, 1>(Rsi(whole(parameters, "period")));
}

/// Wilder's mean keeps (period - 1) / period of itself in each step. Gains and losses forget alike, so does their
/// ratio.
WarmUp rsi_warm_up(const IndicatorParameters& parameters) {
    const std::size_t period = whole(parameters, "period");
    const auto n = static_cast<double>(period);
    return {period, period + steps_to_forget((n - 1) / n)};
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
    return {slow + signal - 2,
            slow - 1 + ExponentialAverage::steps_to_forget(slow) + ExponentialAverage::steps_to_forget(signal)};
}

constexpr std::array oscillators{
    IndicatorSpec{.name = "rsi",
                  .parameters = rsi_parameters,
                  .outputs = rsi_outputs,
                  .make_state = make_rsi,
                  .warm_up = rsi_warm_up},
    IndicatorSpec{.name = "macd",
                  .parameters = macd_parameters,
                  .outputs = macd_outputs,
                  .rising = macd_rising,
                  .make_state = make_macd,
                  .warm_up = macd_warm_up},
};

}  // namespace

Column rsi(std::span<const double> values, std::size_t period) {
    Column result(values.size());
    make_state<1, 1>(Rsi(period))->run(std::array{values}, std::array{std::span(result)});
    return result;
}

MacdColumns macd(std::span<const double> values, std::size_t fast, std::size_t slow, std::size_t signal) {
    MacdColumns result{Column(values.size()), Column(values.size()), Column(values.size())};
    make_state<1, 3>(Macd(fast, slow, signal, false))
        ->run(std::array{values},
              std::array{std::span(result.line), std::span(result.signal), std::span(result.histogram)});
    return result;
}

std::span<const IndicatorSpec> oscillator_specs() noexcept {
    return oscillators;
}

}  // namespace ktrdr
