#pragma once

#include <boost/json/parse_options.hpp>
#include <cstddef>

namespace ktrdr {

/// How many levels a value from outside may have.
inline constexpr std::size_t deepest_json = 100;

/// For `boost::json::parse`, which writes any depth but reads 32 levels unless told: those, and what is put around
/// them.
[[nodiscard]] inline boost::json::parse_options deep_json() {
    boost::json::parse_options options;
    options.max_depth = deepest_json + 10;
    return options;
}

}  // namespace ktrdr
