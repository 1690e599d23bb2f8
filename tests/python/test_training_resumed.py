"""Trainings that are stopped in the middle go on bit for bit: after a cancel, and after their process was killed."""

from __future__ import annotations

import fcntl
import random
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import soak
from child import child
from commands import environment
from ktrdr_core import DataManager, OperationsService, TrainingManager, errors
from ktrdr_core.hosts.child import HostProcess
from ramp_source import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ktrdr_core import Operation, ProgressState

EXAMPLE = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"
EPOCHS = 120
#: A walk would be as long again, and says nothing of going on.
NO_WALK: dict[str, Any] = {"random_walk_baseline": False}

#: Trains under an id, with a checkpoint at every batch, and says when the first epoch is over.
TRAIN = """
import sys
from ktrdr_core import DataManager, TrainingManager
folder, models, strategy, operation_id = sys.argv[1:]
def hear(state):
    if state.context.get("current_epoch", 0) > 1:
        print("begun", flush=True)
with DataManager(folder, env={}) as data, TrainingManager(data, models, env={}) as training:
    training.train_multi_symbol_strategy(
        strategy, operation_id=operation_id, checkpoint_seconds=1e-9, progress_callback=hear,
        random_walk_baseline=False,
    ).result()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with stored bars of both symbols."""
    folder = tmp_path_factory.mktemp("bars")
    with HostProcess(delay=0) as host, DataManager(folder, host.url, env={}) as data:
        for symbol in ("AAPL", "MSFT"):
            data.load_data(symbol, "1d", "2000-01-01", "2013-12-31", mode="full").result(60)
    return folder


@pytest.fixture
def bars(folder: Path) -> Iterator[DataManager]:
    """A manager over them."""
    with DataManager(folder, env={}) as data:
        yield data


def strategy_file(folder: Path, **training: Any) -> Path:
    """The example with dropout, a schedule, and as many epochs in any case."""
    strategy = yaml.safe_load(EXAMPLE.read_text())
    strategy["model"]["architecture"]["dropout"] = 0.2
    strategy["model"]["training"] |= {
        "epochs": EPOCHS,
        "early_stopping": None,
        "lr_scheduler": {"type": "exponential", "gamma": 0.9},
        **training,
    }
    path = folder / "strategy.yaml"
    path.write_text(yaml.safe_dump(strategy, sort_keys=False))
    return path


def outcome(result: dict[str, Any]) -> tuple[bytes, Any, Any]:
    """All that has to be the same: weights, figures of each epoch and of the test."""
    weights = (Path(result["artifacts"]["model_path"]) / "model.safetensors").read_bytes()
    return weights, result["history"], result["test_metrics"]


def checkpoints(models: Path) -> list[str]:
    return [path.name for path in (models / ".checkpoints").glob("*")]


def cancelled_in_epoch(epoch: int, training: TrainingManager, path: Path, **asked: Any) -> None:
    """Train, and cancel when this epoch is heard of."""

    def hear(state: ProgressState) -> None:
        if state.context.get("current_epoch", 0) >= epoch:
            begun[0].cancel()

    # Its walk is never begun, but gives the cancel time on a busy machine.
    begun = [training.train_multi_symbol_strategy(path, progress_callback=hear, **asked)]
    with pytest.raises(errors.OperationCancelledError):
        begun[0].result(120)
    # It holds its callback, and the callback it.
    begun.clear()


