"""One connection to a gateway, whatever becomes of it: client ids, silence, restarts, lost lines, cancels."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from child import child
from ib_bars import walk
from ib_quick import QUICK, left_alone, quick
from ktrdr_core import DataManager, errors
from ktrdr_core.data import GatewayOptions, SourceCalls
from ktrdr_core.data.ib_gateway.durations import Asked
from ktrdr_core.testing import Fault, IbGatewaySimulator, PacingRules
from ktrdr_core.testing.ib_gateway import texts
from soak import count

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from ktrdr_core.data import IbGatewaySource

pytest.importorskip("ib_async")

_BARS = walk("2024-03-01", "2024-03-30")
_RANGE = ("2024-03-01", "2024-03-28")
_TIMEFRAME = "1m" if count(0, 1) else "5m"


@pytest.fixture
def gateway() -> Iterator[IbGatewaySimulator]:
    with left_alone(_BARS) as one:
        yield one


def known(source: IbGatewaySource) -> None:
    """Ask something that is not remembered."""
    source._found.clear()
    asyncio.run(SourceCalls(source).validate_symbol("AAPL", "1m"))


def resident() -> int:
    """Give how much memory this process has. Bytes."""
    with open("/proc/self/statm", encoding="ascii") as figures:
        return int(figures.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def begin(data: DataManager) -> Any:
    return data.load_data("AAPL", _TIMEFRAME, *_RANGE, mode="full")


def until(source: IbGatewaySource, state: str) -> None:
    """Wait until the connection is in a state."""
    deadline = time.monotonic() + 10
    while source.health.state != state:
        assert time.monotonic() < deadline, source.health
        time.sleep(0.005)


def test_the_next_client_id_is_taken_where_one_is_in_use(gateway: IbGatewaySimulator) -> None:
    for taken in (1, 2, 3):
        gateway.hold_client_id(taken)
    with quick(gateway) as source:
        known(source)
        assert source.health.client_id == 4
        assert gateway.client_ids == [4]
        gateway.free_client_id(1)
        # It stays with the one that was good.
        gateway.drop()
        known(source)
        assert source.health.client_id == 4


def test_a_gateway_whose_ids_are_all_taken_says_so(gateway: IbGatewaySimulator) -> None:
    options = GatewayOptions(client_ids=(8, 9), connect_within=600.0)
    for taken in (8, 9):
        gateway.hold_client_id(taken)
    # The gateway says so at once, and nobody waits out the time that a connection may take.
    with quick(gateway, options=options) as source:
        with pytest.raises(
            errors.ServiceConnectionError, match=r"every client id of \[8, 9\] is taken"
        ):
            known(source)


def test_a_gateway_that_was_never_reached_is_an_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    from ktrdr_core.data import IbGatewaySource

    with IbGatewaySource(port=port, env={}) as source:
        with pytest.raises(errors.ServiceConnectionError) as found:
            known(source)
    assert f"TWS or IB Gateway at 127.0.0.1:{port}" in str(found.value)
    assert "is its API enabled" in str(found.value)


def test_what_nobody_foresaw_while_it_connects_is_an_error_and_no_wait(
    gateway: IbGatewaySimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ktrdr_core.data.ib_gateway.client import GatewayClient

    async def broken(*_: Any) -> Any:
        raise RuntimeError("Event loop is closed")

    monkeypatch.setattr(GatewayClient, "connect", broken)
    # Nobody waits out the patience of a gateway that was reached before.
    with quick(gateway, options=GatewayOptions(patience=600.0)) as source:
        with pytest.raises(errors.ServiceConnectionError, match="Event loop is closed"):
            known(source)


def test_a_silent_gateway_is_asked_for_the_time_and_kept_where_it_answers(
    gateway: IbGatewaySimulator,
) -> None:
    with quick(gateway) as source:
        known(source)
        gateway.wait_until(lambda one: one.count("time") >= 3)
        assert gateway.accepted == 1
        assert source.health.state == "ready"


def test_a_mute_gateway_is_given_up_and_connected_to_anew(gateway: IbGatewaySimulator) -> None:
    with quick(gateway) as source:
        known(source)
        gateway.fault(Fault("mute", on="time"))
        gateway.wait_until(lambda one: one.accepted == 2)
        known(source)
        assert source.health.connections == 2


def test_restarts_during_a_load_cost_a_wait_and_no_bar(tmp_path: Path) -> None:
    with IbGatewaySimulator({("AAPL", "1 min"): _BARS}, answer_seconds=0.05) as gateway:
        with quick(gateway) as source:
            with DataManager(tmp_path / "calm", source=source, env={}) as data:
                calm = begin(data).result(60)
            for number in range(count(2, 60)):
                with DataManager(tmp_path / str(number), source=source, env={}) as data:
                    load = begin(data)
                    gateway.wait_until(lambda one: one.under_way > 0)
                    gateway.stop_listening(reset=number % 2 == 0)
                    until(source, "waiting")
                    gateway.listen_again()
                    assert load.result(60) == calm
                    words = "to which the connection is lost, since"
                    assert any(words in each for each in load.warnings)
                    assert source.health.connections == number + 2
        gateway.wait_until(lambda one: one.connections == 0)
        assert gateway.most_at_once == 1


class Nights:
    """How long answers take: what is asked after so many of them stays open until the gateway goes."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self._left: int | None = None

    def come_after(self, answers: int | None) -> None:
        self.came.clear()
        self._left = answers

    def takes(self, _bars: int) -> float:
        if self._left is None:
            return 0.3
        self._left -= 1
        if self._left >= 0:
            return 0.3
        self.came.set()
        return 600.0


