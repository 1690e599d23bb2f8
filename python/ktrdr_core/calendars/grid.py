"""The periods of bars: where each begins, when it ends, which should exist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .. import _core
from .instants import days, nanos, time_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .calendar import SessionCalendar
    from .instants import Instant


@dataclass(frozen=True)
class Period:
    """What a bar stands for.

    Attributes
    ----------
    stamp : datetime.datetime
        What the bar is stored under, UTC.
    start : datetime.datetime
        When its first trade may happen: the stamp, or with a calendar the open of a day's, week's or month's first
        session.
    end : datetime.datetime
        Exclusive. Not before then is the bar closed, may a feature of it be used, is a label that looks at it known.
    """

    stamp: datetime
    start: datetime
    end: datetime


class BarGrid:
    """Every question about the period of a bar: where it begins, when it ends, which follows, which should exist.

    Without a calendar a bar lasts its length from its stamp on, whatever the stamp: 24 hours, 7 days, to the same day
    of the next month. With one a bar shorter than a day ends with the session or at its break at the latest; a daily bar
    is stamped 00:00 UTC of its session's date, a weekly one of the first day of the week, a monthly one of the month's,
    and each ends when its last session closes (where the market trades around the clock: when the next opens).

    Parameters
    ----------
    timeframe : str
        One of `ktrdr_core.timeframes`.
    calendar : SessionCalendar, optional
        When the market trades.
    provider : str
        Who has the bars. IB's forex sessions begin 15 minutes after the market's.
    asset_class : str
        stock, etf, index, future, option, forex or crypto.
    session : str
        regular, or extended for bars before and after the session's hours, too.
    cut : str
        How the provider cuts a session into bars shorter than a day: open_then_clock (09:30, 10:00, 11:00, as IB does),
        from_open (09:30, 10:30) or clock (09:00, 10:00).

    Raises
    ------
    InvalidArgumentError
        When an argument has no known name, naming those that there are.

    Examples
    --------
    >>> from ktrdr_core.calendars import BarGrid, get_calendar
    >>> hour = BarGrid("1h", get_calendar("XNYS"), provider="IB")
    >>> [str(stamp)[11:16] for stamp in hour.expected("2024-07-03", "2024-07-04")]
    ['13:30', '14:00', '15:00', '16:00']
    >>> BarGrid("1d").end_of("2024-07-03T22:00").isoformat()
    '2024-07-04T22:00:00+00:00'
    """

    def __init__(
        self,
        timeframe: str,
        calendar: SessionCalendar | None = None,
        *,
        provider: str = "",
        asset_class: str = "stock",
        session: str = "regular",
        cut: str = "open_then_clock",
    ) -> None:
        self._timeframe = timeframe
        self._calendar = calendar
        native = None if calendar is None else calendar._native
        self._native = _core.BarGrid(timeframe, native, provider, asset_class, session, cut)

    @classmethod
    def _of(
        cls, timeframe: str, native: _core.BarGrid, calendar: _core.SessionCalendar | None
    ) -> BarGrid:
        from .calendar import SessionCalendar

        grid = cls.__new__(cls)
        grid._timeframe, grid._native = timeframe, native
        grid._calendar = None if calendar is None else SessionCalendar(calendar)
        return grid

    def _with_timeframe(self, timeframe: str) -> BarGrid:
        """Give the periods of longer or shorter bars of the same series."""
        other = BarGrid.__new__(BarGrid)
        other._timeframe, other._calendar = timeframe, self._calendar
        other._native = self._native.with_timeframe(timeframe)
        return other

    @property
    def timeframe(self) -> str:
        """The length of its bars."""
        return self._timeframe

    @property
    def calendar(self) -> SessionCalendar | None:
        """When the market trades, None where nobody said."""
        return self._calendar

    def period_of(self, stamp: Instant) -> Period:
        """Give the period of a bar by its stamp."""
        stamped, start, end = self._native.period_of(nanos("stamp", stamp))
        return Period(time_of(stamped), time_of(start), time_of(end))

    def end_of(self, stamp: Instant) -> datetime:
        """Give when the period of a bar ends, exclusive, UTC."""
        return self.period_of(stamp).end

    def ends_of(self, stamps: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
        """Give when the periods of many bars end.

        Parameters
        ----------
        stamps : numpy.ndarray
            ``datetime64``, UTC, shape ``(n,)``: ``Bars.time``.

        Returns
        -------
        numpy.ndarray
            ``datetime64[ns]``, UTC, shape ``(n,)``, read-only.
        """
        import numpy

        whole = numpy.ascontiguousarray(stamps, dtype="datetime64[ns]").view(numpy.int64)
        return numpy.frombuffer(self._native.ends_of(whole), dtype="datetime64[ns]")

    def is_closed(self, stamp: Instant, now: Instant | None = None) -> bool:
        """Say whether a bar's period has ended, now or at a time."""
        return self.end_of(stamp) <= time_of(nanos("now", _now(now)))

    def closed_end(self, now: Instant | None = None) -> datetime:
        """Give the end of what can be asked for: each bar stamped before is closed, and none stamped there or later."""
        return time_of(self._native.closed_end(nanos("now", _now(now))))

    def floor(self, time: Instant) -> datetime:
        """Give the stamp of the last period that has begun. Without a calendar days begin at 00:00 UTC, weeks on Monday."""
        return time_of(self._native.floor(nanos("time", time)))

    def next(self, stamp: Instant) -> datetime:
        """Give the stamp of the period after. Without a calendar that is where this one ends, so days keep their hour."""
        return time_of(self._native.next(nanos("stamp", stamp)))

    def stored_stamp(self, providers: Instant) -> datetime:
        """Give the stamp under which a bar is stored that its provider stamps otherwise.

        By a local midnight, any time inside the period, or the last day of a week or month (as IB does). Bars shorter
        than a day, and all without a calendar, keep theirs.
        """
        return time_of(self._native.stored_stamp(nanos("providers", providers)))

    def range_of(self, day: Instant) -> tuple[datetime, datetime]:
        """Give what a date without a time stands for in a request, the end exclusive, UTC.

        00:00 to 24:00 UTC; with a calendar, for bars shorter than a day, the session of that date.
        """
        start, end = self._native.range_of(days("day", day))
        return time_of(start), time_of(end)

    def expected(self, start: Instant, end: Instant) -> npt.NDArray[np.datetime64] | None:
        """Give the stamps in ``[start, end)`` that should have a bar.

        Returns
        -------
        numpy.ndarray or None
            ``datetime64[ns]``, UTC, shape ``(n,)``, rising, read-only. None where nobody can know: without a calendar,
            outside of its dates, and for bars shorter than a day in extended hours, where a stretch without trades has
            no bar.
        """
        stamps = self._native.expected(nanos("start", start), nanos("end", end))
        if stamps is None:
            return None
        import numpy

        return numpy.frombuffer(stamps, dtype="datetime64[ns]")

    def __repr__(self) -> str:
        calendar = "no calendar" if self._calendar is None else self._calendar.name
        return f"<BarGrid {self._timeframe}: {calendar}>"


def _now(now: Instant | None) -> Instant:
    return datetime.now(UTC) if now is None else now
