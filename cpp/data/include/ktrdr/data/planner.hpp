#pragma once

#include <span>
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

/// A range that is missing, and what is asked for it: a few bars more at each end that is stored, by which is seen
/// whether the provider's history is still the one that is stored.
struct MissingRun {
    TimeRange missing{};
    TimeRange asked{};
    /// What is stored of the bars that are asked for again.
    Bars before{};
    Bars behind{};
};

/// A piece of a run for one request.
struct AskedSegment {
    /// What its answer is to cover; unlike that of any other.
    TimeRange range{};
    TimeRange asked{};
    /// Stored bars inside `asked`, before `range` and behind it.
    Bars before{};
    Bars behind{};
};

/// The run of a missing range whose neighbours are stored: `around` has bars before and behind it, of which the nearest
/// few are asked for again.
[[nodiscard]] KTRDR_EXPORT MissingRun run_of(TimeRange missing, const Bars& around, const BarGrid& grid);

/// `runs` cut into pieces, none of which asks for more than `span`, in order. Units: `span` must be positive.
[[nodiscard]] KTRDR_EXPORT std::vector<AskedSegment> cut_into_segments(std::span<const MissingRun> runs,
                                                                       std::chrono::nanoseconds span);

}  // namespace ktrdr
