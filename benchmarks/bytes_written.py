"""Bytes written for a year of minutes that comes week by week, and for one further minute; against limits."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ktrdr_core import DataManager

_BAR = 48
_MINUTE = np.timedelta64(60, "s")
# A further minute then goes into a month that is nearly full.
_START = np.datetime64("2022-12-24", "ns")


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        A month in place of a year.
    """
    days = 28 if quick else 365
    with tempfile.TemporaryDirectory() as folder:
        before = _written()
        with DataManager(folder, env={}) as data:
            for week in range(0, days, 7):
                _store(data, week * 1440, min(week + 7, days) * 1440)
        year = _written() - before
        before = _written()
        with DataManager(folder, env={}) as data:
            _store(data, days * 1440, days * 1440 + 1)
        minute = _written() - before
    size = days * 1440 * _BAR
    return [
        _line(f"{days} days of minutes, by weeks", year, 3 * size, "3x the bytes of the bars"),
        _line("one further minute, opening and closing", minute, 200_000, "200 KB"),
    ]


def _store(data: DataManager, first: int, last: int) -> None:
    price = 100 + np.arange(first, last) % 50 * 0.01
    columns = {
        "timestamp": _START + np.arange(first, last) * _MINUTE,
        "open": price,
        "high": price + 1,
        "low": price - 1,
        "close": price,
        "volume": np.full(last - first, 1000.0),
    }
    data.store("ACME", "1m", columns).result()


def _written() -> int:
    """Count what this process has handed to the system to write, the write-ahead log and the file both."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def _line(case: str, count: int, limit: int, against: str) -> dict[str, Any]:
    return {
        "case": case,
        "value": count / 1000,
        "unit": "KB",
        "ratio": count / limit,
        "against": against,
    }
