"""A load that is cancelled while an answer comes: what is stored ends with the last segment that came whole."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import soak
from days_host import DAY, DaysHost, days_host, price
from ktrdr_core import CancellationToken, DataManager, errors
from own_bars import columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ktrdr_core import Bars

START = datetime(2000, 1, 1, tzinfo=UTC)
#: What is asked for at once, at most.
SPAN = 730
DAYS = 3 * SPAN


@pytest.fixture(scope="module")
def host() -> Iterator[DaysHost]:
    with days_host() as serving:
        yield serving


@pytest.fixture
def data(host: DaysHost, tmp_path: Path) -> Iterator[DataManager]:
    host.asked, host.hold = [], {}
    with DataManager(tmp_path, host.url, env={}) as manager:
        yield manager
        # Where it hangs, whoever asks for more would, too.
        host.hold = {}


def is_true(bars: Bars, days: int) -> bool:
    """Whether these are the first so many days."""
    return np.array_equal(bars.open, [price(START + n * DAY) for n in range(days)])


def counts() -> list[int]:
    """After which bars of a segment it is cancelled: each, or some of them and its ends."""
    return sorted({*range(0, SPAN + 1, soak.count(146, 1)), 1, SPAN - 1, SPAN})


def test_a_load_that_is_cancelled_after_any_bar_of_a_segment_has_the_segments_before(
    host: DaysHost, data: DataManager
) -> None:
    for count in counts():
        symbol = f"DAYS{count}"
        question = (symbol, "1d", START, START + DAYS * DAY)
        host.hold = {START + SPAN * DAY: count}
        host.held, host.left = threading.Event(), threading.Event()
        load = data.load_data(*question, mode="full")
        assert host.held.wait(60)
        # The two others of the three that are asked for at once may be on their way.
        while load.progress.items_processed < 2 * SPAN:
            assert load.status == "running"
            time.sleep(0.005)
        assert load.cancel("enough")
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            load.result(60)
        # The service sees that nobody waits any more.
        assert host.left.wait(60)
        stored = data.load_data(symbol, "1d").result()
        assert len(stored) == 2 * SPAN
        assert is_true(stored[:SPAN], SPAN)
        assert stored.time[SPAN] == np.datetime64((START + 2 * SPAN * DAY).replace(tzinfo=None))
        host.hold = {}
        assert is_true(data.load_data(*question, mode="full").result(60), DAYS)
    assert data.verify().result(60).damage == []


def test_every_long_work_over_stored_bars_can_be_cancelled(tmp_path: Path) -> None:
    with DataManager(tmp_path / "bars", env={}) as data:
        for factor in (1, 2):
            data.store("ACME", "1m", columns(60_000 * factor, "2023-01-01", "m")).result(60)
        file = data.export("ACME", "1m", tmp_path).result(60).path
        before = data.load_data("ACME", "1m").result(60)
        token = CancellationToken()
        token.cancel("enough")
        begin: dict[str, Callable[[], Any]] = {
            "verify": lambda: data.verify(cancellation_token=token),
            "compact": lambda: data.compact(cancellation_token=token),
            "export": lambda: data.export("ACME", "1m", tmp_path / "x", cancellation_token=token),
            "import": lambda: data.import_csv(file, "OTHER", cancellation_token=token),
            "resample": lambda: data.resample("ACME", "1m", "1h", cancellation_token=token),
        }
        for name, work in begin.items():
            with pytest.raises(errors.OperationCancelledError, match="enough"):
                work().result(60)
            assert [series.symbol for series in data.series()] == ["ACME"], name
        assert sorted(path.name for path in tmp_path.iterdir()) == [file.name, "bars"]
        assert data.load_data("ACME", "1m").result(60) == before
        assert data.verify().result(60).damage == []
