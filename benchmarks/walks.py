"""Bars of a random walk."""

from __future__ import annotations

from typing import Any

import numpy as np


def walk(count: int, volatility: float) -> dict[str, Any]:
    """Give columns of bars with bodies, shadows and volumes, without times.

    Parameters
    ----------
    count
        How many bars.
    volatility
        The standard deviation of the closes' logarithms from one to the next; the longest shadow, as a share of the price.
    """
    random = np.random.default_rng(4)
    close = 100 * np.exp(np.cumsum(random.normal(0, volatility, count)))
    opened = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opened, close) * (1 + volatility * random.random(count))  # nosec B311
    low = np.minimum(opened, close) * (1 - volatility * random.random(count))  # nosec B311
    volume = np.floor(10_000 * random.random(count))  # nosec B311
    return {"open": opened, "high": high, "low": low, "close": close, "volume": volume}
