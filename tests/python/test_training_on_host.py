"""Trainings done by a training host: the same as here, followed, stopped, lost and found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from commands import run as command
from cutting_proxy import CuttingProxy
from ktrdr_core import DataManager, Operation, TrainingManager, errors
from ktrdr_core.operations import OperationsService
from ktrdr_core.training import TrainingService
from training_hosts import (
    ENDLESS,
    LIMIT,
    TableClient,
    TrainingHost,
    start_body,
    store_bars,
    strategy_file,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bars")
    store_bars(folder)
    return folder


@pytest.fixture(scope="module")
def host(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingHost]:
    with TrainingHost(bars, tmp_path_factory.mktemp("there")) as one:
        yield one


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataManager]:
    """The client's own data directory, in which there are no bars."""
    with DataManager(tmp_path / "empty", env={}) as one:
        yield one


def on(url: str, data: DataManager, models: Path, **variables: str) -> TrainingManager:
    env = {f"TRAINING_HOST_SERVICE_{name}": value for name, value in variables.items()}
    return TrainingManager(data, models, training_url=url, env=env)


def in_epochs(operation: Operation[Any]) -> None:
    until(lambda: operation.progress.epoch > 0 or operation.done())
    assert not operation.done()


def metrics_of(operation: Operation[Any]) -> list[dict[str, Any]]:
    """What the operation tells of each epoch."""
    return list(OperationsService().metrics(operation.id, limit=10_000).metrics)


def epochs_of(operation: Operation[Any]) -> list[int]:
    return [int(one["epoch"]) for one in metrics_of(operation)]


FIGURES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate")


def sessions_of(host: TrainingHost) -> dict[str, dict[str, Any]]:
    with host.client() as http:
        listed = http.get("/training/sessions", params={"limit": 1000}).json()["sessions"]
    return {one["session_id"]: one for one in listed}


def test_a_training_there_is_the_same_as_one_here_and_its_model_lies_here(
    host: TrainingHost, bars: Path, data: DataManager, tmp_path: Path
) -> None:
    path = strategy_file(tmp_path, epochs=4, lr_scheduler={"type": "step", "step_size": 2})
    with on(host.url, data, tmp_path / "remote") as remote:
        operation = remote.train_multi_symbol_strategy(path)
        there = operation.result(LIMIT)
        assert epochs_of(operation) == [1, 2, 3, 4]
        told = metrics_of(operation)
    with DataManager(bars, env={}) as stored, TrainingManager(stored, tmp_path / "l", env={}) as m:
        local = m.train_multi_symbol_strategy(path)
        here = local.result(LIMIT)
        assert epochs_of(local) == [1, 2, 3, 4]
        # Loss, accuracy and learning rate of each epoch, to the last bit.
        assert told == metrics_of(local)
        assert all(set(FIGURES) <= set(one) for one in told)
        assert told[0]["learning_rate"] > told[3]["learning_rate"] > 0
    sections = [name for name in here if isinstance(here[name], dict)]
    assert set(there) == set(here)
    assert {name: set(there[name]) for name in sections} == {
        name: set(here[name]) for name in sections
    }
    for one in (there, here):
        assert one["baselines"]["random_walk"].pop("seconds") > 0
    for name in ("test_metrics", "validation_metrics", "history", "baselines", "model_info"):
        assert there[name] == here[name]
    session = there["session_info"]
    assert (session["training_mode"], session["use_host_service"]) == ("host", True)
    assert (session["session_id"], session["host_status"]) == (operation.id, "completed")
    folder, own = (Path(one["artifacts"]["model_path"]) for one in (there, here))
    assert folder.parent.parent == tmp_path / "remote"
    assert {one.name for one in folder.iterdir()} == {one.name for one in own.iterdir()}
    for name in ("model.safetensors", "features.json"):
        assert (folder / name).read_bytes() == (own / name).read_bytes()
    assert json.loads((folder / "config.json").read_text()) == json.loads(
        (own / "config.json").read_text()
    )


