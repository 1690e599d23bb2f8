"""Clocks that stamps were made by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.arguments import explained
from .._frames import native_bars
from ..bars import Bars
from .grids import calendar_of, named_bars

if TYPE_CHECKING:
    import pandas as pd

    from .._frames import Frame
    from .grids import Calendar


@dataclass(frozen=True)
class ClockChange:
    """What may have happened to timestamps.

    Attributes
    ----------
    conversions : int
        So often were they taken for times by the exchange's clock and converted to UTC, though they were UTC; -1 where
        they are the exchange's own times.
    hours : int
        By so much were they put forward, beside that.
    """

    conversions: int = 0
    hours: int = 0

    def __str__(self) -> str:
        return _core.clock_text((self.conversions, self.hours))


@dataclass(frozen=True)
class ClockScore:
    """A change, and how well bars fit the sessions when it is undone.

    Attributes
    ----------
    change : ClockChange
        What is undone.
    fit : float
        The share inside of sessions then, of what was traded where volumes are given, else of the bars; 0 to 1.
    """

    change: ClockChange
    fit: float


@dataclass(frozen=True)
class ClockReport:
    """By which clock bars were stamped; see ``clock_alignment``.

    Attributes
    ----------
    fit : float
        The share of the bars inside of sessions as they are, 0 to 1.
    change : ClockChange or None
        What has happened to them; None where they are as they should be, or nothing explains them.
    scores : tuple of ClockScore
        Each change that was tried, the best first.
    evidence : str
        Why it is that one, or none.
    """

    fit: float
    change: ClockChange | None
    scores: tuple[ClockScore, ...]
    evidence: str

    def to_pandas(self) -> pd.DataFrame:
        """Give a row a change that was tried: conversions, hours, fit."""
        import pandas

        rows = [{**asdict(score.change), "fit": score.fit} for score in self.scores]
        return pandas.DataFrame(rows, columns=["conversions", "hours", "fit"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        return f"<ClockReport {self.fit:.1%} in sessions: {self.change or 'nothing to undo'}>"


@explained
def clock_alignment(
    bars: Frame, *, calendar: Calendar, timeframe: str | None = None
) -> ClockReport:
    """Try which undo of a clock set wrong puts bars back into sessions.

    Bars are accused only where one undo leaves less than half of what lies outside of sessions (of a shift by hours a
    tenth), no more than a fifth of it all, and no other explains them as well. So never where the market does not close, nor where bars
    fill so little of a session that several fit.

    Parameters
    ----------
    bars : Bars or frame
        In order.
    calendar : str, SessionCalendar or BarGrid
        When the market trades.
    timeframe : str, optional
        How long a bar is, where the bars do not say.

    Raises
    ------
    InvalidArgumentError
        For what are no bars, bars out of order, and without a calendar.

    Examples
    --------
    >>> import numpy as np
    >>> from ktrdr_core.calendars import BarGrid, get_calendar
    >>> from ktrdr_core.quality import clock_alignment, undo_clock
    >>> hour = BarGrid("1h", get_calendar("XNYS"))
    >>> stamps = hour.expected("2024-01-08", "2024-02-01")
    >>> prices = dict.fromkeys(("open", "high", "low", "close"), np.full(len(stamps), 10.0))
    >>> wrong = {"time": stamps + np.timedelta64(10, "h"), **prices}  # Twice five hours, in winter.
    >>> report = clock_alignment(wrong, calendar=hour)
    >>> report
    <ClockReport 0.0% in sessions: converted to UTC 2 times too often>
    >>> right = undo_clock(wrong, report.change, calendar=hour)
    >>> bool((right.time == stamps).all())
    True
    """
    given, grid = named_bars(bars, timeframe, calendar)
    fit, change, scores, evidence = _core.diagnose_clock(given._native, grid._native)
    return ClockReport(
        fit,
        None if change is None else ClockChange(*change),
        tuple(ClockScore(ClockChange(times, hours), score) for times, hours, score in scores),
        evidence,
    )


@explained
def undo_clock(bars: Frame, change: ClockChange, *, calendar: Calendar) -> Bars:
    """Give bars with the timestamps that they had before a change, to the nanosecond.

    Raises
    ------
    InvalidArgumentError
        Where two bars would have one timestamp, in an hour that the clock shows twice, naming the row; and without a
        calendar.
    """
    given = Bars(native_bars(bars)[0])
    native = _core.undo_clock(
        given._native, calendar_of(calendar), (change.conversions, change.hours)
    )
    return Bars(native)
