"""Bars for a simulated gateway, and ib_async on a loop for the tests of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from ktrdr_core.testing import IbGatewaySimulator


def walk(start: str, end: str, seconds: int = 60, seed: int = 0) -> dict[str, Any]:
    """Give a bar every so many seconds of ``[start, end)``, of prices in cents and whole volumes."""
    time = np.arange(start, end, np.timedelta64(seconds, "s"), dtype="datetime64[s]")
    steps = np.random.default_rng(seed).integers(-20, 21, len(time))
    last = np.round(100 + np.cumsum(steps) % 5000 / 100, 2)
    first = np.r_[100.0, last[:-1]]
    return {
        "timestamp": time,
        "open": first,
        "high": np.round(np.maximum(first, last) + 0.05, 2),
        "low": np.round(np.minimum(first, last) - 0.05, 2),
        "close": last,
        "volume": np.arange(len(time)) % 1000 + 1.0,
    }


@asynccontextmanager
async def connected(
    gateway: IbGatewaySimulator, client_id: int = 1, **named: Any
) -> AsyncIterator[Any]:
    """Connect ib_async, as its own users do."""
    from ib_async import IB

    ib = IB()
    await ib.connectAsync(gateway.host, gateway.port, clientId=client_id, timeout=5, **named)
    try:
        yield ib
    finally:
        ib.disconnect()
        # Its transport closes on the loop's next rounds.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def with_ib(
    gateway: IbGatewaySimulator,
    work: Callable[[Any], Awaitable[Any]],
    client_id: int = 1,
    **named: Any,
) -> Any:
    """Run something with ib_async connected."""

    async def main() -> Any:
        async with connected(gateway, client_id, **named) as ib:
            return await work(ib)

    return asyncio.run(main())
