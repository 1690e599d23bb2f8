#pragma once

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/calendar/bar_grid.hpp>

namespace ktrdr {

/// The grid of a series by what its provider says of the contract: a calendar for stocks and funds in New York,
/// currencies and coins; none for anything else, and where it does not say.
[[nodiscard]] Result<BarGrid> grid_of(const SeriesKey& key, const Contract& contract);

}  // namespace ktrdr
