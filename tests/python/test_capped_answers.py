"""Answers that hold only so many bars, the oldest of what was asked for, as many vendors' do: none is lost to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ktrdr_core import BarSource, DataManager
from ktrdr_core.data import Contract, SourceLimits

if TYPE_CHECKING:
    from pathlib import Path

STEPS = {"1m": 1, "5m": 5, "1h": 60, "1d": 1440}


class Capped(BarSource):
    """Bars at every time since 2023, no more than so many at once."""

    provider = "capped"

    def __init__(self, most: int, contract: Contract, end: str = "2024-03-01") -> None:
        self._most, self._contract = most, contract
        self.end = np.datetime64(end, "ns")
        self.asked = 0
        self.price = 100.0

    def describe(self, timeframe: str) -> SourceLimits:
        return SourceLimits(max_span=timedelta(days=7 if timeframe[-1] == "m" else 365))

    def validate_symbol(self, symbol: str, timeframe: str) -> Contract:
        return self._contract

    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        self.asked += 1
        step = np.timedelta64(STEPS[timeframe], "m").astype("m8[ns]")
        first, last = (np.datetime64(time.replace(tzinfo=None), "ns") for time in (start, end))
        last = min(last, self.end)
        epoch = np.datetime64("1970-01-01", "ns")
        stamps = np.arange(epoch + -((epoch - first) // step) * step, last, step)[: self._most]
        price = self.price + (stamps - epoch) // step % 7
        return {"timestamp": stamps, **dict.fromkeys(("open", "high", "low", "close"), price)}


@pytest.mark.parametrize("contract", [Contract("crypto", "PAXOS", "USD"), Contract()], ids=str)
@pytest.mark.parametrize(
    ("most", "timeframe", "start", "end", "bars"),
    [
        (1000, "1m", "2024-01-16", "2024-01-16", 1440),
        (1000, "1m", "2024-01-16T01:35", "2024-01-18T03:00", 2965),
        (100, "1m", "2024-01-16T01:35", "2024-01-16T21:39", 1204),
        (100, "5m", "2024-01-16", "2024-01-17", 576),
        (500, "1h", "2024-01-02", "2024-02-27", 1368),
        (20, "1d", "2024-01-02", "2024-02-27", 57),
    ],
)
def test_one_load_brings_all_of_it(
    most: int, timeframe: str, start: str, end: str, bars: int, contract: Contract, tmp_path: Path
) -> None:
    source = Capped(most, contract)
    with DataManager(tmp_path, source=source, env={}) as data:
        for _ in range(2):
            load = data.load_data("BTC", timeframe, start, end, mode="full", validate=False)
            assert len(load.result(60)) == bars
        assert not [text for text in load.warnings if "did not come" in text]


def test_what_ends_there_is_taken_for_nothing_all_the_same(tmp_path: Path) -> None:
    """After two loads nobody asks any more."""
    source = Capped(1000, Contract("crypto", "PAXOS", "USD"), end="2024-01-16T12:00")
    with DataManager(tmp_path, source=source, env={}) as data:
        for _ in range(2):
            load = data.load_data("BTC", "1m", "2024-01-16", "2024-01-16", mode="full")
            assert len(load.result(60)) == 720
        asked = source.asked
        load = data.load_data("BTC", "1m", "2024-01-16", "2024-01-16", mode="full")
        assert len(load.result(60)) == 720
        assert source.asked == asked


@pytest.mark.parametrize("contract", [Contract("crypto", "PAXOS", "USD"), Contract()], ids=str)
def test_a_refresh_brings_all_of_it_anew(contract: Contract, tmp_path: Path) -> None:
    """Half of a series that was split is no better than none."""
    source = Capped(500, contract)
    whole: dict[str, Any] = {"start_date": "2024-01-16", "end_date": "2024-01-17", "mode": "full"}
    with DataManager(tmp_path, source=source, env={}) as data:
        assert len(data.load_data("BTC", "1m", **whole).result(60)) == 2880
        source.price = 25.0
        bars = data.load_data("BTC", "1m", **whole, refresh=True).result(60)
        assert len(bars) == 2880
        assert bars.close.max() < 40
