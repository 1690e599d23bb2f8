"""A store of many operations: opened, listed to its end, searched; against SQLite's own module over the same file."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ktrdr_core import OperationsService
from ktrdr_core.operations import Retention

if TYPE_CHECKING:
    from collections.abc import Callable

_PAGE = 100


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        Fewer operations.
    """
    count = 5_000 if quick else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "operations.db"
        empty = Path(folder) / "empty.db"
        OperationsService(empty, default=False)
        OperationsService(path, default=False, retention=Retention(max_count=10**9))
        _fill(path, count)
        return [*_opened(path, empty, count), *_read(path, count)]


def _fill(path: Path, count: int) -> None:
    created = time.time_ns() - count * 1_000_000
    connection = sqlite3.connect(path)
    connection.executemany(
        "INSERT INTO operation VALUES (?, ?, '', '', ?, ?, 1, 0, 1, '', ?, ?, NULL, NULL, ?, NULL, ?, ?, NULL, '[]', 3, NULL)",
        (
            (
                f"op_{number:06}",
                ("data_load", "training", "check")[number % 3],
                json.dumps({"symbol": "AAPL", "timeframe": "1h", "number": number}),
                "failed" if number % 50 == 0 else "completed",
                *(3 * [created + number * 1_000_000]),
                json.dumps({"percentage": 100.0, "message": "done", "context": {"symbol": "AAPL"}}),
                json.dumps({"bars": number}),
            )
            for number in range(count)
        ),
    )
    connection.commit()
    connection.close()


def _opened(path: Path, empty: Path, count: int) -> list[dict[str, Any]]:
    def opened(file: Path) -> float:
        began = time.perf_counter()
        service = OperationsService(file, default=False)
        seconds = time.perf_counter() - began
        del service
        return seconds

    times: dict[Path, list[float]] = {empty: [], path: []}
    for _ in range(21):
        for file, taken in times.items():
            taken.append(opened(file))
    peer = median(times[empty])
    return [
        _line(
            f"open a file of {0 if file == empty else count:,}", median(taken), peer, "empty file"
        )
        for file, taken in times.items()
    ]


def _read(path: Path, count: int) -> list[dict[str, Any]]:
    service = OperationsService(path, default=False)
    raw = sqlite3.connect(path)

    cursor = ""
    for _ in range(count // 1000 - 1):
        cursor = service.list(limit=1000, cursor=cursor or None).cursor or ""
    moment, identity = cursor.split(".", 1)
    columns = "SELECT * FROM operation"
    order = f"ORDER BY created DESC, id DESC LIMIT {_PAGE}"

    def rows(condition: str, *values: Any) -> None:
        for row in raw.execute(f"{columns} {condition}", values):
            json.loads(row[4]), json.loads(row[16]), json.loads(row[17])

    groups: list[tuple[str, dict[str, Callable[[], Any]]]] = [
        (
            "sqlite3, first page",
            {
                "sqlite3, first page": lambda: rows(order),
                "list, first page, with counts": lambda: service.list(limit=_PAGE),
                "list of one type and state": lambda: service.list(
                    limit=_PAGE, operation_type="training", status="failed"
                ),
            },
        ),
        (
            "sqlite3, last page by key",
            {
                "sqlite3, last page by key": lambda: rows(
                    f"WHERE (created, id) < (?, ?) {order}", int(moment), identity
                ),
                "sqlite3, last page by offset": lambda: rows(f"{order} OFFSET {count - 1000}"),
                "list, last page by cursor": lambda: service.list(limit=_PAGE, cursor=cursor),
            },
        ),
        (
            "sqlite3, one by its id",
            {
                "sqlite3, one by its id": lambda: rows("WHERE id = ?", "op_000017"),
                "get, one by its id": lambda: service.get("op_000017"),
            },
        ),
    ]
    lines = []
    for peer, contenders in groups:
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(51):
            for name, call in contenders.items():
                began = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - began)
        lines += [
            _line(f"{name}, of {count:,}", median(taken), median(times[peer]), peer)
            for name, taken in times.items()
        ]
    raw.close()
    return lines


def _line(case: str, seconds: float, peer: float, against: str) -> dict[str, Any]:
    return {
        "case": case,
        "value": seconds * 1000,
        "unit": "ms",
        "ratio": seconds / peer,
        "against": against,
    }
