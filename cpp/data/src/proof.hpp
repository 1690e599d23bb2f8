#pragma once

#include <string>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/data/bar_source.hpp>

namespace ktrdr {

/// What an answer proves of a range.
struct Proof {
    /// All of the range, each part once, oldest first.
    std::vector<LedgerEntry> entries{};
    /// Bars where the calendar has none, which is why it was not asked what is missing.
    std::vector<UtcTime> off_grid{};
};

/// Covered is what came: with a calendar every bar that it expects, without one what lies between the first bar of the
/// answer and the end of its last. What did not come is unconfirmed, or empty where nothing can be; the periods of rows
/// that were dropped are failed, and all of the range where the answer says that it is not whole. The answer's bars may
/// begin before the range and end after it; they prove the more.
/// It is silent of what lies between bars that came, and of all of a range of which it has none, unless that may
/// have been cut off: where it lacks stored bars beside the range that it was asked for, too.
[[nodiscard]] Proof prove(const SourceAnswer& answer, TimeRange range, const BarGrid& grid, UtcTime asked_at,
                          bool cut_off = false);

}  // namespace ktrdr
