"""A gateway that answers large requests late, or never: it is asked for less, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ib_bars import walk
from ib_quick import quick
from ktrdr_core import DataManager, errors
from ktrdr_core.data import GatewayOptions
from ktrdr_core.testing import Fault, IbGatewaySimulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("ib_async")

_BARS = walk("2024-02-26", "2024-03-16")
_RANGE = ("2024-02-26", "2024-03-15")


# What ib_quick.SteadySource has.
_STEADY: dict[str, Any] = {"options": GatewayOptions(), "answer_limit": 3.0}


def never_beyond(bars: int) -> Callable[[int], float]:
    """Answer what has so many bars at once, and nothing that has more."""
    return lambda count: float("inf") if count > bars else 0.0


def load(source: Any, folder: Path) -> Any:
    with DataManager(folder, source=source, env={}) as data:
        loading = data.load_data("AAPL", "1m", *_RANGE, mode="full")
        return loading, loading.result(60)


@pytest.mark.parametrize("most", [1000, 500, 400])
def test_what_is_not_answered_in_time_is_asked_for_in_parts_and_comes_whole(
    most: int, tmp_path: Path
) -> None:
    series = {("AAPL", "1 min"): _BARS}
    with IbGatewaySimulator(series) as calm, quick(calm) as source:
        _, expected = load(source, tmp_path / "calm")
    with IbGatewaySimulator(series, answer_seconds=never_beyond(most)) as gateway:
        with quick(gateway, answer_limit=0.6) as source:
            loading, bars = load(source, tmp_path / "slow")
            assert any("it is asked for in parts of" in each for each in loading.warnings)
        # What nobody waits for was taken back.
        gateway.wait_until(lambda one: one.under_way == 0)
    assert bars == expected
    assert len(bars) == 15 * 390


def test_a_gateway_that_takes_its_time_is_left_it(tmp_path: Path) -> None:
    """Smaller requests beside one that is not answered yet are taken back when it is."""
    series = {("AAPL", "1 min"): _BARS}
    with IbGatewaySimulator(series) as calm, quick(calm) as source:
        _, expected = load(source, tmp_path / "calm")
    limit = 3.0
    seconds = {"of a week": 0.55 * limit}
    takes = lambda bars: seconds["of a week"] if bars > 1000 else 60.0  # noqa: E731
    with IbGatewaySimulator(series, answer_seconds=takes) as gateway:
        with quick(gateway, answer_limit=limit) as source:
            loading, bars = load(source, tmp_path / "slow")
            assert bars == expected
            assert not any("in parts" in each for each in loading.warnings)
            assert source.health.requests > gateway.count("history")
        gateway.wait_until(lambda one: one.under_way == 0)
        assert gateway.count("cancel history") > 0
        assert gateway.violations == {}


def test_later_loads_of_a_manager_ask_for_what_was_answered(tmp_path: Path) -> None:
    series = {("AAPL", "1 min"): _BARS, ("MSFT", "1 min"): _BARS}
    with IbGatewaySimulator(series, answer_seconds=never_beyond(1200)) as gateway:
        with quick(gateway, answer_limit=0.6) as source:
            with DataManager(tmp_path, source=source, env={}) as data:
                for symbol, told in (("AAPL", True), ("MSFT", False)):
                    loading = data.load_data(symbol, "1m", *_RANGE, mode="full")
                    assert len(loading.result(60)) == 15 * 390
                    late = any("was not answered in time" in each for each in loading.warnings)
                    assert late == told


def test_where_not_even_a_day_is_answered_there_is_one_error_and_the_next_load_asks_again(
    tmp_path: Path,
) -> None:
    takes = {"seconds": float("inf")}
    series = {("AAPL", "1 min"): _BARS}
    with IbGatewaySimulator(series, answer_seconds=lambda _: takes["seconds"]) as gateway:
        with quick(gateway, answer_limit=0.5) as source:
            with pytest.raises(errors.ServiceTimeoutError, match="answers others and not this"):
                load(source, tmp_path)
            # Those that were under way, and two smaller ones.
            assert gateway.count("history") <= 5
            takes["seconds"] = 0.0
            _, bars = load(source, tmp_path)
            assert len(bars) == 15 * 390
        gateway.wait_until(lambda one: one.connections == 0)
        assert gateway.most_at_once == 1


@contextmanager
def served(gateway: IbGatewaySimulator, source: str = "ImpatientSource") -> Iterator[str]:
    """Run our host service in front of a gateway that it is impatient with."""
    command = [sys.executable, "-m", "ktrdr_core", "serve", "ib", "--port", "0"]
    command += ["--source", f"python:ib_quick.{source}", "--until-stdin-closes"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "IB_GATEWAY_PORT": str(gateway.port)},
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        yield child.stdout.readline().split()[-1]
        child.stdin.close()


def test_a_service_whose_gateway_is_slow_is_asked_for_less_too(tmp_path: Path) -> None:
    series = {("AAPL", "1 min"): _BARS}
    with (
        IbGatewaySimulator(series, answer_seconds=never_beyond(800)) as gateway,
        served(gateway) as url,
    ):
        with DataManager(tmp_path, url, env={}) as data:
            loading = data.load_data("AAPL", "1m", *_RANGE, mode="full")
            assert len(loading.result(60)) == 15 * 390
            assert any("it is asked for in parts of" in each for each in loading.warnings)
        gateway.wait_until(lambda one: one.under_way == 0)


@pytest.mark.parametrize("through", ["the service", "nobody"])
def test_where_bars_begin_is_waited_for_no_longer_than_anything_without_a_word(
    through: str, tmp_path: Path
) -> None:
    series = {("AAPL", "1 min"): _BARS}
    with IbGatewaySimulator(series) as gateway, ExitStack() as stack:
        gateway.fault(Fault("silence", on="head", times=None))
        gateway.fault(Fault("silence", on="history", times=None))
        named: dict[str, Any] = (
            {"ib_url": stack.enter_context(served(gateway, "SteadySource"))}
            if through == "the service"
            else {"source": stack.enter_context(quick(gateway, **_STEADY))}
        )
        with DataManager(tmp_path, env={}, **named) as data:
            loading = data.load_data("AAPL", "1h", *_RANGE, mode="full")
            gateway.wait_until(lambda one: one.count("history") > 0)
            # It is told before anything else is asked.
            assert any("first timestamp of AAPL" in each for each in loading.warnings)
            with pytest.raises(errors.ServiceTimeoutError, match="nor a part of it"):
                loading.result(60)


#: What is asked for at most: three at once to begin with, and smaller ones; on a connection that is lost, again.
_ENDS = {
    "silence": (errors.ServiceTimeoutError, "answers others and not this", 5),
    "mute": (errors.ServiceConnectionError, "the connection was lost and made anew", 12),
}


@pytest.mark.parametrize(
    ("kind", "through", "show"),
    [
        ("silence", "the service", "TRADES"),
        ("silence", "nobody", "TRADES"),
        ("silence", "nobody", "ADJUSTED_LAST"),
        ("mute", "the service", "TRADES"),
        ("mute", "nobody", "TRADES"),
    ],
)
def test_a_long_range_that_is_not_answered_costs_no_more_than_a_short_one(
    kind: str, through: str, show: Any, tmp_path: Path
) -> None:
    """Of fifty requests eight are made at once, and three sent: what waits for those has their end."""
    error, words, most = _ENDS[kind]
    steady = kind == "silence"
    limits = _STEADY if steady else {"answer_limit": 0.6}
    source = "SteadySource" if steady else "ImpatientSource"
    minutes = walk("2023-03-01", "2024-03-02", 600)
    with IbGatewaySimulator({("AAPL", "10 mins"): minutes}) as gateway, ExitStack() as stack:
        gateway.fault(Fault(kind, times=None))
        named: dict[str, Any] = (
            {"ib_url": stack.enter_context(served(gateway, source))}
            if through == "the service"
            else {"source": stack.enter_context(quick(gateway, **limits))}
        )
        with DataManager(tmp_path, env={}, **named) as data:
            asked: dict[str, Any] = {"mode": "full", "what_to_show": show}
            loading = data.load_data("AAPL", "10m", "2020-03-01", "2024-03-01", **asked)
            with pytest.raises(error, match=words):
                loading.result(60)
            assert gateway.count("history") <= most
            # That parts are no help is known by then.
            assert not any("it is asked for in parts" in each for each in loading.warnings)
            gateway.recover()
            # What is mute stays so.
            gateway.drop()
            again = data.load_data("AAPL", "10m", "2024-01-01", "2024-03-01", **asked)
            assert len(again.result(60)) > 1000
