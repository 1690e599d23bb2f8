#include <ktrdr/features/indicators.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ktrdr {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double mean(std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double strength(double gain, double loss) {
    const double moved = gain + loss;
    return moved == 0 ? 50 : 100 * gain / moved;
}

Column minus(const Column& left, const Column& right) {
    Column result(left.size());
    std::ranges::transform(left, right, result.begin(), std::minus<>{});
    return result;
}

}  // namespace

Column sma(std::span<const double> values, std::size_t period) {
    Column result(values.size(), nan);
    // Summed anew for each bar: a running sum would carry rounding (and a single NaN) along for ever.
    for (std::size_t i = period; i <= values.size(); ++i) {
        result[i - 1] = mean(values.subspan(i - period, period));
    }
    return result;
}

Column ema(std::span<const double> values, std::size_t period) {
    Column result(values.size(), nan);
    const auto first = static_cast<std::size_t>(
        std::ranges::find_if(values, [](double value) { return !std::isnan(value); }) - values.begin());
    if (values.size() - first < period) {
        return result;
    }
    const double weight = 2.0 / (static_cast<double>(period) + 1);
    double average = mean(values.subspan(first, period));
    std::size_t i = first + period - 1;
    result[i] = average;
    for (++i; i < values.size(); ++i) {
        average += weight * (values[i] - average);
        result[i] = average;
    }
    return result;
}

Column rsi(std::span<const double> values, std::size_t period) {
    Column result(values.size(), nan);
    const auto n = static_cast<double>(period);
    double gain = 0;
    double loss = 0;
    for (std::size_t i = 1; i < values.size(); ++i) {
        const double change = values[i] - values[i - 1];
        // A NaN price must not pass for a bar without a move.
        const double up = std::isnan(change) ? nan : std::max(change, 0.0);
        const double down = std::isnan(change) ? nan : std::max(-change, 0.0);
        if (i <= period) {
            gain += up / n;
            loss += down / n;
        } else {
            gain += (up - gain) / n;
            loss += (down - loss) / n;
        }
        if (i >= period) {
            result[i] = strength(gain, loss);
        }
    }
    return result;
}

MacdColumns macd(std::span<const double> values, std::size_t fast, std::size_t slow, std::size_t signal) {
    MacdColumns result;
    result.line = minus(ema(values, fast), ema(values, slow));
    result.signal = ema(result.line, signal);
    result.histogram = minus(result.line, result.signal);
    return result;
}

Column distance_from_sma(std::span<const double> values, std::size_t period) {
    Column result = sma(values, period);
    std::ranges::transform(values, result, result.begin(), [](double value, double average) {
        return average == 0 ? nan : 100 * (value - average) / average;
    });
    return result;
}

}  // namespace ktrdr
