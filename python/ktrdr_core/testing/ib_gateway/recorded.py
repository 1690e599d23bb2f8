"""The bars that a simulated gateway has, and longer ones made of them session by session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ...bars import Bars
    from .contracts import Hours, Session

_DAY = 86_400
#: What a bar's volume, average price and count of trades are where there are none.
NOTHING = -1.0


class BarSize(NamedTuple):
    """How long a bar is."""

    unit: str
    """``S`` for seconds, else ``D``, ``W`` or ``M``."""
    number: int

    @property
    def seconds(self) -> int:
        """Its length; of a month about."""
        return self.number * {"S": 1, "D": _DAY, "W": 7 * _DAY, "M": 30 * _DAY}[self.unit]


def _sizes() -> Iterator[tuple[str, BarSize]]:
    for count in (1, 5, 10, 15, 30):
        yield f"{count} secs", BarSize("S", count)
    for count in (1, 2, 3, 5, 10, 15, 20, 30):
        yield f"{count} min{'s' if count > 1 else ''}", BarSize("S", 60 * count)
    for count in (1, 2, 3, 4, 8):
        yield f"{count} hour{'s' if count > 1 else ''}", BarSize("S", 3600 * count)
    yield "1 day", BarSize("D", 1)
    yield from ((name, BarSize("W", 1)) for name in ("1W", "1 week"))
    yield from ((name, BarSize("M", 1)) for name in ("1M", "1 month"))


#: The bar sizes of the protocol by name.
BAR_SIZES = dict(_sizes())
#: The same by the names that ``ktrdr_core`` has for them.
TIMEFRAMES = {
    "1m": "1 min",
    "2m": "2 mins",
    "3m": "3 mins",
    "5m": "5 mins",
    "10m": "10 mins",
    "15m": "15 mins",
    "20m": "20 mins",
    "30m": "30 mins",
    "1h": "1 hour",
    "2h": "2 hours",
    "3h": "3 hours",
    "4h": "4 hours",
    "8h": "8 hours",
    "1d": "1 day",
    "1w": "1W",
    "1M": "1M",
}


def bar_size(name: str) -> BarSize:
    """Give a bar size by either of its names.

    Raises
    ------
    ValueError
        For another.
    """
    size = BAR_SIZES.get(TIMEFRAMES.get(name, name))
    if size is None:
        known = ", ".join((*TIMEFRAMES, *BAR_SIZES))
        raise ValueError(f"{name!r} is no bar size: use one of {known}")
    return size


@dataclass(frozen=True, slots=True)
class Row:
    """A bar as it is answered.

    Parameters
    ----------
    start : int or date
        Seconds since 1970; of a day, week or month its last session's date.
    volume, average, count : float
        -1 where there is none.
    """

    start: int | date
    open: float
    high: float
    low: float
    close: float
    volume: float
    average: float
    count: int


class Recorded:
    """One series as it was given, oldest first."""

    def __init__(self, size: BarSize, bars: Bars) -> None:
        self.size = size
        # Bars of a day are stamped with its date, 00:00 UTC.
        self.time: NDArray[np.int64] = bars.time.view(np.int64) // 1_000_000_000
        self.prices: list[NDArray[np.float64]] = [bars.open, bars.high, bars.low, bars.close]
        self.volume: NDArray[np.float64] = bars.volume

    def makes(self, size: BarSize) -> bool:
        """Say whether bars of this size can be made of it."""
        if size.unit == "S":
            return self.size.unit == "S" and size.number % self.size.number == 0
        return self.size.unit == "S" or self.size.unit == "D" or self.size == size

    def first(self) -> int | None:
        """Give the oldest stamp."""
        return int(self.time[0]) if len(self.time) else None

    def rows(self, size: BarSize, hours: Hours, start: int, end: int, *, quotes: bool) -> list[Row]:
        """Make the bars of a size that lie in ``[start, end)``; the last is cut by the end.

        Parameters
        ----------
        quotes : bool
            Whether they are of quotes, which have no volume.
        """
        if size.unit in "WM":
            start = _first_of(size, start, hours)
        sessions = list(hours.between(start, end))
        if not sessions:
            return []
        rows, keys = self._within(size, sessions, start, end)
        if not len(rows):
            return []
        firsts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
        lasts = np.r_[firsts[1:], len(rows)] - 1
        opens, highs, lows, closes = (column[rows] for column in self.prices)
        volume = self.volume[rows]
        volumes = np.add.reduceat(np.maximum(volume, 0), firsts)
        volumes[np.minimum.reduceat(volume, firsts) < 0] = NOTHING
        stamps = keys[lasts] if size.unit == "S" else self._days(sessions, rows)[lasts]
        columns = (
            stamps,
            opens[firsts],
            np.maximum.reduceat(highs, firsts),
            np.minimum.reduceat(lows, firsts),
            closes[lasts],
            volumes,
        )
        return [
            _row(size, *values, quotes=quotes)
            for values in zip(*map(np.ndarray.tolist, columns), strict=True)
        ]

    def _within(
        self, size: BarSize, sessions: list[Session], start: int, end: int
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Give which of its bars are asked for, and for each the bar that it belongs to."""
        if self.size.unit != "S":
            dates = self._ordinals()
            trades = np.isin(dates, [_ordinal(session.day) for session in sessions])
            rows = np.flatnonzero(trades)
            return rows, _periods(size, dates[rows])
        low, high = np.searchsorted(self.time, (start, end))
        time = self.time[low:high]
        of = np.searchsorted([session.start for session in sessions], time, side="right") - 1
        ends = np.array([session.end for session in sessions])
        inside = (of >= 0) & (time < ends[of])
        rows, time, of = low + np.flatnonzero(inside), time[inside], of[inside]
        if size.unit != "S":
            days = np.array([_ordinal(session.day) for session in sessions], dtype=np.int64)
            return rows, _periods(size, days[of])
        opens = np.array([session.start for session in sessions])[of]
        midnights = np.array([session.midnight for session in sessions])[of]
        cuts = midnights + (time - midnights) // size.number * size.number
        return rows, np.maximum(cuts, opens)

    def _ordinals(self) -> NDArray[np.int64]:
        return self.time // _DAY

    def _days(self, sessions: list[Session], rows: NDArray[np.intp]) -> NDArray[np.int64]:
        if self.size.unit != "S":
            return self._ordinals()[rows]
        starts = [session.start for session in sessions]
        of = np.searchsorted(starts, self.time[rows], side="right") - 1
        days = np.array([_ordinal(session.day) for session in sessions], dtype=np.int64)
        result: NDArray[np.int64] = days[of]
        return result


def _row(
    size: BarSize,
    stamp: int,
    first: float,
    high: float,
    low: float,
    last: float,
    volume: float,
    *,
    quotes: bool,
) -> Row:
    start = stamp if size.unit == "S" else _date(stamp)
    if quotes or volume < 0:
        return Row(start, first, high, low, last, NOTHING, NOTHING, -1)
    average = round((high + low + last) / 3, 4)
    return Row(start, first, high, low, last, volume, average, int(volume // 100) + 1)


def _ordinal(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _date(ordinal: int) -> date:
    return date(1970, 1, 1) + timedelta(days=ordinal)


def _periods(size: BarSize, days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the period that a day lies in; a week begins on Monday."""
    if size.unit == "D":
        return days
    if size.unit == "W":
        # The first of January 1970 was a Thursday.
        weeks: NDArray[np.int64] = (days + 3) // 7
        return weeks
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _first_of(size: BarSize, start: int, hours: Hours) -> int:
    """Give the start of the week or month that a moment lies in."""
    day = datetime.fromtimestamp(start, hours.clock).date()
    day -= timedelta(days=day.weekday() if size.unit == "W" else day.day - 1)
    # The first session may open on the day before.
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) - _DAY // 2
