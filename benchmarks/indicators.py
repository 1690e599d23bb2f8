"""A million bars through each indicator, against TA-Lib's function of the same; and one bar at a time."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import talib

from ktrdr_core import features

from .walks import walk

if TYPE_CHECKING:
    from collections.abc import Callable


SIMPLE = talib.MA_Type.SMA  # type: ignore[attr-defined]


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        Fewer bars and rounds.
    """
    bars = walk(20_000 if quick else 1_000_000, 0.001)
    # What is this large and freed once, malloc keeps: from here on nobody's results are on fresh pages of the system,
    # which would cost more than most indicators.
    np.ones((3, len(bars["close"])))
    rounds = 3 if quick else 15
    lines: list[dict[str, Any]] = []
    for name, theirs in _PEERS.items():
        mine, peer = _taking_turns([partial(_ours, name, bars), partial(theirs, **bars)], rounds)
        lines.append(
            {
                "case": name,
                "value": 1e9 * mine / len(bars["close"]),
                "unit": "ns a bar",
                "ratio": mine / peer,
                "against": f"TA-Lib, {1e9 * peer / len(bars['close']):.2f} ns",
            }
        )
    for name in sorted(set(features.indicator_names()) - set(_PEERS)):
        (mine,) = _taking_turns([partial(_ours, name, bars)], rounds)
        lines.append({"case": name, "value": 1e9 * mine / len(bars["close"]), "unit": "ns a bar"})
    lines.append(_one_at_a_time(bars["close"][:20_000]))
    return lines


def _ours(name: str, bars: dict[str, Any]) -> Any:
    return features.indicator(name, *(bars[column] for column in features.stream(name).inputs))


def _taking_turns(calls: list[Callable[[], Any]], rounds: int) -> list[float]:
    """The fastest of each, in seconds of CPU; one after the other, so that other work on the machine meets all alike."""
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            start = time.process_time()
            call()
            best[i] = min(best[i], time.process_time() - start)
    return best


def _one_at_a_time(close: Any) -> dict[str, Any]:
    """RSI, MACD and Bollinger Bands over bars as they come."""
    live: list[features.Stream[Any]] = [
        features.stream(name) for name in ("rsi", "macd", "bollinger_bands")
    ]
    start = time.process_time()
    for price in close.tolist():
        for one in live:
            one.next(price)
    taken = 1e6 * (time.process_time() - start) / len(close) / len(live)
    case = "stream(…).next: one bar of one indicator"
    return {"case": case, "value": taken, "unit": "us", "ratio": taken / 10, "against": "10 us"}


def _donchian(high: Any, low: Any, **_: Any) -> Any:
    upper, lower = talib.MAX(high, 20), talib.MIN(low, 20)
    return upper, (upper + lower) / 2, lower


def _aroon(high: Any, low: Any, **_: Any) -> Any:
    return talib.AROON(high, low, 25), talib.AROONOSC(high, low, 25)


def _adx(high: Any, low: Any, close: Any, **_: Any) -> Any:
    return [f(high, low, close, 14) for f in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)]


_PEERS: dict[str, Callable[..., Any]] = {
    "sma": lambda close, **_: talib.SMA(close, 20),
    "ema": lambda close, **_: talib.EMA(close, 20),
    "rsi": lambda close, **_: talib.RSI(close, 14),
    "macd": lambda close, **_: talib.MACD(close, 12, 26, 9),
    "momentum": lambda close, **_: talib.MOM(close, 10),
    "roc": lambda close, **_: talib.ROC(close, 10),
    "cci": lambda high, low, close, **_: talib.CCI(high, low, close, 20),
    "bollinger_bands": lambda close, **_: talib.BBANDS(close, 20, 2.0, 2.0),
    "stochastic": lambda high, low, close, **_: talib.STOCH(
        high, low, close, 14, 3, SIMPLE, 3, SIMPLE
    ),
    "williams_r": lambda high, low, close, **_: talib.WILLR(high, low, close, 14),
    "aroon": _aroon,
    "donchian": _donchian,
    "atr": lambda high, low, close, **_: talib.ATR(high, low, close, 14),
    "adx": _adx,
    "parabolic_sar": lambda high, low, **_: talib.SAR(high, low, 0.02, 0.2),
    "obv": lambda close, volume, **_: talib.OBV(close, volume),
    "ad_line": lambda high, low, close, volume, **_: talib.AD(high, low, close, volume),
    "mfi": lambda high, low, close, volume, **_: talib.MFI(high, low, close, volume, 14),
}