def test_a_training_there_needs_no_libtorch_here(
    host: TrainingHost, data: DataManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ktrdr_core.training import torch_loader

    def missing(*_: object) -> None:
        raise errors.FeatureNotAvailableError("LibTorch is not here")

    monkeypatch.setattr(torch_loader, "check_installed", missing)
    monkeypatch.setattr(torch_loader, "load_into", missing)
    with on(host.url, data, tmp_path / "models") as remote:
        operation = remote.train_multi_symbol_strategy(strategy_file(tmp_path, epochs=1))
        assert operation.result(LIMIT)["training_metrics"]["epochs_completed"] == 1


def test_a_training_can_be_started_for_its_id(
    host: TrainingHost, data: DataManager, tmp_path: Path
) -> None:
    with on(host.url, data, tmp_path / "models") as service:
        assert isinstance(service, TrainingService)
        path = strategy_file(tmp_path, epochs=1)
        name = service.start_training(path, operation_id="by-id-1")
        assert name == service.start_training(path, operation_id="by-id-1") == "by-id-1"
        until(lambda: not OperationsService().get(name).active)
        assert OperationsService().get(name).status == "completed"


def test_what_fails_there_fails_here_with_the_same_class_and_words(
    host: TrainingHost, bars: Path, data: DataManager, tmp_path: Path
) -> None:
    path = strategy_file(tmp_path)
    said = []
    with (
        DataManager(bars, env={}) as stored,
        TrainingManager(stored, tmp_path / "here", env={}) as local,
        on(host.url, data, tmp_path / "there") as remote,
    ):
        for manager in (local, remote):
            with pytest.raises(errors.NotEnoughDataError) as caught:
                manager.train_multi_symbol_strategy(
                    path, start_date="2018-01-01", end_date="2018-02-01"
                ).result(LIMIT)
            said.append(caught.value.message)
    assert said[0] == said[1]


def test_ten_at_once_over_a_pool_of_five_each_its_own_and_each_stopped_alone(
    host: TrainingHost, data: DataManager, tmp_path: Path
) -> None:
    with on(host.url, data, tmp_path / "models", POOL_LIMIT="5") as remote:
        endless = strategy_file(tmp_path, **ENDLESS)
        operations = [remote.train_multi_symbol_strategy(endless) for _ in range(10)]
        for operation in operations:
            in_epochs(operation)
        for number, operation in enumerate(operations):
            operation.cancel("enough")
            with pytest.raises(errors.OperationCancelledError):
                operation.result(LIMIT)
            assert not any(other.done() for other in operations[number + 1 :])
            # The host's word has come before the operation ends.
            assert sessions_of(host)[operation.id]["status"] == "stopped"
            # A disk that others keep busy is no matter here.
            assert [each for each in operation.warnings if "in the store" not in each] == []
    with host.client() as http:
        assert http.get("/health").json()["active_training_sessions"] == 0
        # Nothing learns any more: whatever is asked, no training thread takes time.
        before = host.training_ticks()
        for _ in range(50):
            http.get("/health")
        assert host.training_ticks() - before <= 1


def test_a_cancel_behind_the_epochs_ends_the_hosts_session_too(
    host: TrainingHost, data: DataManager, tmp_path: Path
) -> None:
    path = strategy_file(tmp_path, epochs=300, early_stopping=None, batch_size=8)
    with on(host.url, data, tmp_path / "models") as remote:
        operation = remote.train_multi_symbol_strategy(path)
        # Its random walk takes as long as the training itself.
        until(lambda: operation.progress.step_name == "evaluation" or operation.done())
        assert not operation.done()
        operation.cancel("enough")
        with pytest.raises(errors.OperationCancelledError):
            operation.result(LIMIT)
        assert sessions_of(host)[operation.id]["status"] == "stopped"
    with host.client() as http:
        assert http.get(f"/training/sessions/{operation.id}/model").status_code == 409
    assert not list((tmp_path / "models").glob("*/*"))


def test_a_connection_that_breaks_again_and_again_loses_no_epoch(
    host: TrainingHost, data: DataManager, tmp_path: Path
) -> None:
    left = [700, 5000, 9000]

    def cut(first: bytes) -> int | None:
        return left.pop(0) if b"/events" in first and left else None

    path = strategy_file(tmp_path, epochs=60, early_stopping=None, batch_size=8)
    with CuttingProxy(host.url, cut) as proxy, on(proxy.url, data, tmp_path / "m") as remote:
        operation = remote.train_multi_symbol_strategy(path)
        assert operation.result(LIMIT)["training_metrics"]["epochs_completed"] == 60
        assert proxy.cuts > 0
        assert epochs_of(operation) == list(range(1, 61))


def test_where_nothing_is_streamed_the_status_is_asked_for_and_no_epoch_is_lost(
    host: TrainingHost, data: DataManager, tmp_path: Path
) -> None:
    with (
        CuttingProxy(host.url, lambda first: 1 if b"/events" in first else None) as proxy,
        on(proxy.url, data, tmp_path / "m", TIMEOUT="2") as remote,
    ):
        path = strategy_file(tmp_path, epochs=30, early_stopping=None)
        operation = remote.train_multi_symbol_strategy(path)
        operation.result(LIMIT)
        assert epochs_of(operation) == list(range(1, 31))


def test_a_start_whose_answer_is_cut_off_is_one_session(
    host: TrainingHost, data: DataManager, tmp_path: Path
) -> None:
    before = set(sessions_of(host))
    left = [1, 40]

    def cut(first: bytes) -> int | None:
        return left.pop(0) if b"/training/start" in first and left else None

    with CuttingProxy(host.url, cut) as proxy, on(proxy.url, data, tmp_path / "m") as remote:
        operation = remote.train_multi_symbol_strategy(strategy_file(tmp_path, epochs=1))
        operation.result(LIMIT)
        assert proxy.cuts == 2
    assert set(sessions_of(host)) - before == {operation.id}


def test_a_host_that_is_killed_is_one_error_and_its_session_interrupted(
    bars: Path, data: DataManager, tmp_path: Path
) -> None:
    with TrainingHost(bars, tmp_path / "there") as mortal:
        with on(mortal.url, data, tmp_path / "m", TIMEOUT="1") as remote:
            path = strategy_file(tmp_path, **ENDLESS)
            operation = remote.train_multi_symbol_strategy(path)
            in_epochs(operation)
            mortal.kill()
            with pytest.raises(errors.HostServiceError, match="was lost") as caught:
                operation.result(LIMIT)
            assert operation.id in caught.value.message
    with TrainingHost(bars, tmp_path / "there") as again, again.client() as http:
        told = http.get(f"/training/status/{operation.id}").json()
        assert (told["status"], told["operation_status"]) == ("failed", "interrupted")
        assert "the service ended" in told["error"]
        # The same start again, by a client of the table too, and it goes on.
        body = start_body(operation.id, **ENDLESS)
        body["model_configuration"] |= {"symbols": None, "timeframes": None}
        assert http.post("/training/start", json=body).status_code == 200
        path_of = f"/training/status/{operation.id}"
        until(lambda: http.get(path_of).json()["progress"]["epoch"] > 0)
        stopped = http.post("/training/stop", json={"session_id": operation.id})
        assert (stopped.status_code, stopped.json()["status"]) == (200, "stopped")


def test_the_limits_of_the_command_hold_for_its_sessions(bars: Path, tmp_path: Path) -> None:
    limits = ("--at-once", "1", "--memory-limit")
    with (
        TrainingHost(bars, tmp_path / "small", *limits, "1000") as small,
        small.client() as http,
    ):
        table = TableClient(http)
        told = table.end(table.start(start_body()))
        assert told["status"] == "failed"
        assert "memory_limit" in told["error"]
    with (
        TrainingHost(bars, tmp_path / "one", *limits, str(64 << 30)) as one,
        one.client() as http,
    ):
        table = TableClient(http)
        first, second = (table.start(start_body(**ENDLESS)) for _ in range(2))
        table.training(first)
        rows = http.get("/training/sessions").json()["sessions"]
        places = {row["session_id"]: row["queue_place"] for row in rows}
        assert places[second] == 1
        for session in (second, first):
            http.post("/training/stop", json={"session_id": session})


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--at-once", "0"), 2, "must be at least 1, not 0"),
        (("--at-once", "257"), 1, "sessions is 257"),
        (("--memory-limit", "much"), 2, "must be a whole number, not 'much'"),
    ],
)
def test_limits_that_cannot_be_are_one_clear_line(
    arguments: tuple[str, str], status: int, said: str, bars: Path, tmp_path: Path
) -> None:
    with TrainingHost(bars, tmp_path, *arguments) as none:
        assert none.process.wait(LIMIT) == status
        told = none.end()
    assert said in told.splitlines()[-1]


