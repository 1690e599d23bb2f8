"""Processes that load into one database at the same time: each segment is asked for once, and no bar is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

import soak
from child import child
from commands import LIMIT, environment
from days_host import DAY, days_host, price
from ktrdr_core import DataManager
from ktrdr_core.hosts.child import HostProcess

if TYPE_CHECKING:
    from pathlib import Path

    from days_host import DaysHost

PROGRAM = """
import sys
from ktrdr_core import DataManager
with DataManager(sys.argv[1], sys.argv[2]) as data:
    bars = data.load_data("AAPL", "1d", "2000-03-01", "2012-12-31", mode="full").result()
    print(len(bars), data.pool_stats()["requests"])
"""
# A segment is two years at most.
SEGMENTS = 7


def bars_and_requests(folder: Path, url: str, processes: int) -> list[tuple[int, int]]:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), url],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for _ in range(processes)
    ]
    said = [process.communicate(timeout=LIMIT)[0].split() for process in running]
    return [(int(bars), int(requests)) for bars, requests in said]


def test_two_processes_ask_for_each_segment_once(tmp_path: Path) -> None:
    with HostProcess(delay=0.1) as host:
        ((alone, asked),) = bars_and_requests(tmp_path / "one", host.url, 1)
        both = bars_and_requests(tmp_path / "two", host.url, 2)
    # Beside its segments each may ask whether the symbol is known, and where its bars begin.
    assert asked <= SEGMENTS + 2
    assert [bars for bars, _ in both] == [alone, alone]
    assert sum(requests for _, requests in both) <= SEGMENTS + 4


#: Loads a series that others load too, and one of its own, then the next two, until it is told to end.
ROUNDS = """
import json, select, sys
from ktrdr_core import DataManager
folder, url, name, start, end = sys.argv[1:]
rounds, bars, warnings = 0, [], []
with DataManager(folder, url, env={}) as data:
    print("ready", flush=True)
    sys.stdin.readline()
    while not select.select([sys.stdin], [], [], 0)[0]:
        for symbol in (f"SHARED{rounds}", f"{name}{rounds}"):
            load = data.load_data(symbol, "1d", start, end, mode="full")
            bars.append(len(load.result()))
            warnings += load.warnings
        rounds += 1
print(json.dumps({"rounds": rounds, "bars": bars, "warnings": warnings}))
"""
START, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2008, 1, 1, tzinfo=UTC)
NAMES = ("ONE", "TWO")


def loaded_by_two(folder: Path, url: str, seconds: float) -> list[dict[str, object]]:
    """Let two processes load the same series and different ones for so long."""
    dates = [START.isoformat(), (END - DAY).date().isoformat()]
    command = [sys.executable, "-c", ROUNDS, str(folder), url]
    options = {"stdin": subprocess.PIPE, "env": environment()}
    with (
        child([*command, NAMES[0], *dates], **options) as one,
        child([*command, NAMES[1], *dates], **options) as two,
    ):
        both = (one, two)
        for process in both:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        # What is measured here is time: for so long they are to disturb each other.
        for process in both:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                seconds = 0.01
        said = [process.communicate("end\n", timeout=LIMIT)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0]
    return [json.loads(text) for text in said]


def asked_twice(host: DaysHost) -> list[tuple[str, datetime]]:
    """Name the days that were asked for more than once, but for three at the seams of what was stored."""
    requests = defaultdict(list)
    for symbol, start, end in host.asked:
        requests[symbol].append((start, end))
    twice = []
    for symbol, ranges in requests.items():
        times: dict[datetime, int] = defaultdict(int)
        for start, end in ranges:
            for n in range(3, (end - start) // DAY - 3):
                times[start + n * DAY] += 1
        twice += [(symbol, day) for day, count in times.items() if count > 1]
    return twice


def test_two_processes_that_load_on_and_on_lose_no_bar_and_ask_for_none_twice(
    tmp_path: Path,
) -> None:
    days = (END - START) // DAY
    with days_host() as host:
        said = loaded_by_two(tmp_path, host.url, soak.count(3, 60))
        assert asked_twice(host) == []
        for one in said:
            assert one["rounds"]
            assert one["warnings"] == []
            assert set(one["bars"]) == {days}  # type: ignore[call-overload]
        # What each has is there for whoever comes next, and is what the service said.
        expected = np.array([price(START + n * DAY) for n in range(days)])
        with DataManager(tmp_path, host.url, env={}) as data:
            assert data.verify().result().damage == []
            names = [f"{NAMES[i]}{n}" for i in (0, 1) for n in range(int(str(said[i]["rounds"])))]
            stored = {series.symbol: series.bars for series in data.series()}
            assert {stored[name] for name in names} == {days}
            for name in (*names[-3:], "SHARED0"):
                assert np.array_equal(data.load_data(name, "1d").result().open, expected)
            requests = len(host.asked)
            data.load_data("SHARED0", "1d", START, END - DAY, mode="full").result(LIMIT)
            assert len(host.asked) == requests


def test_a_process_that_dies_leaves_its_segments_to_the_other(tmp_path: Path) -> None:
    with HostProcess(delay=0.0, gate=True) as host:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), host.url]
        with child(command, env=environment()) as other:
            # Each of these is a segment that it holds.
            host.wait(held=3)
            with DataManager(tmp_path, host.url, env={}) as data:
                question = ("AAPL", "1d", "2000-03-01", "2012-12-31")
                load = data.load_data(*question, mode="full")
                other.kill()
                other.wait(LIMIT)
                host.wait(cancelled=3)
                host.release()
                bars = load.result(LIMIT)
                assert len(bars) == len(data.load_data(*question, mode="full").result(LIMIT))
                assert load.warnings == []
