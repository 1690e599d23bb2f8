"""What indicators of several outputs give: arrays of a whole series, or numbers of one bar."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

#: One output of an indicator over a series.
FloatArray: TypeAlias = npt.NDArray[np.float64]

T = TypeVar("T")


class Macd(NamedTuple, Generic[T]):
    """What ``macd`` gives."""

    line: T
    """Fast less slow mean."""
    signal: T
    """The line's exponential mean."""
    histogram: T
    """Line less signal."""


class SignalLine(NamedTuple, Generic[T]):
    """What ``rvi`` and ``fisher`` give."""

    line: T
    """The index itself."""
    signal: T
    """What it is held against."""


class Channel(NamedTuple, Generic[T]):
    """What bands and channels give."""

    upper: T
    """Above."""
    middle: T
    """In between."""
    lower: T
    """Below."""


class Stochastic(NamedTuple, Generic[T]):
    """What ``stochastic`` gives."""

    k: T
    """%K."""
    d: T
    """%D."""


class Aroon(NamedTuple, Generic[T]):
    """What ``aroon`` gives."""

    up: T
    """How recent the highest high is."""
    down: T
    """How recent the lowest low is."""
    oscillator: T
    """Up less down."""


class Ichimoku(NamedTuple, Generic[T]):
    """What ``ichimoku`` gives."""

    tenkan: T
    """The conversion line."""
    kijun: T
    """The base line."""
    senkou_a: T
    """Leading span A, as it holds now."""
    senkou_b: T
    """Leading span B, as it holds now."""


class Adx(NamedTuple, Generic[T]):
    """What ``adx`` gives."""

    adx: T
    """Average directional index."""
    plus_di: T
    """+DI."""
    minus_di: T
    """-DI."""


class SuperTrend(NamedTuple, Generic[T]):
    """What ``supertrend`` gives."""

    line: T
    """The line, in units of price."""
    direction: T
    """1 upwards, -1 downwards."""


class ZigZag(NamedTuple, Generic[T]):
    """What ``zigzag`` gives."""

    pivot: T
    """Price of the last turn known."""
    direction: T
    """1 up, -1 down, 0 before the first turn."""
    distance: T
    """Percent of the turn's amount that the price lies above it."""


#: The class of each indicator that has several outputs.
OF_SEVERAL: dict[str, type[tuple[object, ...]]] = {
    "adx": Adx,
    "aroon": Aroon,
    "bollinger_bands": Channel,
    "donchian": Channel,
    "fisher": SignalLine,
    "ichimoku": Ichimoku,
    "keltner": Channel,
    "macd": Macd,
    "rvi": SignalLine,
    "stochastic": Stochastic,
    "supertrend": SuperTrend,
    "zigzag": ZigZag,
}
