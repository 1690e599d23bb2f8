"""What was traded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import columns

if TYPE_CHECKING:
    import numpy.typing as npt

    from .outputs import FloatArray


def obv(close: npt.ArrayLike, volume: npt.ArrayLike) -> FloatArray:
    """Compute the on-balance volume.

    Volume added where the close rises and taken off where it falls, begun with the first bar's.

    After J. Granville (1963). A running total: it hangs on the bar it begins with.

    Parameters
    ----------
    close, volume : array_like
        Closing prices. What was traded in each bar. One-dimensional, of one length.

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
    >>> from ktrdr_core.features import obv
    >>> obv([1, 2, 1], [10, 20, 30])
    array([10., 30.,  0.])
    """
    return columns("obv", (close, volume), {})[0]


def ad_line(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, volume: npt.ArrayLike
) -> FloatArray:
    """Compute the accumulation/distribution line.

    Volume times where the close lies between low (-1) and high (1), added up.

    After M. Chaikin. A running total: it hangs on the bar it begins with. A bar without a height
    adds nothing.

    Parameters
    ----------
    high, low, close, volume : array_like
        Highest prices. Lowest prices. Closing prices. What was traded in each bar. One-dimensional,
        of one length.

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
    >>> from ktrdr_core.features import ad_line
    >>> ad_line([2, 2], [0, 0], [2, 0], [10, 30])
    array([ 10., -20.])
    """
    return columns("ad_line", (high, low, close, volume), {})[0]


def cmf(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    volume: npt.ArrayLike,
    *,
    period: int = 20,
) -> FloatArray:
    """Compute the Chaikin money flow.

    What ``ad_line`` adds in ``period`` bars against their volume, -1 to 1.

    After M. Chaikin. 0 where nothing was traded.

    Parameters
    ----------
    high, low, close, volume : array_like
        Highest prices. Lowest prices. Closing prices. What was traded in each bar. One-dimensional,
        of one length.
    period : int
        Bars in the window. 2 to 2000.

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
    >>> from ktrdr_core.features import cmf
    >>> cmf([2, 2], [0, 0], [2, 0], [10, 30], period=2)
    array([ nan, -0.5])
    """
    return columns("cmf", (high, low, close, volume), {"period": period})[0]


def mfi(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    volume: npt.ArrayLike,
    *,
    period: int = 14,
) -> FloatArray:
    """Compute the money flow index.

    Typical price times volume of the bars that rose against that of all that moved, 0 to 100.

    After G. Quong and A. Soudack (1989). 50 where nothing flowed.

    Parameters
    ----------
    high, low, close, volume : array_like
        Highest prices. Lowest prices. Closing prices. What was traded in each bar. One-dimensional,
        of one length.
    period : int
        Changes of the typical price in the window. 2 to 2000.

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
    >>> from ktrdr_core.features import mfi
    >>> mfi([1, 2, 1], [1, 2, 1], [1, 2, 1], [10, 30, 20], period=2)
    array([nan, nan, 75.])
    """
    return columns("mfi", (high, low, close, volume), {"period": period})[0]


def vwap(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    volume: npt.ArrayLike,
    *,
    period: int = 20,
) -> FloatArray:
    """Compute the volume weighted average price.

    Mean of the typical price over ``period`` bars weighed by volume, in units of price.

    NaN where nothing was traded.

    Parameters
    ----------
    high, low, close, volume : array_like
        Highest prices. Lowest prices. Closing prices. What was traded in each bar. One-dimensional,
        of one length.
    period : int
        Bars in the window. 2 to 2000.

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
    >>> from ktrdr_core.features import vwap
    >>> vwap([1, 3], [1, 3], [1, 3], [30, 10], period=2)
    array([nan, 1.5])
    """
    return columns("vwap", (high, low, close, volume), {"period": period})[0]


def volume_ratio(volume: npt.ArrayLike, period: int = 20) -> FloatArray:
    """Compute the volume against its mean.

    Each bar's volume against its mean of ``period`` bars, this one included.

    NaN where nothing was traded.

    Parameters
    ----------
    volume : array_like
        What was traded in each bar. One-dimensional.
    period : int
        Bars in the window. 2 to 2000.

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
    >>> from ktrdr_core.features import volume_ratio
    >>> volume_ratio([10, 30], 2)
    array([nan, 1.5])
    """
    return columns("volume_ratio", (volume,), {"period": period})[0]