@pytest.mark.slow
@pytest.mark.skipif(not count(0, 1), reason="a year of minutes over six restarts: make soak")
@pytest.mark.parametrize("symbol", ["AAPL", "EURUSD"])
def test_nightly_restarts_during_a_load_of_a_year_of_minutes_change_no_byte(
    symbol: str, tmp_path: Path
) -> None:
    minutes = walk("2023-03-01", "2024-03-02")
    series = {("AAPL", "1 min"): minutes, ("EUR.USD", "1 min"): minutes}
    # A week of minutes takes a busy machine longer than quick limits allow, and this is about restarts.
    options = replace(QUICK, connect_within=6.0, probe_after=5.0, dead_after=10.0, patience=60.0)
    patient = {"options": options, "answer_limit": 18.0}
    nights = Nights()
    with (
        IbGatewaySimulator(series, answer_seconds=nights.takes) as gateway,
        quick(gateway, **patient) as source,
    ):

        def load(name: str, restarts: int) -> tuple[bytes, list[str]]:
            with DataManager(tmp_path / name, source=source, env={}) as data:
                # Nights are spread over the 53 answers of a load; what was lost in one, eight at most, comes before the next.
                nights.come_after(8 if restarts else None)
                loading = data.load_data(symbol, "1m", "2023-03-01", "2024-02-29", mode="full")
                for night in range(restarts):
                    assert nights.came.wait(120)
                    gateway.stop_listening(reset=night % 2 == 0)
                    until(source, "waiting")
                    # A restart takes minutes, and the options are thirty times as fast as by default.
                    time.sleep(3)
                    nights.come_after(8 if night < restarts - 1 else None)
                    gateway.listen_again()
                loading.result(300)
                written = data.export(symbol, "1m", tmp_path / f"{name}.csv").result(60)
                assert written
            return (tmp_path / f"{name}.csv").read_bytes(), loading.warnings

        calm, warned = load("calm", 0)
        assert not any("gateway" in each or "did not come" in each for each in warned)
        descriptors, settled = len(os.listdir("/proc/self/fd")), resident()
        broken, warned = load("broken", 6)
        assert not any("did not come" in each for each in warned), warned
        assert broken == calm
        assert calm.count(b"\n") > 90_000
        assert sum("waits for the gateway" in each for each in warned) >= 6
        assert source.health.connections == 7
        # A store that was closed lets go of its file when nobody reads there any more.
        gateway.wait_until(lambda _: len(os.listdir("/proc/self/fd")) <= descriptors + 2)
        assert resident() - settled < 200_000_000


def test_many_reconnects_leave_no_descriptor_behind(gateway: IbGatewaySimulator) -> None:
    times = count(20, 1000)
    options = replace(QUICK, first_pause=0.001)
    with quick(gateway, options=options) as source:
        known(source)
        before = len(os.listdir("/proc/self/fd"))
        settled = 0
        for number in range(times):
            gateway.drop(reset=number % 2 == 0)
            known(source)
            if number == times // 4:
                settled = resident()
        assert source.health.connections == times + 1
        gateway.wait_until(lambda one: one.connections == 1)
        assert len(os.listdir("/proc/self/fd")) <= before + 2
        # Two tasks and a transport that stayed would be some 20 KiB each time; the simulator's list of requests stays here, too.
        assert resident() - settled <= 4_000_000 + times * 3000


