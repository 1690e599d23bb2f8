"""Labels of bars: what a model is to foresee, when that is known, and how much each label is its own.

A label looks ahead, so it must never reach a row that is tested: ``Labels.ends`` says when each one is known, and
`ktrdr_core.splits` purges by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import _core
from ._bridge.arguments import explained
from ._values import HoldsArrays
from .errors import InvalidArgumentError
from .quality.grids import named_bars

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from ._frames import Frame
    from .quality import Calendar

__all__ = ["CLASS_NAMES", "Labels", "forward_return", "triple_barrier", "zigzag"]

#: The classes by their number.
CLASS_NAMES = ("buy", "hold", "sell")


@dataclass(frozen=True, eq=False)
class Labels(HoldsArrays):
    """One label a bar; columns of one length, read-only.

    Attributes
    ----------
    classes : numpy.ndarray of int64, shape (n,)
        The number of the class in `CLASS_NAMES`, -1 where the label is not decided: drop those rows.
    ends : numpy.ndarray of datetime64[ns], shape (n,)
        When the label is known, UTC: the end of the last bar it looks at. NaT where it is not decided.
    weights : numpy.ndarray of float64, shape (n,)
        How much of its label is its own: the mean, over the bars it looks at, of one over the number of labels that look
        at them, scaled to a mean of 1; 0 where it is not decided. After López de Prado, *Advances in Financial Machine
        Learning* (2018), chapter 4. A training counts its rows by them where its strategy says
        ``training.labels.weights: uniqueness``.
    left_out : mapping of str to int
        How many are not decided, by reason: ``undecided`` (the last bars; a price of 0), ``hole`` (it would look across
        missing sessions), ``nan`` (a price is missing).
    """

    classes: npt.NDArray[np.int64]
    ends: npt.NDArray[np.datetime64]
    weights: npt.NDArray[np.float64]
    left_out: Mapping[str, int]

    @property
    def decided(self) -> npt.NDArray[np.bool_]:
        """Whether each label is decided. Shape ``(n,)``."""
        return self.classes >= 0

    def __len__(self) -> int:
        return len(self.classes)

    def __repr__(self) -> str:
        counts = [f"{(self.classes == k).sum()} {name}" for k, name in enumerate(CLASS_NAMES)]
        left = [f"{count} {reason}" for reason, count in sorted(self.left_out.items())]
        return f"<Labels {len(self)} bars: {', '.join(counts + left)}>"


@explained
def forward_return(
    bars: Frame,
    *,
    threshold: float = 0.02,
    lookahead: int = 5,
    calendar: Calendar = None,
    timeframe: str | None = None,
) -> Labels:
    """Label bars by the close so many bars later.

    The return is ``(later - now) / |now|``; above ``threshold`` it is *buy*, below its negative *sell*, else *hold*. A
    move of exactly the threshold is *hold*, up and down alike, however prices are rounded in binary.

    Parameters
    ----------
    bars : Bars or frame
        Oldest first.
    threshold : float
        A fraction, 0.02 is 2 %; from 0 to below 1.
    lookahead : int
        Bars; at least 1.
    calendar : str, SessionCalendar or BarGrid, optional
        When the market trades: when bars end, and where sessions are missing. Without it a hole is a silence of more
        than two weeks and three bars.
    timeframe : str, optional
        How long a bar is, where the bars do not say.

    Returns
    -------
    Labels
        One a bar.

    Raises
    ------
    InvalidArgumentError
        For what are no bars, bars out of order, and a number outside of its range.

    Examples
    --------
    >>> from ktrdr_core.labels import forward_return
    >>> prices = [100.0, 102, 103, 99, 99]
    >>> frame = {"date": [f"2024-01-0{day}" for day in (1, 2, 3, 4, 5)],
    ...          "open": prices, "high": prices, "low": prices, "close": prices}
    >>> labels = forward_return(frame, threshold=0.02, lookahead=1, timeframe="1d")
    >>> labels
    <Labels 5 bars: 0 buy, 3 hold, 1 sell, 1 undecided>
    >>> labels.ends[0]
    np.datetime64('2024-01-03T00:00:00.000000000')
    """
    return _made(bars, "forward_return", threshold, lookahead, calendar, timeframe)


@explained
def zigzag(
    bars: Frame,
    *,
    zigzag_threshold: float = 0.05,
    threshold: float = 0.02,
    lookahead: int = 5,
    calendar: Calendar = None,
    timeframe: str | None = None,
) -> Labels:
    """Label bars by the leg of the zigzag that they are in.

    A turn is a close from which the price goes back by more than ``zigzag_threshold``. In a leg up a bar is *buy* where
    the price still rises by more than ``threshold`` up to the turn, but no further than ``lookahead`` bars; in a leg
    down it is *sell* likewise; else *hold*. A label is known once the turn is: when the price has gone back. So the bars
    of the last leg are not decided, and long legs purge long.

    Parameters
    ----------
    bars : Bars or frame
        Oldest first.
    zigzag_threshold : float
        A fraction, above 0 and below 1.
    threshold : float
        A fraction, from 0 to below 1.
    lookahead : int
        Bars; at least 1.
    calendar, timeframe : optional
        As of `forward_return`.

    Returns
    -------
    Labels
        One a bar.

    Raises
    ------
    InvalidArgumentError
        As `forward_return`.

    Examples
    --------
    >>> from ktrdr_core.labels import zigzag
    >>> prices = [100.0, 104, 109, 110, 106, 98]
    >>> frame = {"date": [f"2024-01-0{day}" for day in (1, 2, 3, 4, 5, 6)],
    ...          "open": prices, "high": prices, "low": prices, "close": prices}
    >>> zigzag(frame, zigzag_threshold=0.1, lookahead=9, timeframe="1d")
    <Labels 6 bars: 2 buy, 1 hold, 0 sell, 3 undecided>
    """
    return _made(
        bars, "zigzag", threshold, lookahead, calendar, timeframe, zigzag_threshold=zigzag_threshold
    )


@explained
def triple_barrier(
    bars: Frame,
    *,
    threshold: float = 0.02,
    stop_threshold: float | None = None,
    lookahead: int = 5,
    calendar: Calendar = None,
    timeframe: str | None = None,
) -> Labels:
    """Label bars by the barrier that a close passes first.

    ``threshold`` above the bar's own close is *buy*, ``stop_threshold`` below is *sell*, ``lookahead`` bars without
    either is *hold*. Known at that close. After López de Prado, *Advances in Financial Machine Learning* (2018),
    chapter 3.

    Parameters
    ----------
    bars : Bars or frame
        Oldest first.
    threshold : float
        A fraction, from 0 to below 1.
    stop_threshold : float, optional
        A fraction, from 0 to below 1; by default ``threshold``.
    lookahead : int
        Bars; at least 1.
    calendar, timeframe : optional
        As of `forward_return`.

    Returns
    -------
    Labels
        One a bar.

    Raises
    ------
    InvalidArgumentError
        As `forward_return`.

    Examples
    --------
    >>> from ktrdr_core.labels import triple_barrier
    >>> prices = [100.0, 101, 99, 103, 103]
    >>> frame = {"date": [f"2024-01-0{day}" for day in (1, 2, 3, 4, 5)],
    ...          "open": prices, "high": prices, "low": prices, "close": prices}
    >>> triple_barrier(frame, threshold=0.02, stop_threshold=0.05, lookahead=3, timeframe="1d")
    <Labels 5 bars: 2 buy, 1 hold, 0 sell, 2 undecided>
    """
    return _made(
        bars,
        "triple_barrier",
        threshold,
        lookahead,
        calendar,
        timeframe,
        stop_threshold=stop_threshold,
    )


def _made(
    bars: Frame,
    source: str,
    threshold: float,
    lookahead: int,
    calendar: Calendar,
    timeframe: str | None,
    *,
    zigzag_threshold: float | None = None,
    stop_threshold: float | None = None,
) -> Labels:
    given, grid = named_bars(bars, timeframe, calendar)
    # The core counts bars, and has no number below 0 for them.
    if isinstance(lookahead, int) and lookahead < 0:
        raise InvalidArgumentError(
            f"label_lookahead is {lookahead}; at least 1 is needed",
            context={"field": "label_lookahead"},
        )
    made: tuple[Any, ...] = _core.make_labels(
        given._native, grid._native, source, threshold, lookahead, zigzag_threshold, stop_threshold
    )
    import numpy as np

    classes, ends, weights, left_out = made
    return Labels(
        np.frombuffer(classes, np.int64),
        np.frombuffer(ends, "datetime64[ns]"),
        np.frombuffer(weights, np.float64),
        left_out,
    )
