"""A watch list from a source that answers in 50 ms, and an event loop beside a long load; against limits."""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from ktrdr_core import BarSource, DataManager
from ktrdr_core.data import SourceLimits

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from datetime import datetime

_ANSWER = 0.05
_AT_ONCE = 6
_HELD_UP = 0.010


class _Replay(BarSource):
    """Bars around the clock, each answer after a while, on the loop on which it was made."""

    provider = "replay"

    def __init__(self, length: np.timedelta64, span: timedelta, answer: float) -> None:
        self.length, self.span, self.answer = length, span, answer
        self.requests = 0

    def describe(self, timeframe: str) -> SourceLimits:
        return SourceLimits(self.span, _AT_ONCE)

    async def fetch(
        self, symbol: str, timeframe: str, start: datetime, end: datetime
    ) -> dict[str, Any]:
        self.requests += 1
        first, last = (np.datetime64(moment.replace(tzinfo=None), "ns") for moment in (start, end))
        stamps = np.arange(first, last, self.length)
        prices = 100.0 + np.arange(len(stamps)) % 50
        await asyncio.sleep(self.answer)
        columns = ("open", "high", "low", "close")
        return {"timestamp": stamps, **dict.fromkeys(columns, prices)}


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        Three symbols of two years, and a tenth of the bars.
    """
    return [asyncio.run(_watch_list(quick)), asyncio.run(_held_up(quick))]


async def _watch_list(quick: bool) -> dict[str, Any]:
    symbols, years = (3, 2) if quick else (20, 10)
    source = _Replay(np.timedelta64(3600, "s"), timedelta(days=180), _ANSWER)
    names = [f"S{number}" for number in range(symbols)]
    with (
        tempfile.TemporaryDirectory() as folder,
        DataManager(folder, source=source, env={}) as data,
    ):
        start = time.perf_counter()
        await data.load_many(names, "1h", "2010-01-01", f"{2010 + years}-01-01", mode="full")
        took = time.perf_counter() - start
    bound = source.requests * _ANSWER / _AT_ONCE
    return {
        "case": f"{symbols} symbols x {years} years of hours, {source.requests} requests",
        "value": took,
        "unit": "s",
        "ratio": bound / took,
        "against": f"{bound:.2f} s: 50 ms each, {_AT_ONCE} at once (goal >= 0.9)",
    }


async def longest_wait(work: Awaitable[Any]) -> float:
    """Give how long a task that sleeps for a millisecond again and again was kept from going on while some work was awaited.

    Parameters
    ----------
    work
        It is awaited on the same loop.

    Returns
    -------
    float
        Seconds beyond the millisecond.
    """
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before - 0.001)

    watching = asyncio.create_task(watch())
    # It sleeps before the work begins, and sees how late it is once the work is over.
    await asyncio.sleep(0)
    await work
    await asyncio.sleep(0.002)
    watching.cancel()
    return longest


async def _held_up(quick: bool) -> dict[str, Any]:
    days = 35 if quick else 350
    source = _Replay(np.timedelta64(60, "s"), timedelta(days=7), 0.0)
    with (
        tempfile.TemporaryDirectory() as folder,
        DataManager(folder, source=source, env={}) as data,
    ):
        end = np.datetime64("2020-01-01") + days
        load = data.load_data("ACME", "1m", "2020-01-01", str(end), mode="full")
        longest = await longest_wait(load)
        count = len(await load)
    return {
        "case": f"longest wait of the event loop beside a load of {count:,} bars",
        "value": longest * 1000,
        "unit": "ms",
        "ratio": longest / _HELD_UP,
        "against": "10 ms",
    }
