#pragma once

#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/quality/check_quality.hpp>

#include "finding_list.hpp"
#include "row_poll.hpp"

/// What `check_quality` is made of: each family of rules adds what it finds, and asks on its way whether it is wanted.
namespace ktrdr {

/// What a row's own numbers say: finite, OHLC, price, volume.
void check_numbers(const Bars& bars, const QualityOptions& options, FindingList& found);
/// Rows that are out of order, and stamps that are there twice.
void check_order(const Bars& bars, const RowPoll& wanted, FindingList& found);
/// Whether each stamp is one that its timeframe has.
void check_places(const Bars& bars, const BarGrid& grid, const RowPoll& wanted, FindingList& found);
/// Bars that repeat themselves, prices that stand still.
void check_equal_bars(const Bars& bars, const QualityOptions& options, FindingList& found);
/// Moves that are out of all proportion.
void check_jumps(const Bars& bars, const BarGrid& grid, const QualityOptions& options, FindingList& found);
/// Against longer bars of the same series. `bars` are in order, and stand at `rows` of those that are checked.
[[nodiscard]] Result<void> check_longer(const Bars& bars, const std::vector<std::size_t>& rows, const BarGrid& grid,
                                        const LongerBars& longer, const GapReport& gaps, const RowPoll& wanted,
                                        FindingList& found);

/// Against what their provider said of them at other times. `bars` are in order, and stand at `rows` of those that are
/// checked, or at their own where that is empty.
void check_revisions(const Bars& bars, const std::vector<std::size_t>& rows, const Revisions& told, FindingList& found);

}  // namespace ktrdr
