#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/session_calendar.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/timeframe.hpp>

namespace ktrdr {

/// How a provider cuts a session into bars shorter than a day.
enum class BarCut {
    /// At the open, then at whole multiples of the length on the exchange's clock: 09:30, 10:00, 11:00. As IB does.
    open_then_clock,
    /// Every length from the open: 09:30, 10:30, 11:30.
    from_open,
    /// At whole multiples on the exchange's clock only: 09:00, 10:00, 11:00. The first bar begins before the open.
    clock,
};

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(BarCut cut) noexcept;
/// `invalid_argument` naming the cuts for any other name.
[[nodiscard]] KTRDR_EXPORT Result<BarCut> parse_bar_cut(std::string_view name);

/// What besides timeframe and calendar decides where bars begin and end.
struct GridOptions {
    /// Who has the bars. IB's forex sessions begin 15 minutes after the market's.
    std::string provider{};
    /// stock, etf, index, future, option, forex or crypto.
    std::string asset_class{"stock"};
    /// regular: bars inside the session's hours. extended: before and after them, too, on the same date.
    std::string session{"regular"};
    BarCut cut{BarCut::open_then_clock};
};

/// What a bar stands for.
struct Period {
    /// What the bar is stored under.
    UtcTime stamp{};
    /// When its first trade may happen: the stamp, or with a calendar the open of a day's, week's or month's first
    /// session.
    UtcTime start{};
    /// Exclusive. Not before then is the bar closed, may a feature of it be used, is a label that looks at it known.
    UtcTime end{};

    friend bool operator==(const Period&, const Period&) = default;
};

/// Every question about the period of a bar: where it begins, when it ends, which follows, which should exist.
///
/// Without a calendar a bar lasts its length from its stamp on, whatever the stamp: 24 hours, 7 days, to the same day
/// of the next month (its last day where there is none).
///
/// With a calendar a bar shorter than a day ends with the session or at its break at the latest. A daily bar is stamped
/// 00:00 UTC of its session's date, a weekly one of the day on which the market's weeks begin, a monthly one of the
/// month's first day; each ends when its last session closes, or where the market trades around the clock when the next
/// session opens. A stamp that is none of these, or that the calendar does not reach, lasts as without a calendar:
/// never shorter than the bar that it may stand for.
///
/// Thread safety: a constant; any thread. Errors: no member but `make` has any.
class KTRDR_EXPORT BarGrid final {
public:
    /// Without a calendar.
    explicit BarGrid(const Timeframe& timeframe) noexcept : timeframe_(timeframe) {}
    /// `invalid_argument` naming the option and what is allowed; no calendar gives a grid without one.
    [[nodiscard]] static Result<BarGrid> make(const Timeframe& timeframe, SessionCalendarPtr calendar,
                                              const GridOptions& options);

    /// The periods of longer or shorter bars of the same series.
    [[nodiscard]] BarGrid with_timeframe(const Timeframe& timeframe) const;

    [[nodiscard]] const Timeframe& timeframe() const noexcept { return timeframe_; }
    /// When the market trades; null where nobody said.
    [[nodiscard]] const SessionCalendarPtr& calendar() const noexcept { return calendar_; }
    /// Whether bars lie outside of the sessions' hours, too; never of a market that trades around the clock.
    [[nodiscard]] bool extended() const noexcept { return extended_; }

    [[nodiscard]] UtcTime end_of(UtcTime stamp) const noexcept { return period_of(stamp).end; }
    [[nodiscard]] Period period_of(UtcTime stamp) const noexcept;
    /// The closed-bar rule: only such a bar may be stored or used.
    [[nodiscard]] bool is_closed(UtcTime stamp, UtcTime now) const noexcept { return end_of(stamp) <= now; }
    /// The end of what can be asked for at `now`: each bar stamped before is closed, and none stamped there or later.
    /// Without a calendar for stamps at whole minutes.
    [[nodiscard]] UtcTime closed_end(UtcTime now) const noexcept;

    /// Whether a bar may be stamped in `range`, by the stamp of another. Without a calendar days, weeks and months
    /// begin at the hour at which that one did: what is shorter than a day has a place for one, or none.
    [[nodiscard]] bool may_begin_in(TimeRange range, UtcTime other) const noexcept;

