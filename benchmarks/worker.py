"""What listening costs the work: a training alone, with a listener, and with an event loop that is busy 2 ms per tick.

Times are those of the operation's own record, from its start to its stop.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ktrdr_core import DataManager, TrainingManager
from ktrdr_core.demo import strategy_path
from ktrdr_core.hosts.child import HostProcess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ktrdr_core import Operation


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure the three in turns; the best round of each counts.

    Parameters
    ----------
    quick
        A shorter training, fewer rounds.
    """
    epochs, rounds = (20, 1) if quick else (300, 5)
    with tempfile.TemporaryDirectory() as folder:
        strategy = yaml.safe_load(strategy_path().read_text(encoding="utf-8"))
        strategy["model"]["training"]["epochs"] = epochs
        strategy["model"]["training"]["early_stopping"]["patience"] = epochs
        file = Path(folder) / "strategy.yaml"
        file.write_text(yaml.safe_dump(strategy, sort_keys=False), encoding="utf-8")
        with HostProcess(delay=0) as host, DataManager(folder, host.url, env={}) as data:
            data.load_data("AAPL", "1d", "2005-01-01", "2010-01-01", mode="full").result()
            with TrainingManager(data, Path(folder) / "models", env={}) as trainings:
                best = _measure(trainings, file, rounds)
    alone = best["nobody listens"]
    return [
        {
            "case": f"training of {epochs} epochs, {name}",
            "value": seconds * 1000,
            "unit": "ms",
            "ratio": seconds / alone,
            "against": "nobody listens",
        }
        for name, seconds in best.items()
    ]


def _measure(trainings: TrainingManager, file: Path, rounds: int) -> dict[str, float]:
    def start() -> Operation[dict[str, Any]]:
        return trainings.train_multi_symbol_strategy(file, symbols=["AAPL"])

    def alone() -> float:
        operation = start()
        operation._native.wait(600)
        return _seconds(operation)

    def on_loop(follow: Callable[[Operation[Any]], Awaitable[None]]) -> float:
        async def main() -> float:
            operation = start()
            await follow(operation)
            return _seconds(operation)

        return asyncio.run(main())

    contenders: dict[str, Callable[[], float]] = {
        "nobody listens": alone,
        "a listener": lambda: on_loop(_listen),
        "a listener on a loop busy 2 ms per tick": lambda: on_loop(_listen_busily),
    }
    alone()  # LibTorch is loaded, the caches are warm
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, measure in contenders.items():
            best[name] = min(best[name], measure())
    return best


def _seconds(operation: Operation[Any]) -> float:
    record = operation._native.record()
    if record.status != "completed" or record.started is None or record.stopped is None:
        raise RuntimeError(f"the training ended as {record.status}: {record.error}")
    return (record.stopped - record.started).total_seconds()


async def _listen(operation: Operation[Any]) -> None:
    async for _ in operation.events():
        pass


async def _listen_busily(operation: Operation[Any]) -> None:
    loop = asyncio.get_running_loop()

    def busy() -> None:
        until = time.perf_counter() + 0.002
        while time.perf_counter() < until:
            pass
        if not operation.done():
            loop.call_soon(busy)

    busy()
    await _listen(operation)
