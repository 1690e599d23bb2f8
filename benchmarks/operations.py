"""What an operation costs: awaited, managed, kept, a thousand at once; against asyncio's own and SQLite's commit."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import subprocess  # nosec B404
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ktrdr_core import OperationsService, _bridge, _core
from ktrdr_core.testing import Domain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        Fewer operations.
    """
    count = 300 if quick else 5000
    return [
        *asyncio.run(_calls(count)),
        *asyncio.run(_burst(1000)),
        _memory(2000 if quick else 10_000),
        *_edges(50 if quick else 500),
        *_imports(3 if quick else 15),
    ]


async def _calls(count: int) -> list[dict[str, Any]]:
    domain = Domain()

    async def nothing() -> None:
        pass

    async def task() -> None:
        await asyncio.create_task(nothing())

    async def executed() -> None:
        await domain.execute_with_progress(nothing())

    async def managed() -> None:
        await domain.start_operation("Nothing", "nothing", nothing)

    pool = ThreadPoolExecutor(1)
    loop = asyncio.get_running_loop()

    async def threaded() -> None:
        await loop.run_in_executor(pool, int)

    contenders: dict[str, Callable[[], Awaitable[None]]] = {
        "asyncio.create_task, awaited": task,
        "execute_with_progress of a no-op": executed,
        "managed no-op, from call to completed": managed,
        "concurrent.futures, run_in_executor": threaded,
    }
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(7):
        for name, call in contenders.items():
            began = time.perf_counter()
            for _ in range(count):
                await call()
            best[name] = min(best[name], (time.perf_counter() - began) / count * 1e6)
    pool.shutdown()
    peer = best["asyncio.create_task, awaited"]
    return [
        {
            "case": name,
            "value": value,
            "unit": "us",
            "ratio": value / peer,
            "against": "create_task",
        }
        for name, value in best.items()
    ]


async def _burst(count: int) -> list[dict[str, Any]]:
    """Wake-ups of the loop, and the longest time it stands still, when so many operations end at once."""
    loop = asyncio.get_running_loop()
    post = _bridge.loop_post()
    done = asyncio.Event()
    heard = takes = 0

    def hear(_kind: str, _value: Any) -> None:
        nonlocal heard
        heard += 1
        if heard == count:
            done.set()

    natives = [
        _core.create_operation(_core.OperationSpec({"type": "burst"}))[0] for _ in range(count)
    ]
    for native in natives:
        native.start()
        native.listen(post.mailbox, post.add(hear), False)
    await asyncio.sleep(0.01)
    take = post._take
    longest = 0.0

    def counted() -> None:
        nonlocal takes, longest
        takes += 1
        began = time.perf_counter()
        take()
        longest = max(longest, time.perf_counter() - began)

    loop.remove_reader(post.mailbox.fileno())
    loop.add_reader(post.mailbox.fileno(), counted)

    def end() -> None:
        for native in natives:
            native.succeed(None)

    thread = threading.Thread(target=end)
    thread.start()
    thread.join()
    await done.wait()
    return [
        {
            "case": f"wake-ups for {count} completions",
            "value": takes,
            "unit": "",
            "ratio": float(takes),
            "against": "1",
        },
        {
            "case": "longest time the loop stands still for them",
            "value": longest * 1000,
            "unit": "ms",
            "ratio": longest * 1000 / 10,
            "against": "10 ms",
        },
    ]


def _memory(count: int) -> dict[str, Any]:
    """Resident memory of a live operation and its handle."""

    def resident() -> int:
        gc.collect()
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def make() -> _core.Operation:
        native, _ = _core.create_operation(_core.OperationSpec({"type": "live"}))
        native.start()
        return native

    warm = [make() for _ in range(100)]
    before = resident()
    natives = [make() for _ in range(count)]
    grown = (resident() - before) / count
    for native in warm + natives:
        native.succeed(None)
    return {
        "case": "memory of a live operation, its handle and two events",
        "value": grown,
        "unit": "bytes",
    }


def _edges(count: int) -> list[dict[str, Any]]:
    """A terminal state on disk, against a synced commit of one row; the two take turns."""
    with tempfile.TemporaryDirectory(dir=_disk()) as folder:
        raw = sqlite3.connect(Path(folder) / "raw.db", isolation_level=None)
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, text TEXT)")
        service = OperationsService(Path(folder) / "ktrdr.db")
        mailbox = _core.Mailbox()
        commits, edges = [], []
        for number in range(count):
            began = time.perf_counter()
            raw.execute("INSERT INTO row VALUES (?, ?)", (number, "x" * 300))
            commits.append(time.perf_counter() - began)
            native, _ = _core.create_operation(_core.OperationSpec({"type": "edge"}))
            native.admit(mailbox, number)
            mailbox.wait(10)
            mailbox.take(10)
            native.start()
            time.sleep(0.002)  # the running edge is on its way to the disk
            began = time.perf_counter()
            native.succeed(None)
            native.wait(10)
            edges.append(time.perf_counter() - began)
        raw.close()
        del service
    commit, edge = median(commits) * 1e6, median(edges) * 1e6
    return [
        {
            "case": "synced SQLite commit, p50",
            "value": commit,
            "unit": "us",
            "ratio": 1.0,
            "against": "synced commit",
        },
        {
            "case": "durable terminal edge, p50",
            "value": edge,
            "unit": "us",
            "ratio": edge / commit,
            "against": "synced commit",
        },
    ]


def _disk() -> str:
    # Not a file system in memory, where a sync costs nothing.
    folder = Path(__file__).resolve().parent.parent / "build"
    folder.mkdir(exist_ok=True)
    return str(folder)


def _imports(rounds: int) -> list[dict[str, Any]]:
    def seconds(code: str) -> float:
        def once() -> float:
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)  # nosec B603
            return time.perf_counter() - began

        return min(once() for _ in range(rounds))

    bare, asyncio_, ours = seconds(""), seconds("import asyncio"), seconds("import ktrdr_core")
    return [
        {"case": "bare interpreter", "value": bare * 1000, "unit": "ms"},
        {
            "case": "import asyncio",
            "value": asyncio_ * 1000,
            "unit": "ms",
            "ratio": 1.0,
            "against": "import asyncio",
        },
        {
            "case": "import ktrdr_core",
            "value": ours * 1000,
            "unit": "ms",
            "ratio": ours / asyncio_,
            "against": "import asyncio",
        },
    ]
