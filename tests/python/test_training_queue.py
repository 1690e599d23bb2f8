"""Trainings at once: which run, which wait for their turn, and what is seen of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ktrdr_core import DataManager, Operation, OperationsService, TrainingManager, errors
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.hosts.training.sessions import HostLimits, Sessions
from ktrdr_core.training import TrainingLimits

EXAMPLE = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"
AT_ONCE = max(10, os.cpu_count() or 1)


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A manager over stored bars."""
    folder = tmp_path_factory.mktemp("bars")
    with HostProcess(delay=0) as host, DataManager(folder, host.url, env={}) as data:
        data.load_data("AAPL", "1d", "2000-01-01", "2013-12-31", mode="full").result(60)
    with DataManager(folder, env={}) as stored:
        yield stored


def strategy_file(folder: Path, **training: Any) -> Path:
    """The example on one symbol, with other training parameters."""
    strategy = yaml.safe_load(EXAMPLE.read_text())
    strategy["training_data"]["symbols"] = {"symbols": ["AAPL"]}
    strategy["model"]["training"].update(training)
    path = folder / "strategy.yaml"
    path.write_text(yaml.safe_dump(strategy, sort_keys=False))
    return path


def in_epochs(operation: Operation[Any]) -> None:
    """Wait until the training has been through an epoch."""
    end = time.monotonic() + 120
    while operation.progress.epoch < 2:
        assert not operation.done()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_ten_train_at_once_each_by_itself_and_the_others_wait_by_priority(
    bars: DataManager, tmp_path: Path
) -> None:
    endless = strategy_file(tmp_path, epochs=1_000_000, early_stopping=None)
    (tmp_path / "short").mkdir()
    short = strategy_file(tmp_path / "short", epochs=2)
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        running = [training.train_multi_symbol_strategy(endless) for _ in range(AT_ONCE)]
        for operation in running:
            in_epochs(operation)
            assert operation.progress.operation_id == operation.id

        def short_one(priority: int) -> Operation[dict[str, Any]]:
            return training.train_multi_symbol_strategy(
                short, priority=priority, random_walk_baseline=False
            )

        low, high, never = short_one(-1), short_one(1), short_one(0)
        wait_for_queue(training, AT_ONCE + 3)
        assert [place.operation_id for place in training.queue() if place.waits] == [
            high.id,
            never.id,
            low.id,
        ]
        assert {place.operation_id for place in training.queue() if not place.waits} == {
            operation.id for operation in running
        }
        assert "queued, place 3 of 3" in low.progress.message
        assert low.progress.context["queue_place"] == 3
        host = Sessions(training, OperationsService(), training.models_dir, HostLimits())
        places = {row["session_id"]: row["queue_place"] for row in host.list(None, 100)["sessions"]}
        assert [places[o.id] for o in (high, never, low, running[0])] == [1, 2, 3, None]

        never.cancel("not wanted")
        with pytest.raises(errors.OperationCancelledError, match="not wanted"):
            never.result(10)
        assert not any(operation.done() for operation in running)

        running[3].cancel("enough")
        assert high.result(120)["training_metrics"]["epochs_completed"] == 2
        assert low.result(120)["training_metrics"]["epochs_completed"] == 2
        first, second = (OperationsService().get(operation.id) for operation in (high, low))
        assert first.stopped is not None
        assert second.stopped is not None
        assert first.stopped < second.stopped
        rest = [operation for operation in running if operation is not running[3]]
        for operation in rest:
            assert not operation.done()
            assert operation.cancel("enough")
            with pytest.raises(errors.OperationCancelledError, match="enough"):
                operation.result(30)
        wait_for_queue(training, 0)


def wait_for_queue(training: TrainingManager, length: int) -> None:
    """Wait until so many trainings are in the queue."""
    end = time.monotonic() + 30
    while len(training.queue()) != length:
        assert time.monotonic() < end, training.queue()
        time.sleep(0.01)


def test_every_epoch_is_a_metric_of_the_operation(bars: DataManager, tmp_path: Path) -> None:
    path = strategy_file(tmp_path, epochs=3, early_stopping=None)
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        started = training.start_training(path, operation_id="mine", priority=2)
        operations = OperationsService()
        handle = operations.handle(started)
        assert handle is not None
        handle.result(120)
        metrics = operations.metrics(started).metrics
    assert [metric["epoch"] for metric in metrics] == [1, 2, 3]
    for field in ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate"):
        assert all(metric[field] > 0 for metric in metrics)


@pytest.fixture
def limits_back(bars: DataManager, tmp_path: Path) -> Any:
    """What the process may take is as it was when the test is over."""
    with TrainingManager(bars, tmp_path / "before", env={}) as manager:
        before = manager.limits()
    yield before
    TrainingManager(
        bars, tmp_path / "before", env={}, sessions=before.sessions, memory_limit=before.memory
    ).close()


