#pragma once

#include <string_view>

#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {

inline UtcTime at(std::string_view text) {
    return parse_time("time", text).value();
}

inline TimeRange range(std::string_view start, std::string_view end) {
    return {at(start), at(end)};
}

}  // namespace ktrdr
