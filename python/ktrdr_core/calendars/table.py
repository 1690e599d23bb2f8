"""The text of a calendar, which the core reads: made from `exchange_calendars`, or from rules by the clock of a zone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Hours:
    """Minutes since 00:00 of a session's date by the exchange's clock: open and close, a break's start and end."""

    open: int
    close: int
    pause: tuple[int, int] | None = None

    def __str__(self) -> str:
        return ",".join(_clock(minutes) for minutes in (self.open, self.close, *(self.pause or ())))


@dataclass(frozen=True)
class Week:
    """Usual hours from a date on, by weekday, 0 for Monday; None on the days without a session."""

    start: date
    hours: tuple[Hours | None, ...]


@dataclass
class Table:
    """What the text of a calendar says."""

    name: str
    zone: str
    first: date
    last: date
    weeks: list[Week]
    #: Dates that are unlike their weekday: other hours, or None for no session.
    days: dict[date, Hours | None] = field(default_factory=dict)
    #: Words for a reader of the text, before its first row.
    remark: str = ""

    def usual(self, day: date) -> Hours | None:
        """Give the hours of a date by its weekday."""
        week = next(week for week in reversed(self.weeks) if week.start <= day)
        return week.hours[day.weekday()]

    def __str__(self) -> str:
        return "".join(f"{row}\n" for row in self._rows())

    def _rows(self) -> Iterator[str]:
        if self.remark:
            yield f"# {self.remark}"
        yield f"calendar,{self.name}"
        yield f"zone,{self.zone}"
        yield f"dates,{self.first},{self.last}"
        if self.zone != "UTC":
            yield from offset_rows(ZoneInfo(self.zone), self.first, self.last)
        before: tuple[Hours | None, ...] = (None,) * 7
        for week in self.weeks:
            yield from _week_rows(week, before)
            before = week.hours
        for day, hours in sorted(self.days.items()):
            yield f"session,{day},{hours}" if hours else f"closed,{day}"


def from_exchange_calendar(
    calendar: Any, first: date | None = None, last: date | None = None
) -> Table:
    """Make the table of a calendar of the package `exchange_calendars`.

    It knows the dates from ``first`` to ``last``, those of the first and last session by default; ``calendar`` was made
    for as many.
    """
    first = first or calendar.first_session.date()
    last = last or calendar.last_session.date()
    starts = {first} | {
        max(start.date(), first)
        for times in _regular_times(calendar)
        for start, _ in times
        if start is not None and start.date() <= last
    }
    weeks = [Week(start, _regular_week(calendar, start)) for start in sorted(starts)]
    table = Table(calendar.name, str(calendar.tz), first, last, weeks)
    actual = dict(_sessions(calendar))
    for day in _days(first, last):
        if actual.get(day) != table.usual(day):
            table.days[day] = actual.get(day)
    return table


def by_rule(name: str, zone: str, first: date, last: date, hours: Hours, weekdays: int) -> Table:
    """Make the table of a market with the same hours on the first ``weekdays`` days of every week."""
    week = tuple(hours if day < weekdays else None for day in range(7))
    return Table(name, zone, first, last, [Week(first, week)])


def offset_rows(zone: ZoneInfo, first: date, last: date) -> Iterator[str]:
    """Give a row for how far the zone's clock is ahead of UTC at first, and one for each change."""
    at = datetime.combine(first - 3 * DAY, datetime.min.time(), UTC)
    end = datetime.combine(last + 3 * DAY, datetime.min.time(), UTC)
    yield _offset_row(zone, at)
    while at < end:
        if _ahead(zone, at) != _ahead(zone, at + DAY):
            yield _offset_row(zone, _change(zone, at, at + DAY))
        at += DAY


def _clock(minutes: int) -> str:
    return f"{'-' if minutes < 0 else ''}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += DAY


def _ahead(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _offset_row(zone: ZoneInfo, at: datetime) -> str:
    minutes = _ahead(zone, at) // MINUTE
    return f"offset,{at:%Y-%m-%dT%H:%MZ},{'-' if minutes < 0 else '+'}{_clock(abs(minutes))}"


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Find the minute at which the clock changes, by halves."""
    while after - before > MINUTE:
        middle = before + (after - before) // MINUTE // 2 * MINUTE
        before, after = (
            (middle, after) if _ahead(zone, middle) == _ahead(zone, before) else (before, middle)
        )
    return after


def _week_rows(week: Week, before: tuple[Hours | None, ...]) -> Iterator[str]:
    """Give a row for each run of weekdays with the same hours, where those are not as before."""
    day = 0
    while day < 7:
        end = day + 1
        if week.hours[day] != before[day]:
            while end < 7 and (week.hours[end], before[end]) == (week.hours[day], before[day]):
                end += 1
            names = WEEKDAYS[day] if end == day + 1 else f"{WEEKDAYS[day]}-{WEEKDAYS[end - 1]}"
            yield f"week,{week.start},{names},{week.hours[day] or 'closed'}"
        day = end


def _regular_times(calendar: Any) -> tuple[Any, ...]:
    return (
        calendar.open_times,
        calendar.close_times,
        calendar.break_start_times or ((None, None),),
        calendar.break_end_times or ((None, None),),
    )


def _regular_week(calendar: Any, day: date) -> tuple[Hours | None, ...]:
    """Give the usual hours of each weekday as the calendar has them on a date."""
    times = [
        ([None] + [time for start, time in times if start is None or start.date() <= day])[-1]
        for times in _regular_times(calendar)
    ]
    minutes = [None if time is None else time.hour * 60 + time.minute for time in times]
    opens, closes, pause_start, pause_end = minutes
    if opens is None or closes is None:
        return (None,) * 7
    hours = Hours(
        opens + calendar.open_offset * 24 * 60,
        closes + calendar.close_offset * 24 * 60,
        None if pause_start is None or pause_end is None else (pause_start, pause_end),
    )
    return tuple(hours if trades == "1" else None for trades in calendar.weekmask)


def _sessions(calendar: Any) -> Iterable[tuple[date, Hours]]:
    """Give date and hours of each session, by the exchange's clock."""
    schedule = calendar.schedule
    columns = [
        (schedule[name].dt.tz_convert(calendar.tz).dt.tz_localize(None) - schedule.index) // MINUTE
        for name in ("open", "close", "break_start", "break_end")
    ]
    for day, opens, closes, start, end in zip(schedule.index, *columns, strict=True):
        pause = None if start != start or end != end else (int(start), int(end))
        yield day.date(), Hours(int(opens), int(closes), pause)
