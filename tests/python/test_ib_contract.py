"""The IB host's contract from both sides: our service to a client that knows only the table of data.md, our adapter to a
service that answers just that table, and what ours adds.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest

from ktrdr_core import BarSource, DataManager, errors
from ktrdr_core.data import Contract, CsvSource, ReplaySource, SourceAnswer, SourceLimits
from ktrdr_core.hosts.ib.app import create_app
from ktrdr_core.hosts.ib.vendor import HostLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

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


# ---- what ours adds


def test_the_root_says_what_there_is_and_openapi_matches_the_answers() -> None:
    async def main() -> None:
        async with serving(Days()) as http:
            about = (await http.get("/")).json()
            schema = (await http.get("/openapi.json")).json()
            assert about["service"] == "ib-connector"
            assert about["endpoints"] == sorted(schema["paths"])
            tried = set()
            for method, path, named, body in (
                ("get", "/", "/", None),
                ("get", "/health", "/health", None),
                ("get", "/health/detailed", "/health/detailed", None),
                ("post", "/data/historical", "/data/historical", MONTH),
                ("post", "/data/historical", "/data/historical", {**MONTH, "symbol": "NOPE"}),
                ("post", "/data/validate", "/data/validate", {"symbol": "AAPL"}),
                ("post", "/data/validate", "/data/validate", {"symbol": "NOPE"}),
                ("get", "/data/symbol-info/AAPL", "/data/symbol-info/{symbol}", None),
                (
                    "get",
                    "/data/head-timestamp?symbol=AAPL&timeframe=1d",
                    "/data/head-timestamp",
                    None,
                ),
                ("delete", "/operations/none", "/operations/{operation_id}", None),
                ("get", "/operations/none/events", "/operations/{operation_id}/events", None),
            ):
                response = await http.request(method, path, json=body)
                tried.add(named)
                said = schema["paths"][named][method]["responses"][str(response.status_code)]
                reference = said["content"]["application/json"]["schema"]["$ref"]
                jsonschema.Draft202012Validator(
                    {"$ref": reference, "components": schema["components"]}
                ).validate(response.json())
            assert tried == set(schema["paths"])

    asyncio.run(main())


def test_a_client_that_leaves_stops_the_source() -> None:
    async def main() -> None:
        source = Days()
        source.hold = asyncio.Event()
        app = create_app(source)
        gone = asyncio.Event()
        body = json.dumps(MONTH).encode()
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        answered: list[Any] = []

        async def receive() -> Any:
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            answered.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/data/historical",
            "root_path": "",
            "raw_path": b"/data/historical",
            "query_string": b"",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        }
        request = asyncio.create_task(app(scope, receive, send))
        await asyncio.wait_for(source.asked.wait(), 30)
        gone.set()
        await asyncio.wait_for(source.cancelled.wait(), 30)
        await asyncio.wait_for(request, 30)
        assert answered[0]["status"] == 499
        assert app.state.traffic.cancelled_requests == 1

    asyncio.run(main())


def test_delete_stops_a_request_reaches_the_source_and_gives_what_is_there() -> None:
    async def main() -> None:
        source = Days()
        source.hold = asyncio.Event()
        async with serving(source) as http:
            asked = {**MONTH, "operation_id": "load-1"}
            request = asyncio.create_task(http.post("/data/historical", json=asked))
            events = asyncio.create_task(read_events(http, "load-1", source.asked))
            await asyncio.wait_for(source.asked.wait(), 30)
            twice = (await http.post("/data/historical", json=asked)).json()
            assert (twice["success"], "under way already" in twice["error"]) == (False, True)
            # The first part has come when the second is asked for.
            while (await first_event(http, "load-1"))["part"] < 1:
                pass
            stopped = (await http.delete("/operations/load-1")).json()
            assert stopped == {
                "success": True,
                "operation_id": "load-1",
                "status": "cancelled",
                "error": None,
            }
            answer = (await request).json()
            assert (answer["success"], answer["rows"]) == (True, 10)
            assert answer["error"] == "partial: cancelled by DELETE"
            await asyncio.wait_for(source.cancelled.wait(), 30)
            told = await events
            assert [event["rows"] for event in told if "part" in event] == [10]
            assert told[-1]["status"] == "cancelled"
            assert (await http.delete("/operations/load-1")).json()[
                "error"
            ] == "it has ended already"
            assert (await http.delete("/operations/none")).status_code == 404
            assert (await http.get("/operations/none/events")).status_code == 404
            source.hold.set()
            again = (await http.post("/data/historical", json=asked)).json()
            assert again["rows"] == 31
            told = await read_events(http, "load-1")
            assert [event.get("part") for event in told] == [1, 2, 3, 4, None]
            assert [event["percentage"] for event in told[:4]] == [25.0, 50.0, 75.0, 100.0]
            assert told[-1] == {"status": "completed", "rows": 31, "error": None}
            rest = await read_events(http, "load-1", after=4)
            assert rest == told[4:]

    asyncio.run(main())


async def read_events(
    http: httpx.AsyncClient, name: str, begun: asyncio.Event | None = None, after: int = 0
) -> list[dict[str, Any]]:
    if begun is not None:
        await begun.wait()
    response = await http.get(f"/operations/{name}/events", headers={"Last-Event-ID": str(after)})
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


async def first_event(http: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """Ask the app's own book: a stream of ASGITransport comes whole."""
    app: Any = http.app  # type: ignore[attr-defined]
    running = app.state.requests.find(name)
    await asyncio.sleep(0)
    events: list[dict[str, Any]] = running._events
    return events[0] if events else {"part": 0}


