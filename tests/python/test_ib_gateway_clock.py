"""Which bars of a gateway are closed is decided by its clock, however wrong that of this machine is."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ib_bars import walk
from ktrdr_core import DataManager
from ktrdr_core.data import IbGatewaySource, SourceAnswer
from ktrdr_core.testing import Fault, IbGatewaySimulator, SimulatedContract

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("ib_async")

_NOW = datetime.now(UTC).replace(second=0, microsecond=0)


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}"


def gateway_that_is(behind: timedelta, **named: Any) -> IbGatewaySimulator:
    """Give a gateway with minutes of a coin, which trades always, and a clock that is behind this machine's."""
    minutes = walk(stamp(_NOW - timedelta(hours=9)), stamp(_NOW + timedelta(hours=3)))
    return IbGatewaySimulator(
        {(SimulatedContract("BTC", "CRYPTO"), "1 min"): minutes},
        clock=lambda: time.time() - behind.total_seconds(),
        **named,
    )


def fetched(source: IbGatewaySource, timeframe: str) -> SourceAnswer:
    answer = asyncio.run(
        source.fetch("BTC/USD", timeframe, _NOW - timedelta(hours=8), _NOW + timedelta(hours=2))
    )
    assert isinstance(answer, SourceAnswer)
    return answer


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h"])
@pytest.mark.parametrize("behind", [timedelta(hours=3), timedelta(minutes=7), timedelta(0)])
def test_a_bar_is_closed_when_the_gateway_says_that_its_time_has_come(
    behind: timedelta, timeframe: str
) -> None:
    length = {"1m": 60, "5m": 300, "1h": 3600}[timeframe]
    with gateway_that_is(behind) as gateway, IbGatewaySource(port=gateway.port, env={}) as source:
        answer = fetched(source, timeframe)
        now = datetime.now(UTC) - behind
        assert isinstance(answer.now, datetime)
        # It was told in whole seconds, and never ahead.
        assert answer.now <= now
        assert isinstance(answer.bars, dict)
        last = answer.bars["timestamp"][-1].astype("datetime64[s]").astype(int) + length
        assert last <= now.timestamp()
        # And the newest that is closed is there, but for one that closed while this was asked.
        assert last > answer.now.timestamp() - 2 * length


def test_a_load_stores_no_bar_that_is_not_closed_and_warns_of_the_clocks(tmp_path: Path) -> None:
    behind = timedelta(hours=3)
    with gateway_that_is(behind) as gateway, IbGatewaySource(port=gateway.port, env={}) as source:
        with DataManager(tmp_path, source=source, env={}) as data:
            start = stamp(_NOW - timedelta(hours=8))
            load = data.load_data("BTC/USD", "1h", start, mode="full", instrument_type="crypto")
            bars = load.result(30)
            assert (
                bars.time[-1].astype("datetime64[s]").astype(int) + 3600 <= time.time() - 3 * 3600
            )
            assert any("clock of IB is" in each and "behind" in each for each in load.warnings)


def test_a_gateway_that_does_not_tell_the_time_is_asked_all_the_same() -> None:
    with (
        gateway_that_is(timedelta(0)) as gateway,
        IbGatewaySource(port=gateway.port, env={}) as source,
    ):
        gateway.fault(Fault("silence", on="time", times=None))
        answer = fetched(source, "1h")
        assert answer.now is None
        assert answer.bars is not None


def test_the_time_is_asked_for_now_and_then_and_not_with_each_request() -> None:
    async def main(source: IbGatewaySource) -> None:
        day = _NOW - timedelta(hours=8)
        for number in range(20):
            await source.fetch("BTC/USD", "1m", day, day + timedelta(minutes=10 + number))

    with (
        gateway_that_is(timedelta(0)) as gateway,
        IbGatewaySource(port=gateway.port, env={}) as source,
    ):
        began = time.monotonic()
        asyncio.run(main(source))
        assert gateway.count("history") == 20
        assert gateway.count("time") <= 2 + (time.monotonic() - began) / 5
