#pragma once

#include <vector>

#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// In order, those that touch as one.
[[nodiscard]] std::vector<TimeRange> joined(std::vector<TimeRange> ranges);

/// What of `ranges` lies in none of the `others`; both joined.
[[nodiscard]] std::vector<TimeRange> without(const std::vector<TimeRange>& ranges,
                                             const std::vector<TimeRange>& others);

}  // namespace ktrdr