def test_the_end_of_the_service_gives_what_is_there() -> None:
    async def main() -> None:
        source = Days()
        source.hold = asyncio.Event()
        async with serving(source) as http:
            request = asyncio.create_task(
                http.post("/data/historical", json={**MONTH, "operation_id": "one"})
            )
            await asyncio.wait_for(source.asked.wait(), 30)
            while (await first_event(http, "one"))["part"] < 1:
                pass
            http.app.state.stopping()  # type: ignore[attr-defined]
            answer = (await request).json()
            assert (answer["success"], answer["rows"]) == (True, 10)
            assert answer["error"] == "partial: the service is shutting down"
            late = (await http.post("/data/historical", json=MONTH)).json()
            assert (late["success"], late["error"]) == (False, "the service is shutting down")

    asyncio.run(main())


def test_ranges_and_requests_at_once_have_limits() -> None:
    async def main() -> None:
        source = Days()
        source.hold = asyncio.Event()
        async with serving(source, limits=HostLimits(max_requests=1, max_parts=5)) as http:
            long = {**MONTH, "end": "2024-12-31"}
            answer = (await http.post("/data/historical", json=long)).json()
            assert "ask for at most 50 days at once" in answer["error"]
            # One is worked on, one waits.
            two = [asyncio.create_task(http.post("/data/historical", json=MONTH)) for _ in "ab"]
            await asyncio.wait_for(source.asked.wait(), 30)
            answer = (await http.post("/data/historical", json=MONTH)).json()
            assert (answer["success"], "busy" in answer["error"]) == (False, True)
            source.hold.set()
            assert [(await each).json()["rows"] for each in two] == [31, 31]

    asyncio.run(main())


def test_rows_without_a_price_and_half_answers_are_told_as_partial() -> None:
    class Half(Days):
        async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            bars = await super().fetch(symbol, timeframe, start, end)
            bars["open"] = bars["open"].copy()
            bars["open"][0] = float("nan")
            return SourceAnswer(bars, partial="the vendor stopped")

    async def main() -> None:
        async with serving(Half()) as http:
            answer = (
                await http.post("/data/historical", json={**MONTH, "end": "2024-01-05"})
            ).json()
            assert (answer["success"], answer["rows"]) == (True, 3)
            assert answer["error"].startswith("partial: the vendor stopped; 2024-01-01T00:00:00Z")
            assert "null" not in answer["data"]
            assert "NaN" not in answer["data"]

    asyncio.run(main())


