"""A source with a bar for every day, and the IB host service over it without a socket."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from ktrdr_core import BarSource, errors
from ktrdr_core.data import Contract, SourceLimits
from ktrdr_core.hosts.ib.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PRICES = ("open", "high", "low", "close", "volume")
MONTH = {"symbol": "AAPL", "timeframe": "1d", "start": "2024-01-01", "end": "2024-02-01"}


def columns(first: date, end: date) -> dict[str, Any]:
    days = np.arange(np.datetime64(first), np.datetime64(end))
    price = 1.0 + (days.astype(np.int64) % 50)
    return {"timestamp": days, **dict.fromkeys(PRICES, price)}


class Days(BarSource):
    """Every day from 2020 on; it keeps its questions where a test wants them."""

    provider = "days"

    def __init__(self) -> None:
        self.hold: asyncio.Event | None = None
        self.asked = asyncio.Event()
        self.cancelled = asyncio.Event()

    def describe(self, timeframe: str) -> SourceLimits:
        if timeframe != "1d":
            raise errors.ConfigurationError(f"there are days only, not {timeframe}")
        return SourceLimits(timedelta(days=10), 4)

    def validate_symbol(self, symbol: str, timeframe: str) -> Contract | bool:
        return symbol in ("AAPL", "BRK B", "BTC/USDT") and Contract("etf", "ARCA", "EUR")

    def first_timestamp(self, symbol: str, timeframe: str) -> str:
        return "2020-01-01"

    async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        # The first part comes; the others wait.
        if self.hold is not None and start.day != 1:
            self.asked.set()
            try:
                await self.hold.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        first = max((start + timedelta(days=1, microseconds=-1)).date(), date(2020, 1, 1))
        return columns(first, (end + timedelta(days=1, microseconds=-1)).date())


@asynccontextmanager
async def serving(source: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(source, **options)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        client.app = app  # type: ignore[attr-defined]
        yield client
