#pragma once

#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// The parts of `range` that no valid ledger entry covers, oldest first, apart from each other.
///
/// Bars and empty are answers; the others are asked for again, but where the calendar has nothing. An entry counts up
/// to the last bar that was closed when it was made, and an empty one that reached into its own last day holds for a
/// day. What follows the newest stored bar is missing once a bar may have begun in it.
[[nodiscard]] KTRDR_EXPORT std::vector<TimeRange> missing_ranges(TimeRange range, const SeriesFacts& known,
                                                                 const BarGrid& grid, UtcTime now);

}  // namespace ktrdr