def test_a_source_that_fails_after_a_part_leaves_what_came_and_one_that_is_down_is_told() -> None:
    class Failing(Days):
        async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            if start.day != 1:
                raise ConnectionResetError("the line is dead")
            return await super().fetch(symbol, timeframe, start, end)

    async def main() -> None:
        async with serving(Failing()) as http:
            answer = (await http.post("/data/historical", json=MONTH)).json()
            assert (answer["success"], answer["rows"]) == (True, 10)
            assert answer["error"].startswith("partial: ")
            assert "the line is dead" in answer["error"]
            none = (
                await http.post("/data/historical", json={**MONTH, "start": "2024-01-05"})
            ).json()
            assert (none["success"], none["data"], none["rows"]) == (False, None, 0)
            status = (await http.get("/health")).json()
            assert status["ib_status"] == {"connected": False, "connection_count": 0}
            details = (await http.get("/health/detailed")).json()
            assert details["error_count"] == 1
            assert "the line is dead" in details["last_error"]

    asyncio.run(main())


def test_bars_that_are_still_being_made_are_not_given() -> None:
    async def main() -> None:
        async with serving(Days()) as http:
            today = datetime.now(UTC).date()
            asked = {**MONTH, "start": str(today - timedelta(days=3)), "end": "2100-01-01"}
            answer = (await http.post("/data/historical", json=asked)).json()
            stamps = list(json.loads(answer["data"]))
            assert stamps[-1][:10] == str(today - timedelta(days=1))

    asyncio.run(main())


def test_bars_come_as_arrow_where_that_is_asked_for() -> None:
    pa = pytest.importorskip("pyarrow")

    async def main() -> None:
        async with serving(Days()) as http:
            accept = {"Accept": "application/vnd.apache.arrow.stream"}
            response = await http.post("/data/historical", json=MONTH, headers=accept)
            assert response.headers["content-type"] == accept["Accept"]
            table = pa.ipc.open_stream(response.content).read_all()
            assert table.column_names == ["timestamp", *PRICES]
            assert table.num_rows == 31
            failed = {**MONTH, "symbol": "NOPE"}
            response = await http.post("/data/historical", json=failed, headers=accept)
            assert response.json()["success"] is False

    asyncio.run(main())


