"""What the innermost calls cost (a token's poll, a progress update, a cancel of a thousand) and an operation's memory.

The C++ figures come from `core_costs.cpp`, built on request into `build/bench-core`.
"""

from __future__ import annotations

import threading
import time
from io import StringIO
from typing import TYPE_CHECKING, Any

from ktrdr_core import CancellationToken, GenericProgressManager

from .build import build, quiet

if TYPE_CHECKING:
    from collections.abc import Callable


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        Shorter loops in Python; the C++ program takes some seconds either way.
    """
    native = _native()
    return [
        *_native_lines(native),
        *_memory_lines(native),
        *_python_lines(20_000 if quick else 1_000_000),
    ]


def _native_lines(native: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "case": "C++ token poll",
            "value": native["token poll"],
            "unit": "ns",
            **_limit(native["token poll"], 1, "1 ns"),
        },
        {
            "case": "C++ progress update, nobody listens",
            "value": native["update, nobody listens"],
            "unit": "ns",
            **_limit(native["update, nobody listens"], 12, "12 ns"),
        },
        {
            "case": "C++ progress update, listened",
            "value": native["update, listened"],
            "unit": "ns",
            **_limit(native["update, listened"], 12, "12 ns"),
        },
        {
            "case": "C++ progress update with 16 metrics",
            "value": native["update with 16 metrics"],
            "unit": "ns",
        },
        {
            "case": "C++ worker, listened",
            "value": native["work, listened"],
            "unit": "ns/step",
            **_limit(native["work, listened"], native["work, nobody listens"], "nobody listens"),
        },
        {
            "case": "C++ cancel of 1,000 tokens with a callback each",
            "value": native["cancel 1000 tokens"] / 1e6,
            "unit": "ms",
            **_limit(native["cancel 1000 tokens"], 1e6, "1 ms"),
        },
        {
            "case": "C++ loop sees a cancel, p50",
            "value": native["cancel seen by a C++ loop, p50"] / 1000,
            "unit": "us",
        },
        {
            "case": "C++ loop sees a cancel, p99",
            "value": native["cancel seen by a C++ loop, p99"] / 1000,
            "unit": "us",
        },
    ]


def _memory_lines(native: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "case": "memory of a live operation without its events",
            "value": native["operation bytes"],
            "unit": "bytes",
            **_limit(native["operation bytes"], 2048, "2 KiB"),
        },
        {
            "case": "memory of its first two events",
            "value": native["event bytes"],
            "unit": "bytes",
        },
        {"case": "memory of a step in work", "value": native["step bytes"], "unit": "bytes"},
    ]


def _python_lines(count: int) -> list[dict[str, Any]]:
    from tqdm import tqdm

    token, event = CancellationToken(), threading.Event()
    event_cost = _per_call(event.is_set, count)
    token_cost = _per_call(token.is_cancelled, count)
    manager = GenericProgressManager()
    manager.start_operation("bench", total_steps=1)
    manager.start_step("all", 1)
    manager_cost = _per_call(lambda: manager.update_step_progress(1, 2), count // 10)
    bar = tqdm(total=count, file=StringIO())
    bar_cost = _per_call(lambda: bar.update(1), count // 10)
    bar.close()
    return [
        {
            "case": "threading.Event.is_set",
            "value": event_cost,
            "unit": "ns",
            "ratio": 1.0,
            "against": "Event.is_set",
        },
        {
            "case": "Python CancellationToken.is_cancelled",
            "value": token_cost,
            "unit": "ns",
            **_limit(token_cost, event_cost, "Event.is_set"),
        },
        {
            "case": "tqdm.update",
            "value": bar_cost,
            "unit": "ns",
            "ratio": 1.0,
            "against": "tqdm.update",
        },
        {
            "case": "Python update_step_progress, no callback",
            "value": manager_cost,
            "unit": "ns",
            **_limit(manager_cost, bar_cost, "tqdm.update"),
        },
    ]


def _limit(value: float, against: float, name: str) -> dict[str, Any]:
    return {"ratio": value / against, "against": name}


def _per_call(call: Callable[[], object], count: int) -> float:
    """Nanoseconds of a call without the loop around it, the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter_ns()
        for _ in range(count):
            pass
        empty = time.perf_counter_ns() - began
        began = time.perf_counter_ns()
        for _ in range(count):
            call()
        best = min(best, (time.perf_counter_ns() - began - empty) / count)
    return best


def _native() -> dict[str, float]:
    program = build("bench-core", "core_costs", torch=False) / "cpp" / "operations" / "core_costs"
    lines = quiet(str(program)).splitlines()
    return {name: float(value) for name, value in (line.split("\t") for line in lines)}
