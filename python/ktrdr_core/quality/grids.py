"""Bars, and the periods they are held against, as people name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from .._frames import native_bars
from ..bars import Bars
from ..calendars import BarGrid, SessionCalendar, get_calendar
from ..calendars.instants import nanos
from ..errors import InvalidArgumentError

if TYPE_CHECKING:
    from .. import _core
    from .._frames import Frame
    from ..calendars import Instant

#: When the market trades: a name for ``get_calendar``, a calendar, a ``BarGrid`` where its provider cuts bars otherwise
#: than ``BarGrid(timeframe, calendar)`` does, or None where nobody knows.
Calendar: TypeAlias = str | SessionCalendar | BarGrid | None


def grid_of(timeframe: str, calendar: Calendar) -> BarGrid:
    """Give the periods of bars of a timeframe."""
    if isinstance(calendar, BarGrid):
        if calendar.timeframe != timeframe:
            raise InvalidArgumentError(
                f"the grid is one of {calendar.timeframe} bars, these are {timeframe}",
                context={"field": "calendar"},
            )
        return calendar
    if calendar is not None and not isinstance(calendar, SessionCalendar | str):
        raise InvalidArgumentError(
            f"calendar cannot be {type(calendar).__name__}: give a name (XNYS), a SessionCalendar or a BarGrid",
            context={"field": "calendar"},
        )
    return BarGrid(timeframe, get_calendar(calendar) if isinstance(calendar, str) else calendar)


def named_bars(bars: Frame, timeframe: str | None, calendar: Calendar) -> tuple[Bars, BarGrid]:
    """Take bars or a frame, and the periods of its bars.

    Raises
    ------
    InvalidArgumentError
        For what is no frame, and where nobody says how long a bar is.
    """
    if timeframe is None and isinstance(calendar, BarGrid):
        timeframe = calendar.timeframe
    if timeframe is None and isinstance(bars, Bars):
        timeframe = bars.timeframe
    if not timeframe:
        raise InvalidArgumentError(
            'nobody says how long these bars are: give timeframe="1h", for example',
            context={"field": "timeframe"},
        )
    grid = grid_of(timeframe, calendar)
    return Bars(native_bars(bars)[0]), grid


def calendar_of(calendar: Calendar) -> _core.SessionCalendar:
    """Give the calendar alone.

    Raises
    ------
    InvalidArgumentError
        Where there is none.
    """
    found = grid_of(calendar.timeframe if isinstance(calendar, BarGrid) else "1d", calendar)
    if found.calendar is None:
        raise InvalidArgumentError(
            "a clock is undone by a calendar: give one, XNYS for example",
            context={"field": "calendar"},
        )
    return found.calendar._native


def between(
    start: Instant | None, end: Instant | None, whole: tuple[int, int]
) -> tuple[int, int] | None:
    """Give a range in nanoseconds, what is not given from all that there is; None where neither is."""
    if start is None and end is None:
        return None
    first = whole[0] if start is None else nanos("start", start)
    last = whole[1] if end is None else nanos("end", end)
    return first, last


def whole_of(bars: Bars, grid: BarGrid) -> tuple[int, int]:
    """Give the range from the start of the first bar to the end of the last."""
    if not len(bars):
        return 0, 0
    stamps = bars.time
    first, last = int(stamps.min().astype("int64")), stamps.max()
    return first, nanos("end", grid.end_of(last))


def stamp(time: Any) -> str:
    """Write a time as JSON has it."""
    return f"{time:%Y-%m-%dT%H:%M:%S}Z"
