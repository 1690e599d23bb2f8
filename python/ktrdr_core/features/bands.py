"""Channels around a mean, and what their widths tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import columns
from .outputs import Channel

if TYPE_CHECKING:
    import numpy.typing as npt

    from .outputs import FloatArray


def bollinger_bands(
    values: npt.ArrayLike, period: int = 20, *, multiplier: float = 2.0
) -> Channel[FloatArray]:
    """Compute the Bollinger Bands.

    The simple mean, and bands ``multiplier`` standard deviations above and below it, in units of
    price.

    After J. Bollinger (2001); the deviation is the population's. Equal values deviate by exactly 0.

    Parameters
    ----------
    values : array_like
        Prices, oldest first. One-dimensional.
    period : int
        Bars in the window. 2 to 2000.
    multiplier : float
        Standard deviations from the mean to a band. 0.01 to 100.

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
    >>> from ktrdr_core.features import bollinger_bands
    >>> bollinger_bands([1, 3, 1], 2, multiplier=1).upper
    array([nan,  3.,  3.])
    """
    return Channel(
        *columns("bollinger_bands", (values,), {"period": period, "multiplier": multiplier})
    )


def bollinger_band_width(
    values: npt.ArrayLike, period: int = 20, *, multiplier: float = 2.0
) -> FloatArray:
    """Compute the width of the Bollinger Bands.

    Upper less lower Bollinger Band, in percent of the mean's amount.

    NaN where the mean is 0.

    Parameters
    ----------
    values : array_like
        Prices, oldest first. One-dimensional.
    period : int
        Bars in the window. 2 to 2000.
    multiplier : float
        Standard deviations from the mean to a band. 0.01 to 100.

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
    >>> from ktrdr_core.features import bollinger_band_width
    >>> bollinger_band_width([1, 3, 1], 2)
    array([ nan, 200., 200.])
    """
    return columns("bollinger_band_width", (values,), {"period": period, "multiplier": multiplier})[
        0
    ]


def keltner(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    *,
    period: int = 20,
    atr_period: int = 10,
    multiplier: float = 2.0,
) -> Channel[FloatArray]:
    """Compute the Keltner channel.

    An exponential mean of the close, and bands ``multiplier`` average true ranges above and below
    it, in units of price.

    As L. B. Raschke has it; Keltner's own of 1960 has simple means.

    Parameters
    ----------
    high, low, close : array_like
        Highest prices. Lowest prices. Closing prices. One-dimensional, of one length.
    period : int
        Of the close's exponential mean. 2 to 2000.
    atr_period : int
        Of the average true range. 2 to 2000.
    multiplier : float
        Average true ranges from the mean to a band. 0.01 to 100.

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
    >>> from ktrdr_core.features import keltner
    >>> keltner([2] * 3, [0] * 3, [1] * 3, period=2, atr_period=2).upper
    array([nan, nan,  5.])
    """
    return Channel(
        *columns(
            "keltner",
            (high, low, close),
            {"period": period, "atr_period": atr_period, "multiplier": multiplier},
        )
    )


def squeeze_intensity(
    high: npt.ArrayLike,
    low: npt.ArrayLike,
    close: npt.ArrayLike,
    *,
    period: int = 20,
    bollinger_multiplier: float = 2.0,
    keltner_multiplier: float = 1.5,
) -> FloatArray:
    """Compute the how much of a squeeze there is.

    By how many percent Bollinger's channel is narrower than Keltner's.

    After J. Carter (2005), whose squeeze is on above 0; 100 where the price stands still within
    moving bars, below 0 where Bollinger's is the wider one, 0 where neither has a width.

    Parameters
    ----------
    high, low, close : array_like
        Highest prices. Lowest prices. Closing prices. One-dimensional, of one length.
    period : int
        Of both channels. 2 to 2000.
    bollinger_multiplier : float
        Standard deviations to a Bollinger Band. 0.01 to 100.
    keltner_multiplier : float
        Average true ranges to a Keltner band. 0.01 to 100.

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
    >>> from ktrdr_core.features import squeeze_intensity
    >>> squeeze_intensity([2] * 3, [0] * 3, [1] * 3, period=2)
    array([ nan,  nan, 100.])
    """
    return columns(
        "squeeze_intensity",
        (high, low, close),
        {
            "period": period,
            "bollinger_multiplier": bollinger_multiplier,
            "keltner_multiplier": keltner_multiplier,
        },
    )[0]
