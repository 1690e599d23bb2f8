"""A gateway's bars come the same way whoever stands between: nobody, or our host service, chosen by a setting."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from child import child
from ib_bars import walk
from ktrdr_core import DataManager, errors
from ktrdr_core.data import IbDataAdapter, IbGatewaySource, SourceCalls
from ktrdr_core.testing import Fault, IbGatewaySimulator
from ktrdr_core.testing.ib_gateway import texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("ib_async")

_BARS = walk("2024-03-01", "2024-03-30")
_SERIES = [("AAPL", "1h"), ("AAPL", "1d"), ("EURUSD", "1h")]
_RANGE = ("2024-03-04", "2024-03-28")
_WHOSE = "series.provider, symbol, timeframe, what_to_show, session"
_KEPT = {
    "bars": f"SELECT {_WHOSE}, part, rows, first, last, checksum, time, open, high, low, close, volume FROM block "
    "JOIN series ON series.id = block.series",
    "asked": f"SELECT {_WHOSE}, range_start, range_end, outcome FROM ledger JOIN series ON series.id = ledger.series",
    "known": "SELECT provider, symbol, asset_class, currency FROM symbol_check",
}


@pytest.fixture
def gateway() -> Iterator[IbGatewaySimulator]:
    with IbGatewaySimulator({("AAPL", "1 min"): _BARS, ("EUR.USD", "1 min"): _BARS}) as one:
        yield one


@contextmanager
def served(gateway: IbGatewaySimulator) -> Iterator[str]:
    """Run our host service in front of a gateway."""
    command = [
        sys.executable,
        "-m",
        "ktrdr_core",
        "serve",
        "ib",
        "--source",
        "gateway",
        "--port",
        "0",
    ]
    command += [
        "--gateway-host",
        gateway.host,
        "--gateway-port",
        str(gateway.port),
        "--client-id",
        "40",
    ]
    with child([*command, "--until-stdin-closes"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = process.stdout.readline()
        assert f"TWS or IB Gateway at {gateway.host}:{gateway.port}" in line
        try:
            yield line.split()[-1]
        finally:
            process.stdin.close()
            process.wait(20)


def loaded(data: DataManager) -> list[Any]:
    return [data.load_data(*series, *_RANGE, mode="full").result(60) for series in _SERIES]


def kept(folder: Path) -> dict[str, list[Any]]:
    """Give what a store holds of bars, byte for byte, without its numbers of rows and when they came."""
    with sqlite3.connect(f"file:{folder / 'ktrdr.db'}?mode=ro", uri=True) as base:
        return {name: sorted(base.execute(query)) for name, query in _KEPT.items()}


def by_command(
    folder: Path,
    symbol: str,
    timeframe: str,
    *asked: str,
    span: tuple[str, str] = _RANGE,
    **settings: str,
) -> subprocess.CompletedProcess[str]:
    """Load a series from the command line, of whom the options say, or the settings of its environment."""
    words = ["data", "load", symbol, timeframe, "--start", span[0], "--end", span[1]]
    command = [sys.executable, "-m", "ktrdr_core", *words, "--data-dir", str(folder), *asked]
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **settings},
    )


def test_bars_are_the_same_with_our_service_between_and_without(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    with served(gateway) as url:
        by_command(tmp_path / "served", *_SERIES[0], "--ib-url", url).check_returncode()
        with DataManager(tmp_path / "served", url, env={}) as data:
            loaded(data)
        assert gateway.client_ids == [40]
        with urllib.request.urlopen(f"{url}/health/detailed") as answer:
            health = json.load(answer)
    with IbGatewaySource(port=gateway.port, env={}) as source:
        with DataManager(tmp_path / "direct", source=source, env={}) as data:
            direct = loaded(data)
    with DataManager(tmp_path / "served", env={}) as data:
        assert [data.load_data(*series, *_RANGE).result(60) for series in _SERIES] == direct
    assert all(len(bars) > 0 for bars in direct)
    assert kept(tmp_path / "served") == kept(tmp_path / "direct")
    assert health["ib_gateway_connected"] is True
    status = health["connection_pool_status"]
    assert status["state"] == "ready"
    assert status["client_id"] == 40
    assert status["server_version"] == 178


def test_the_command_line_asks_a_gateway_without_a_service_between(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    port = ["--source", "gateway", "--gateway-port", str(gateway.port), "--client-id", "7"]
    for series in _SERIES:
        said = by_command(tmp_path / "command", *series, *port)
        assert said.returncode == 0, said.stderr
        assert f"from {gateway.host}:{gateway.port}" in said.stderr + said.stdout
    # Each has left.
    assert gateway.client_ids == []
    with IbGatewaySource(port=gateway.port, env={}) as source:
        with DataManager(tmp_path / "direct", source=source, env={}) as data:
            loaded(data)
    assert kept(tmp_path / "command") == kept(tmp_path / "direct")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["--gateway-port", "4002"], "--gateway-port is of a gateway: give --source gateway, too"),
        (
            ["--source", "gateway", "--ib-url", "http://127.0.0.1:1"],
            "--ib-url is of a host service",
        ),
        (["--source", "gateway", "--mode", "local"], "--mode local asks nobody"),
        (["--source", "gateway", "--client-id", "-3"], "client"),
        (["--source", "gateway", "--gateway-port", "99999"], "port"),
    ],
)
def test_options_of_a_gateway_that_mean_nothing_are_refused_before_anything_is_made(
    tmp_path: Path, asked: list[str], says: str
) -> None:
    said = by_command(tmp_path / "command", *_SERIES[0], *asked)
    assert said.returncode != 0
    assert says in said.stderr
    assert not (tmp_path / "command").exists()


def test_several_clients_of_the_service_share_one_connection_and_a_cancel_reaches_the_gateway(
    tmp_path: Path,
) -> None:
    bars = {("AAPL", "1 min"): _BARS}
    with IbGatewaySimulator(bars, answer_seconds=600) as gateway, served(gateway) as url:
        managers = [DataManager(tmp_path / str(number), url, env={}) for number in range(3)]
        loads = [data.load_data("AAPL", "1h", *_RANGE, mode="full") for data in managers]
        gateway.wait_until(lambda one: one.under_way == 3)
        assert gateway.most_at_once == 1
        loads[0].cancel()
        gateway.wait_until(lambda one: one.under_way == 2)
        for load in loads[1:]:
            load.cancel()
        gateway.wait_until(lambda one: one.count("cancel history") == 3)
        for load, data in zip(loads, managers, strict=True):
            with pytest.raises(errors.OperationCancelledError):
                load.result(5)
            data.close()


def test_a_load_through_the_service_is_told_for_what_the_gateway_lets_it_wait(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    with served(gateway) as url, DataManager(tmp_path, url, env={}) as data:
        assert data.load_data(*_SERIES[0], *_RANGE, mode="full").result(60)
        gateway.notice(1100)
        gateway.wait_until(lambda _: state_of(figures(url)) == "degraded")
        loads = [
            data.load_data(symbol, "5m", *_RANGE, mode="full") for symbol in ("AAPL", "EURUSD")
        ]
        for load in loads:
            # While it waits, not when it is over.
            (waits,) = warnings_of(load)
            words = f"waits for the gateway at 127.0.0.1:{gateway.port}, which has lost IB, since"
            assert words in waits
            assert not load.done()
        gateway.notice(1102)
        for load in loads:
            assert len(load.result(60)) > 0
            assert sum("waits for" in each for each in load.warnings) == 1


def test_a_load_through_the_service_is_told_that_the_gateway_is_asked_too_much(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    with served(gateway) as url, DataManager(tmp_path, url, env={}) as data:
        gateway.fault(Fault("error", code=162, text=texts.history("en", "pacing"), times=1))
        load = data.load_data(*_SERIES[0], *_RANGE, mode="full")
        assert len(load.result(60)) > 0
        told = [each for each in load.warnings if "look at" not in each]
        assert len(told) == 1
        assert told[0].startswith("AAPL 1h: the gateway says that it is asked too much (162)")


def warnings_of(load: Any) -> list[str]:
    """Wait until a load has any."""
    deadline = time.monotonic() + 20
    while not load.warnings:
        assert not load.done()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    warnings: list[str] = load.warnings
    return warnings


def test_two_clients_of_the_service_take_turns_at_the_gateway(tmp_path: Path) -> None:
    bars = {("AAPL", "1 min"): _BARS, ("EUR.USD", "1 min"): _BARS}
    with IbGatewaySimulator(bars, answer_seconds=0.02) as gateway, served(gateway) as url:
        with (
            DataManager(tmp_path / "first", url, env={}) as first,
            DataManager(tmp_path / "second", url, env={}) as second,
        ):
            # A session each, so that either has many requests to make.
            days = [f"2024-03-{day:02}" for day in range(4, 19) if (day - 4) % 7 < 5]
            loads = [
                data.load_data(symbol, "1m", day, day, mode="full", validate=False)
                for day in days
                for data, symbol in ((first, "AAPL"), (second, "EURUSD"))
            ]
            for load in loads:
                assert len(load.result(60)) > 0
        seen = [each.fields[2] for each in gateway.requests if each.kind == "history"]
        assert gateway.most_at_once == 1
        # Neither is ever far ahead while both have something to ask.
        both = min(seen.count("AAPL"), seen.count("EUR"))
        ahead = [seen[:end].count("AAPL") - seen[:end].count("EUR") for end in range(2 * both)]
        assert both >= 10
        assert max(map(abs, ahead)) <= 8


def test_the_services_figures_say_how_the_gateway_is(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    with served(gateway) as url, DataManager(tmp_path, url, env={}) as data:
        assert state_of(figures(url)) == "idle"
        data.load_data(*_SERIES[0], *_RANGE, mode="full").result(60)
        now = figures(url)
        assert state_of(now) == "ready"
        assert now["gateway_state_since_seconds"] > 1_700_000_000
        assert now["gateway_connections_total"] == 1
        assert now["gateway_pacing_violations_total"] == 0
        assert now['gateway_notices_total{code="2106"}'] == 1
        assert now['requests_total{path="/data/historical"}'] >= 1
        gateway.notice(1100)
        gateway.wait_until(lambda _: state_of(figures(url)) == "degraded")
        with urllib.request.urlopen(f"{url}/health/detailed") as answer:
            status = json.load(answer)["connection_pool_status"]
        assert status["state"] == "degraded"
        assert status["waits_for"] == ["IB"]
        assert status["since"].endswith("Z")
        assert status["waiting"] == status["paced"] == 0


def state_of(figures: dict[str, float]) -> str:
    (state,) = (name for name, value in figures.items() if "state{" in name and value == 1)
    return state.split('"')[1]


def figures(url: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name.removeprefix("ktrdr_ib_"): float(value) for name, value in pairs}


@pytest.mark.parametrize(
    ("argument", "variable"), [(False, None), (None, "false"), (None, "0"), (False, "true")]
)
def test_a_setting_chooses_the_gateway_itself(
    gateway: IbGatewaySimulator, argument: bool | None, variable: str | None
) -> None:
    env = {"IB_GATEWAY_PORT": str(gateway.port), "IB_HOST_SERVICE_URL": "http://127.0.0.1:9"}
    if variable is not None:
        env["USE_IB_HOST_SERVICE"] = variable
    adapter = IbDataAdapter(use_host_service=argument, env=env)
    try:
        assert adapter.gateway is not None
        answer = asyncio.run(SourceCalls(adapter).fetch("AAPL", "1h", *_RANGE))
        assert answer.bars is not None
        assert len(answer.bars) > 0  # type: ignore[arg-type]
        assert adapter.provider == "IB"
    finally:
        adapter.close()
    gateway.wait_until(lambda one: one.connections == 0)


def test_a_setting_chooses_the_service() -> None:
    for argument, env in ((True, {}), (None, {"USE_IB_HOST_SERVICE": "true"})):
        with IbDataAdapter(use_host_service=argument, env=env) as adapter:
            assert adapter.gateway is None
    with pytest.raises(errors.ConfigurationError, match="asks a TWS or IB Gateway directly"):
        IbDataAdapter(env={})


def test_a_service_whose_gateway_is_not_there_says_so(tmp_path: Path) -> None:
    with IbGatewaySimulator() as gateway:
        gateway.stop_listening()
        with served(gateway) as url, DataManager(tmp_path, url, env={}) as data:
            with pytest.raises(errors.HostServiceError, match="no connection to TWS or IB Gateway"):
                data.load_data("AAPL", "1h", *_RANGE, mode="full").result(30)


def test_a_port_that_is_none_is_refused_before_the_service_starts() -> None:
    command = [sys.executable, "-m", "ktrdr_core", "serve", "ib", "--source", "gateway"]
    done = subprocess.run(
        [*command, "--gateway-port", "70000"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "port must be a number from 1 to 65535, not '70000'" in done.stderr
