"""Bars of up to 30 s: what comes of a question, and the provider's rules for them, which every process keeps."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ib_bars import walk
from ib_paced_child import SYMBOLS
from ib_quick import quick
from ktrdr_core import DataManager, errors
from ktrdr_core.data import GatewayOptions, IbGatewaySource
from ktrdr_core.testing import Fault, IbGatewaySimulator, PacingRules, SimulatedContract
from ktrdr_core.testing.ib_gateway import texts
from soak import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ktrdr_core.bars import Bars

pytest.importorskip("ib_async")

# IB keeps small bars for half a year only. A Wednesday, so that every market is open.
_NOW = datetime.now(UTC)
_DAY = (_NOW - timedelta(days=7 + (_NOW.weekday() - 2) % 7)).replace(
    hour=15, minute=0, second=0, microsecond=0
)
_START = f"{_DAY:%Y-%m-%dT%H:%M:%S}"


def seconds_of(hours: float) -> dict[str, Any]:
    return walk(_START, f"{_DAY + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}", 1)


def given(hours: float) -> dict[Any, Any]:
    """Give the simulator what is asked for."""
    coin = SimulatedContract("BTC", "CRYPTO")
    return {(coin if "BTC" in each else each, "1 secs"): seconds_of(hours) for each in SYMBOLS}


@pytest.fixture(scope="module")
def gateway() -> Iterator[IbGatewaySimulator]:
    with IbGatewaySimulator(given(2)) as one:
        yield one


def small(source: IbGatewaySource, symbol: str, seconds: int, *span: int, **more: Any) -> Bars:
    first, last = (_DAY + timedelta(seconds=each) for each in span)
    return asyncio.run(source.small_bars(symbol, seconds, first, last, **more))


@pytest.mark.parametrize("seconds", [1, 5, 10, 15, 30])
@pytest.mark.parametrize("symbol", ["AAPL", "EUR.USD"])
def test_small_bars_are_those_of_the_range_each_once(
    gateway: IbGatewaySimulator, symbol: str, seconds: int, tmp_path: Path
) -> None:
    with IbGatewaySource(port=gateway.port, data_dir=tmp_path, env={}) as source:
        bars = small(source, symbol, seconds, 600, 1200)
    truth = seconds_of(2)
    assert len(bars) == 600 // seconds
    assert bars.time[0] == np.datetime64(f"{_DAY + timedelta(seconds=600):%Y-%m-%dT%H:%M:%S}")
    assert set(np.diff(bars.time).tolist()) == {seconds * 1_000_000_000}
    assert bars.open[0] == truth["open"][600]
    assert bars.close[-1] == truth["close"][1199]
    assert bars.high.max() == truth["high"][600:1200].max()
    volume = truth["volume"][600:1200].sum() if symbol == "AAPL" else -len(bars)
    assert bars.volume.sum() == volume


def test_a_long_range_is_asked_for_in_parts_and_one_without_bars_is_empty(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    with IbGatewaySource(port=gateway.port, data_dir=tmp_path, env={}) as source:
        before = gateway.count("history")
        bars = small(source, "BTC.USD", 1, 0, 5000)
        assert gateway.count("history") - before == 3
        assert len(bars) == 5000
        assert len(small(source, "BTC.USD", 5, -7200, -3600)) == 0
        naive = _DAY.replace(tzinfo=None)
        again = asyncio.run(source.small_bars("BTC.USD", 30, naive, naive + timedelta(minutes=5)))
        assert len(again) == 10


_BAD: list[tuple[tuple[Any, ...], dict[str, Any], str]] = [
    ((2, 0, 60), {}, "seconds must be one of 1, 5, 10, 15, 30, not 2; longer bars are timeframes"),
    ((60, 0, 60), {}, "seconds must be one of"),
    ((True, 60, 60), {}, "is not before end"),
    ((5, 60, 0), {}, "is not before end"),
    ((5, -200 * 86_400, 0), {}, "IB keeps bars of 5 s for half a year"),
    ((5, 0, 60), {"what_to_show": "trades"}, "what_to_show must be one of TRADES, MIDPOINT"),
]


@pytest.mark.parametrize(("asked", "more", "words"), _BAD)
def test_what_cannot_be_asked_for_is_refused_before_anything_is(
    gateway: IbGatewaySimulator,
    asked: tuple[Any, ...],
    more: dict[str, Any],
    words: str,
    tmp_path: Path,
) -> None:
    accepted = gateway.accepted
    with IbGatewaySource(port=gateway.port, data_dir=tmp_path / "none", env={}) as source:
        with pytest.raises(errors.InvalidArgumentError, match=words):
            small(source, "AAPL", *asked, **more)
    assert gateway.accepted == accepted
    assert not (tmp_path / "none").exists()


def test_without_a_place_to_count_nothing_is_asked_for(
    gateway: IbGatewaySimulator, tmp_path: Path
) -> None:
    (tmp_path / "ktrdr.db").write_text("no database of ours, and long enough to be taken for one")
    asked = gateway.count("history")
    with IbGatewaySource(port=gateway.port, data_dir=tmp_path, env={}) as source:
        with pytest.raises(errors.StorageError):
            small(source, "AAPL", 5, 0, 60)
    assert gateway.count("history") == asked


def test_a_cancelled_wait_gives_its_turn_back(gateway: IbGatewaySimulator, tmp_path: Path) -> None:
    async def main(source: IbGatewaySource) -> None:
        asking = [
            asyncio.create_task(
                source.small_bars("MSFT", 5, _DAY, _DAY + timedelta(minutes=number + 1))
            )
            for number in range(40)
        ]
        # Five of a series go at once, and the others wait.
        await asyncio.to_thread(gateway.wait_until, lambda one: one.count("history") >= before + 5)
        assert source.health.paced >= 20
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    before = gateway.count("history")
    with IbGatewaySource(port=gateway.port, data_dir=tmp_path, env={}) as source:
        asyncio.run(main(source))
        # The connection's own loop hears of it a moment later.
        gateway.wait_until(lambda _: source.health.paced == 0)
    with sqlite3.connect(tmp_path / "ktrdr.db") as base:
        ((counted,),) = base.execute("SELECT count(*) FROM sent_request")
    # What was let through counts, whether it reached the gateway or not; what waited does not.
    sent = gateway.count("history") - before
    assert sent <= counted <= sent + 8


def test_cancelled_requests_keep_nobody_from_asking(tmp_path: Path) -> None:
    async def main(gateway: IbGatewaySimulator, source: IbGatewaySource) -> None:
        # Twice as many as may have no answer yet.
        for five in range(4):
            asking = [
                asyncio.create_task(
                    source.small_bars(SYMBOLS[each % 4], 5, _DAY, _DAY + timedelta(minutes=due))
                )
                for each, due in enumerate(range(5 * five + 1, 5 * five + 6))
            ]
            sent = 5 * (five + 1)

            def all_came(one: IbGatewaySimulator, due: int = sent) -> bool:
                return one.count("history") >= due

            await asyncio.to_thread(gateway.wait_until, all_came)
            for each in asking:
                each.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    with IbGatewaySimulator(given(0.5), answer_seconds=600) as gateway:
        with IbGatewaySource(port=gateway.port, data_dir=tmp_path, env={}) as source:
            asyncio.run(main(gateway, source))
        assert gateway.violations == {}


def test_bars_that_came_are_there_though_nobody_can_note_it(tmp_path: Path) -> None:
    async def main(gateway: IbGatewaySimulator, source: IbGatewaySource) -> Any:
        asking = asyncio.create_task(
            source.small_bars("AAPL", 5, _DAY, _DAY + timedelta(minutes=1))
        )
        await asyncio.to_thread(gateway.wait_until, lambda one: one.count("history") == 1)
        with sqlite3.connect(tmp_path / "ktrdr.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            return await asking

    with IbGatewaySimulator(given(0.1), answer_seconds=0.2) as gateway:
        with IbGatewaySource(port=gateway.port, data_dir=tmp_path, env={}) as source:
            assert len(asyncio.run(main(gateway, source))) == 12


def _child(gateway: IbGatewaySimulator, folder: Path, speed: int, seed: int, asks: int) -> Any:
    told = [gateway.port, folder, speed, seed, asks, _START]
    script = Path(__file__).with_name("ib_paced_child.py")
    return subprocess.Popen([sys.executable, str(script), *map(str, told)])


def test_processes_that_share_an_account_break_no_rule_and_use_what_the_rules_allow(
    tmp_path: Path,
) -> None:
    asks, speed = count(130, 10_000), count(300, 150)
    began = time.time()

    def clock() -> float:
        return began + (time.time() - began) * speed

    with IbGatewaySimulator(given(0.1), clock=clock) as gateway, ExitStack() as children:
        first, second = (
            children.enter_context(_child(gateway, tmp_path, speed, seed, asks // 2))
            for seed in (1, 2)
        )
        gateway.wait_until(lambda one: one.count("history") >= asks // 3, count(60, 600))
        # Dies with requests on their way, inside of every window, and begins anew.
        second.kill()
        third = children.enter_context(_child(gateway, tmp_path, speed, 3, asks // 2))
        assert first.wait(count(60, 1200)) == 0
        assert third.wait(count(60, 1200)) == 0
        assert gateway.violations == {}
        seen = [each for each in gateway.requests if each.kind == "history"]
    small_ones = [each for each in seen if each.fields[15].endswith("secs")]
    weight = sum(2 if "BID_ASK" in each.fields else 1 for each in small_ones)
    took = small_ones[-1].at - small_ones[0].at
    # Those of two programs that ended, and what the one that died had asked.
    assert len(seen) >= asks
    assert {each.fields[15] for each in small_ones} >= {"1 secs", "30 secs"}
    # The rules allow 60 in each ten minutes. What answers take is not so fast as the clock here, and counts so much more.
    share = (weight - 1) // 60 * 600 / took
    print(
        f"{len(seen)} requests, {len(small_ones)} of them small, weight {weight}, {took:.0f} s: {share:.4f}"
    )
    if count(0, 1):
        assert share >= 0.95, (weight, took)


def test_a_violation_is_a_warning_and_the_request_is_asked_again(tmp_path: Path) -> None:
    minutes = walk("2024-03-11", "2024-03-16")
    with IbGatewaySimulator({("AAPL", "1 min"): minutes}) as gateway, quick(gateway) as source:
        gateway.fault(Fault("error", code=162, text=texts.history("es", "pacing"), times=6))
        with DataManager(tmp_path, source=source, env={}) as data:
            load = data.load_data("AAPL", "1h", "2024-03-11", "2024-03-15", mode="full")
            assert len(load.result(20)) == 35
            warned = [each for each in load.warnings if "asked too much" in each]
            assert warned == [
                "AAPL 1h: the gateway says that it is asked too much (162): what it refused is asked again, more slowly"
            ]
        assert source.health.pacing_violations == 6


@pytest.fixture
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a gateway refuses was sent lately, however long a busy machine takes to hear of it."""
    monkeypatch.setattr("ktrdr_core.data.ib_gateway.client._REFUSED_LATE", 60.0)