    /// The stamp of the last period that has begun at `time`. Without a calendar days begin at 00:00 UTC, weeks on
    /// Monday.
    [[nodiscard]] UtcTime floor(UtcTime time) const noexcept;
    /// The stamp of the period after. Without a calendar that is where this one ends, so days keep their hour.
    [[nodiscard]] UtcTime next(UtcTime stamp) const noexcept;
    /// The stamp of the period after, were the market never closed.
    [[nodiscard]] UtcTime next_unbroken(UtcTime stamp) const noexcept { return plain_period(stamp).end; }
    /// The stamp under which a bar is stored that its provider stamps otherwise: by a local midnight, any time inside
    /// the period, the last day of a week or month (as IB does). Bars shorter than a day, and all without a calendar,
    /// keep theirs.
    [[nodiscard]] UtcTime stored_stamp(UtcTime providers) const noexcept;
    /// The same of a bar of that time's date in UTC, whenever its session opens and closes: stamped by its close, or by
    /// 23:59:59. Unset where nobody knows, and for a time of day on a date without a session.
    [[nodiscard]] std::optional<UtcTime> stamp_by_date(UtcTime providers) const noexcept;
    /// Whether a bar that its provider stamps so may be closed at `now`: by one of the stamps under which it may come
    /// to be stored. Which one that is, is not seen by a bar alone.
    [[nodiscard]] bool may_be_closed(UtcTime providers, UtcTime now) const noexcept;
    /// What a date without a time stands for in a request: 00:00 to 24:00 UTC, and with a calendar, for bars shorter
    /// than a day, the session of that date; on a date without one what of those hours is in none.
    [[nodiscard]] TimeRange range_of(std::chrono::sys_days date) const noexcept;
    /// The stamps in `range` that should have a bar, rising; unset where that is not known: without a calendar, outside
    /// of its dates, and for bars shorter than a day in extended hours, where a stretch without trades has none.
    [[nodiscard]] std::optional<std::vector<UtcTime>> expected(TimeRange range) const;

private:
    /// A stretch of a session in which bars follow each other: one at `first`, the others at whole lengths from
    /// `anchor`.
    struct Block {
        UtcTime first{};
        UtcTime anchor{};
        /// No bar begins there or later.
        UtcTime end{};
        /// No bar ends later.
        UtcTime latest{};
    };
    struct Blocks {
        std::array<Block, 2> block{};
        std::size_t count{0};
        [[nodiscard]] const Block* begin() const noexcept { return block.data(); }
        [[nodiscard]] const Block* end() const noexcept { return block.data() + count; }
    };

    [[nodiscard]] Period plain_period(UtcTime stamp) const noexcept;
    [[nodiscard]] UtcTime plain_floor(UtcTime time) const noexcept;
    [[nodiscard]] UtcTime plain_closed_end(UtcTime now) const noexcept;
    /// That of a time that the table does not hold, or behind its last session.
    [[nodiscard]] UtcTime closed_end_behind(UtcTime now) const noexcept;

    [[nodiscard]] Blocks blocks_of(std::size_t index) const noexcept;
    [[nodiscard]] std::size_t first_ending_after(UtcTime time) const noexcept;
    [[nodiscard]] std::optional<Period> intraday_period(UtcTime stamp) const noexcept;
    [[nodiscard]] std::optional<UtcTime> intraday_floor(UtcTime time) const noexcept;
    [[nodiscard]] std::optional<UtcTime> intraday_next(UtcTime stamp) const noexcept;
    [[nodiscard]] std::vector<UtcTime> intraday_stamps(TimeRange range) const;

    /// The date that names the day, week or month of a session.
    [[nodiscard]] std::chrono::sys_days key_of(std::chrono::sys_days date) const noexcept;
    [[nodiscard]] std::optional<UtcTime> end_of_session(std::size_t index) const noexcept;
    [[nodiscard]] std::optional<Period> keyed_period(UtcTime stamp) const noexcept;
    [[nodiscard]] std::optional<UtcTime> keyed_floor(UtcTime time) const noexcept;
    [[nodiscard]] std::optional<UtcTime> keyed_next(UtcTime stamp) const noexcept;
    [[nodiscard]] std::vector<UtcTime> keyed_stamps(TimeRange range) const;

    Timeframe timeframe_;
    SessionCalendarPtr calendar_{};
    BarCut cut_{BarCut::open_then_clock};
    bool extended_{false};
    /// How long after the session's open the first bar begins.
    std::chrono::minutes delay_{0};
};

}  // namespace ktrdr
