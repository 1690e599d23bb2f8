"""Windows over time, of which each trains on what lies before its test."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..dates import iso
from ..errors import InvalidArgumentError
from .grid import MOST_RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..calendars import SessionCalendar
    from ..dates import Date

#: ``"90d"``, ``"26w"``, ``"6mo"``, ``"2y"``; a timedelta of whole days; with a calendar a number of sessions.
Span: TypeAlias = "str | timedelta | int"
#: What of a run's settings is about the bars, and no key of a strategy.
DATES = ("start_date", "test_from", "end_date")

_SPAN = re.compile(r"(\d{1,6}) ?(d|w|mo|y)")
_DAY = timedelta(days=1)


class _Steps(NamedTuple):
    """A span as whole months and days, or as sessions."""

    months: int
    days: int

    def __add__(self, other: tuple[int, ...]) -> _Steps:  # type: ignore[override]
        return _Steps(self.months + other[0], self.days + other[1])

    def times(self, count: int) -> _Steps:
        return _Steps(self.months * count, self.days * count)


def walk_forward(
    start: Date,
    end: Date,
    *,
    train: Span,
    test: Span,
    step: Span | None = None,
    anchored: bool = False,
    calendar: SessionCalendar | None = None,
) -> list[dict[str, str]]:
    """Give the windows of a walk forward, for `sweep`: each trains on its bars and is judged on those that follow.

    A window has ``start_date``, ``test_from`` and ``end_date`` (included). Its bars before ``test_from`` train and
    validate, as the strategy's ``data_split`` shares them out; a row whose label, or the embargo behind it, reaches into the
    test is purged. No two tests share a bar, so they can be judged together.

    Parameters
    ----------
    start, end : str, date or datetime
        The first and the last day to use, both included. A window that would end later is left out.
    train, test : str, timedelta or int
        How long each window trains, its validation included, and how long it is tested: ``"90d"``, ``"26w"``, ``"6mo"``,
        ``"2y"``, whole days as a timedelta; with ``calendar`` a number of its sessions.
    step : str, timedelta or int, optional
        From window to window; at least ``test``, which it is by default.
    anchored : bool
        Whether every window trains from ``start`` on, so that later ones know more.
    calendar : SessionCalendar, optional
        Whose sessions are counted; every window begins and ends with one.

    Returns
    -------
    list of dict
        Oldest first, dates as ISO 8601.

    Raises
    ------
    InvalidArgumentError
        For spans that are none, tests that would overlap, dates between which not one window fits, and more than 10,000
        windows.

    Examples
    --------
    >>> from ktrdr_core import walk_forward
    >>> for window in walk_forward("2020-01-01", "2022-12-31", train="1y", test="1y"):
    ...     print(window)
    {'start_date': '2020-01-01', 'test_from': '2021-01-01', 'end_date': '2021-12-31'}
    {'start_date': '2021-01-01', 'test_from': '2022-01-01', 'end_date': '2022-12-31'}
    """
    read = _days_and_months if calendar is None else _sessions
    spans = {"train": read("train", train), "test": read("test", test)}
    spans["step"] = spans["test"] if step is None else read("step", step)
    first, last = _day("start", start), _day("end", end)
    days = _Days(first, last) if calendar is None else _Sessions(calendar, first, last)
    windows: list[dict[str, str]] = []
    tested_to = date.min
    for index in range(MOST_RUNS + 1):
        moved = spans["step"].times(index)
        found = days.between(
            _Steps(0, 0) if anchored else moved,
            moved + spans["train"],
            moved + spans["train"] + spans["test"],
        )
        if found is None:
            break
        begin, test_from, end_date = found
        if test_from <= tested_to:
            raise _refused(
                "step",
                f"is {spans_text(step)}, shorter than test ({spans_text(test)}): the tests of two windows would share "
                f"the days from {test_from} to {tested_to}, and their rows count twice",
            )
        tested_to = end_date
        windows.append(
            {
                "start_date": begin.isoformat(),
                "test_from": test_from.isoformat(),
                "end_date": tested_to.isoformat(),
            }
        )
    if not windows:
        raise _refused(
            "end",
            f"is {last}: from {first} on that is too short for one window, which takes train ({spans_text(train)}) and "
            f"test ({spans_text(test)})",
        )
    if len(windows) > MOST_RUNS:
        raise _refused("step", f"gives more than {MOST_RUNS} windows, the most that a sweep runs")
    return windows


def with_dates_as_text(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give a run's settings with its dates as ISO 8601: they travel, and stand in a table.

    Raises
    ------
    InvalidArgumentError
        For a date that is none, naming it.
    """
    return {key: iso(key, value) if key in DATES else value for key, value in settings.items()}


def spans_text(span: Span | None) -> str:
    """Say how long a span is, as it was given."""
    if isinstance(span, timedelta):
        return f"{span.days}d"
    return f"{span} sessions" if isinstance(span, int) else str(span)


def _days_and_months(field: str, span: Span) -> _Steps:
    if isinstance(span, timedelta) and span >= _DAY and not span % _DAY:
        return _Steps(0, span.days)
    found = _SPAN.fullmatch(span.strip()) if isinstance(span, str) else None
    if found is None or not int(found[1]):
        hint = "; a number counts sessions, which needs calendar=" if isinstance(span, int) else ""
        raise _refused(
            field,
            f'must be "90d", "26w", "6mo", "2y" or a timedelta of whole days, not {span!r}{hint}',
        )
    count = int(found[1])
    return {
        "d": _Steps(0, count),
        "w": _Steps(0, 7 * count),
        "mo": _Steps(count, 0),
        "y": _Steps(12 * count, 0),
    }[found[2]]


def _sessions(field: str, span: Span) -> _Steps:
    if isinstance(span, bool) or not isinstance(span, int) or span < 1:
        raise _refused(
            field, f"must be a number of the calendar's sessions, at least 1, not {span!r}"
        )
    return _Steps(0, span)


class _Days:
    """Days of the calendar that everybody has."""

    def __init__(self, first: date, last: date) -> None:
        self._first = first
        self._last = last

    def between(
        self, begin: _Steps, test: _Steps, behind: _Steps
    ) -> tuple[date, date, date] | None:
        """Give the first day, the first of the test and the last; None where that is behind the end."""
        try:
            found = self._at(begin), self._at(test), self._at(behind) - _DAY
        except (OverflowError, ValueError):
            # Behind the last day that a date can name.
            return None
        return found if found[2] <= self._last else None

    def _at(self, steps: _Steps) -> date:
        year, month = divmod(self._first.year * 12 + self._first.month - 1 + steps.months, 12)
        # The 31st of a month that has none is its last day.
        day = min(self._first.day, monthrange(year, month + 1)[1])
        return date(year, month + 1, day) + timedelta(days=steps.days)


class _Sessions:
    """Days on which a market trades."""

    def __init__(self, calendar: SessionCalendar, first: date, last: date) -> None:
        self._days = [session.date for session in calendar.sessions(first, last)]

    def between(
        self, begin: _Steps, test: _Steps, behind: _Steps
    ) -> tuple[date, date, date] | None:
        """Give the first session, the first of the test and the last; None where there are not so many."""
        if behind.days > len(self._days):
            return None
        return self._days[begin.days], self._days[test.days], self._days[behind.days - 1]


def _day(field: str, given: Date) -> date:
    text = iso(field, given) or ""
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise _refused(field, f"must be a date such as 2020-01-31, not {given!r}") from None


def _refused(field: str, what: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{field} {what}", context={"field": field})
