#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/session.hpp>

namespace ktrdr {

struct CalendarTable;
class SessionCalendar;

/// A calendar once made is shared, never changed.
using SessionCalendarPtr = std::shared_ptr<const SessionCalendar>;

/// The sessions of one market, oldest first, none overlapping another, between two dates.
///
/// It is made from a text of lines, one fact a line, fields apart by commas; `#` begins a remark:
///
///     calendar,XNYS                                   the name; first
///     zone,America/New_York                           where its clock stands; for readers only
///     dates,1990-01-01,2040-12-31                     the first and last date that it knows
///     offset,1990-04-01T07:00Z,-04:00                 the clock is so far ahead of UTC from then on; the first row
///                                                     holds before it, too; without one the clock is UTC
///     week,1990-01-01,mon-fri,09:30,16:00             hours of these weekdays from that date on; a break may follow
///                                                     (`,12:00,13:00`); `closed` in place of hours
///     closed,1990-02-19                               no session on that date
///     session,1990-12-24,09:30,14:00                  other hours on that date; a break may follow
///
/// Hours are the exchange's own, counted from 00:00 of the session's date: `-07:00` is 17:00 on the day before, `25:30`
/// is 01:30 on the day after. A text without a `dates` row changes a calendar that is there: it has `closed` and
/// `session` rows only.
///
/// Errors: `invalid_argument` naming the text and the line.
/// Thread safety: a constant; any thread.
/// Cost: questions search by halves, and allocate nothing but what they answer.
class KTRDR_EXPORT SessionCalendar final : private Counted<SessionCalendar> {
public:
    /// `source` names the text in messages: a file's path.
    [[nodiscard]] static Result<SessionCalendarPtr> read(std::string_view text, std::string_view source);
    /// One of `shipped_names`; `invalid_argument` listing them for any other.
    [[nodiscard]] static Result<SessionCalendarPtr> shipped(std::string_view name);
    [[nodiscard]] static std::span<const std::string_view> shipped_names() noexcept;
    /// This calendar with the `closed` and `session` rows of a text in place of its own days.
    [[nodiscard]] Result<SessionCalendarPtr> with_overrides(std::string_view text, std::string_view source) const;

    SessionCalendar(std::shared_ptr<const CalendarTable> table, std::vector<Session> sessions);

    [[nodiscard]] const std::string& name() const noexcept;
    [[nodiscard]] const std::string& zone() const noexcept;
    /// The dates that the calendar knows, both included.
    [[nodiscard]] std::chrono::sys_days first_date() const noexcept;
    [[nodiscard]] std::chrono::sys_days last_date() const noexcept;
    /// From 00:00 UTC of the first date to the end of the last.
    [[nodiscard]] TimeRange coverage() const noexcept;
    /// A market whose session opens where the one before it closes: forex, crypto.
    [[nodiscard]] bool around_the_clock() const noexcept { return around_the_clock_; }
    /// How far the exchange's clock is ahead of UTC.
    [[nodiscard]] std::chrono::minutes offset_at(UtcTime time) const noexcept;
    /// On which weekday its weeks begin: the first that trades after the longest run of days that do not.
    [[nodiscard]] std::chrono::weekday first_of_week() const noexcept { return first_of_week_; }

    [[nodiscard]] std::span<const Session> sessions() const noexcept { return sessions_; }
    /// Those with dates in `[first, last]`.
    [[nodiscard]] std::span<const Session> sessions(std::chrono::sys_days first,
                                                    std::chrono::sys_days last) const noexcept;
    [[nodiscard]] bool is_session(std::chrono::sys_days date) const noexcept { return session_on(date).has_value(); }
    [[nodiscard]] std::optional<Session> session_on(std::chrono::sys_days date) const noexcept;
    /// The session whose hours the time is in, breaks included.
    [[nodiscard]] std::optional<Session> session_at(UtcTime time) const noexcept;
    /// True inside a session and outside of its break.
    [[nodiscard]] bool is_open(UtcTime time) const noexcept;
    /// The first after `time`, the last before it; unset where the table ends.
    [[nodiscard]] std::optional<UtcTime> next_open(UtcTime time) const noexcept;
    [[nodiscard]] std::optional<UtcTime> next_close(UtcTime time) const noexcept;
    [[nodiscard]] std::optional<UtcTime> previous_open(UtcTime time) const noexcept;
    [[nodiscard]] std::optional<UtcTime> previous_close(UtcTime time) const noexcept;

private:
    std::shared_ptr<const CalendarTable> table_;
    std::vector<Session> sessions_;
    bool around_the_clock_{false};
    std::chrono::weekday first_of_week_{std::chrono::Monday};
};

}  // namespace ktrdr
