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
/// to the last bar that was closed when it was made. An empty one that reached into the last session that was over then
/// holds until the first one that opens afterwards is over; without a calendar a day stands for a session. What follows
/// the newest stored bar is missing once a bar may have begun in it.
[[nodiscard]] KTRDR_EXPORT std::vector<TimeRange> missing_ranges(TimeRange range, const SeriesFacts& known,
                                                                 const BarGrid& grid, UtcTime now);

}  // namespace ktrdr
