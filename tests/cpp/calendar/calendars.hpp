#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/calendar/bar_grid.hpp>

#include "times.hpp"

namespace ktrdr::test {

inline std::chrono::sys_days date(std::string_view text) {
    return std::chrono::floor<std::chrono::days>(at(text));
}

/// Made once: a sanitizer takes half a second for it.
inline SessionCalendarPtr shipped(std::string_view name) {
    static std::map<std::string, SessionCalendarPtr, std::less<>> made;
    const auto known = made.find(name);
    return known != made.end() ? known->second
                               : made.emplace(name, SessionCalendar::shipped(name).value()).first->second;
}

/// Tokyo's hours with their break, for one year.
inline SessionCalendarPtr tokyo() {
    return SessionCalendar::read(
               "calendar,XTKS\nzone,Asia/Tokyo\ndates,2024-01-01,2024-12-31\noffset,2023-12-30T00:00Z,+09:00\n"
               "week,2024-01-01,mon-fri,09:00,15:00,11:30,12:30\nclosed,2024-01-01\n",
               "xtks.csv")
        .value();
}

inline BarGrid grid(std::string_view timeframe, SessionCalendarPtr calendar = nullptr,
                    const GridOptions& options = {}) {
    return BarGrid::make(Timeframe::parse(timeframe).value(), std::move(calendar), options).value();
}

inline std::vector<std::string> texts(const std::vector<UtcTime>& times) {
    std::vector<std::string> found;
    for (const UtcTime time : times) {
        found.push_back(format_time(time).substr(0, 16));
    }
    return found;
}

inline std::vector<std::string> expected(const BarGrid& bars, std::string_view start, std::string_view end) {
    return texts(bars.expected({at(start), at(end)}).value());
}

}  // namespace ktrdr::test
