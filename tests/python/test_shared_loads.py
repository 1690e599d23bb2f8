"""Two processes load one series at the same time: each segment is asked for once."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from commands import LIMIT, environment
from ktrdr_core.hosts.child import HostProcess

if TYPE_CHECKING:
    from pathlib import Path

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
