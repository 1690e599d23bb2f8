"""The replay IB host service: its wire contract, its figures, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from bokeh_sampledata import stocks

from child import child
from ktrdr_core import OperationsService
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.hosts.ib.app import create_app
from ktrdr_core.hosts.ib.replay import Bar, Replay, sampledata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

DAY = {"symbol": "AAPL", "timeframe": "1d", "start": "2000-03-01", "end": "2000-03-03"}


def call(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        value: dict[str, Any] = json.load(answer)
    return value


def post_and_leave_open(url: str, body: dict[str, Any]) -> socket.socket:
    """Send a request and do not wait for its answer."""
    host, port = url.removeprefix("http://").split(":")
    content = json.dumps(body).encode()
    head = (
        f"POST /data/historical HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.sendall(head.encode() + content)
    return connection


def wait_for_end(pid: int) -> bool:
    """Wait for a process that need not be a child of this one."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 30)[0])
    finally:
        os.close(descriptor)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with HostProcess(delay=0) as host:
        yield host.url


# ---- the contract


def test_health_names_the_service_and_says_that_it_is_connected(url: str) -> None:
    answer = call(f"{url}/health")
    assert answer.keys() >= {"healthy", "service", "timestamp", "status", "ib_status"}
    assert answer["healthy"] is True
    assert answer["service"] == "ib-connector"
    assert answer["ib_status"] == {"connected": True, "connection_count": 1}


def test_detailed_health_has_the_figures_of_the_contract_and_two_of_its_own(url: str) -> None:
    answer = call(f"{url}/health/detailed")
    assert answer.keys() >= {
        *("healthy", "service", "timestamp", "ib_gateway_connected", "active_connections"),
        *(
            "total_requests",
            "error_count",
            "last_error",
            "uptime_seconds",
            "connection_pool_status",
        ),
        *("max_connections", "cancelled_requests"),
    }


def test_historical_bars_are_a_json_string_by_utc_stamp_in_a_half_open_range(url: str) -> None:
    answer = call(f"{url}/data/historical", DAY)
    assert (answer["success"], answer["rows"], answer["error"]) == (True, 2, None)
    bars = json.loads(answer["data"])
    assert list(bars) == ["2000-03-01T00:00:00.000Z", "2000-03-02T00:00:00.000Z"]
    assert bars["2000-03-01T00:00:00.000Z"].keys() == {"open", "high", "low", "close", "volume"}


@pytest.mark.parametrize("symbol", ["AAPL", "MSFT"])
def test_all_bars_of_a_symbol_are_there(url: str, symbol: str) -> None:
    body = {"symbol": symbol, "timeframe": "1d", "start": "1990-01-01", "end": "2020-01-01"}
    answer = call(f"{url}/data/historical", body)
    assert answer["rows"] == 3270 == len(json.loads(answer["data"]))


def test_a_range_without_bars_is_a_success_with_none(url: str) -> None:
    answer = call(f"{url}/data/historical", {**DAY, "start": "1990-01-01", "end": "1991-01-01"})
    assert (answer["success"], answer["data"], answer["rows"]) == (True, "{}", 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbol": "NOPE"}, "No security definition"),
        ({"timeframe": "1h"}, "unsupported timeframe '1h'"),
        ({"start": "yesterday"}, "ISO 8601"),
        ({"end": "2000-03-01"}, "must lie before"),
    ],
)
def test_what_it_cannot_answer_is_a_failure_with_status_200(
    url: str, change: dict[str, str], words: str
) -> None:
    answer = call(f"{url}/data/historical", {**DAY, **change})
    assert (answer["success"], answer["data"], answer["rows"]) == (False, None, 0)
    assert words in answer["error"]


