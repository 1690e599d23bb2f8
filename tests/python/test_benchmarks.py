"""The benchmarks run; what they measure is nobody's business here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "entry",
    [
        "operations",
        "command_line",
        "latencies",
        "worker",
        "streams",
        "readers",
        "own_bars",
        "bytes_written",
        "watch_list",
        "gateway",
        "quality",
        "indicators",
        "trainings",
    ],
)
def test_an_entry_gives_its_table(entry: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", "--quick", entry],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"| {entry} |" in done.stdout
    assert "Traceback" not in done.stderr
