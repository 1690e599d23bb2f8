#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include <ktrdr/features/indicator.hpp>
#include <ktrdr/market/bars.hpp>

#include "series.hpp"

namespace ktrdr::test {

inline bool same(double left, double right) {
    return std::isnan(left) ? std::isnan(right) : left == right;
}

/// Bars of a walk with bodies, shadows and volumes of their own.
inline Bars walking_bars(std::size_t count, unsigned seed) {
    Bars bars = daily(walk(count, seed));
    std::mt19937 generator(seed);
    std::uniform_real_distribution<double> share(0, 1);
    for (std::size_t i = 0; i < count; ++i) {
        bars.open[i] = i == 0 ? bars.close[0] : bars.close[i - 1];
        bars.high[i] = std::max(bars.open[i], bars.close[i]) + share(generator);
        bars.low[i] = std::min(bars.open[i], bars.close[i]) - share(generator);
        bars.volume[i] = std::floor(10000 * share(generator));
    }
    return bars;
}

/// The same, with what real series have too: stretches without a move, a bar without height, no volume, missing values
/// at the beginning and in between, prices that cross zero.
inline Bars odd_bars(std::size_t count, unsigned seed) {
    Bars bars = walking_bars(count, seed);
    std::mt19937 generator(seed + 1000);
    const auto columns = {&bars.open, &bars.high, &bars.low, &bars.close};
    if (seed % 3 == 2) {
        for (std::vector<double>* const column : columns) {
            for (double& price : *column) {
                price -= 100;
            }
        }
    }
    if (seed % 2 == 0) {
        const std::size_t still = generator() % count;
        for (std::size_t i = still; i < std::min(count, still + 40); ++i) {
            for (std::vector<double>* const column : columns) {
                (*column)[i] = bars.close[still];
            }
            bars.volume[i] = 0;
        }
    }
    for (std::size_t hole = 0; hole < seed % 4; ++hole) {
        const std::size_t bar = generator() % count;
        (**(columns.begin() + static_cast<std::ptrdiff_t>(generator() % 4)))[bar] = std::nan("");
        bars.volume[generator() % count] = std::nan("");
    }
    for (std::size_t bar = 0; bar < seed % 3; ++bar) {
        bars.close[bar] = bars.high[bar] = std::nan("");
    }
    return bars;
}

/// Compares what bars give as they come with what they give all at once.
inline void expect_streaming_equals_batch(const Indicator& indicator, const Bars& bars) {
    const IndicatorColumns batch = indicator.compute(bars);
    const auto state = indicator.state();
    for (std::size_t bar = 0; bar < bars.size(); ++bar) {
        std::vector<double> inputs;
        for (const InputColumn column : indicator.inputs()) {
            inputs.push_back(column_of(bars, column)[bar]);
        }
        std::vector<double> outputs(batch.size());
        state->next(inputs, outputs);
        for (std::size_t output = 0; output < outputs.size(); ++output) {
            ASSERT_TRUE(same(outputs[output], batch[output][bar])) << indicator.spec().name << " bar " << bar;
        }
    }
}

}  // namespace ktrdr::test