def test_each_request_is_a_line_of_log_with_its_facts(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(Days()) as http:
            await http.post("/data/historical", json={**MONTH, "operation_id": "one"})

    with caplog.at_level("INFO", "ktrdr_core.hosts.ib"):
        asyncio.run(main())
    (record,) = [record for record in caplog.records if hasattr(record, "facts")]
    facts = record.facts
    assert (facts["symbol"], facts["rows"], facts["status"]) == ("AAPL", 31, "completed")
    assert facts["operation_id"] == "one"
    assert "rows='31'" in record.getMessage()


# ---- the command


def test_serve_ib_runs_a_class_of_yours_and_our_adapter_loads_from_it(tmp_path: Path) -> None:
    (tmp_path / "vendor.py").write_text(
        "import numpy as np\n"
        "from ktrdr_core import BarSource\n"
        "class Ramp(BarSource):\n"
        "    provider = 'ramp'\n"
        "    def validate_symbol(self, symbol, timeframe):\n"
        "        return symbol == 'UP'\n"
        "    def fetch(self, symbol, timeframe, start, end):\n"
        "        days = np.arange(start.date(), end.date(), dtype='datetime64[D]')\n"
        "        price = 1.0 + np.arange(len(days))\n"
        "        return {'timestamp': days, 'open': price, 'high': price, 'low': price, 'close': price}\n"
    )
    command = [sys.executable, "-m", "ktrdr_core", "serve", "ib", "--port", "0", "--log", "json"]
    with subprocess.Popen(
        [*command, "--source", "python:vendor.Ramp"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("IB host service (vendor.Ramp: ramp) at http://127.0.0.1:")
            with DataManager(tmp_path / "bars", line.split()[-1], env={}) as data:
                bars = data.load_data("UP", "1d", "2023-01-01", "2023-12-31", mode="full").result(
                    60
                )
                assert len(bars) == 365
                with pytest.raises(errors.SymbolNotFoundError):
                    data.load_data("NOPE", "1d", "2023-01-01", "2023-12-31", mode="full").result(60)
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=30)
        assert process.returncode == 0
        lines = [json.loads(line) for line in said.splitlines()]
        assert sum(line.get("rows", 0) for line in lines) >= 365
        assert {line["logger"] for line in lines} == {"ktrdr_core.hosts.ib"}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--source", "sql"], 2, "must be replay, csv or python:module.Class, not 'sql'"),
        (["--source", "python:vendor"], 2, "must be replay, csv or python:module.Class"),
        (["--source", "csv"], 2, "--source csv needs --folder"),
        (["--source", "csv", "--folder", "none"], 1, "there is no such folder"),
        (["--source", "python:nowhere.Source"], 1, "ModuleNotFoundError"),
        (["--source", "python:json.JSONDecoder"], 1, "is no source: subclass"),
        (["--max-requests", "0"], 2, "must be at least 1"),
    ],
)
def test_what_serve_ib_cannot_do_is_one_clear_line(
    arguments: list[str], status: int, said: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ktrdr_core", "serve", "ib", "--port", "0", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert said in done.stderr


# ---- a service that answers exactly the table


class _TableHost(BaseHTTPRequestHandler):
    """Answers as the original does: no additions, durations rounded down, hours that IB does not know."""

    step = timedelta(hours=1)
    first = datetime(2023, 1, 1, tzinfo=UTC)
    asked: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/health":
            now = datetime.now(UTC).isoformat()
            self._send(
                {"healthy": True, "service": "ib-connector", "timestamp": now, "status": "ok"}
            )
        else:
            assert parse_qs(url.query)["symbol"]
            stamp = self.first.isoformat()
            self._send({"success": True, "timestamp": stamp, "error": None})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/data/validate":
            valid = asked["symbol"] != "NOPE"
            message = None if valid else "No security definition has been found for the request"
            self._send(
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
        self.asked.append((asked["start"], asked["end"]))
        start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
        days = (end - start).days
        if days < 1:
            text = "Error 321: Error validating request: duration in hours (H) is not known"
            self._send({"success": False, "data": None, "rows": 0, "error": text})
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
        self._send({"success": True, "data": json.dumps(bars), "rows": len(bars), "error": None})

    def _send(self, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def table_host() -> Iterator[str]:
    _TableHost.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _TableHost) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_span_of_hours_is_asked_for_as_a_day_and_cut(table_host: str, tmp_path: Path) -> None:
    with DataManager(tmp_path, table_host, env={}) as data:
        question = ("EUR", "1h", "2023-05-01T10:00", "2023-05-01T15:00")
        bars = data.load_data(*question, mode="full").result(60)
        assert [str(stamp)[11:13] for stamp in bars.time] == ["10", "11", "12", "13", "14"]
        assert _TableHost.asked[0] == ("2023-04-30T15:00:00.000Z", "2023-05-01T15:00:00.000Z")


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
        asked = len(_TableHost.asked)
        data.load_data("EUR", "1h", start, end, mode="full").result(60)
        assert len(_TableHost.asked) <= asked + 1


def test_the_adapter_takes_its_health_and_its_unknown_symbols(
    table_host: str, tmp_path: Path
) -> None:
    with DataManager(tmp_path, table_host, env={}) as data:
        health = asyncio.run(data.health_check())
        assert health["status"] == "healthy"
        with pytest.raises(errors.SymbolNotFoundError):
            data.load_data("NOPE", "1h", "2023-05-01", "2023-05-02", mode="full").result(60)