def test_a_cancelled_training_goes_on_bit_for_bit_under_a_new_id(
    bars: DataManager, tmp_path: Path
) -> None:
    path, models = strategy_file(tmp_path), tmp_path / "models"
    with TrainingManager(bars, models, env={}) as training:
        whole = outcome(training.train_multi_symbol_strategy(path, **NO_WALK).result(120))
        for turn in range(soak.count(2, 20)):
            cancelled_in_epoch(
                random.randrange(1, EPOCHS // 4), training, path, operation_id=f"first-{turn}"
            )
            assert checkpoints(models) == [f"first-{turn}.safetensors"]
            again = training.train_multi_symbol_strategy(
                path, resume_from=f"first-{turn}", **NO_WALK
            )
            assert outcome(again.result(120)) == whole
            assert checkpoints(models) == []


def is_judged_or_over(operation: Operation[Any]) -> bool:
    return operation.progress.step_name == "evaluation" or operation.done()


def test_a_training_that_is_cancelled_behind_its_epochs_goes_on_without_one(
    bars: DataManager, tmp_path: Path
) -> None:
    path, models = strategy_file(tmp_path), tmp_path / "models"
    with TrainingManager(bars, models, env={}) as training:
        whole = outcome(training.train_multi_symbol_strategy(path, **NO_WALK).result(120))
        # Its random walk takes as long as the training itself.
        for kept in (True, False):
            name = f"kept-{kept}"
            begun = training.train_multi_symbol_strategy(
                path, operation_id=name, save_checkpoint=kept, checkpoint_seconds=0
            )
            until(partial(is_judged_or_over, begun))
            begun.cancel()
            with pytest.raises(errors.OperationCancelledError):
                begun.result(120)
            assert checkpoints(models) == ([f"{name}.safetensors"] if kept else [])
            if not kept:
                continue
            again = training.train_multi_symbol_strategy(path, resume_from=name, **NO_WALK)
            assert outcome(again.result(120)) == whole
            told = OperationsService().metrics(again.id, limit=10_000).metrics
            assert len(told) == 0
            assert checkpoints(models) == []


def is_interrupted(operations: OperationsService, operation_id: str) -> bool:
    return operations.get(operation_id).status == "interrupted"


def test_a_training_whose_process_was_killed_goes_on_bit_for_bit(
    bars: DataManager, folder: Path, tmp_path: Path
) -> None:
    # A checkpoint a batch, and each waits for the disk: in batches of this size they are few enough for a slow one.
    path, models = strategy_file(tmp_path, batch_size=128), tmp_path / "models"
    with TrainingManager(bars, models, env={}) as training:
        whole = outcome(training.train_multi_symbol_strategy(path, **NO_WALK).result(120))
        for turn in range(soak.count(1, 20)):
            operation_id = f"{tmp_path.name}-{turn}"
            command = [
                sys.executable,
                "-c",
                TRAIN,
                str(folder),
                str(models),
                str(path),
                operation_id,
            ]
            with child(command, env=environment()) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == "begun\n"
                time.sleep(random.random() * 0.05)
                process.kill()
            operations = OperationsService()
            until(partial(is_interrupted, operations, operation_id))
            assert f"{operation_id}.safetensors" in checkpoints(models)
            resumed = operations.resume(operation_id)
            assert resumed.id == operation_id
            assert outcome(resumed.result(300)) == whole
            epochs = [row["epoch"] for row in operations.metrics(operation_id).metrics]
            assert epochs[-1] == EPOCHS
            assert any(
                "checkpoint" in str(event.data)
                for event in operations.events(operation_id, kind="log")
            )
            assert checkpoints(models) == []


def test_what_a_killed_training_left_of_a_checkpoint_goes_at_the_next_start(
    bars: DataManager, tmp_path: Path
) -> None:
    path, models = strategy_file(tmp_path, epochs=2), tmp_path / "models"
    folder = models / ".checkpoints"
    folder.mkdir(parents=True)
    (folder / ".dead.part").write_bytes(b"half")
    with open(folder / ".alive.part", "wb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        with TrainingManager(bars, models, env={}) as training:
            assert checkpoints(models) == [".alive.part"]
            (folder / ".dead-since.part").write_bytes(b"half")
            training.train_multi_symbol_strategy(path, **NO_WALK).result(120)
            assert checkpoints(models) == [".alive.part"]
    with TrainingManager(bars, models, env={}):
        assert not folder.exists()


def test_a_checkpoint_of_another_strategy_or_of_other_data_is_refused_by_name(
    bars: DataManager, tmp_path: Path
) -> None:
    path = strategy_file(tmp_path, epochs=100_000)
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        cancelled_in_epoch(1, training, path, operation_id="first")
        with pytest.raises(errors.ConflictError, match="other data"):
            training.train_multi_symbol_strategy(
                path, start_date="2002-01-01", resume_from="first"
            ).result(60)
        other = strategy_file(tmp_path, epochs=99_999)
        with pytest.raises(errors.ConflictError, match="another strategy"):
            training.train_multi_symbol_strategy(other, resume_from="first").result(60)
        with pytest.raises(errors.NotFoundError, match="no checkpoint of the training second"):
            training.train_multi_symbol_strategy(path, resume_from="second").result(60)
        with pytest.raises(errors.InvalidArgumentError, match="checkpoint_seconds"):
            training.train_multi_symbol_strategy(path, checkpoint_seconds=-1)


def test_every_epoch_is_a_metric_that_a_live_plot_can_be_drawn_from(
    bars: DataManager, tmp_path: Path
) -> None:
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        operation = training.train_multi_symbol_strategy(strategy_file(tmp_path), **NO_WALK)
        history = operation.result(120)["history"]
        rows = OperationsService().metrics(operation.id).metrics
    for row, epoch in zip(rows, history, strict=True):
        for name in (
            "epoch",
            "train_loss",
            "train_accuracy",
            "val_loss",
            "val_accuracy",
            "learning_rate",
        ):
            assert row[name] == epoch[name]


def test_a_device_that_is_not_there_is_said_before_any_epoch(
    bars: DataManager, tmp_path: Path
) -> None:
    # No machine has both.
    said = []
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        for device in ("cuda", "mps"):
            operation = training.train_multi_symbol_strategy(strategy_file(tmp_path, device=device))
            try:
                operation.result(120)
            except errors.FeatureNotAvailableError as error:
                said.append(str(error))
    assert any('"cuda"' in text or '"mps"' in text for text in said)
