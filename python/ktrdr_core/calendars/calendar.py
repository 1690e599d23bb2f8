"""Session calendars: those that ship, those of `exchange_calendars`, and those of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _core
from .._extras import needed_by
from ..errors import InvalidArgumentError
from .instants import date_of, days, nanos, time_of
from .table import from_exchange_calendar

if TYPE_CHECKING:
    from datetime import date, datetime
    from os import PathLike

    from .instants import Instant

#: More than the core reads of a calendar's text.
_MOST_BYTES = (4 << 20) + 1

_Facts = tuple[int, int, int, int, int, int, bool]


@dataclass(frozen=True)
class Session:
    """One trading day of a market.

    Attributes
    ----------
    date : datetime.date
        The day's name: its date where the exchange is. The session may open on the day before.
    open, close : datetime.datetime
        When it trades from, and until (exclusive), UTC.
    break_start, break_end : datetime.datetime or None
        When nothing trades in between, UTC; None without a break.
    early_close : bool
        It closes before that weekday's usual time.
    """

    date: date
    open: datetime
    close: datetime
    break_start: datetime | None = None
    break_end: datetime | None = None
    early_close: bool = False


class SessionCalendar:
    """The sessions of one market, between two dates.

    It does not change, and any thread may ask it. `get_calendar` gives one by its name; `read` one from a file.

    Examples
    --------
    >>> from ktrdr_core.calendars import get_calendar
    >>> xnys = get_calendar("XNYS")
    >>> xnys.is_session("2024-07-04"), xnys.is_session("2024-07-05")
    (False, True)
    >>> xnys.session_on("2024-07-03").close.isoformat()
    '2024-07-03T17:00:00+00:00'
    """

    def __init__(self, native: _core.SessionCalendar) -> None:
        self._native = native

    @classmethod
    def read(cls, file: str | PathLike[str]) -> SessionCalendar:
        """Read a calendar of your own from a file. What it holds is told in the guide, *Sessions and periods*.

        Raises
        ------
        InvalidArgumentError
            When a line is not as it must be, naming file, line and what is wrong.
        OSError
            When the file cannot be read.
        """
        return cls(_core.SessionCalendar.read(text_of(file), str(file)))

    def with_overrides(self, file: str | PathLike[str]) -> SessionCalendar:
        """Give this calendar with the days of a file in place of its own.

        Raises
        ------
        InvalidArgumentError
            When a line is not as it must be, or the file changes another calendar, naming file and line.
        OSError
            When the file cannot be read.
        """
        return SessionCalendar(self._native.with_overrides(text_of(file), str(file)))

    @property
    def name(self) -> str:
        """What the calendar is called: an exchange's MIC, or FOREX or CRYPTO."""
        return self._native.name

    @property
    def zone(self) -> str:
        """Where the exchange's clock stands, an IANA name."""
        return self._native.zone

    @property
    def first_date(self) -> date:
        """The first date that the calendar knows."""
        return date_of(self._native.first_date)

    @property
    def last_date(self) -> date:
        """The last date that the calendar knows, included."""
        return date_of(self._native.last_date)

    @property
    def around_the_clock(self) -> bool:
        """True where a session opens when the one before closes: forex, crypto."""
        return self._native.around_the_clock

    def sessions(self, start: Instant | None = None, end: Instant | None = None) -> list[Session]:
        """Give the sessions with dates from ``start`` to ``end``, both included; all by default.

        Raises
        ------
        InvalidArgumentError
            When a date is none.
        """
        first = self._native.first_date if start is None else days("start", start)
        last = self._native.last_date if end is None else days("end", end)
        return [_session(facts) for facts in self._native.sessions(first, last)]

    def early_closes(
        self, start: Instant | None = None, end: Instant | None = None
    ) -> list[Session]:
        """Give those of `sessions` that close before their weekday's usual time."""
        return [session for session in self.sessions(start, end) if session.early_close]

    def is_session(self, day: Instant) -> bool:
        """Say whether the market trades on a date."""
        return self._native.session_on(days("day", day)) is not None

    def session_on(self, day: Instant) -> Session | None:
        """Give the session of a date, None where there is none."""
        return _found(self._native.session_on(days("day", day)))

    def session_at(self, time: Instant) -> Session | None:
        """Give the session whose hours a time is in, its break included; None where the market is closed."""
        return _found(self._native.session_at(nanos("time", time)))

    def is_open(self, time: Instant) -> bool:
        """Say whether a time is inside a session and outside of its break."""
        return self._native.is_open(nanos("time", time))

    def next_open(self, time: Instant) -> datetime | None:
        """Give the first open after a time; None where the calendar ends. UTC."""
        return _time(self._native.next_open(nanos("time", time)))

    def next_close(self, time: Instant) -> datetime | None:
        """Give the first close after a time; None where the calendar ends. UTC."""
        return _time(self._native.next_close(nanos("time", time)))

    def previous_open(self, time: Instant) -> datetime | None:
        """Give the last open before a time; None before the calendar begins. UTC."""
        return _time(self._native.previous_open(nanos("time", time)))

    def previous_close(self, time: Instant) -> datetime | None:
        """Give the last close before a time; None before the calendar begins. UTC."""
        return _time(self._native.previous_close(nanos("time", time)))

    def __repr__(self) -> str:
        return f"<SessionCalendar {self.name}: {self.first_date} to {self.last_date}, {self.zone}>"


