#pragma once

#include <optional>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/quality/quality_report.hpp>

namespace ktrdr {

/// Longer bars of the same series, against which shorter ones are held.
struct LongerBars {
    BarsPtr bars{};
    BarGrid grid;
};

struct QualityOptions {
    /// What providers answered; it says why bars are missing.
    std::vector<Evidence> evidence{};
    /// Which other numbers they gave for these bars; those of bars that are not there are left alone.
    Revisions revisions{};
    /// Against it the newest bar is stale; unset where that is no question.
    std::optional<UtcTime> now{};
    /// Between which times bars should exist; unset from the first to the last.
    std::optional<TimeRange> range{};
    /// Prices may fall below zero: futures, spreads.
    bool negative_prices{false};
    std::optional<LongerBars> longer{};
    /// A move is a jump from so many times the usual one on. At least 1.
    double jump{12};
    /// And from this share of the price on. Not negative.
    double least_jump{0.03};
    /// So many equal bars in a row whose high is above their low are found. At least 2.
    std::size_t equal_bars{3};
    /// So many bars in a row at one price are found. At least 2.
    std::size_t still_bars{30};
    /// So many bars that have closed since the newest one are found. At least 1.
    std::size_t stale_bars{3};
    /// Of one rule no more findings are listed; the others are counted. At least 1.
    std::size_t most_of_a_rule{10'000};
    QualityPoll poll{};
};

/// Go over bars once and say what is wrong, odd or missing; nothing is changed.
///
/// Rows that follow each other and have one fault are one finding. A volume of -1 is one that nobody has given, and no
/// finding. Rules that need to know when the market trades (`out_of_session`, `missing`, `clock`) say nothing without a
/// calendar, but for what lies between bars.
///
/// The usual move is the median of those around, apart for bars that follow the one before and for those behind a
/// pause; no less than the smallest step between two closes there, so that prices of few digits jump no more than
/// others.
///
/// Errors: `invalid_argument` for columns of different lengths, longer bars out of order, and options out of range.
/// Cancellation: an error of `QualityOptions::poll`, which every pass asks.
/// Cost: some 50 ns a bar.
[[nodiscard]] KTRDR_EXPORT Result<QualityReport> check_quality(const Bars& bars, const BarGrid& grid,
                                                               const QualityOptions& options = {});

}  // namespace ktrdr