def test_sessions_and_memory_have_limits_that_can_be_set(
    bars: DataManager, tmp_path: Path, limits_back: TrainingLimits
) -> None:
    assert limits_back.sessions == AT_ONCE
    assert 0 < limits_back.memory < 2**50
    with TrainingManager(bars, tmp_path, env={}, sessions=1, memory_limit=10**9) as training:
        assert training.limits() == TrainingLimits(1, 10**9)
        endless = strategy_file(tmp_path, epochs=1_000_000, early_stopping=None)
        first, second = (training.train_multi_symbol_strategy(endless) for _ in range(2))
        in_epochs(first)
        wait_for_queue(training, 2)
        running, waiting = training.queue()
        assert (running.operation_id, waiting.operation_id) == (first.id, second.id)
        assert 10**6 < running.memory < 10**9
        assert running.reason == ""
        assert waiting.reason == "waits for a running training to end"
        # Another manager of the process says otherwise.
        with TrainingManager(bars, tmp_path, env={}, sessions=2):
            in_epochs(second)
        for operation in (first, second):
            operation.cancel("enough")
            with pytest.raises(errors.OperationCancelledError):
                operation.result(30)
    for wrong in ({"sessions": 0}, {"sessions": 257}, {"memory_limit": 0}, {"sessions": 1.5}):
        with pytest.raises(errors.InvalidArgumentError, match=next(iter(wrong))):
            TrainingManager(bars, tmp_path, env={}, **wrong)
    with pytest.raises(errors.InvalidArgumentError, match="limits of its own"):
        TrainingManager(bars, tmp_path, training_url="http://127.0.0.1:9", sessions=1, env={})


def test_one_that_does_not_fit_waits_for_memory_and_one_that_never_can_is_refused(
    bars: DataManager, tmp_path: Path, limits_back: TrainingLimits
) -> None:
    endless = strategy_file(tmp_path, epochs=1_000_000, early_stopping=None)
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        first = training.train_multi_symbol_strategy(endless)
        in_epochs(first)
        need = training.queue()[0].memory
        with TrainingManager(bars, tmp_path, env={}, memory_limit=need * 3 // 2) as limited:
            second = limited.train_multi_symbol_strategy(endless, start_date="2001-01-01")
            wait_for_queue(training, 2)
            place = training.queue()[1]
            assert place.reason.startswith("waits for memory: with those that run it would take ")
            assert f"place 1 of 1: {place.reason}" in second.progress.message
            first.cancel("enough")
            in_epochs(second)
            second.cancel("enough")
        with TrainingManager(bars, tmp_path, env={}, memory_limit=need // 2) as small:
            refused = small.train_multi_symbol_strategy(endless)
            with pytest.raises(errors.OutOfResourcesError, match="memory_limit") as caught:
                refused.result(30)
        assert caught.value.context["estimate_bytes"] == need
        assert caught.value.context["limit_bytes"] == need // 2
        assert "fewer symbols" in caught.value.message
        for operation in (first, second):
            with pytest.raises(errors.OperationCancelledError):
                operation.result(30)


MEASURED = """
import sys
import numpy as np
from pathlib import Path
from ktrdr_core import DataManager, TrainingManager

def status(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024

folder, small, large = sys.argv[1:]
with DataManager(folder, env={}) as data, TrainingManager(data, folder + "/models", env={}) as training:
    # LibTorch is there once in a process.
    training.train_multi_symbol_strategy(small, ["SHORT"]).result(120)
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    operation = training.train_multi_symbol_strategy(large, ["LONG"])
    need = 0
    while not operation.done():
        need = max([need, *(place.memory for place in training.queue())])
        operation._native.wait(0.005)
    peak = operation.result(1)["resource_usage"]["peak_memory_mb"]
    assert peak * 1e6 <= status("VmHWM"), (peak, status("VmHWM"))
    print(need, status("VmHWM") - before)
"""


def test_the_estimate_is_twice_what_is_measured_at_most_and_hardly_less(tmp_path: Path) -> None:
    minutes = np.datetime64("2020-01-01", "m") + np.arange(400_000)
    with DataManager(tmp_path, env={}) as data:
        for symbol, count in (("SHORT", 5_000), ("LONG", len(minutes))):
            steps = np.random.default_rng(1).normal(0, 0.0005, count)
            price = 100 * np.exp(np.cumsum(steps))
            columns = {"timestamp": minutes[:count], "volume": np.ones(count)}
            columns |= dict.fromkeys(("open", "high", "low", "close"), price)
            data.store(symbol, "1m", columns).result(120)
    strategy = yaml.safe_load(EXAMPLE.read_text())
    strategy["training_data"] |= {
        "symbols": {"symbols": ["LONG"]},
        "timeframes": {"mode": "single", "list": ["1m"], "base_timeframe": "1m"},
        "history_required": 0,
    }
    strategy["model"]["training"] |= {"epochs": 1, "batch_size": 1024}
    strategy["model"]["features"] = {"lookback_periods": 5}
    # What five minutes of such a walk move.
    strategy["training"]["labels"]["threshold"] = 0.001
    path = tmp_path / "minutes.yaml"
    path.write_text(yaml.safe_dump(strategy, sort_keys=False))
    said = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path), str(path), str(path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    estimated, measured = (int(word) for word in said.stdout.split()[-2:])
    assert 0.5 * estimated <= measured <= 1.1 * estimated, (estimated, measured)