def test_sigterm_ends_the_sessions_and_the_service_and_the_client_hears_of_it(
    bars: Path, data: DataManager, tmp_path: Path
) -> None:
    with TrainingHost(bars, tmp_path / "there", "--log", "json") as mortal:
        assert mortal.announced.startswith("training host service (bars of ")
        with on(mortal.url, data, tmp_path / "m", TIMEOUT="1") as remote:
            operation = remote.train_multi_symbol_strategy(strategy_file(tmp_path, **ENDLESS))
            in_epochs(operation)
            said = mortal.end()
            assert mortal.process.returncode == 0
            with pytest.raises(errors.HostServiceError):
                operation.result(LIMIT)
        notes = [json.loads(line) for line in said.splitlines()]
        assert [note["session_id"] for note in notes] == [operation.id]
    record = OperationsService(bars / "ktrdr.db", default=False).get(operation.id)
    assert record.status in ("cancelled", "failed")


def test_a_client_that_shares_the_hosts_data_directory_is_told_so(
    host: TrainingHost, bars: Path, tmp_path: Path
) -> None:
    with DataManager(bars, env={}) as data, on(host.url, data, tmp_path / "models") as training:
        begun = training.train_multi_symbol_strategy(strategy_file(tmp_path, epochs=1))
        with pytest.raises(errors.KtrdrError, match="share one data directory"):
            begun.result(LIMIT)


def test_the_command_needs_no_bars_here_and_says_what_the_host_lacks(
    host: TrainingHost, tmp_path: Path
) -> None:
    place = ["--data-dir", tmp_path / "none", "--models-dir", tmp_path / "models"]
    file, env = strategy_file(tmp_path, epochs=1), {"TRAINING_HOST_SERVICE_URL": host.url}
    done = command("models", "train", file, *place, **env)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models").is_dir()
    done = command("sweep", file, "--set", "model.training.seed=1", *place, **env)
    assert done.returncode == 0, done.stderr
    done = command("models", "train", file, "--symbols", "NOPE", *place, **env)
    assert done.returncode == 3, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert "NOPE" in last
