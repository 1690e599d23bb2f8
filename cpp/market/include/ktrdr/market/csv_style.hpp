#pragma once

#include <array>

namespace ktrdr {

/// How a CSV file writes what can be written in more than one way. The default is pandas' way with columns of floats.
struct CsvStyle {
    /// Open, high, low, close, volume: a whole number has no point (`16`, else `16.0`).
    std::array<bool, 5> without_point{};
    /// A volume that is not given is -1; else it is empty.
    bool minus_one{false};

    friend bool operator==(const CsvStyle&, const CsvStyle&) = default;
};

}  // namespace ktrdr
