"""Where a price lies between the extremes of a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import columns
from .outputs import Aroon, Channel, Ichimoku, Stochastic

if TYPE_CHECKING:
    import numpy.typing as npt

    from .outputs import FloatArray


def stochastic(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    *,
    k_period: int = 14,
    smooth: int = 3,
    d_period: int = 3,
) -> Stochastic[FloatArray]:
    """Compute the stochastic oscillator.

    Where the close lies between lowest low and highest high, 0 to 100, smoothed; and the mean of
    that.

    After G. Lane (1984). 50 where the window has no height.

    Parameters
    ----------
    high, low, close : array_like
        Highest prices. Lowest prices. Closing prices. One-dimensional, of one length.
    k_period : int
        Bars in the window of the extremes. 1 to 2000.
    smooth : int
        Bars over which %K is averaged. 1 to 2000; 1 is the fast one.
    d_period : int
        Values of %K in %D. 1 to 2000.

    Returns
    -------
    Stochastic
        An array for each output, as long as the input; NaN while it warms up, and where a value is
        missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import stochastic
    >>> stochastic([2, 3], [0, 1], [1, 3], k_period=2, smooth=1, d_period=1).k
    array([ nan, 100.])
    """
    return Stochastic(
        *columns(
            "stochastic",
            (high, low, close),
            {"k_period": k_period, "smooth": smooth, "d_period": d_period},
        )
    )


def williams_r(
    high: npt.ArrayLike, low: npt.ArrayLike, close: npt.ArrayLike, *, period: int = 14
) -> FloatArray:
    """Compute Williams %R.

    How far below the highest high the close lies, in percent of the window's height: -100 to 0.

    After L. Williams (1973). -50 where the window has no height.

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
    >>> from ktrdr_core.features import williams_r
    >>> williams_r([2, 4], [0, 1], [1, 3], period=2)
    array([ nan, -25.])
    """
    return columns("williams_r", (high, low, close), {"period": period})[0]


def aroon(high: npt.ArrayLike, low: npt.ArrayLike, *, period: int = 25) -> Aroon[FloatArray]:
    """Compute Aroon.

    How recent the highest high and the lowest low are, 100 for this bar and 0 for ``period`` bars
    ago; up minus down.

    After T. Chande (1995). Of equal extremes the newest counts.

    Parameters
    ----------
    high, low : array_like
        Highest prices. Lowest prices. One-dimensional, of one length.
    period : int
        Bars back that count. 2 to 2000.

    Returns
    -------
    Aroon
        An array for each output, as long as the input; NaN while it warms up, and where a value is
        missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import aroon
    >>> aroon([1, 3, 2], [0, 1, 1], period=2).up
    array([nan, nan, 50.])
    """
    return Aroon(*columns("aroon", (high, low), {"period": period}))


def donchian(high: npt.ArrayLike, low: npt.ArrayLike, *, period: int = 20) -> Channel[FloatArray]:
    """Compute the Donchian channel.

    Highest high and lowest low of ``period`` bars and the middle of the two, in units of price.

    This bar is part of the window.

    Parameters
    ----------
    high, low : array_like
        Highest prices. Lowest prices. One-dimensional, of one length.
    period : int
        Bars in the window. 2 to 2000.

    Returns
    -------
    Channel
        An array for each output, as long as the input; NaN while it warms up, and where a value is
        missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import donchian
    >>> donchian([2, 4], [0, 1], period=2).middle
    array([nan,  2.])
    """
    return Channel(*columns("donchian", (high, low), {"period": period}))


def ichimoku(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    *,
    tenkan_period: int = 9,
    kijun_period: int = 26,
    senkou_b_period: int = 52,
    displacement: int = 26,
) -> Ichimoku[FloatArray]:
    """Compute Ichimoku.

    Middles of the extremes of three windows, in units of price.

    After G. Hosoda (1968). The spans are those of ``displacement`` bars ago, which is where a chart
    draws them. The lagging line is the close drawn earlier, so it would look ahead: it is left out.

    Parameters
    ----------
    high, low : array_like
        Highest prices. Lowest prices. One-dimensional, of one length.
    tenkan_period : int
        1 to 2000, less than ``kijun_period``.
    kijun_period : int
        2 to 2000, less than ``senkou_b_period``.
    senkou_b_period : int
        3 to 2000.
    displacement : int
        How many bars later the spans hold. 0 to 2000.

    Returns
    -------
    Ichimoku
        An array for each output, as long as the input; NaN while it warms up, and where a value is
        missing.

    Raises
    ------
    InvalidArgumentError
        When a parameter is out of its range, or a column is not one of numbers or of another
        length.

    Examples
    --------
    >>> from ktrdr_core.features import ichimoku
    >>> bars = [1, 2, 3, 4], [0, 1, 2, 3]
    >>> ichimoku(*bars, tenkan_period=1, kijun_period=2, senkou_b_period=3, displacement=0).kijun
    array([nan,  1.,  2.,  3.])
    """
    return Ichimoku(
        *columns(
            "ichimoku",
            (high, low),
            {
                "tenkan_period": tenkan_period,
                "kijun_period": kijun_period,
                "senkou_b_period": senkou_b_period,
                "displacement": displacement,
            },
        )
    )
