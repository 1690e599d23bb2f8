"""Whole trainings: ten at once, an event loop beside the first, a checkpoint; and a prediction for the next bar.

Each is held against its limit. Times of trainings are those of their operations' records, from start to stop; the bars
are made up and on disk before.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from ktrdr_core import DataManager, TrainingManager, models

from .walks import walk
from .watch_list import longest_wait

if TYPE_CHECKING:
    from collections.abc import Callable

    from ktrdr_core import Operation

_EXAMPLE = Path(__file__).parents[1] / "examples" / "strategies" / "momentum_mlp.yaml"
_AT_ONCE = 10


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        Fewer bars, epochs and rounds.
    """
    bars, epochs, rounds = (800, 4, 1) if quick else (3000, 100, 5)
    with tempfile.TemporaryDirectory() as folder, DataManager(folder, env={}) as data:
        days = np.datetime64("2005-01-01", "D") + np.arange(bars)
        columns = {"timestamp": days, **walk(bars, 0.01)}
        data.store("AAPL", "1d", columns).result()
        with TrainingManager(data, Path(folder) / "models", env={}, sessions=_AT_ONCE) as trainings:
            start = partial(_start, trainings, _strategy(Path(folder), epochs))
            # First, for LibTorch is not loaded yet.
            lines = [asyncio.run(_beside_the_first(start)), _ten_at_once(start, rounds)]
            lines.append(_checkpoint(start, epochs, rounds))
            path = start().result()["artifacts"]["model_path"]
        lines.append(_next_bar(models.load(path), columns))
    return lines


def _strategy(folder: Path, epochs: int) -> Path:
    """The demo's, which learns for so many epochs whatever comes of it."""
    strategy = yaml.safe_load(_EXAMPLE.read_text(encoding="utf-8"))
    strategy["model"]["training"]["epochs"] = epochs
    strategy["model"]["training"]["early_stopping"]["patience"] = epochs
    file = folder / "strategy.yaml"
    file.write_text(yaml.safe_dump(strategy, sort_keys=False), encoding="utf-8")
    return file


def _start(trainings: TrainingManager, file: Path, **named: Any) -> Operation[dict[str, Any]]:
    return trainings.train_multi_symbol_strategy(
        file, symbols=["AAPL"], random_walk_baseline=False, **named
    )


def _seconds(operations: list[Operation[Any]]) -> float:
    """From the first start to the last stop."""
    records = [operation._native.record() for operation in operations]
    starts = [one.started for one in records if one.started is not None]
    stops = [one.stopped for one in records if one.stopped is not None]
    return (max(stops) - min(starts)).total_seconds()


async def _beside_the_first(start: Callable[..., Operation[Any]]) -> dict[str, Any]:
    async def first() -> None:
        # Its start, too: it looks for LibTorch and reads the strategy.
        await start()

    waited = await longest_wait(first())
    return {
        "case": "longest wait of the event loop beside a process's first training",
        "value": waited * 1000,
        "unit": "ms",
        "ratio": waited / 0.010,
        "against": "10 ms",
    }


def _ten_at_once(start: Callable[..., Operation[Any]], rounds: int) -> dict[str, Any]:
    alone = together = float("inf")
    for _ in range(rounds):
        one = start()
        one.result()
        alone = min(alone, _seconds([one]))
        ten = [start() for _ in range(_AT_ONCE)]
        for each in ten:
            each.result()
        together = min(together, _seconds(ten))
    cores = os.cpu_count()
    return {
        "case": f"{_AT_ONCE} trainings at once on {cores} cores, in a second",
        "value": _AT_ONCE / together,
        "unit": "trainings/s",
        "ratio": _AT_ONCE * alone / together,
        "against": f"one after the other, {1 / alone:.2f} a second (goal >= 1.7)",
    }


def _checkpoint(start: Callable[..., Operation[Any]], epochs: int, rounds: int) -> dict[str, Any]:
    """What a training takes longer that keeps one after each epoch."""
    best = dict.fromkeys((0, 1), float("inf"))
    for _ in range(rounds):
        for each in best:
            operation = start(checkpoint_epochs=each, checkpoint_seconds=0.0)
            operation.result()
            best[each] = min(best[each], _seconds([operation]))
    taken = (best[1] - best[0]) / epochs
    return {
        "case": f"a checkpoint of the example's net, {epochs} of a training",
        "value": taken * 1000,
        "unit": "ms",
        "ratio": taken / 0.005,
        "against": "5 ms",
    }


def _next_bar(model: models.Model, columns: dict[str, Any]) -> dict[str, Any]:
    """Bars one by one, as a program that trades hands them over."""
    stream = model.stream(exact=False)
    times = columns["timestamp"].astype("datetime64[ns]").astype("int64").tolist()
    prices = [columns[name].tolist() for name in ("open", "high", "low", "close", "volume")]
    half = len(times) // 2
    bars = list(zip(times, *prices, strict=True))
    for bar in bars[:half]:
        stream.push(*bar)
    taken = []
    for bar in bars[half:]:
        began = time.perf_counter()
        stream.push(*bar)
        taken.append(time.perf_counter() - began)
    middle = statistics.median(taken)
    return {
        "case": "PredictionStream.push: the prediction for one more bar",
        "value": middle * 1e6,
        "unit": "us, median",
        "ratio": middle / 10e-6,
        "against": "10 us",
    }
