"""A gateway that goes wrong at each new try: a load ends with its error, or says for what it waits; it never hangs, and leaves nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from child import child
from ib_bars import walk
from ib_quick import QUICK, left_alone, quick
from ktrdr_core import DataManager, errors
from ktrdr_core.data import GatewayOptions, IbGatewaySource
from ktrdr_core.testing import Fault, IbGatewaySimulator
from soak import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytest.importorskip("ib_async")

_BARS = walk("2024-03-07", "2024-03-13")
_RANGE = ("2024-03-07", "2024-03-12")
_KINDS = ("mute", "fin", "rst", "garbage", "overlong", "silence")
_ANSWERS = ("contract", "head", "history")
_ENDS = (
    errors.ServiceConnectionError,
    errors.ServiceTimeoutError,
    errors.HostServiceError,
    errors.ProtocolError,
)


@pytest.fixture
def gateway() -> Iterator[IbGatewaySimulator]:
    with left_alone(_BARS) as one:
        yield one


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with IbGatewaySimulator({("AAPL", "1 min"): _BARS}) as gateway, quick(gateway) as source:
        return load(source, tmp_path_factory.mktemp("whole"))


def load(source: IbGatewaySource, folder: Path, limit: float = 20.0) -> Any:
    with DataManager(folder, source=source, env={}) as data:
        return data.load_data("AAPL", "1h", *_RANGE, mode="full").result(limit)


def hangs(source: IbGatewaySource, folder: Path) -> None:
    """Load from a gateway that goes wrong; a first timestamp that nobody tells is no reason to load nothing."""
    with suppress(*_ENDS):
        load(source, folder)


@pytest.mark.parametrize("on", _ANSWERS)
@pytest.mark.parametrize("kind", _KINDS)
def test_what_goes_wrong_at_each_try_is_an_error_and_the_next_load_asks_again(
    gateway: IbGatewaySimulator, expected: Any, kind: str, on: str, tmp_path: Path
) -> None:
    with quick(gateway) as source:
        gateway.fault(Fault(kind, on=on, times=None))
        if on == "head":
            hangs(source, tmp_path)
        else:
            with pytest.raises(_ENDS, match="AAPL"):
                load(source, tmp_path)
        # Four times at most on connections that were lost, and less where that takes all the time that an answer may take.
        assert gateway.accepted <= 9
        gateway.recover()
        assert load(source, tmp_path) == expected
        assert len(gateway.client_ids) == 1


def test_a_gateway_that_is_mute_on_each_connection_is_told_of_and_not_asked_for_less(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    with quick(gateway) as source:
        gateway.fault(Fault("mute", times=None))
        with pytest.raises(errors.ServiceConnectionError, match="the connection was lost and made"):
            load(source, tmp_path)
        # One answer's time is all that there is for all of them.
        assert gateway.count("history") <= 4


@pytest.mark.parametrize("kind", ["mute", "fin", "rst", "garbage", "overlong"])
def test_a_gateway_that_greets_nobody_any_more_is_waited_for_aloud(
    gateway: IbGatewaySimulator, expected: Any, kind: str, tmp_path: Path
) -> None:
    with quick(gateway) as source:
        assert load(source, tmp_path / "before") == expected
        source._found.clear()
        gateway.fault(Fault(kind, on="connect", times=None))
        gateway.drop()
        with DataManager(tmp_path / "bars", source=source, env={}) as data:
            loading = data.load_data("AAPL", "1h", *_RANGE, mode="full")
            until(lambda: any("waits for the gateway" in each for each in loading.warnings))
            assert not loading.done()
            gateway.recover()
            assert loading.result(20) == expected


@pytest.mark.parametrize("kind", ["mute", "fin", "garbage"])
def test_a_gateway_that_never_greeted_is_an_error_at_once(
    gateway: IbGatewaySimulator, kind: str, tmp_path: Path
) -> None:
    gateway.fault(Fault(kind, on="connect", times=None))
    with quick(gateway) as source:
        with pytest.raises(errors.ServiceConnectionError, match="no connection to TWS"):
            load(source, tmp_path)
        assert source.health.connections == 0


@pytest.mark.slow
@pytest.mark.skipif(not count(0, 1), reason="takes the limits' real length: make soak")
@pytest.mark.parametrize("on", _ANSWERS)
@pytest.mark.parametrize("kind", ["mute", "fin", "garbage", "silence"])
def test_at_the_limits_as_they_are_it_takes_no_more_than_20_s(
    gateway: IbGatewaySimulator, expected: Any, kind: str, on: str, tmp_path: Path
) -> None:
    named: dict[str, Any] = {"options": GatewayOptions(), "answer_limit": 18.0, "pacing_pause": 2.0}
    with quick(gateway, **named) as source:
        gateway.fault(Fault(kind, on=on, times=None))
        began = time.monotonic()
        hangs(source, tmp_path)
        assert time.monotonic() - began < 20.0
        gateway.recover()
        assert load(source, tmp_path) == expected


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("stopped", ["until it is taken for dead", "for a moment"])
def test_a_gateway_that_is_stopped_during_a_load_and_goes_on_costs_no_byte(
    stopped: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "ktrdr_core", "serve", "ib-simulator", "--port", "0"]
    command += ["--days", "40", "--answer-seconds", "1", "--until-stdin-closes"]
    with child(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        named: dict[str, Any] = {"options": QUICK, "answer_limit": 5.0, "env": {}}
        # Whole days, so that both loads ask for the same.
        today = int(time.time()) // 86_400 * 86_400
        first, last = (
            time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(today - days * 86_400))
            for days in (35, 2)
        )
        with IbGatewaySource(port=port, **named) as source:

            def begin(data: DataManager) -> Any:
                return data.load_data(
                    "EURUSD", "1m", first, last, mode="full", instrument_type="forex"
                )

            with DataManager(tmp_path / "calm", source=source, env={}) as data:
                calm = begin(data).result(60)
            with DataManager(tmp_path / "stopped", source=source, env={}) as data:
                asked = source.health.requests
                loading = begin(data)
                # Each answer takes a second, and some of them wait for others.
                until(lambda: source.health.requests > asked)
                assert not loading.done()
                process.send_signal(signal.SIGSTOP)
                try:
                    if stopped == "for a moment":
                        threading.Event().wait(0.1)
                    else:
                        until(lambda: source.health.state in ("waiting", "connecting"))
                        until(lambda: source.health.last_error.startswith("not ready"))
                finally:
                    process.send_signal(signal.SIGCONT)
                assert loading.result(60) == calm
        assert len(calm) > 20_000
        process.stdin.close()
