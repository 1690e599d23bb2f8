#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/timeframe.hpp>

namespace ktrdr::test {

inline const Timeframe day = Timeframe::parse("1d").value();

/// Daily bars from 2024-01-01 with these closes; open, high and low sit around them.
inline Bars daily(const std::vector<double>& closes, std::chrono::hours step = std::chrono::hours{24}) {
    Bars bars;
    const std::chrono::nanoseconds first = std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}.time_since_epoch();
    for (std::size_t i = 0; i < closes.size(); ++i) {
        const double close = closes[i];
        bars.push_back((first + static_cast<std::int64_t>(i) * std::chrono::nanoseconds{step}).count(), close - 0.5,
                       close + 1, close - 1, close, 1000);
    }
    return bars;
}

/// A random walk that stays above zero.
inline std::vector<double> walk(std::size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<double> step(0, 0.01);
    std::vector<double> closes;
    double price = 100;
    for (std::size_t i = 0; i < count; ++i) {
        price *= std::exp(step(generator));
        closes.push_back(price);
    }
    return closes;
}

}  // namespace ktrdr::test
