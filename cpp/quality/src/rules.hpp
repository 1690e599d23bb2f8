#pragma once

#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/quality/check_quality.hpp>

#include "finding_list.hpp"

/// What `check_quality` is made of: each family of rules adds what it finds.
namespace ktrdr {

/// What a row's own numbers say: finite, OHLC, price, volume.
void check_numbers(const Bars& bars, const QualityOptions& options, FindingList& found);
/// Rows that are out of order, and stamps that are there twice.
void check_order(const Bars& bars, FindingList& found);
/// Whether each stamp is one that its timeframe has.
void check_places(const Bars& bars, const BarGrid& grid, FindingList& found);
/// Bars that repeat themselves, prices that stand still.
void check_equal_bars(const Bars& bars, const QualityOptions& options, FindingList& found);
/// Moves that are out of all proportion.
void check_jumps(const Bars& bars, const BarGrid& grid, const QualityOptions& options, FindingList& found);
/// Against longer bars of the same series. `bars` are in order, and stand at `rows` of those that are checked.
[[nodiscard]] Result<void> check_longer(const Bars& bars, const std::vector<std::size_t>& rows, const BarGrid& grid,
                                        const LongerBars& longer, const GapReport& gaps, FindingList& found);

}  // namespace ktrdr
