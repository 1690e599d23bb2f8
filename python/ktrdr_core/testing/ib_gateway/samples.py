"""Bars for a simulated gateway that nobody gave any: those of a folder of CSV files, or made up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

import numpy as np

from ...data import CsvSource, SourceCalls
from ...errors import NotFoundError
from .recorded import TIMEFRAMES

if TYPE_CHECKING:
    from pathlib import Path

    from ..._frames import Frame

    Given: TypeAlias = dict[tuple[str, str], Frame]

# Where made-up prices begin.
_MADE_UP = {"AAPL": 190.0, "MSFT": 420.0, "EUR.USD": 1.09}


def of_folder(folder: Path) -> Given:
    """Read every ``{SYMBOL}_{timeframe}.csv`` of a folder.

    Raises
    ------
    NotFoundError
        Where there is none.
    InvalidArgumentError
        For a file that is broken, naming file, line and column.
    """
    calls = SourceCalls(CsvSource(folder))
    paths = sorted(folder.glob("*_*.csv"))

    async def read() -> Given:
        found: Given = {}
        for path in paths:
            name, _, timeframe = path.stem.rpartition("_")
            if timeframe in TIMEFRAMES:
                symbol = unquote(name)
                answer = await calls.fetch(symbol, timeframe, "1900-01-01", datetime.now(UTC))
                if answer.bars is not None:
                    found[symbol, timeframe] = answer.bars
        return found

    found = asyncio.run(read())
    if not found:
        raise NotFoundError(f"{folder} has no file {{SYMBOL}}_{{timeframe}}.csv")
    return found


def made_up(days: int = 30) -> Given:
    """Make up minutes of AAPL, MSFT and EUR.USD up to now, the same for the same days."""
    last = int(datetime.now(UTC).timestamp()) // 60 * 60
    time = np.arange(last - days * 86_400, last, 60).astype("datetime64[s]")
    return {(name, "1m"): _walk(time, price, name) for name, price in _MADE_UP.items()}


def _walk(time: Any, price: float, name: str) -> dict[str, Any]:
    # Of a minute's number alone, so that a bar is the same whenever it is made.
    minutes = time.astype(np.int64) // 60
    salt = sum(name.encode())
    level = sum(
        np.sin(minutes * 2 * np.pi / length + salt) / rank
        for rank, length in enumerate((28_657, 4_181, 610, 89, 13), start=1)
    )
    close = np.round(price * (1 + level / 200), 5 if price < 10 else 2)
    first = np.r_[close[:1], close[:-1]]
    noise = price * (1 + (minutes * 7919 + salt) % 13) / 100_000
    return {
        "timestamp": time,
        "open": first,
        "high": np.maximum(first, close) + noise,
        "low": np.minimum(first, close) - noise,
        "close": close,
        "volume": 100.0 * (1 + (minutes * 104_729 + salt) % 50),
    }
