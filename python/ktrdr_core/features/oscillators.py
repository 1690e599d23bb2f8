"""What compares a price with earlier ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import columns
from .outputs import Macd, SignalLine

if TYPE_CHECKING:
    import numpy.typing as npt

    from .outputs import FloatArray


def rsi(values: npt.ArrayLike, period: int = 14) -> FloatArray:
    """Compute the relative strength index.

    Wilder's relative strength index, 0 to 100.

    After J. W. Wilder, *New Concepts in Technical Trading Systems* (1978). Without a single loss it
    is 100; where nothing moved at all it is 50.

    Parameters
    ----------
    values : array_like
        Prices, oldest first. One-dimensional.
    period : int
        Changes in Wilder's means. 2 to 1000.

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
    >>> from ktrdr_core.features import rsi
    >>> rsi([10, 11, 10, 12], 2).round(2)
    array([  nan,   nan, 50.  , 83.33])
    """
    return columns("rsi", (values,), {"period": period})[0]


def macd(
    values: npt.ArrayLike,
    *,
    fast_period: int = 12,
    slow_period: int = 26,
    signal_period: int = 9,
    percent: bool = False,
) -> Macd[FloatArray]:
    """Compute the moving average convergence and divergence.

    Fast minus slow exponential mean, the exponential mean of that, and their difference; in units
    of price or in percent.

    After G. Appel (1979). Each mean begins with the plain mean of its own first values; the line
    has its first value before the signal has.

    Parameters
    ----------
    values : array_like
        Prices, oldest first. One-dimensional.
    fast_period : int
        Of the fast exponential mean. 2 to 1000, less than ``slow_period``.
    slow_period : int
        Of the slow one. 3 to 2000.
    signal_period : int
        Of the line's exponential mean. 2 to 1000.
    percent : bool
        Give all three in percent of the price's amount.

    Returns
    -------
    Macd
        An array for each output, as long as the input; NaN while it warms up, and where a value is
        missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import macd
    >>> macd([1, 2, 3, 4], fast_period=2, slow_period=3, signal_period=2).line
    array([nan, nan, 0.5, 0.5])
    """
    return Macd(
        *columns(
            "macd",
            (values,),
            {
                "fast_period": fast_period,
                "slow_period": slow_period,
                "signal_period": signal_period,
                "percent": percent,
            },
        )
    )


def momentum(values: npt.ArrayLike, period: int = 10) -> FloatArray:
    """Compute the momentum.

    Each value less the one ``period`` bars before, in their unit.

    Parameters
    ----------
    values : array_like
        Prices, oldest first. One-dimensional.
    period : int
        How many bars back. 1 to 2000.

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
    >>> from ktrdr_core.features import momentum
    >>> momentum([10, 12, 15], 1)
    array([nan,  2.,  3.])
    """
    return columns("momentum", (values,), {"period": period})[0]


def roc(values: npt.ArrayLike, period: int = 10) -> FloatArray:
    """Compute the rate of change.

    How far each value lies above the one ``period`` bars before, in percent of that one's amount.

    NaN where the earlier value is 0.

    Parameters
    ----------
    values : array_like
        Prices, oldest first. One-dimensional.
    period : int
        How many bars back. 1 to 2000.

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
    >>> from ktrdr_core.features import roc
    >>> roc([-40, -20, 20], 1)
    array([ nan,  50., 200.])
    """
    return columns("roc", (values,), {"period": period})[0]


def cci(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, *, period: int = 20
) -> FloatArray:
    """Compute the commodity channel index.

    How far the typical price lies above its mean, in 0.015 of its mean distance from that.

    After D. Lambert (1980); the typical price is (high + low + close) / 3. 0 where all of the
    window are equal.

    Parameters
    ----------
    high, low, close : array_like
        Highest prices. Lowest prices. Closing prices. One-dimensional, of one length.
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
    >>> from ktrdr_core.features import cci
    >>> cci([2, 3, 7], [0, 1, 5], [1, 2, 6], period=3).round(2)
    array([ nan,  nan, 100.])
    """
    return columns("cci", (high, low, close), {"period": period})[0]


def rvi(
    open: npt.ArrayLike,
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    *,
    period: int = 10,
) -> SignalLine[FloatArray]:
    """Compute the relative vigor index.

    How far bars close above their opening against how high they are, and the signal.

    After J. Ehlers (2002): both weighed 1, 2, 2, 1 over four bars and summed over ``period``; the
    signal weighs the index the same way. 0 where no bar has a height.

    Parameters
    ----------
    open, high, low, close : array_like
        Opening prices. Highest prices. Lowest prices. Closing prices. One-dimensional, of one
        length.
    period : int
        Weighed bars that are summed. 2 to 2000.

    Returns
    -------
    SignalLine
        An array for each output, as long as the input; NaN while it warms up, and where a value is
        missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import rvi
    >>> rvi([1] * 5, [2] * 5, [0] * 5, [2] * 5, period=2).line
    array([nan, nan, nan, nan, 0.5])
    """
    return SignalLine(*columns("rvi", (open, high, low, close), {"period": period}))


def fisher(high: npt.ArrayLike, low: npt.ArrayLike, *, period: int = 10) -> SignalLine[FloatArray]:
    """Compute the Fisher transform.

    Ehlers' transform of where a bar's middle lies between the extremes of the middles, and its
    value a bar before.

    After J. Ehlers (2002): the place from -1 to 1 is smoothed (0.33 and 0.67), held within 0.999,
    transformed and smoothed by halves. A window without a height counts as its middle.

    Parameters
    ----------
    high, low : array_like
        Highest prices. Lowest prices. One-dimensional, of one length.
    period : int
        Bars in the window of the extremes. 2 to 2000.

    Returns
    -------
    SignalLine
        An array for each output, as long as the input; NaN while it warms up, and where a value is
        missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import fisher
    >>> fisher([2, 3, 4], [1, 2, 3], period=2).line.round(4)
    array([   nan, 0.3428, 0.7914])
    """
    return SignalLine(*columns("fisher", (high, low), {"period": period}))
