"""Means of prices, and how far a price lies from one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import columns

if TYPE_CHECKING:
    import numpy.typing as npt

    from .outputs import FloatArray


def sma(values: npt.ArrayLike, period: int = 20) -> FloatArray:
    """Compute the mean of the last ``period`` values.

    Mean of the last ``period`` values, in their unit.

    Each window is summed by itself, in blocks: no rounding is carried along, and equal values have
    exactly their value as mean.

    Parameters
    ----------
    values : array_like
        Prices, oldest first. One-dimensional.
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
    >>> from ktrdr_core.features import sma
    >>> sma([1, 2, 3, 6], 3)
    array([       nan,        nan, 2.        , 3.66666667])
    """
    return columns("sma", (values,), {"period": period})[0]


def ema(values: npt.ArrayLike, period: int = 20) -> FloatArray:
    """Compute the exponential mean.

    Exponential mean, in the unit of the values.

    Begun with the plain mean of the first ``period`` values, as TA-Lib does.

    Parameters
    ----------
    values : array_like
        Prices, oldest first. One-dimensional.
    period : int
        2 / (period + 1) is the weight of a new value. 2 to 2000.

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
    >>> from ktrdr_core.features import ema
    >>> ema([1, 2, 3, 6], 3)
    array([nan, nan,  2.,  4.])
    """
    return columns("ema", (values,), {"period": period})[0]


def distance_from_ma(values: npt.ArrayLike, period: int = 20) -> FloatArray:
    """Compute the distance from the simple mean.

    How far each value lies above its simple mean, in percent of that mean's amount.

    NaN where the mean is 0. Of a negative mean the amount counts, so that above is positive there
    too.

    Parameters
    ----------
    values : array_like
        Prices, oldest first. One-dimensional.
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
    >>> from ktrdr_core.features import distance_from_ma
    >>> distance_from_ma([10, 10, 40], 3)
    array([ nan,  nan, 100.])
    """
    return columns("distance_from_ma", (values,), {"period": period})[0]
