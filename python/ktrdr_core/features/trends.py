"""Ranges, directions and turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import columns
from .outputs import Adx, SuperTrend, ZigZag

if TYPE_CHECKING:
    import numpy.typing as npt

    from .outputs import FloatArray


def atr(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, *, period: int = 14
) -> FloatArray:
    """Compute the average true range.

    Wilder's mean of how far a price went since the close of the bar before, in units of price.

    After J. W. Wilder (1978), begun with the plain mean of the first ``period`` ranges. The first
    bar has no range.

    Parameters
    ----------
    high, low, close : array_like
        Highest prices. Lowest prices. Closing prices. One-dimensional, of one length.
    period : int
        Ranges in Wilder's mean. 2 to 2000.

    Returns
    -------
    ndarray of float64
        As long as the input; NaN while it warms up, and where a value is missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import atr
    >>> atr([2, 3, 5], [1, 1, 4], [2, 2, 4], period=2)
    array([nan, nan, 2.5])
    """
    return columns("atr", (high, low, close), {"period": period})[0]


def adx(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, *, period: int = 14
) -> Adx[FloatArray]:
    """Compute the directional movement.

    Average directional index, +DI and -DI, 0 to 100.

    After J. W. Wilder (1978); the sums begin one bar short, as TA-Lib's do. A bar without any range
    or direction leaves the index as it is.

    Parameters
    ----------
    high, low, close : array_like
        Highest prices. Lowest prices. Closing prices. One-dimensional, of one length.
    period : int
        Of Wilder's sums and of the mean. 2 to 2000.

    Returns
    -------
    Adx
        An array for each output, as long as the input; NaN while it warms up, and where a value is
        missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import adx
    >>> adx([2, 3, 4, 5], [1, 2, 3, 4], [2, 3, 4, 5], period=2).adx
    array([ nan,  nan,  nan, 100.])
    """
    return Adx(*columns("adx", (high, low, close), {"period": period}))


def parabolic_sar(
    high: npt.ArrayLike, low: npt.ArrayLike, *, acceleration: float = 0.02, maximum: float = 0.2
) -> FloatArray:
    """Compute the parabolic stop and reverse.

    Wilder's stop and reverse, in units of price.

    After J. W. Wilder (1978). It begins upwards unless the second bar goes further down than up. It
    hangs on turns that may lie any number of bars back.

    Parameters
    ----------
    high, low : array_like
        Highest prices. Lowest prices. One-dimensional, of one length.
    acceleration : float
        What each new extreme adds to the pace. 0.0001 to 1.
    maximum : float
        The fastest pace. 0.0001 to 1.

    Returns
    -------
    ndarray of float64
        As long as the input; NaN while it warms up, and where a value is missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import parabolic_sar
    >>> parabolic_sar([2, 3, 4], [1, 2, 3])
    array([ nan, 1.  , 1.04])
    """
    return columns(
        "parabolic_sar", (high, low), {"acceleration": acceleration, "maximum": maximum}
    )[0]


def supertrend(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    *,
    period: int = 10,
    multiplier: float = 3.0,
) -> SuperTrend[FloatArray]:
    """Compute SuperTrend.

    A line that follows the trend at a distance, in units of price, and the trend: 1 or -1.

    After O. Seban (2008): it moves in the trend's direction only, until a close lies beyond it. It
    begins upwards, and hangs on turns that may lie any number of bars back.

    Parameters
    ----------
    high, low, close : array_like
        Highest prices. Lowest prices. Closing prices. One-dimensional, of one length.
    period : int
        Of the average true range. 2 to 2000.
    multiplier : float
        Average true ranges from a bar's middle to the line. 0.01 to 100.

    Returns
    -------
    SuperTrend
        An array for each output, as long as the input; NaN while it warms up, and where a value is
        missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import supertrend
    >>> supertrend([2] * 3, [0] * 3, [1] * 3, period=2, multiplier=1).line
    array([nan, nan, -1.])
    """
    return SuperTrend(
        *columns("supertrend", (high, low, close), {"period": period, "multiplier": multiplier})
    )


def zigzag(values: npt.ArrayLike, threshold: float = 5.0) -> ZigZag[FloatArray]:
    """Compute the zigzag.

    The last turn that is known by now, the direction since, and how far the price lies above that
    turn in percent of its amount.

    A turn is known once the price has gone back from it by ``threshold`` percent, no earlier: what
    a chart draws looks ahead. Before the first turn the first price stands for one, and the
    direction is 0.

    Parameters
    ----------
    values : array_like
        Prices, oldest first. One-dimensional.
    threshold : float
        How far a price must go back from an extreme, in percent of its amount, to make it a turn.
        0.01 to 90.

    Returns
    -------
    ZigZag
        An array for each output, as long as the input; NaN while it warms up, and where a value is
        missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import zigzag
    >>> zigzag([100, 120, 110, 111]).pivot
    array([100., 100., 120., 120.])
    """
    return ZigZag(*columns("zigzag", (values,), {"threshold": threshold}))
