"""A process that loads is killed: what it had stored is there, its operation is interrupted, and resuming asks for the rest."""

from __future__ import annotations

import random
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

import soak
from child import child
from commands import environment
from days_host import DAY, days_host, price
from ktrdr_core import DataManager

if TYPE_CHECKING:
    from pathlib import Path

    from days_host import DaysHost

#: Loads fifty segments of two years under an id.
LOAD = """
import sys
from ktrdr_core import DataManager
folder, url, start, end = sys.argv[1:]
with DataManager(folder, url, env={}) as data:
    data.load_data("DAYS", "1d", start, end, mode="full", operation_id="load").result()
"""
START, SEGMENTS, SPAN = datetime(1925, 1, 1, tzinfo=UTC), 50, 730
DAYS = SEGMENTS * SPAN
QUESTION = ("DAYS", "1d", START, START + DAYS * DAY)


def killed(folder: Path, host: DaysHost, after: int) -> None:
    """Load in a process of its own until so many segments were asked for, and a moment more."""
    dates = [moment.isoformat() for moment in QUESTION[2:]]
    command = [sys.executable, "-c", LOAD, str(folder), host.url, *dates]
    with child(command, env=environment()) as process:
        while len(host.asked) < after and process.poll() is None:
            time.sleep(0.0005)
        time.sleep(random.random() * 0.01)
        process.kill()


def test_a_load_that_was_killed_is_interrupted_and_goes_on_where_it_stood(tmp_path: Path) -> None:
    with days_host() as host:
        for turn in range(soak.count(1, 40)):
            host.asked = []
            folder = tmp_path / str(turn)
            killed(folder, host, after=1 + (23 + 17 * turn) % SEGMENTS)
            with DataManager(folder, host.url, env={}) as data:
                assert data.verify().result(60).damage == []
                stored = data.load_data("DAYS", "1d").result(60)
                days = (
                    (stored.time - np.datetime64("1925-01-01")) // np.timedelta64(1, "D")
                ).astype(int)
                assert np.all(np.diff(days) > 0)
                assert np.array_equal(stored.open, days + price(START))
                # Segments are whole, and at most the three that were asked for last are missing.
                assert set(np.bincount(days // SPAN, minlength=SEGMENTS)) <= {0, SPAN}
                assert len(stored) >= (len(host.asked) - 3) * SPAN
                host.asked = []
                loaded = data.load_data(*QUESTION, mode="full").result(60)
                assert np.array_equal(loaded.open, np.arange(DAYS) + price(START))
                for _, start, end in host.asked:
                    first, last = (start - START) // DAY, (end - START) // DAY
                    assert np.count_nonzero((days >= first) & (days < last)) <= 6
                asked = len(host.asked)
                data.load_data(*QUESTION, mode="full").result(60)
                assert len(host.asked) == asked
