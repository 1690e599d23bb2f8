"""Compute the indicators in plain Python, from their definitions, for `tests/vectors/indicators.json`.

Run this file to write the vectors anew. It shares no code with the C++ side and looks at whole
windows instead of running state, so that a slip in one shows against the other.
"""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

VECTORS = pathlib.Path(__file__).parents[1] / "vectors" / "indicators.json"

Series = list[float | None]


def prices(count: int) -> list[float]:
    """Make closes that trend, swing and stand still for some bars."""
    made = []
    for i in range(count):
        swing = 7 * math.sin(i / 5) + 3 * math.sin(i * 1.7)
        made.append(round(50 + 0.1 * i + swing, 2) if i % 17 else round(50 + 0.1 * i, 2))
    made[30:34] = [made[30]] * 4
    return made


def sma(values: list[float], period: int) -> Series:
    """Average each window by itself."""
    return [
        sum(values[i + 1 - period : i + 1]) / period if i + 1 >= period else None
        for i in range(len(values))
    ]


def ema(values: Series, period: int) -> Series:
    """Weigh by 2 / (period + 1), starting from the mean of the first `period` known values."""
    known = [value for value in values if value is not None]
    blank = len(values) - len(known)
    if len(known) < period:
        return [None] * len(values)
    alpha = 2 / (period + 1)
    made: Series = [None] * (blank + period - 1)
    current = sum(known[:period]) / period
    made.append(current)
    for value in known[period:]:
        current = alpha * value + (1 - alpha) * current
        made.append(current)
    return made


def rsi(values: list[float], period: int) -> Series:
    """Follow Wilder: 100 - 100 / (1 + RS) over his smoothed gains and losses."""
    changes = [after - before for before, after in zip(values, values[1:], strict=False)]
    made: Series = [None] * len(values)
    for i in range(period, len(values)):
        gain = sum(max(change, 0) for change in changes[:period]) / period
        loss = sum(max(-change, 0) for change in changes[:period]) / period
        for change in changes[period:i]:
            gain = (gain * (period - 1) + max(change, 0)) / period
            loss = (loss * (period - 1) + max(-change, 0)) / period
        if loss == 0:
            made[i] = 50.0 if gain == 0 else 100.0
        else:
            made[i] = 100 - 100 / (1 + gain / loss)
    return made


def minus(left: Series, right: Series) -> Series:
    """Subtract where both are known."""
    return [None if a is None or b is None else a - b for a, b in zip(left, right, strict=True)]


def macd(values: list[float], fast: int, slow: int, signal: int) -> tuple[Series, Series, Series]:
    """Return line, signal and histogram."""
    line = minus(ema(list(values), fast), ema(list(values), slow))
    smoothed = ema(line, signal)
    return line, smoothed, minus(line, smoothed)


def distance(values: list[float], period: int) -> Series:
    """Return how far each value lies above its mean, in percent of the mean."""
    return [
        None if mean is None else (value - mean) / mean * 100
        for value, mean in zip(values, sma(values, period), strict=True)
    ]


def vectors() -> dict[str, Any]:
    """Return the whole content of the vector file."""
    close = prices(90)
    cases: list[dict[str, Any]] = []
    for period in (2, 14):
        cases.append(
            {"indicator": "rsi", "params": {"period": period}, "outputs": [rsi(close, period)]}
        )
    for fast, slow, signal in ((12, 26, 9), (3, 10, 4)):
        params = {"fast_period": fast, "slow_period": slow, "signal_period": signal, "percent": 0}
        outputs = list(macd(close, fast, slow, signal))
        cases.append({"indicator": "macd", "params": params, "outputs": outputs})
        shares = [
            [None if v is None else 100 * v / p for v, p in zip(column, close, strict=True)]
            for column in outputs
        ]
        cases.append({"indicator": "macd", "params": params | {"percent": 1}, "outputs": shares})
    for period in (5, 20):
        cases.append(
            {
                "indicator": "distance_from_ma",
                "params": {"period": period},
                "outputs": [distance(close, period)],
            }
        )
    return {"close": close, "cases": cases}


if __name__ == "__main__":
    VECTORS.parent.mkdir(exist_ok=True)
    VECTORS.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
