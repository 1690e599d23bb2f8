"""Indicators say what TA-Lib says, but for what the guide's table of deviations names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import talib

from indicator_series import NAMES, Columns, series
from ktrdr_core import _core, features

if TYPE_CHECKING:
    from collections.abc import Callable

    from indicator_series import Floats

SIMPLE = talib.MA_Type.SMA  # type: ignore[attr-defined]
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "indicators.md"


def percent(part: Floats, whole: Floats) -> Floats:
    return 100 * part / np.abs(whole)


def bollinger(c: Columns) -> list[Floats]:
    return list(talib.BBANDS(c.close, 20, 2.0, 2.0))


def width(c: Columns) -> list[Floats]:
    upper, middle, lower = bollinger(c)
    return [percent(upper - lower, middle)]


def keltner(c: Columns) -> list[Floats]:
    middle, away = talib.EMA(c.close, 20), 2 * talib.ATR(c.high, c.low, c.close, 10)
    return [middle + away, middle + 0 * away, middle - away]


def aroon(c: Columns) -> list[Floats]:
    down, up = talib.AROON(c.high, c.low, 25)
    return [up, down, talib.AROONOSC(c.high, c.low, 25)]


def donchian(c: Columns) -> list[Floats]:
    upper, lower = talib.MAX(c.high, 20), talib.MIN(c.low, 20)
    return [upper, (upper + lower) / 2, lower]


def later(values: Floats, bars: int) -> Floats:
    return np.concatenate((np.full(bars, np.nan), values))[: len(values)]


def ichimoku(c: Columns) -> list[Floats]:
    tenkan, kijun, longest = (talib.MIDPRICE(c.high, c.low, period) for period in (9, 26, 52))
    return [tenkan, kijun, later((tenkan + kijun) / 2, 26), later(longest, 26)]


def directions(c: Columns) -> list[Floats]:
    return [f(c.high, c.low, c.close, 14) for f in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)]


TALIB: dict[str, Callable[[Columns], list[Floats]]] = {
    "ad_line": lambda c: [talib.AD(c.high, c.low, c.close, c.volume)],
    "adx": directions,
    "aroon": aroon,
    "atr": lambda c: [talib.ATR(c.high, c.low, c.close, 14)],
    "bollinger_band_width": width,
    "bollinger_bands": bollinger,
    "cci": lambda c: [talib.CCI(c.high, c.low, c.close, 20)],
    "distance_from_ma": lambda c: [
        percent(c.close - talib.SMA(c.close, 20), talib.SMA(c.close, 20))
    ],
    "donchian": donchian,
    "ema": lambda c: [talib.EMA(c.close, 20)],
    "ichimoku": ichimoku,
    "keltner": keltner,
    "macd": lambda c: list(talib.MACD(c.close, 12, 26, 9)),
    "mfi": lambda c: [talib.MFI(c.high, c.low, c.close, c.volume, 14)],
    "momentum": lambda c: [talib.MOM(c.close, 10)],
    "obv": lambda c: [talib.OBV(c.close, c.volume)],
    "parabolic_sar": lambda c: [talib.SAR(c.high, c.low, 0.02, 0.2)],
    "roc": lambda c: [talib.ROC(c.close, 10)],
    "rsi": lambda c: [talib.RSI(c.close, 14)],
    "sma": lambda c: [talib.SMA(c.close, 20)],
    "stochastic": lambda c: list(talib.STOCH(c.high, c.low, c.close, 14, 3, SIMPLE, 3, SIMPLE)),
    "volume_ratio": lambda c: [c.volume / talib.SMA(c.volume, 20)],
    "williams_r": lambda c: [talib.WILLR(c.high, c.low, c.close, 14)],
}
# In units of price; the others are shares in percent, or of volume.
PRICED = {"atr", "bollinger_bands", "donchian", "ema", "ichimoku", "keltner", "macd", "momentum"}
PRICED |= {"parabolic_sar", "sma"}


def inputs(name: str) -> list[str]:
    return _core.Indicator(name, {}, None).inputs


def outputs(name: str, columns: Columns) -> list[Floats]:
    made = features.indicator(name, *(columns[one] for one in inputs(name)))
    return list(made) if isinstance(made, tuple) else [made]


def pieces(name: str, columns: Columns) -> list[tuple[int, int]]:
    """Find the stretches in which no input is missing: TA-Lib says nothing behind a NaN."""
    there = ~np.any([np.isnan(columns[one]) for one in inputs(name)], axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], there, [False]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def window(values: Any, period: int, what: Callable[..., Any]) -> Floats:
    """Apply to each window of ``period`` values; NaN before there are that many."""
    made = np.full(len(values), np.nan)
    if len(values) >= period:
        made[period - 1 :] = what(np.lib.stride_tricks.sliding_window_view(values, period), axis=1)
    return made


def flat(columns: Columns, period: int) -> Any:
    """Say where the last ``period`` bars span nothing."""
    height: Floats = window(columns.high, period, np.max) - window(columns.low, period, np.min)
    return height == 0


@dataclass(frozen=True)
class Deviation:
    """Where TA-Lib is not to be followed; the guide says why."""

    where: Callable[[Columns, list[Floats]], Any]


def never_moved(c: Columns, _: list[Floats]) -> Any:
    gains = np.concatenate(([0.0], np.abs(np.diff(c.close))))
    return np.cumsum(gains) == 0


def beginning(c: Columns, _: list[Floats]) -> Any:
    exact = features.warm_up("macd").exact
    assert exact is not None
    return np.arange(len(c)) < exact


def small_flow(c: Columns, _: list[Floats]) -> Any:
    typical = (c.high + c.low + c.close) / 3
    moved = np.concatenate(([0.0], np.diff(typical))) != 0
    above = window(typical, 15, np.min) > 0
    return ~((window(typical * c.volume * moved, 14, np.sum) > 1.5) & above)


def still(period: int) -> Callable[[Columns, list[Floats]], Any]:
    return lambda c, _: flat(c, period)


def still_lately(period: int, smooth: int) -> Callable[[Columns, list[Floats]], Any]:
    return lambda c, _: window(flat(c, period).astype(float), smooth, np.max) != 0


def equal_typical(c: Columns, _: list[Floats]) -> Any:
    typical = (c.high + c.low + c.close) / 3
    spread = window(typical, 20, np.max) - window(typical, 20, np.min)
    # What TA-Lib divides there is its own rounding.
    return ~(spread > 1e-6 * np.abs(typical))


def negative_base(c: Columns, _: list[Floats]) -> Any:
    return ~(later(c.close, 10) > 0)


def no_volume(c: Columns, _: list[Floats]) -> Any:
    return ~(window(c.volume, 20, np.sum) > 0)


DEVIATIONS = {
    "rsi": Deviation(never_moved),
    "macd": Deviation(beginning),
    "mfi": Deviation(small_flow),
    "williams_r": Deviation(still(14)),
    "stochastic": Deviation(still_lately(14, 5)),
    "cci": Deviation(equal_typical),
    "roc": Deviation(negative_base),
    "volume_ratio": Deviation(no_volume),
}


@pytest.mark.parametrize("which", series())
@pytest.mark.parametrize("name", TALIB)
def test_an_indicator_says_what_talib_says(name: str, which: str) -> None:
    columns = series()[which]
    got = outputs(name, columns)
    for first, last in pieces(name, columns):
        part = columns.rows(first, last)
        # TA-Lib asks for two bars at least in some functions.
        with np.errstate(all="ignore"):
            wanted = TALIB[name](part) if len(part) > 1 else [np.full(len(part), np.nan)] * len(got)
            away = np.zeros(len(part), bool)
            if name in DEVIATIONS:
                away = DEVIATIONS[name].where(part, wanted)
        scale = np.nanmax(np.abs(part.close)) if name in PRICED else 100
        for mine, theirs in zip(got, wanted, strict=True):
            held = ~np.isnan(theirs) & ~away
            np.testing.assert_allclose(
                mine[first:last][held], theirs[held], rtol=1e-9, atol=1e-11 * scale
            )


@pytest.mark.parametrize("name", sorted(TALIB))
def test_most_bars_are_held_to_talib(name: str) -> None:
    columns = series()["walk"]
    wanted = TALIB[name](columns)
    away = DEVIATIONS[name].where(columns, wanted) if name in DEVIATIONS else np.zeros(1, bool)
    compared = ~np.isnan(wanted[0]) & ~away
    assert np.mean(compared) > 0.7


def test_the_guide_names_each_deviation() -> None:
    table = GUIDE.read_text().partition("## Where TA-Lib says otherwise")[2].partition("\n## ")[0]
    named = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.M)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert set(DEVIATIONS) <= named
    assert named <= set(features.indicator_names())


def test_there_are_ten_series() -> None:
    assert len(series()) >= 9
    assert set(NAMES) == {"open", "high", "low", "close", "volume"}
