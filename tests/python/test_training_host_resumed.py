"""A training on a host that was broken off goes on bit for bit: after a cancel, after the host was killed or ended."""

from __future__ import annotations

import random
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import soak
from ktrdr_core import DataManager, OperationsService, TrainingManager, errors
from training_hosts import LIMIT, TrainingHost, start_body, store_bars, strategy_file, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ktrdr_core import Operation

EPOCHS = 60
#: Whatever a run depends on besides its rows: dropout, the order of rows, a falling rate, early stopping.
TRAINING: dict[str, Any] = {
    "epochs": EPOCHS,
    "batch_size": 16,
    "early_stopping": {"patience": EPOCHS, "monitor": "val_loss", "min_delta": 0.0},
    "lr_scheduler": {"type": "exponential", "gamma": 0.97},
    "gradient_clip": 1.0,
}
#: Every part of a result.
ASKED: dict[str, Any] = {"permutation_importance": True}
#: Checkpoints at every batch: in the middle of epochs, too; and each takes time, in which it can be broken off.
OFTEN: dict[str, Any] = {"checkpoint_seconds": 1e-9, **ASKED}


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bars")
    store_bars(folder)
    return folder


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return strategy_file(tmp_path_factory.mktemp("strategy"), **TRAINING)


def outcome(result: dict[str, Any]) -> dict[str, Any]:
    """Weights and every figure; times, places and ids are of the run."""
    folder = Path(result["artifacts"]["model_path"])
    figures = dict(result)
    for name in ("artifacts", "session_info", "resource_usage"):
        del figures[name]
    figures["training_metrics"] = dict(figures["training_metrics"], training_time_minutes=None)
    walk = dict(figures["baselines"]["random_walk"], seconds=None)
    figures["baselines"] = dict(figures["baselines"], random_walk=walk)
    figures["summary"] = result["session_info"]["data_summary"]
    for name in ("model.safetensors", "features.json", "config.json"):
        figures[name] = (folder / name).read_bytes()
    return figures


@contextmanager
def client_of(url: str, folder: Path) -> Iterator[TrainingManager]:
    env = {"TRAINING_HOST_SERVICE_TIMEOUT": "1"}
    with (
        DataManager(folder / "empty", env={}) as data,
        TrainingManager(data, folder / "models", training_url=url, env=env) as one,
    ):
        yield one


@pytest.fixture(scope="module")
def undisturbed(bars: Path, path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one comes to on a host where nothing happens, which is what one here comes to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with TrainingHost(bars, folder / "there") as host, client_of(host.url, folder) as remote:
        there = outcome(remote.train_multi_symbol_strategy(path, **ASKED).result(LIMIT))
    with DataManager(bars, env={}) as data, TrainingManager(data, folder / "m", env={}) as local:
        here = outcome(local.train_multi_symbol_strategy(path, **ASKED).result(LIMIT))
    assert there == here
    assert there["history"][-1]["epoch"] == EPOCHS
    return there


def begun(remote: TrainingManager, path: Path, operation_id: str) -> Operation[dict[str, Any]]:
    """A training that is in some epoch of its first half."""
    operation = remote.train_multi_symbol_strategy(path, operation_id=operation_id, **OFTEN)
    # In the second epoch or later: one that goes on does not tell of the first.
    epoch = random.randrange(3, EPOCHS // 2)
    until(lambda: operation.progress.epoch >= epoch or operation.done())
    assert not operation.done()
    return operation


def checkpoint_of(there: Path, operation_id: str) -> Path:
    return there / ".checkpoints" / f"{operation_id}.safetensors"


def goes_on(
    remote: TrainingManager, path: Path, before: str, there: Path, undisturbed: dict[str, Any]
) -> None:
    """Go on from it under a new id, and see that it was not begun anew and nothing else is left."""
    again = remote.train_multi_symbol_strategy(path, resume_from=before, **ASKED)
    assert outcome(again.result(LIMIT)) == undisturbed
    epochs = [int(row["epoch"]) for row in OperationsService().metrics(again.id).metrics]
    assert epochs[-1] == EPOCHS
    assert epochs[0] > 1, "it began with the first epoch"
    assert not [each for each in again.warnings if "does not say" in each]
    assert not checkpoint_of(there, before).exists()


def test_after_a_cancel_it_goes_on_bit_for_bit(
    bars: Path, path: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    there = tmp_path / "there"
    with TrainingHost(bars, there) as host, client_of(host.url, tmp_path) as remote:
        for turn in range(soak.count(1, 20)):
            first = begun(remote, path, f"cancelled-{tmp_path.name}-{turn}")
            first.cancel("a pause")
            with pytest.raises(errors.OperationCancelledError):
                first.result(LIMIT)
            assert checkpoint_of(there, first.id).exists()
            goes_on(remote, path, first.id, there, undisturbed)


def ended(host: TrainingHost) -> None:
    host.end()
    assert host.process.returncode == 0


@pytest.mark.parametrize("end", [TrainingHost.kill, ended], ids=["SIGKILL", "SIGTERM"])
def test_after_its_host_has_ended_it_goes_on_bit_for_bit(
    end: Callable[[TrainingHost], None],
    bars: Path,
    path: Path,
    undisturbed: dict[str, Any],
    tmp_path: Path,
) -> None:
    there = tmp_path / "there"
    for turn in range(soak.count(1, 20)):
        with TrainingHost(bars, there) as mortal, client_of(mortal.url, tmp_path) as remote:
            first = begun(remote, path, f"ended-{tmp_path.name}-{turn}")
            until(checkpoint_of(there, first.id).exists)
            end(mortal)
            with pytest.raises(errors.HostServiceError):
                first.result(LIMIT)
        assert checkpoint_of(there, first.id).exists()
        with TrainingHost(bars, there) as again, client_of(again.url, tmp_path) as remote:
            goes_on(remote, path, first.id, there, undisturbed)


def test_an_interrupted_session_goes_on_bit_for_bit_when_its_start_is_sent_again(
    bars: Path, path: Path, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    """As a client of the table does it: the same id, and the same request."""
    there, session = tmp_path / "there", f"again-{tmp_path.name}"
    body = start_body(session, **TRAINING)
    body["training_configuration"] = dict(OFTEN)
    with TrainingHost(bars, there) as mortal, mortal.client() as http:
        assert http.post("/training/start", json=body).status_code == 200
        until(lambda: http.get(f"/training/status/{session}").json()["progress"]["epoch"] > 2)
        until(checkpoint_of(there, session).exists)
        mortal.kill()
    with TrainingHost(bars, there) as host, host.client() as http:
        status = f"/training/status/{session}"
        assert http.get(status).json()["operation_status"] == "interrupted"
        other = {**body, "training_configuration": {**OFTEN, "random_walk_baseline": False}}
        assert http.post("/training/start", json=other).status_code == 409
        assert http.post("/training/start", json=body).status_code == 200
        until(lambda: http.get(status).json()["status"] == "completed")
        result = http.get(status).json()["result"]
    # Such a client names no file of its own.
    without = {"config.json": None}
    assert outcome(result) | without == undisturbed | without
