#pragma once

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/calendar/calendar_rules.hpp>

namespace ktrdr {

/// The grid of a series by what its provider says of the contract: the calendar of the user's rules; else one for
/// stocks and funds in New York, currencies and coins; none for anything else, and where it does not say. `rules` may
/// be null.
[[nodiscard]] Result<BarGrid> grid_of(const SeriesKey& key, const Contract& contract, const CalendarRulesPtr& rules);

}  // namespace ktrdr
