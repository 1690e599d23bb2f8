"""The IB host's contract from both sides: our service to a client that knows only the table of data.md, our adapter to a
service that answers just that table.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from ktrdr_core import BarSource, DataManager, errors
from ktrdr_core.data import CsvSource, ReplaySource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
from served_days import MONTH, PRICES, Days, columns, serving
from threaded_server import Handler, answering

# ---- a client that knows only the table


@dataclass(frozen=True)
class ContractRecord:
    """As the original's clients keep it: they take each field by its name."""

    symbol: str
    contract: dict[str, Any]
    asset_type: str
    exchange: str
    currency: str
    description: str
    validated_at: float
    trading_hours: dict[str, Any] | None
    head_timestamps: dict[str, str | None]


class TableClient:
    """Reads what data.md's table names, and nothing else."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def _answer(self, method: str, path: str, fields: str, body: Any = None) -> list[Any]:
        response = await self._http.request(method, path, json=body)
        assert response.status_code == 200
        answer = response.json()
        return [answer[field] for field in fields.split()]

    async def health(self) -> bool:
        healthy, service, timestamp, _status, ib = await self._answer(
            "GET", "/health", "healthy service timestamp status ib_status"
        )
        assert service == "ib-connector"
        assert datetime.fromisoformat(timestamp).tzinfo is not None
        assert isinstance(ib["connected"], bool)
        assert isinstance(ib["connection_count"], int)
        return bool(healthy)

    async def detailed(self) -> list[Any]:
        return await self._answer(
            "GET",
            "/health/detailed",
            "healthy service timestamp ib_gateway_connected active_connections total_requests "
            "error_count last_error uptime_seconds connection_pool_status",
        )

    async def bars(self, **asked: Any) -> dict[datetime, list[float]]:
        success, data, rows, error = await self._answer(
            "POST", "/data/historical", "success data rows error", asked
        )
        if not success:
            raise RuntimeError(error)
        table = json.loads(data)
        assert len(table) == rows
        return {
            datetime.fromisoformat(stamp): [bar[name] for name in PRICES]
            for stamp, bar in table.items()
        }

    async def contract(self, symbol: str, by_get: bool = False) -> ContractRecord | str:
        fields = "success is_valid error_message contract_info head_timestamps error"
        success, valid, message, info, heads, error = (
            await self._answer("GET", f"/data/symbol-info/{symbol}", fields)
            if by_get
            else await self._answer(
                "POST", "/data/validate", fields, {"symbol": symbol, "timeframes": ["1d"]}
            )
        )
        assert (success, error) == (True, None)
        if not valid:
            assert info is None
            return str(message)
        assert heads == info["head_timestamps"]
        return ContractRecord(**info)

    async def head(self, symbol: str) -> datetime | None:
        success, stamp, error = await self._answer(
            "GET", f"/data/head-timestamp?symbol={symbol}&timeframe=1d", "success timestamp error"
        )
        assert success is (error is None)
        return datetime.fromisoformat(stamp) if success else None


@pytest.fixture(params=["python", "replay", "csv"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> BarSource:
    bars = columns(date(2020, 1, 1), date(2025, 1, 1))
    if request.param == "replay":
        return ReplaySource({("AAPL", "1d"): bars})
    if request.param == "csv":
        rows = zip(*(bars[name] for name in ("timestamp", *PRICES)), strict=True)
        lines = [",".join(map(str, row)) for row in rows]
        (tmp_path / "AAPL_1d.csv").write_text(f"timestamp,{','.join(PRICES)}\n" + "\n".join(lines))
        return CsvSource(tmp_path)
    return Days()


def test_a_client_that_knows_only_the_table_works_with_our_service(source: BarSource) -> None:
    async def main() -> None:
        async with serving(source) as http:
            client = TableClient(http)
            assert await client.health()
            record = await client.contract("aapl")
            assert isinstance(record, ContractRecord)
            assert (record.symbol, record.contract["symbol"]) == ("AAPL", "AAPL")
            assert record.contract["secType"] == record.asset_type == "STK"
            assert abs(datetime.now(UTC).timestamp() - record.validated_at) < 60
            assert record.head_timestamps == {"1d": "2020-01-01T00:00:00.000Z"}
            again = await client.contract("aapl", by_get=True)
            assert isinstance(again, ContractRecord)
            assert again.contract == record.contract
            assert "NOPE" in str(await client.contract("NOPE"))
            assert await client.head("AAPL") == datetime(2020, 1, 1, tzinfo=UTC)
            assert await client.head("NOPE") is None
            for symbol in ("AAPL", "aapl", " Aapl "):
                bars = await client.bars(**{**MONTH, "symbol": symbol}, instrument_type="STK")
                expected = columns(date(2024, 1, 1), date(2024, 2, 1))
                assert [day.day for day in bars] == list(range(1, 32))
                assert [values[0] for values in bars.values()] == list(expected["open"])
            assert await client.bars(**{**MONTH, "start": "1990-01-01", "end": "1990-02-01"}) == {}
            for change, words in (
                ({"symbol": "NOPE"}, "No security definition"),
                ({"timeframe": "7m"}, "unsupported timeframe '7m'"),
                ({"start": "soon"}, "ISO 8601"),
                ({"end": "2024-01-01"}, "must lie before"),
            ):
                with pytest.raises(RuntimeError, match=words):
                    await client.bars(**{**MONTH, **change})
            healthy, _, _, connected, *_, pool = await client.detailed()
            assert (healthy, connected, pool) == (True, True, {})

    asyncio.run(main())


def test_a_source_says_what_a_symbol_stands_for_and_what_it_knows_besides() -> None:
    class Telling(Days):
        def contract_info(self, symbol: str) -> dict[str, Any]:
            return {"description": f"all of {symbol}", "trading_hours": {"timezone": "UTC"}}

    class Broken(Days):
        def contract_info(self, symbol: str) -> dict[str, Any]:
            raise LookupError(symbol)

    async def main(source: BarSource) -> ContractRecord:
        async with serving(source) as http:
            record = await TableClient(http).contract("BRK B")
            assert isinstance(record, ContractRecord)
            slashed = await TableClient(http).contract("BTC/USDT", by_get=True)
            assert isinstance(slashed, ContractRecord)
            return record

    record = asyncio.run(main(Telling()))
    assert (record.exchange, record.currency) == ("ARCA", "EUR")
    assert record.description == "all of BRK B"
    assert record.trading_hours == {"timezone": "UTC"}
    assert asyncio.run(main(Broken())).trading_hours is None


# ---- a service that answers exactly the table


class _TableHost(Handler):
    """Answers as the original does: no additions, durations rounded down, hours that IB does not know."""

    step = timedelta(hours=1)
    first = datetime(2023, 1, 1, tzinfo=UTC)
    ranges: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/health":
            now = datetime.now(UTC).isoformat()
            self.reply(
                {"healthy": True, "service": "ib-connector", "timestamp": now, "status": "ok"}
            )
        else:
            assert parse_qs(url.query)["symbol"]
            stamp = self.first.isoformat()
            self.reply({"success": True, "timestamp": stamp, "error": None})

    def do_POST(self) -> None:
        asked = self.asked()
        if self.path == "/data/validate":
            valid = asked["symbol"] != "NOPE"
            message = None if valid else "No security definition has been found for the request"
            self.reply(
                {
                    "success": True,
                    "is_valid": valid,
                    "error_message": message,
                    "contract_info": None,
                    "head_timestamps": {},
                    "error": None,
                }
            )
            return
        self.ranges.append((asked["start"], asked["end"]))
        start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
        days = (end - start).days
        if days < 1:
            text = "Error 321: Error validating request: duration in hours (H) is not known"
            self.reply({"success": False, "data": None, "rows": 0, "error": text})
            return
        # Weeks where there are some, and what is over is lost at the beginning.
        served = days if days < 7 else days // 7 * 7
        begin = max(end - timedelta(days=served), self.first)
        count = -((begin - self.first) // -self.step)
        bars = {}
        while (stamp := self.first + count * self.step) < end:
            bar = dict.fromkeys(("open", "high", "low", "close"), 1.0 + count)
            bars[stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")] = {
                **bar,
                "volume": 5,
            }
            count += 1
        self.reply({"success": True, "data": json.dumps(bars), "rows": len(bars), "error": None})


@pytest.fixture
def table_host() -> Iterator[str]:
    _TableHost.ranges = []
    with answering(_TableHost) as url:
        yield url


def test_a_span_of_hours_is_asked_for_as_a_day_and_cut(table_host: str, tmp_path: Path) -> None:
    with DataManager(tmp_path, table_host, env={}) as data:
        question = ("EUR", "1h", "2023-05-01T10:00", "2023-05-01T15:00")
        bars = data.load_data(*question, mode="full").result(60)
        assert [str(stamp)[11:13] for stamp in bars.time] == ["10", "11", "12", "13", "14"]
        assert _TableHost.ranges[0] == ("2023-04-30T15:00:00.000Z", "2023-05-01T15:00:00.000Z")


@pytest.mark.parametrize("days", [1, 6, 7, 8, 13, 29, 30, 31, 45])
def test_no_bar_is_lost_to_durations_that_are_rounded_down(
    days: int, table_host: str, tmp_path: Path
) -> None:
    start = datetime(2023, 3, 1, tzinfo=UTC)
    end = start + timedelta(days=days)
    with DataManager(tmp_path, table_host, env={}) as data:
        for _ in range(3):
            bars = data.load_data("EUR", "1h", start, end, mode="full").result(60)
            if len(bars) == 24 * days:
                break
        assert len(bars) == 24 * days
        asked = len(_TableHost.ranges)
        data.load_data("EUR", "1h", start, end, mode="full").result(60)
        assert len(_TableHost.ranges) <= asked + 1


def test_the_adapter_takes_its_health_and_its_unknown_symbols(
    table_host: str, tmp_path: Path
) -> None:
    with DataManager(tmp_path, table_host, env={}) as data:
        health = asyncio.run(data.health_check())
        assert health["status"] == "healthy"
        with pytest.raises(errors.SymbolNotFoundError):
            data.load_data("NOPE", "1h", "2023-05-01", "2023-05-02", mode="full").result(60)


@pytest.mark.parametrize(("seconds", "words"), [(600, "ahead of"), (-600, "behind"), (30, None)])
def test_a_clock_of_the_service_that_is_apart_is_told_by_its_date(
    seconds: int,
    words: str | None,
    table_host: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def apart(_: Any, timestamp: float | None = None) -> str:
        return formatdate(time.time() + seconds, usegmt=True)

    monkeypatch.setattr(_TableHost, "date_time_string", apart)
    with DataManager(tmp_path, table_host, env={}) as data:
        operation = data.load_data("EUR", "1h", "2023-05-01", "2023-05-02", mode="full")
        operation.result(60)
        told = [warning for warning in operation.warnings if "clock of IB" in warning]
        assert [str(words) in warning for warning in told] == ([] if words is None else [True])
