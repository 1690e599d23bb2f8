"""A program that asks a simulated gateway for bars of random sizes, most of them small: run by the tests of pacing."""

from __future__ import annotations

import asyncio
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ktrdr_core.data import IbGatewaySource
from ktrdr_core.data.ib_gateway.small_bars import SMALL_SPANS, SmallBarPacer

#: What is asked for; the simulator has bars of these.
SYMBOLS = ("AAPL", "MSFT", "EUR.USD", "BTC.USD")
# So many questions are open at once.
_LANES = 12


async def ask(source: IbGatewaySource, chance: random.Random, start: datetime) -> None:
    symbol = chance.choice(SYMBOLS)
    first = start + timedelta(minutes=chance.randrange(3))
    if chance.random() < 0.4:
        await source.fetch(
            symbol, chance.choice(("1m", "5m", "1h")), first, first + timedelta(hours=2)
        )
        return
    show = chance.choice((None, None, None, "BID_ASK")) if symbol in ("AAPL", "MSFT") else None
    seconds = chance.choice(tuple(SMALL_SPANS))
    await source.small_bars(symbol, seconds, first, first + timedelta(minutes=1), what_to_show=show)


async def main(port: int, folder: str, speed: float, seed: int, count: int, start: str) -> None:
    chance = random.Random(seed)
    left = count
    with IbGatewaySource(port=port, client_id=seed * 100, data_dir=folder, env={}) as source:
        source._pacer = SmallBarPacer(Path(folder) / "ktrdr.db", speed)

        async def lane() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await ask(source, chance, datetime.fromisoformat(start).replace(tzinfo=UTC))

        await asyncio.gather(*(lane() for _ in range(_LANES)))
        assert source.pacing_violations == 0, source.pacing_violations


if __name__ == "__main__":
    asyncio.run(
        main(
            int(sys.argv[1]),
            sys.argv[2],
            float(sys.argv[3]),
            int(sys.argv[4]),
            int(sys.argv[5]),
            sys.argv[6],
        )
    )
