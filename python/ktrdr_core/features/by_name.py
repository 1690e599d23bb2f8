"""Indicators by their names in the registry: over whole columns, and over bars as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar, overload

from .. import _core
from .._bridge.arguments import explanation
from ..bars import Bars
from .columns import columns, made_indicator
from .outputs import (
    OF_SEVERAL,
    Adx,
    Aroon,
    Channel,
    Ichimoku,
    Macd,
    SignalLine,
    Stochastic,
    SuperTrend,
    ZigZag,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from .outputs import FloatArray

T = TypeVar("T")


class WarmUp(NamedTuple):
    """How much history an indicator needs, in bars."""

    least: int
    """Bars before the first one at which every output has its value."""
    exact: int | None
    """Bars before the first one that no longer depends on where the series begins; None where every one does."""


class Stream(Generic[T]):
    """An indicator over bars as they come, one at a time; ``stream`` makes it.

    It gives the same bits as the whole series would, and remembers what it needs, not the bars. Not to be used by two
    threads at once.
    """

    def __init__(self, name: str, parameters: dict[str, float]) -> None:
        native = made_indicator(name, parameters)
        self._next = native.stream().next
        self._several: Any = OF_SEVERAL.get(name)
        self.name = name
        self.inputs: tuple[str, ...] = tuple(native.inputs)

    def next(self, *values: float) -> T:
        """Take the next bar: a value for each of ``inputs``.

        Parameters
        ----------
        *values : float
            In the order of ``inputs``; NaN where one is missing.

        Returns
        -------
        float or named tuple of float
            The outputs at this bar, NaN while it warms up.

        Raises
        ------
        InvalidArgumentError
            When there are more or fewer values than ``inputs``, and for one that is no number.
        """
        try:
            made: Any = self._next(values)
        except TypeError as error:
            given = {name: (one, "float") for name, one in zip(self.inputs, values, strict=False)}
            raise explanation(error, given) from None
        return self._several(*made) if self._several else made[0]  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<Stream of {self.name} over {', '.join(self.inputs)}>"


@overload
def stream(name: Literal["macd"], **parameters: float) -> Stream[Macd[float]]: ...
@overload
def stream(name: Literal["fisher", "rvi"], **parameters: float) -> Stream[SignalLine[float]]: ...
@overload
def stream(
    name: Literal["bollinger_bands", "donchian", "keltner"], **parameters: float
) -> Stream[Channel[float]]: ...
@overload
def stream(name: Literal["stochastic"], **parameters: float) -> Stream[Stochastic[float]]: ...
@overload
def stream(name: Literal["aroon"], **parameters: float) -> Stream[Aroon[float]]: ...
@overload
def stream(name: Literal["ichimoku"], **parameters: float) -> Stream[Ichimoku[float]]: ...
@overload
def stream(name: Literal["adx"], **parameters: float) -> Stream[Adx[float]]: ...
@overload
def stream(name: Literal["supertrend"], **parameters: float) -> Stream[SuperTrend[float]]: ...
@overload
def stream(name: Literal["zigzag"], **parameters: float) -> Stream[ZigZag[float]]: ...
@overload
def stream(
    name: Literal[
        "ad_line",
        "atr",
        "bollinger_band_width",
        "cci",
        "cmf",
        "distance_from_ma",
        "ema",
        "mfi",
        "momentum",
        "obv",
        "parabolic_sar",
        "roc",
        "rsi",
        "sma",
        "squeeze_intensity",
        "volume_ratio",
        "vwap",
        "williams_r",
    ],
    **parameters: float,
) -> Stream[float]: ...
@overload
def stream(name: str, **parameters: float) -> Stream[Any]: ...
def stream(name: str, **parameters: float) -> Stream[Any]:
    """Begin an indicator over bars as they come.

    Parameters
    ----------
    name : str
        As the registry has it: ``indicator_names()``.
    **parameters : float
        Its parameters; those left out take their defaults.

    Returns
    -------
    Stream
        Fresh, as at the beginning of a series.

    Raises
    ------
    InvalidArgumentError
        When there is no such indicator or parameter, or a value is out of its range.

    Examples
    --------
    >>> from ktrdr_core.features import stream
    >>> rsi = stream("rsi", period=2)
    >>> [round(rsi.next(close), 2) for close in (10, 11, 10, 12)]
    [nan, nan, 50.0, 83.33]
    >>> stream("adx").inputs
    ('high', 'low', 'close')
    """
    return Stream(name, parameters)


@overload
def indicator(
    name: Literal["macd"], *given: npt.ArrayLike | Bars, **parameters: float
) -> Macd[FloatArray]: ...
@overload
def indicator(
    name: Literal["fisher", "rvi"], *given: npt.ArrayLike | Bars, **parameters: float
) -> SignalLine[FloatArray]: ...
@overload
def indicator(
    name: Literal["bollinger_bands", "donchian", "keltner"],
    *given: npt.ArrayLike | Bars,
    **parameters: float,
) -> Channel[FloatArray]: ...
@overload
def indicator(
    name: Literal["stochastic"], *given: npt.ArrayLike | Bars, **parameters: float
) -> Stochastic[FloatArray]: ...
@overload
def indicator(
    name: Literal["aroon"], *given: npt.ArrayLike | Bars, **parameters: float
) -> Aroon[FloatArray]: ...
@overload
def indicator(
    name: Literal["ichimoku"], *given: npt.ArrayLike | Bars, **parameters: float
) -> Ichimoku[FloatArray]: ...
@overload
def indicator(
    name: Literal["adx"], *given: npt.ArrayLike | Bars, **parameters: float
) -> Adx[FloatArray]: ...
@overload
def indicator(
    name: Literal["supertrend"], *given: npt.ArrayLike | Bars, **parameters: float
) -> SuperTrend[FloatArray]: ...
@overload
def indicator(
    name: Literal["zigzag"], *given: npt.ArrayLike | Bars, **parameters: float
) -> ZigZag[FloatArray]: ...
@overload
def indicator(
    name: Literal[
        "ad_line",
        "atr",
        "bollinger_band_width",
        "cci",
        "cmf",
        "distance_from_ma",
        "ema",
        "mfi",
        "momentum",
        "obv",
        "parabolic_sar",
        "roc",
        "rsi",
        "sma",
        "squeeze_intensity",
        "volume_ratio",
        "vwap",
        "williams_r",
    ],
    *given: npt.ArrayLike | Bars,
    **parameters: float,
) -> FloatArray: ...
@overload
def indicator(name: str, *given: npt.ArrayLike | Bars, **parameters: float) -> Any: ...
def indicator(name: str, *given: npt.ArrayLike | Bars, **parameters: float) -> Any:
    """Compute an indicator by its name.

    Parameters
    ----------
    name : str
        As the registry has it: ``indicator_names()``.
    *given : array_like, or one Bars
        The columns in the order of the indicator's function; or ``Bars``, of which it takes those that it reads, the
        close where it reads a single price.
    **parameters : float
        Its parameters; those left out take their defaults.

    Returns
    -------
    ndarray of float64, or named tuple of them
        What the function of that name gives.

    Raises
    ------
    InvalidArgumentError
        When there is no such indicator or parameter, a value is out of its range, or a column is missing, not one of
        numbers or of another length.

    Examples
    --------
    >>> from ktrdr_core.features import indicator
    >>> indicator("williams_r", [2, 4], [0, 1], [1, 3], period=2)
    array([ nan, -25.])
    >>> indicator("macd", [1, 2, 3, 4], fast_period=2, slow_period=3, signal_period=2).line
    array([nan, nan, 0.5, 0.5])
    """
    if len(given) == 1 and isinstance(given[0], Bars):
        bars = given[0]
        taken: list[Any] = [
            getattr(bars, column) for column in made_indicator(name, parameters).inputs
        ]
    else:
        taken = list(given)
    made = columns(name, taken, parameters)
    several = OF_SEVERAL.get(name)
    return several(*made) if several else made[0]


def indicator_names() -> list[str]:
    """Give the names of the registry.

    Examples
    --------
    >>> from ktrdr_core.features import indicator_names
    >>> "rsi" in indicator_names()
    True
    """
    return list(_core.indicator_specs())


def warm_up(name: str, **parameters: float) -> WarmUp:
    """Tell how much history an indicator needs.

    Parameters
    ----------
    name : str
        As the registry has it: ``indicator_names()``.
    **parameters : float
        Its parameters; those left out take their defaults.

    Returns
    -------
    WarmUp
        In bars.

    Raises
    ------
    InvalidArgumentError
        When there is no such indicator or parameter, or a value is out of its range.

    Examples
    --------
    >>> from ktrdr_core.features import warm_up
    >>> warm_up("rsi", period=14)
    WarmUp(least=14, exact=510)
    >>> warm_up("obv").exact is None
    True
    """
    return WarmUp(*made_indicator(name, parameters).warm_up)
