"""Loads of ranges in which bars of one's own are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ktrdr_core import DataManager
from ktrdr_core.testing import FakeSource
from own_bars import columns

if TYPE_CHECKING:
    from pathlib import Path


def test_a_full_load_asks_for_no_more_than_what_own_bars_leave_open(tmp_path: Path) -> None:
    source = FakeSource({("ACME", "1d"): {**columns(60), "time": columns(60)["timestamp"]}})
    own = columns(3, "2024-01-10")
    own["close"] = own["high"]
    with DataManager(tmp_path, source=source, env={}) as data:
        data.store("ACME", "1d", own).result(30)
        bars = data.load_data("ACME", "1d", "2024-01-01", "2024-02-29", mode="full").result(30)
        # The three days between are cheaper asked for again than a second request.
        assert source.fetches == 1
        assert len(bars) == 60
        assert (bars["2024-01-10":"2024-01-12"].close == own["close"]).all()
        data.load_data("ACME", "1d", "2024-01-01", "2024-02-29", mode="full").result(30)
        assert source.fetches == 1


def test_a_gap_of_more_than_a_week_is_asked_for(tmp_path: Path) -> None:
    source = FakeSource({("ACME", "1d"): {**columns(60), "time": columns(60)["timestamp"]}})
    own = {name: column[[0, 1, 20, 21]] for name, column in columns(22).items()}
    with DataManager(tmp_path, source=source, env={}) as data:
        data.store("ACME", "1d", own).result(30)
        bars = data.load_data("ACME", "1d", "2024-01-01", "2024-01-22", mode="full").result(30)
        assert len(bars) == 22