HALF = "\ud800"


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        *(
            ("historical", {**DAY, name: HALF}, "half of a surrogate pair")
            for name in (*DAY, "instrument_type", "what_to_show", "session", "operation_id")
        ),
        ("historical", {**DAY, "symbol": float("nan")}, "valid string"),
        ("historical", {**DAY, "symbol": [HALF]}, "valid string"),
        ("historical", {HALF: HALF}, "required"),
        ("validate", {"symbol": HALF}, "half of a surrogate pair"),
        ("validate", {"symbol": "AAPL", "timeframes": ["1d", HALF]}, "half of a surrogate pair"),
        ("validate", {"symbol": "AAPL", "timeframes": float("inf")}, "valid list"),
        ("validate", {"symbol": "AAPL", "instrument_type": HALF}, "half of a surrogate pair"),
    ],
)
def test_what_json_can_write_and_no_text_can_hold_is_refused_with_its_field(
    url: str, path: str, body: dict[str, Any], words: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        call(f"{url}/data/{path}", body)
    assert refused.value.code == 422
    wrong = json.load(refused.value)["detail"]
    refused.value.close()
    assert words in wrong[0]["msg"]
    assert wrong[0]["loc"][0] == "body"


def test_a_known_symbol_is_valid_and_has_first_timestamps(url: str) -> None:
    answer = call(f"{url}/data/validate", {"symbol": "MSFT", "timeframes": ["1d", "1h"]})
    assert (answer["success"], answer["is_valid"], answer["error_message"]) == (True, True, None)
    assert answer["head_timestamps"] == {"1d": "2000-03-01T00:00:00.000Z", "1h": None}
    info = answer["contract_info"]
    # Clients of the contract make a record of it that needs these.
    assert info["symbol"] == info["contract"]["symbol"] == "MSFT"
    assert (info["asset_type"], info["exchange"], info["currency"]) == ("STK", "SMART", "USD")
    assert 0 <= time.time() - info["validated_at"] < 60
    assert info["head_timestamps"] == answer["head_timestamps"]
    assert {"description", "trading_hours"} <= info.keys()
    assert call(f"{url}/data/symbol-info/MSFT")["is_valid"] is True


def test_an_unknown_symbol_is_an_answer_not_a_failure(url: str) -> None:
    for answer in (
        call(f"{url}/data/validate", {"symbol": "NOPE"}),
        call(f"{url}/data/symbol-info/NOPE"),
    ):
        assert (answer["success"], answer["is_valid"]) == (True, False)
        assert "NOPE" in answer["error_message"]


def test_the_head_timestamp_is_the_first_bar_or_a_failure(url: str) -> None:
    known = call(f"{url}/data/head-timestamp?symbol=AAPL&timeframe=1d")
    assert known == {"success": True, "timestamp": "2000-03-01T00:00:00.000Z", "error": None}
    unknown = call(f"{url}/data/head-timestamp?symbol=AAPL&timeframe=1m")
    assert (unknown["success"], unknown["timestamp"]) == (False, None)
    assert "1m" in unknown["error"]


# ---- the bars


def test_prices_are_adjusted_by_the_package_s_own_ratio_and_stay_consistent() -> None:
    for symbol, columns in (("AAPL", stocks.AAPL), ("MSFT", stocks.MSFT)):
        bars = sampledata().series[symbol]["1d"]
        assert [bar.close for bar in bars] == pytest.approx(columns["adj_close"], rel=1e-12)
        assert [bar.volume for bar in bars] == columns["volume"]
        for bar, opening, close in zip(bars, columns["open"], columns["close"], strict=True):
            assert bar.low <= min(bar.open, bar.close)
            assert max(bar.open, bar.close) <= bar.high
            assert bar.open / bar.close == pytest.approx(opening / close)
            assert (bar.time.tzinfo, bar.time.hour) == (UTC, 0)


# ---- an app over any bars


def other_bars() -> Replay:
    bars = [Bar(datetime(2024, 1, day, tzinfo=UTC), 1.0, 2.0, 0.5, 1.5, 10.0) for day in (2, 3)]
    return Replay({"X": {"1d": bars}})


def test_an_app_answers_from_any_bars_and_an_event_holds_its_answers() -> None:
    async def run() -> None:
        gate = asyncio.Event()
        app = create_app(other_bars(), gate=gate)
        body = {"symbol": "X", "timeframe": "1d", "start": "2024-01-01", "end": "2024-01-03"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client:
            answer = asyncio.ensure_future(client.post("/data/historical", json=body))
            await app.state.traffic.until(lambda traffic: traffic.held == 1)
            assert not answer.done()
            gate.set()
            assert (await answer).json()["rows"] == 1
            assert (await client.post("/control/release", json={})).status_code == 404

    asyncio.run(run())


# ---- held work, and clients that leave


def test_a_gate_lets_as_many_requests_through_as_it_is_told() -> None:
    with HostProcess(delay=0, gate=True) as host:
        connections = [post_and_leave_open(host.url, DAY) for _ in range(3)]
        call(f"{host.url}/control/wait?held=3")
        call(f"{host.url}/control/release", {"count": 1})
        readable, _, _ = select.select(connections, [], [], 30)
        assert len(readable) == 1
        stats = call(f"{host.url}/health/detailed")
        assert (stats["held_requests"], stats["max_connections"]) == (2, 3)
        call(f"{host.url}/control/release", {})
        for connection in connections:
            assert connection.recv(12) == b"HTTP/1.1 200"
            connection.close()
        call(f"{host.url}/control/wait?closed=true")
        stats = call(f"{host.url}/health/detailed")
        assert (stats["active_connections"], stats["max_connections"]) == (0, 3)


def test_work_ends_when_its_client_goes_away() -> None:
    with HostProcess(delay=3000) as slow, HostProcess(delay=0, gate=True) as gated:
        held = post_and_leave_open(gated.url, DAY)
        call(f"{gated.url}/control/wait?held=1")
        held.close()
        assert call(f"{gated.url}/control/wait?cancelled=1")["held"] == 0
        # A delay has no gate to ask, so the connection's end is seen in the figures.
        post_and_leave_open(slow.url, DAY).close()
        while call(f"{slow.url}/health/detailed")["cancelled_requests"] == 0:
            pass


def test_requests_are_counted_by_endpoint_and_looking_does_not_count() -> None:
    with HostProcess(delay=0) as host:
        call(f"{host.url}/data/historical", DAY)
        call(f"{host.url}/data/historical", DAY)
        call(f"{host.url}/data/symbol-info/AAPL")
        call(f"{host.url}/health/detailed")
        stats = call(f"{host.url}/health/detailed")
    assert stats["requests"] == {"/data/historical": 2, "/data/symbol-info": 1}
    assert stats["total_requests"] == 3


# ---- the process


def start(*arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "ktrdr_core.hosts.ib", "--port", "0", *arguments]
    return child(command, stderr=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_a_word(number: signal.Signals) -> None:
    with start() as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        assert call(f"{url}/health")["healthy"] is True
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
        assert (process.returncode, output, errors) == (0, "", "")


WITH_WORK = """
import asyncio, socket, sys
from ktrdr_core import OperationsService, ServiceOrchestrator
from ktrdr_core.hosts.ib.app import create_app
from ktrdr_core.hosts.ib.replay import sampledata
from ktrdr_core.hosts.serve import serve
class Domain(ServiceOrchestrator):
    def _get_service_name(self): return "Domain"
    def _get_env_var_prefix(self): return "DOMAIN"
operations = OperationsService(sys.argv[1])
app = create_app(sampledata())
@app.post("/start")
async def start():
    return Domain().start_operation("W", "w", asyncio.Event().wait, operation_id="work-1").id
listener = socket.create_server(("127.0.0.1", 0))
serve(app, listener, announce=lambda url: print(url, flush=True))
"""


def test_sigterm_cancels_the_operations_of_a_service(tmp_path: Path) -> None:
    store = tmp_path / "operations.db"
    with child([sys.executable, "-c", WITH_WORK, str(store)]) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        start = urllib.request.Request(
            f"{url}/start", data=b"{}", headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(start, timeout=30) as answer:
            assert json.load(answer) == "work-1"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    record = OperationsService(store, default=False).get("work-1")
    assert (record.status, record.reason and record.reason.code) == ("cancelled", "shutdown")


def test_it_ends_with_its_parent_however_that_ends() -> None:
    code = "from ktrdr_core.hosts.child import HostProcess as H; h = H(); print(h.pid, flush=True); input()"
    with child([sys.executable, "-c", code], stdin=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    assert wait_for_end(pid)


def test_the_terminal_s_ctrl_c_does_not_reach_the_child() -> None:
    with HostProcess() as host:
        assert os.getsid(host.pid) == host.pid


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "ktrdr_core.hosts.ib", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"127.0.0.1 port {port}" in done.stderr