def test_a_gateway_that_is_stopped_and_goes_on_costs_a_wait(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ktrdr_core", "serve", "ib-simulator", "--port", "0"]
    command += ["--days", "4", "--answer-seconds", "0.05", "--until-stdin-closes"]
    with child(command, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        from ktrdr_core.data import IbGatewaySource

        named: dict[str, Any] = {"options": QUICK, "answer_limit": 5.0, "env": {}}
        with IbGatewaySource(port=port, **named) as source:
            known(source)
            process.send_signal(signal.SIGSTOP)
            try:
                until(source, "waiting")
            finally:
                process.send_signal(signal.SIGCONT)
            with DataManager(tmp_path, source=source, env={}) as data:
                assert len(data.load_data("AAPL", "1h", mode="tail").result(30)) > 0
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize(
    ("lost", "back"), [(1100, 1102), (1100, 1101), (2105, 2106), (2105, 2107), (2110, 1102)]
)
def test_a_lost_line_holds_questions_up_and_loses_none(
    gateway: IbGatewaySimulator, lost: int, back: int, tmp_path: Path
) -> None:
    with (
        quick(gateway, answer_limit=0.2) as source,
        DataManager(tmp_path, source=source, env={}) as data,
    ):
        known(source)
        gateway.notice(lost)
        until(source, "degraded")
        assert source.health.waits_for
        assert dict(source.health.notices)[lost] == 1
        load = begin(data)
        # Longer than an answer may take: while there is no line that time does not run.
        time.sleep(0.4)
        assert not load.done()
        assert gateway.count("history") == 0
        lines = [each for each in load.warnings if "waits for the gateway" in each]
        assert len(lines) == 1
        assert f"at 127.0.0.1:{gateway.port}, which has lost" in lines[0]
        assert f"since {source.health.since:%Y-%m-%dT%H:%M}" in lines[0]
        assert source.health.waiting >= 1
        gateway.notice(back)
        if lost == 2110:
            gateway.notice(2106)
        assert len(load.result(20)) > 0
        assert source.health.state == "ready"
        assert source.health.waiting == 0
        assert gateway.accepted == 1


@pytest.mark.parametrize("on", ["contract", "head", "history"])
@pytest.mark.parametrize("lost", [1100, 2105, 2110, 2157])
def test_what_was_asked_before_the_line_was_lost_waits_no_longer_than_what_is_asked_then(
    gateway: IbGatewaySimulator, lost: int, on: str, tmp_path: Path
) -> None:
    # Nobody takes a simulator for dead that a busy machine holds up.
    with quick(gateway, options=GatewayOptions(patience=0.5), answer_limit=60.0) as source:
        known(source)
        gateway.fault(Fault("silence", on=on))
        source._found.clear()
        before = gateway.count(on)
        with DataManager(tmp_path, source=source, env={}) as data:
            # One request: of several the others come, and the load ends with those.
            load = data.load_data("AAPL", "1h", *_RANGE, mode="full")
            gateway.wait_until(lambda one: one.count(on) > before)
            gateway.notice(lost)
            with pytest.raises(
                errors.ServiceConnectionError, match=r"has lost .*not within 0\.5 s"
            ):
                load.result(20)
            gateway.recover()
            for back in (1102, 2106, 2158):
                gateway.notice(back)
            assert len(begin(data).result(20)) > 0
        assert gateway.accepted == 1


@pytest.mark.parametrize("on", ["contract", "head", "history"])
@pytest.mark.parametrize("kind", ["notice", "error"])
def test_a_client_id_that_is_taken_away_later_is_a_lost_connection(
    gateway: IbGatewaySimulator, kind: str, on: str, tmp_path: Path
) -> None:
    options = GatewayOptions(first_pause=0.01)
    with quick(gateway, options=options, answer_limit=20.0) as source:
        known(source)
        source._found.clear()
        gateway.fault(Fault(kind, on=on, code=326))
        with DataManager(tmp_path, source=source, env={}) as data:
            assert len(begin(data).result(20)) > 0
        gateway.wait_until(lambda _: source.health.connections == 2)


@pytest.mark.parametrize("kind", ["fin", "rst", "garbage", "overlong", "mute", "away", "id taken"])
def test_what_is_told_of_a_lost_connection_is_told_by_us_alone(
    gateway: IbGatewaySimulator, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), quick(gateway) as source:
        known(source)
        if kind == "id taken":
            gateway.hold_client_id(1)
            gateway.drop()
        elif kind == "away":
            gateway.stop_listening(reset=True)
            gateway.wait_until(lambda _: "Connect call failed" in source.health.last_error)
            gateway.listen_again()
        else:
            gateway.fault(Fault(kind, on="contract"))
        known(source)
    told = [each for each in caplog.records if each.name == "ktrdr_core.sources"]
    assert any("connection lost" in each.getMessage() for each in told)
    # Another package may log, too; that of the connection would say the same again, as an error.
    assert [each.getMessage() for each in caplog.records if "ib_async" in each.name] == []


def _open(_: IbGatewaySimulator) -> None:
    """Nothing: answers take for ever."""


def _paced(gateway: IbGatewaySimulator) -> None:
    words = texts.history("en", "pacing")
    gateway.fault(Fault("error", code=162, text=words, times=None))


def _unconnected(gateway: IbGatewaySimulator) -> None:
    gateway.fault(Fault("mute", on="connect", times=None))
    gateway.drop()


def _without_line(gateway: IbGatewaySimulator) -> None:
    gateway.notice(1100)


@pytest.mark.parametrize("trouble", [_open, _paced, _unconnected, _without_line])
def test_a_source_that_is_closed_ends_what_waits_with_its_error_and_cancels_nothing(
    trouble: Callable[[IbGatewaySimulator], None], tmp_path: Path
) -> None:
    """Whatever a question waits for; nobody has cancelled it."""
    patient = replace(
        QUICK, connect_within=600.0, probe_after=600.0, dead_after=900.0, patience=600.0
    )
    bars = {("AAPL", "1 min"): _BARS}
    named: dict[str, Any] = {"options": patient, "answer_limit": 600.0, "pacing_pause": 600.0}
    with IbGatewaySimulator(bars, answer_seconds=600) as gateway, quick(gateway, **named) as source:
        known(source)
        trouble(gateway)
        with DataManager(tmp_path, source=source, env={}) as data:
            load = begin(data)
            calls = SourceCalls(source)
            hour = ("2024-03-14T14:00", "2024-03-14T15:00")

            async def ask() -> None:
                asking = [asyncio.ensure_future(calls.fetch("AAPL", "1m", *hour)) for _ in range(9)]
                gateway.wait_until(lambda _: source.health.waiting + source.health.requests > 1)
                await asyncio.to_thread(source.close)
                ends = await asyncio.gather(*asking, return_exceptions=True)
                assert {type(each) for each in ends} == {errors.ServiceConnectionError}
                assert [str(each) for each in ends if "closed" not in str(each)] == []

            asyncio.run(ask())
            with pytest.raises(errors.ServiceConnectionError, match="closed"):
                load.result(20)


def test_small_bars_that_wait_for_their_turn_end_with_their_source(tmp_path: Path) -> None:
    start = datetime.now(UTC) - timedelta(days=3)

    async def ask(gateway: IbGatewaySimulator, source: IbGatewaySource) -> list[Any]:
        asking = [
            asyncio.ensure_future(
                source.small_bars("AAPL", 5, start, start + timedelta(minutes=number + 1))
            )
            for number in range(12)
        ]
        # Five of a contract go within two seconds.
        await asyncio.to_thread(gateway.wait_until, lambda _: source.health.paced >= 4)
        await asyncio.to_thread(source.close)
        return await asyncio.gather(*asking, return_exceptions=True)

    with IbGatewaySimulator({("AAPL", "1 min"): _BARS}, answer_seconds=600) as gateway:
        with quick(gateway, data_dir=tmp_path, answer_limit=600.0) as source:
            ends = asyncio.run(ask(gateway, source))
    assert {type(each) for each in ends} == {errors.ServiceConnectionError}


def test_what_nobody_foresaw_of_a_connection_is_the_end_of_that_one_alone(
    gateway: IbGatewaySimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ktrdr_core.data.ib_gateway.client import GatewayClient

    with quick(gateway) as source:
        known(source)
        with monkeypatch.context() as broken:
            broken.setattr(GatewayClient, "silent_for", property(lambda _: 1 / 0))
            gateway.wait_until(lambda _: "ZeroDivisionError" in source.health.last_error)
        known(source)
        assert source.health.state == "ready"


def test_what_was_asked_before_the_line_was_lost_is_asked_again_where_ib_forgot_it(
    tmp_path: Path,
) -> None:
    bars = {("AAPL", "1 min"): _BARS}
    with IbGatewaySimulator(bars, answer_seconds=0.1) as gateway, quick(gateway) as source:
        with DataManager(tmp_path, source=source, env={}) as data:
            load = begin(data)
            gateway.wait_until(lambda one: one.under_way > 0)
            gateway.notice(1100)
            gateway.notice(1101)
            assert len(load.result(20)) > 0


def test_a_cancel_takes_the_request_back_at_the_gateway(tmp_path: Path) -> None:
    bars = {("AAPL", "1 min"): _BARS}
    with (
        IbGatewaySimulator(bars, answer_seconds=600) as gateway,
        quick(gateway, answer_limit=600.0) as source,
    ):
        with DataManager(tmp_path, source=source, env={}) as data:
            load = begin(data)
            gateway.wait_until(lambda one: one.under_way > 0)
            load.cancel()
            with pytest.raises(errors.OperationCancelledError):
                load.result(5)
            gateway.wait_until(lambda one: one.under_way == 0)
            assert gateway.count("cancel history") == gateway.count("history")
            # The connection is as before.
            known(source)
            assert gateway.accepted == 1


@asynccontextmanager
async def asked_for_bars(
    gateway: IbGatewaySimulator, count_of: int
) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """So many requests for a day of minutes at once, over one connection."""
    # It needs ib_async.
    from ktrdr_core.data.ib_gateway.client import GatewayClient

    client = await GatewayClient.connect(
        gateway.host, gateway.port, 1, 5.0, lambda code, text: None
    )
    try:
        (found,) = await client.details({"symbol": "AAPL", "secType": "STK"})
        asked = Asked("20240315-20:00:00", "1 D", "1 min")
        yield [
            asyncio.create_task(client.bars(found.contract, asked, "TRADES", True))
            for _ in range(count_of)
        ]
    finally:
        await client.close()


def test_a_cancel_goes_ahead_of_requests_that_wait_for_their_turn() -> None:
    count_of = 60

    async def main(gateway: IbGatewaySimulator) -> None:
        async with asked_for_bars(gateway, count_of) as asking:
            await asyncio.sleep(0)
            # The first has been sent, the last waits: ib_async lets 45 messages a second through.
            asking[0].cancel()
            asking[-1].cancel()
            every = count_of - 1
            await asyncio.to_thread(gateway.wait_until, lambda one: one.count("history") >= every)
            for each in asking:
                each.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            await asyncio.to_thread(gateway.wait_until, lambda one: one.under_way == 0)

    bars = {("AAPL", "1 min"): _BARS}
    # How many messages a second the gateway takes is not the question here.
    rules = PacingRules(most_open=2 * count_of, messages=0)
    with IbGatewaySimulator(bars, answer_seconds=600, pacing=rules) as gateway:
        asyncio.run(main(gateway))
        kinds = [each.kind for each in gateway.requests if each.kind.endswith("history")]
        assert kinds.index("cancel history") <= 45
        # One that has not been sent is not sent at all.
        assert kinds.count("history") == count_of - 1
        assert gateway.violations == {}


def test_what_is_asked_again_is_taken_back_first() -> None:
    """The gateway refuses one message and does not say which, so it works on all others that are asked again."""
    # With the beginning and the question for the contract they are what ib_async lets through at once.
    count_of, takes = 43, 44

    async def main(gateway: IbGatewaySimulator) -> list[Any]:
        async with asked_for_bars(gateway, count_of) as asking:
            refused = await asyncio.gather(*asking, return_exceptions=True)
            # As soon as the gateway takes messages again.
            await asyncio.to_thread(gateway.wait_until, lambda one: one.under_way == 0)
            return refused

    rules = PacingRules(messages=takes)
    bars = {("AAPL", "1 min"): _BARS}
    with IbGatewaySimulator(bars, answer_seconds=600, pacing=rules) as gateway:
        refused = asyncio.run(main(gateway))
        assert gateway.violations == {"messages": 1}
    assert {getattr(each, "code", None) for each in refused} == {100}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"port": 0}, "port of GatewayOptions must be a number from 1 to 65535, not 0"),
        ({"client_ids": ()}, "client_ids of GatewayOptions must be one number or more"),
        ({"client_ids": (1, -1)}, "none below 0, not"),
        ({"probe_after": 0.0}, "probe_after of GatewayOptions must be more than 0 seconds"),
        ({"connect_within": float("nan")}, "connect_within of GatewayOptions must be more than 0"),
        ({"patience": -1.0}, "patience of GatewayOptions must be 0 seconds or more"),
        ({"dead_after": 5.0}, "dead_after of GatewayOptions must be more than probe_after"),
    ],
)
def test_options_of_a_connection_that_cannot_be_are_refused(
    wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(errors.ConfigurationError, match=words):
        GatewayOptions(**wrong)


def test_a_notice_never_ends_a_request(gateway: IbGatewaySimulator, tmp_path: Path) -> None:
    with quick(gateway) as source, DataManager(tmp_path, source=source, env={}) as data:
        for code in (2103, 2104, 2106, 2107, 2108, 2119, 2158, 2174, 10167):
            gateway.fault(Fault("notice", on="history", code=code))
        assert len(begin(data).result(20)) > 0
        assert source.health.connections == 1
