#pragma once

#include <boost/json/value.hpp>
#include <cmath>

namespace ktrdr {

/// JSON has no NaN: a figure that is missing is null.
[[nodiscard]] inline boost::json::value figure(double number) {
    return std::isfinite(number) ? boost::json::value(number) : boost::json::value(nullptr);
}

}  // namespace ktrdr
