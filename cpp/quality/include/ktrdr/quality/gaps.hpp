#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/quality/evidence.hpp>

namespace ktrdr {

/// Why there is no bar.
enum class GapClass {
    /// The market is closed; no bar is missing.
    closed,
    /// The session has ended before its weekday's usual time; no bar is missing.
    early_close,
    /// Nothing need have traded: outside of the session's hours, or inside an answer where no calendar says more.
    no_trade,
    /// The provider has confirmed that it has nothing.
    provider_empty,
    /// The provider answered with an error, or refused.
    failed,
    /// Nobody knows: never asked, not confirmed yet, or left out of an answer that had others.
    unknown,
};
inline constexpr std::size_t gap_class_count = 6;

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(GapClass kind) noexcept;

/// The names that ktrdr had for gaps before there were classes.
enum class GapLabel { expected_weekend, expected_holiday, expected_trading_hours, market_closure, unexpected };
inline constexpr std::size_t gap_label_count = 5;

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(GapLabel label) noexcept;

/// A stretch of time without bars, as long as it has one reason.
struct Gap {
    /// Of bars that are absent: from the first one's stamp to the end of the last one's period, no further than
    /// the next one's stamp; closed hours between them included.
    TimeRange range{};
    GapClass kind{GapClass::unknown};
    /// How many bars are absent; 0 of a closed market. Without a calendar: how many there is time for.
    std::size_t bars{0};
    /// The row that follows; the number of rows where none does.
    std::size_t index{0};
    GapLabel label{GapLabel::unexpected};
    /// What says so, for a person.
    std::string evidence{};

    friend bool operator==(const Gap&, const Gap&) = default;
};

struct KTRDR_EXPORT GapReport {
    TimeRange range{};
    /// The part of it of which a calendar says which bars should exist; empty without one.
    TimeRange known{};
    /// Bars that should exist, and those of them that do.
    std::size_t expected{0};
    std::size_t present{0};
    /// Oldest first.
    std::vector<Gap> gaps{};

    /// Absent bars of one class, and of all but `no_trade`, which need not be there.
    [[nodiscard]] std::size_t absent(GapClass kind) const noexcept;
    [[nodiscard]] std::size_t absent() const noexcept;
    friend bool operator==(const GapReport&, const GapReport&) = default;
};

/// Asked every few thousand rows whether the work is still wanted; an error it answers is the work's. May be empty.
using QualityPoll = std::function<Result<void>()>;

struct GapOptions {
    /// List hours in which the market is closed, too.
    bool closed{true};
    QualityPoll poll{};
};

/// Which bars of `range` are absent, and why.
///
/// With a calendar every bar that should exist is looked for. In extended hours those are the bars of the session's own
/// hours; before and after them nothing need have traded. Without a calendar a gap is where the next bar begins later
/// than this one ends, and what is left of `range` before the first bar and after the last.
///
/// Errors: `invalid_argument` for bars out of order. Cancellation: an error of `GapOptions::poll`.
/// Cost: one pass over bars and periods, a text a gap.
[[nodiscard]] KTRDR_EXPORT Result<GapReport> find_gaps(const Bars& bars, const BarGrid& grid, TimeRange range,
                                                       std::span<const Evidence> evidence,
                                                       const GapOptions& options = {});
/// From the start of the first bar to the end of the last; empty where there is none.
[[nodiscard]] KTRDR_EXPORT TimeRange range_of_bars(const Bars& bars, const BarGrid& grid);

/// A closure is a weekend where it holds no date on which the market usually trades, a holiday where it does, a market
/// closure where it lasts for more than four days; between two dates that follow each other it is outside of trading
/// hours, as are an early close and a stretch in which nothing need trade. The others are unexpected.
[[nodiscard]] KTRDR_EXPORT GapLabel label_of(GapClass kind, TimeRange range, const SessionCalendar* calendar);

}  // namespace ktrdr
