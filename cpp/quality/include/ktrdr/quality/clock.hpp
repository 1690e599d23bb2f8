#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/quality/gaps.hpp>

namespace ktrdr {

/// What may have happened to stamps.
struct ClockChange {
    /// So often were they taken for times by the exchange's clock and converted to UTC, though they were UTC. Below 0:
    /// so often too few, so stamps are the exchange's own times.
    int conversions{0};
    /// By so much were they put forward, beside that.
    std::chrono::hours shift{0};

    friend bool operator==(const ClockChange&, const ClockChange&) = default;
};

/// `converted to UTC 2 times too often`, `ahead by 5 hours`, `as it should be`
[[nodiscard]] KTRDR_EXPORT std::string to_string(const ClockChange& change);

/// A change, and how well bars fit the sessions when it is undone.
struct ClockScore {
    ClockChange change{};
    /// The share of bars inside of sessions, weighed by volume where that is given; 0 to 1.
    double fit{0};

    friend bool operator==(const ClockScore&, const ClockScore&) = default;
};

struct ClockReport {
    /// How well bars fit as they are.
    double fit{0};
    /// What has happened to them; unset where they are as they should be, or nothing explains them.
    std::optional<ClockChange> change{};
    /// Each change that was tried, the best first, of equals the simplest.
    std::vector<ClockScore> scores{};
    /// Why it is that one, or none, for a person.
    std::string evidence{};

    friend bool operator==(const ClockReport&, const ClockReport&) = default;
};

/// Try which undo of a clock set wrong puts bars back into sessions.
///
/// A series is accused only where one undo leaves less than half of what lies outside of sessions (of a shift a tenth),
/// brings in a fiftieth of it all (a shift a twelfth), and no other explains it as well; so not where the market never
/// closes, nor where bars fill so little of a session that several fit. Conversions are tried before shifts: of a
/// winter's bars both fit.
///
/// Errors: `invalid_argument` without a calendar, and for bars out of order. Cancellation: an error of `poll`.
/// Cost: one pass over bars that fit; else some thirty over 50,000 of them at the most.
[[nodiscard]] KTRDR_EXPORT Result<ClockReport> diagnose_clock(const Bars& bars, const BarGrid& grid,
                                                              const QualityPoll& poll = {});

/// The stamps before the change; to the nanosecond, for each time that the exchange's clock has shown.
///
/// Errors: `invalid_argument` where two bars would have one stamp or change their order, naming the row.
[[nodiscard]] KTRDR_EXPORT Result<Bars> undo_clock(const Bars& bars, const SessionCalendar& calendar,
                                                   const ClockChange& change);

}  // namespace ktrdr