def calendar_names() -> list[str]:
    """Give the names of the calendars that ship with the package.

    Examples
    --------
    >>> from ktrdr_core.calendars import calendar_names
    >>> calendar_names()
    ['XNYS', 'FOREX', 'CRYPTO']
    """
    return _core.SessionCalendar.shipped_names()


def get_calendar(
    name: str,
    *,
    start: Instant | None = None,
    end: Instant | None = None,
    overrides: str | PathLike[str] | None = None,
) -> SessionCalendar:
    """Give a calendar by its name.

    Parameters
    ----------
    name : str
        One of `calendar_names`, or with the extra ``calendars`` any that the package `exchange_calendars` knows (XLON,
        XTKS, CMES, …).
    start, end : date, optional
        The dates that a calendar of `exchange_calendars` is made for; by default 20 years back to one ahead, as there.
        Those that ship have all they know.
    overrides : path, optional
        A file with days that replace the calendar's own.

    Raises
    ------
    InvalidArgumentError
        When nobody knows the name, a date is none, or a line of the overrides is not as it must be.
    FeatureNotAvailableError
        When the calendar does not ship and `exchange_calendars` is not installed; an ImportError.

    Examples
    --------
    >>> from ktrdr_core.calendars import get_calendar
    >>> get_calendar("FOREX").session_on("2024-07-08").open.isoformat()
    '2024-07-07T21:00:00+00:00'
    """
    if not isinstance(name, str):
        raise InvalidArgumentError(f"name must be a str, not {type(name).__name__}")
    if name in calendar_names():
        native = _core.SessionCalendar.shipped(name)
    else:
        native = _core.SessionCalendar.read(_foreign_text(name, start, end), name)
    calendar = SessionCalendar(native)
    return calendar if overrides is None else calendar.with_overrides(overrides)


def _foreign_text(name: str, start: Instant | None, end: Instant | None) -> str:
    """Make the text of a calendar of `exchange_calendars`."""
    shown = name[:32]
    with needed_by(f"the calendar {shown!r} does not ship ({' '.join(calendar_names())} do) and"):
        import exchange_calendars
    known = exchange_calendars.get_calendar_names(include_aliases=True)
    if name not in known:
        raise InvalidArgumentError(
            f"calendar {shown!r} is not known: use {' '.join(calendar_names())} or one of "
            f"exchange_calendars.get_calendar_names() ({len(known)} names)"
        )
    dates = {
        field: date_of(days(field, value))
        for field, value in (("start", start), ("end", end))
        if value is not None
    }
    try:
        return str(from_exchange_calendar(exchange_calendars.get_calendar(name, **dates)))
    except (ValueError, NotImplementedError) as error:
        # Its own limits: dates before an exchange's rules are known, holidays that its pandas cannot count.
        raise InvalidArgumentError(
            f"exchange_calendars cannot make {shown}: {str(error)[:300]}"
        ) from error


def text_of(file: str | PathLike[str]) -> str:
    """Read a calendar's file, and a byte more than may be in it."""
    with Path(file).open("rb") as stream:
        return stream.read(_MOST_BYTES).decode("utf-8", errors="replace")


def _session(facts: _Facts) -> Session:
    day, opens, closes, start, end, _, early = facts
    pause: tuple[Any, Any] = (time_of(start), time_of(end)) if start < end else (None, None)
    return Session(date_of(day), time_of(opens), time_of(closes), *pause, early)


def _found(facts: _Facts | None) -> Session | None:
    return None if facts is None else _session(facts)


def _time(since: int | None) -> datetime | None:
    return None if since is None else time_of(since)
