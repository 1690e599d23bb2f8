"""The first start of a training holds no event loop up: what it needs is brought in on another thread."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from commands import environment
from training_hosts import store_bars, strategy_file

if TYPE_CHECKING:
    from pathlib import Path

#: Starts a process's first training on a loop, and says which modules were imported and which files were opened on the
#: loop's thread by the call, and whether the reader of strategies was there before.
PROBE = """
import asyncio, json, sys, threading
from ktrdr_core import DataManager, TrainingManager
folder, models, path, way = sys.argv[1:]
seen = []
watched = None
def hear(event, arguments):
    if watched == threading.get_ident() and event in ("import", "open"):
        seen.append((event, str(arguments[0])))
sys.addaudithook(hear)

async def first(training):
    global watched
    before = "ktrdr_core.strategies.reader" in sys.modules
    watched = threading.get_ident()
    operation = training.train_multi_symbol_strategy(path, random_walk_baseline=False)
    watched = None
    result = await operation
    return {"before": before, "seen": seen, "epochs": result["training_metrics"]["epochs_completed"]}

async def inside(data):
    async with TrainingManager(data, models, env={}) as training:
        return await first(training)

with DataManager(folder, env={}) as data:
    if way == "inside":
        told = asyncio.run(inside(data))
    else:
        with TrainingManager(data, models, env={}) as training:
            told = asyncio.run(first(training))
print(json.dumps(told))
"""


def probe(tmp_path: Path, way: str) -> dict[str, Any]:
    bars = tmp_path / "bars"
    store_bars(bars)
    path = strategy_file(tmp_path, epochs=1)
    command = [sys.executable, "-c", PROBE, str(bars), str(tmp_path / "models"), str(path), way]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=120, env=environment()
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("way", ["inside", "before"])
def test_the_first_start_imports_nothing_on_the_thread_of_the_loop(
    way: str, tmp_path: Path
) -> None:
    """A manager is made on the loop, by ``async with``, or before there is one."""
    told = probe(tmp_path, way)
    assert told["epochs"] == 1
    assert [name for kind, name in told["seen"] if kind == "import"] == []
    # The strategy itself is read there: what is wrong with it is told at once; and which torch is installed.
    opened = [name for kind, name in told["seen"] if kind == "open"]
    assert str(tmp_path / "strategy.yaml") in opened
    assert [name for name in opened if name.endswith((".py", ".pyc", ".so"))] == []
    assert told["before"]


def test_a_manager_whose_thread_cannot_be_started_trains_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ktrdr_core.training import first_start

    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(first_start, "_thread", None)
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", no_thread)
        first_start.prepare()
    first_start.wait()
