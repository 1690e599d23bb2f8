"""A source of bars written in Python that has every day, and what its tests share."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ktrdr_core import Bars, BarSource, DataManager

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

MONTH: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-01-31", "mode": "full"}
PRICES = ("open", "high", "low", "close")


def columns(start: Any, end: Any) -> dict[str, Any]:
    days = np.arange(
        np.datetime64(pd.Timestamp(start).date()), np.datetime64(pd.Timestamp(end).date())
    )
    price = 1.0 + np.arange(float(len(days)))
    return {"timestamp": days, **dict.fromkeys(PRICES, price), "volume": price}


class Ramp(BarSource):
    """Daily bars of whatever is asked for."""

    provider = "ramp"

    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        return columns(start, end)


class AsyncRamp(BarSource):
    provider = "ramp"

    async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        await asyncio.sleep(0)
        return columns(start, end)


def load(source: BarSource, folder: Path, symbol: str = "AAPL", **more: Any) -> Bars:
    with DataManager(folder, source=source, env={}) as data:
        return data.load_data(symbol, "1d", **{**MONTH, **more}).result(60)


def answering(value: Any) -> BarSource:
    class Answering(BarSource):
        provider = "answering"

        def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            return value(start, end) if callable(value) else value

    return Answering()


def until(reached: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)
