#pragma once

#include <random>
#include <string>
#include <vector>

#include <ktrdr/calendar/bar_grid.hpp>

#include "calendar/calendars.hpp"

namespace ktrdr::test {

inline void push_bar(Bars& bars, UtcTime stamp, double open, double high, double low, double close, double volume) {
    bars.push_back(stamp.time_since_epoch().count(), open, high, low, close, volume);
}

/// So many days after a year began.
inline UtcTime at_day(int year, int after) {
    return UtcTime{std::chrono::sys_days{std::chrono::year{year} / 1 / 1} + std::chrono::days{after}};
}

/// Sound bars at these times: a walk in steps of a cent.
inline Bars walk(const std::vector<UtcTime>& stamps, unsigned seed = 1, double price = 100) {
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> step(-5, 5);
    std::uniform_int_distribution<int> volume(100, 9000);
    Bars bars;
    bars.reserve(stamps.size());
    double cents = price * 100;
    for (const UtcTime stamp : stamps) {
        const double open = cents;
        cents = std::max(1.0, cents + step(random));
        const double high = std::max(open, cents) + std::abs(step(random));
        const double low = std::max(0.5, std::min(open, cents) - std::abs(step(random)));
        push_bar(bars, stamp, open / 100, high / 100, low / 100, cents / 100, volume(random));
    }
    return bars;
}

/// Every bar that should exist in a range.
inline Bars complete(const BarGrid& grid, TimeRange range, unsigned seed = 1) {
    return walk(grid.expected(range).value(), seed);
}

inline Bars without(const Bars& bars, const std::vector<bool>& gone) {
    Bars left;
    for (std::size_t i = 0; i < bars.size(); ++i) {
        if (!gone[i]) {
            left.push_back(bars.time[i], bars.open[i], bars.high[i], bars.low[i], bars.close[i], bars.volume[i]);
        }
    }
    return left;
}

}  // namespace ktrdr::test