@pytest.mark.usefixtures("slow_machine")
def test_a_message_that_the_gateway_does_not_take_is_sent_again() -> None:
    async def main(source: IbGatewaySource) -> list[Any]:
        days = [datetime(2024, 3, 11 + number % 5, 14, number, tzinfo=UTC) for number in range(40)]
        hour = timedelta(hours=1)
        return await asyncio.gather(*(source.fetch("AAPL", "1m", day, day + hour) for day in days))

    minutes = walk("2024-03-11", "2024-03-16")
    rules = PacingRules(messages=10)
    with IbGatewaySimulator({("AAPL", "1 min"): minutes}, pacing=rules) as gateway:
        # Nobody takes a simulator for dead that a busy machine holds up.
        with quick(
            gateway, pacing_pause=0.1, options=GatewayOptions(), answer_limit=20.0
        ) as source:
            answers = asyncio.run(main(source))
            # The gateway says that it was too many, and not which one it has lost.
            assert source.pacing_violations > 0
    assert gateway.violations["messages"] > 0
    assert [len(each.bars["timestamp"]) for each in answers] == [60] * 40


@pytest.mark.usefixtures("slow_machine")
def test_what_the_gateway_says_of_several_requests_slows_them_down_once() -> None:
    async def main(gateway: IbGatewaySimulator, source: IbGatewaySource) -> list[Any]:
        await source.validate_symbol("AAPL", "1m")
        gateway.fault(Fault("notice", on="history", code=100))
        # It comes before any answer.
        gateway.fault(Fault("delay", on="history", seconds=10.0, times=3))
        hours = [datetime(2024, 3, 11, 14 + number, tzinfo=UTC) for number in range(3)]
        return await asyncio.gather(
            *(source.fetch("AAPL", "1m", hour, hour + timedelta(hours=1)) for hour in hours)
        )

    minutes = walk("2024-03-11", "2024-03-16")
    with IbGatewaySimulator({("AAPL", "1 min"): minutes}, answer_seconds=0.2) as gateway:
        with quick(gateway, answer_limit=20.0) as source:
            answers = asyncio.run(main(gateway, source))
            assert gateway.count("history") == 6
            assert source.pacing_violations == 1
    assert [len(each.bars["timestamp"]) for each in answers] == [60] * 3
