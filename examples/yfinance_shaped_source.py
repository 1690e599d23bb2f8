"""Load bars from a service that answers as Yahoo's chart service does, by an async source.

    python examples/yfinance_shaped_source.py AAPL 2024-01-01 2024-01-31 --url http://localhost:8000

Without ``--url`` it starts a server of its own, whose bars are made up. What such answers need on their way to bars:
columns with nulls in them, seconds since 1970 at the session's open instead of dates, a last bar that is still being
made, rows outside of what was asked for, and ``404`` for a symbol that nobody knows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from ktrdr_core import BarSource, Client, DataManager, KtrdrError
from ktrdr_core.data import SourceAnswer, SourceLimits
from ktrdr_core.errors import ConfigurationError, HostServiceError, SymbolNotFoundError

if TYPE_CHECKING:
    from collections.abc import Generator

# Our names for what the service calls otherwise, and the days it gives of them at most.
_INTERVALS = {"1d": ("1d", 3650), "1h": ("60m", 700), "5m": ("5m", 59), "1m": ("1m", 7)}
_COLUMNS = ("open", "high", "low", "close", "volume")


class ChartSource(BarSource):
    """Bars of a chart service. Its methods are async: they run on the loop on which it is used."""

    provider = "chart"

    def __init__(self, client: Client) -> None:
        self._client = client

    def describe(self, timeframe: str) -> SourceLimits:
        """Give what the service gives at once."""
        if timeframe not in _INTERVALS:
            raise ConfigurationError(
                f"the chart service has {', '.join(_INTERVALS)}, not {timeframe}"
            )
        return SourceLimits(timedelta(days=_INTERVALS[timeframe][1]), max_in_flight=2)

    async def first_timestamp(self, symbol: str, timeframe: str) -> datetime | None:
        """Read it from an answer's head; this is also where an unknown symbol shows."""
        now = datetime.now(UTC)
        chart = await self._chart(symbol, timeframe, now - timedelta(days=1), now)
        first = chart["meta"].get("firstTradeDate")
        return None if first is None else datetime.fromtimestamp(first, UTC)

    async def fetch(
        self, symbol: str, timeframe: str, start: datetime, end: datetime
    ) -> SourceAnswer:
        """Ask for the range and give its closed bars; a bar without a price is left out and named by the load."""
        chart = await self._chart(symbol, timeframe, start, end)
        quote_ = chart["indicators"]["quote"][0]
        length = timedelta(days=1) if timeframe == "1d" else timedelta(minutes=_minutes(timeframe))
        bars: dict[str, list[Any]] = {"timestamp": [], **{name: [] for name in _COLUMNS}}
        for row, seconds in enumerate(chart.get("timestamp", [])):
            stamp = datetime.fromtimestamp(seconds, UTC)
            if timeframe == "1d":
                # The service stamps a day with its session's open.
                stamp = stamp.replace(hour=0, minute=0)
            if start <= stamp < end and stamp + length <= datetime.now(UTC):
                bars["timestamp"].append(stamp)
                for name in _COLUMNS:
                    bars[name].append(quote_[name][row])
        return SourceAnswer(
            {
                name: values if name == "timestamp" else _numbers(values)
                for name, values in bars.items()
            }
        )

    async def _chart(
        self, symbol: str, timeframe: str, start: datetime, end: datetime
    ) -> dict[str, Any]:
        response = await self._client.get(
            f"/v8/finance/chart/{quote(symbol, safe='')}",
            params={
                "period1": int(start.timestamp()),
                "period2": int(end.timestamp()),
                "interval": _INTERVALS[timeframe][0],
            },
        )
        if response.status_code == 404:
            raise SymbolNotFoundError(f"the chart service knows no {symbol}")
        chart = response.raise_for_status().json()["chart"]
        if chart["error"]:
            raise HostServiceError(f"the chart service says: {chart['error']['description']}")
        answer: dict[str, Any] = chart["result"][0]
        return answer


def _minutes(timeframe: str) -> int:
    return int(timeframe[:-1]) * (60 if timeframe.endswith("h") else 1)


def _numbers(values: list[float | None]) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]


# ---- a server with made-up bars


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        symbol = url.path.rpartition("/")[2]
        if symbol == "NOPE":
            self._send(404, {"chart": {"result": None, "error": {"code": "Not Found"}}})
            return
        # 14:30 UTC is when New York opens in winter; rows before and after the range come, too.
        first = int(asked["period1"]) // 86400 * 86400 + 52200 - 86400
        stamps = [*range(first, int(asked["period2"]) + 86400, 86400)]
        close: list[float | None] = [round(100 + (stamp // 86400) % 50 / 4, 2) for stamp in stamps]
        for row, stamp in enumerate(stamps):
            if datetime.fromtimestamp(stamp, UTC).day == 17:
                close[row] = None
        volume = [1000 + stamp // 86400 % 100 for stamp in stamps]
        quotes = {**dict.fromkeys(("open", "high", "low", "close"), close), "volume": volume}
        meta = {"symbol": symbol, "currency": "USD", "firstTradeDate": 345479400}
        result = {"meta": meta, "timestamp": stamps, "indicators": {"quote": [quotes]}}
        self._send(200, {"chart": {"result": [result], "error": None}})

    def _send(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def made_up_service() -> Generator[str]:
    """Serve made-up bars on a free port; gives the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


async def load(url: str, symbol: str, start: str, end: str, data_dir: Path) -> None:
    """Load daily bars, and say what came."""
    async with (
        Client(url) as client,
        DataManager(data_dir, source=ChartSource(client), env={}) as data,
    ):
        operation = data.load_data(symbol, "1d", start, end, mode="full")
        print(await operation)
        for warning in operation.warnings:
            print(f"warning: {warning}")


def main() -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(description="Load daily bars from a chart service.")
    parser.add_argument("symbol")
    parser.add_argument("start")
    parser.add_argument("end")
    parser.add_argument("--url", help="else a server with made-up bars is started")
    parser.add_argument("--data-dir", type=Path, default=Path("bars"))
    given = parser.parse_args()
    arguments = (given.symbol, given.start, given.end, given.data_dir)
    try:
        if given.url:
            asyncio.run(load(given.url, *arguments))
        else:
            with made_up_service() as url:
                asyncio.run(load(url, *arguments))
    except KtrdrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
