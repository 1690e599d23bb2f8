"""From a cancel to the moment the task that awaits the operation goes on, wherever the work stands.

Peers in the same run: a task cancelled from another thread, an `asyncio.Event` set from one, an anyio cancel scope. Whole
loads and trainings are cancelled at moments spread over all they do; of those the longest counts, against their limit.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np

from ktrdr_core import (
    CancellationSystem,
    CancellationToken,
    DataManager,
    TrainingManager,
    errors,
)
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.testing import Domain

from .walks import walk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ktrdr_core import Operation

_STRATEGY = Path(__file__).parents[1] / "examples" / "strategies" / "momentum_mlp.yaml"
#: In which a load or a training must have ended, in seconds.
_LIMIT = 0.3


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure every wait, and give a line for the median and one for the 99th percentile.

    Parameters
    ----------
    quick
        Fewer cancels.
    """
    return [*asyncio.run(_all(20 if quick else 300)), *asyncio.run(_whole(8 if quick else 150))]


async def _all(count: int) -> list[dict[str, Any]]:
    logging.getLogger("ktrdr_core").setLevel(logging.ERROR)  # a retry is a warning
    domain = Domain()

    async def retrying() -> None:
        async def fails() -> None:
            raise ConnectionError("gone")

        await domain.retry_with_backoff(fails, base_delay=60, max_delay=60, jitter=0)

    def operation_of(work: Callable[[], Awaitable[Any]]) -> Callable[[], Operation[Any]]:
        return lambda: domain.start_operation("Wait", "wait", work)

    measured = {
        "task.cancel from a thread (peer)": await _peer_task(count),
        "asyncio.Event set from a thread (peer)": await _peer_event(count),
        "anyio cancel scope, on its loop (peer)": await _peer_scope(count),
        "token.wait() on an idle loop": await _token_wait(count),
        "asyncio.sleep(3)": await _operations(count, operation_of(lambda: asyncio.sleep(3))),
        "a wait for a retry": await _operations(count, operation_of(retrying)),
        "a queue that is empty": await _operations(
            count, operation_of(lambda: asyncio.Queue[int]().get())
        ),
        "a request that is under way": await _requests(max(count // 3, 10)),
        "1,000 operations at once, all of them": [
            await _thousand(operation_of) for _ in range(max(count // 30, 3))
        ],
    }
    peer = _percentile(measured["task.cancel from a thread (peer)"], 0.5)
    return [
        {
            "case": f"{name}, {word}",
            "value": _percentile(waits, part) * 1000,
            "unit": "ms",
            "ratio": _percentile(waits, part) / peer,
            "against": "task.cancel from a thread, p50",
        }
        for name, waits in measured.items()
        for word, part in (("p50", 0.5), ("p99", 0.99))
    ]


async def _whole(count: int) -> list[dict[str, Any]]:
    days = np.datetime64("2005-01-01", "D") + np.arange(3000)
    with tempfile.TemporaryDirectory() as name, HostProcess(delay=0.02) as host:
        folder = Path(name)
        async with (
            DataManager(folder, env={}) as data,
            TrainingManager(data, folder / "models", env={}) as trainings,
        ):
            await data.store("WALK", "1d", {"timestamp": days, **walk(len(days), 0.01)})

            def load(turn: int) -> Operation[Any]:
                # Nothing of it is stored yet; it keeps what it needs of its manager.
                fresh = DataManager(folder / str(turn), host.url, env={})
                return fresh.load_data("AAPL", "1d", "1990-01-01", "2024-01-01", mode="full")

            def train(_turn: int) -> Operation[Any]:
                return trainings.train_multi_symbol_strategy(
                    _STRATEGY, ["WALK"], start_date="2005-01-01", end_date="2013-01-01"
                )

            return [
                {
                    "case": f"{what} cancelled at {count} moments spread over it, the longest",
                    "value": longest * 1000,
                    "unit": "ms",
                    "ratio": longest / _LIMIT,
                    "against": f"{_LIMIT * 1000:.0f} ms",
                }
                for what, start in (("a load from a host", load), ("a training", train))
                for longest in [await _longest(start, count)]
            ]


async def _longest(start: Callable[[int], Operation[Any]], count: int) -> float:
    """The longest wait for an end, of cancels spread evenly over the time that the work takes."""
    began = time.perf_counter()
    await start(0)
    whole, longest = time.perf_counter() - began, 0.0
    for turn in range(1, count + 1):
        operation = start(turn)
        await asyncio.sleep(whole * turn / (count + 1))
        began = time.perf_counter()
        operation.cancel()
        with suppress(errors.OperationCancelledError):
            await operation
        longest = max(longest, time.perf_counter() - began)
    return longest


def _percentile(waits: list[float], part: float) -> float:
    return sorted(waits)[min(int(len(waits) * part), len(waits) - 1)]


class _FromThread:
    """Calls a function on another thread, some milliseconds from now, and notes when."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.called = 0.0

        def later() -> None:
            self.called = time.perf_counter()
            call()

        self._timer = threading.Timer(0.003, later)
        self._timer.start()

    def waited(self) -> float:
        now = time.perf_counter()
        self._timer.join()
        return now - self.called


async def _operations(count: int, start: Callable[[], Operation[Any]]) -> list[float]:
    waits = []
    for _ in range(count):
        operation = start()
        thread = _FromThread(operation.cancel)
        with suppress(errors.OperationCancelledError):
            await operation
        waits.append(thread.waited())
    return waits


async def _requests(count: int) -> list[float]:
    # The delay holds each answer with bars for longer than anybody waits here.
    with tempfile.TemporaryDirectory() as folder, HostProcess(delay=60) as host:
        async with DataManager(folder, host.url, env={}) as data:
            return await _operations(
                count, lambda: data.load_data("AAPL", "1d", "2000-01-01", "2010-01-01", mode="full")
            )


async def _thousand(operation_of: Callable[..., Callable[[], Operation[Any]]]) -> float:
    start = operation_of(lambda: asyncio.sleep(30))
    operations = [start() for _ in range(1000)]
    await asyncio.sleep(0.1)
    began = time.perf_counter()
    CancellationSystem().cancel_all("bench")
    await asyncio.gather(*operations, return_exceptions=True)
    return time.perf_counter() - began


async def _token_wait(count: int) -> list[float]:
    waits = []
    for _ in range(count):
        token = CancellationToken()
        thread = _FromThread(token.cancel)
        await token.wait()
        waits.append(thread.waited())
    return waits


async def _peer_task(count: int) -> list[float]:
    loop, waits = asyncio.get_running_loop(), []
    for _ in range(count):
        task = asyncio.create_task(asyncio.sleep(3))
        thread = _FromThread(lambda task=task: loop.call_soon_threadsafe(task.cancel))  # type: ignore[misc]
        with suppress(asyncio.CancelledError):
            await task
        waits.append(thread.waited())
    return waits


async def _peer_event(count: int) -> list[float]:
    loop, waits = asyncio.get_running_loop(), []
    for _ in range(count):
        event = asyncio.Event()
        thread = _FromThread(lambda event=event: loop.call_soon_threadsafe(event.set))  # type: ignore[misc]
        await event.wait()
        waits.append(thread.waited())
    return waits


async def _peer_scope(count: int) -> list[float]:
    loop, waits = asyncio.get_running_loop(), []
    for _ in range(count):
        began = 0.0

        def stop(scope: anyio.CancelScope) -> None:
            nonlocal began
            began = time.perf_counter()
            scope.cancel()

        with anyio.CancelScope() as scope:
            loop.call_later(0.003, stop, scope)
            await anyio.sleep(3)
        waits.append(time.perf_counter() - began)
    return waits
