"""Many clients of one training host, and what a fetched model says."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

import ktrdr_core.models as saved
from ktrdr_core import DataManager, OperationsService, TrainingManager, errors
from training_hosts import LIMIT, TrainingHost, store_bars, strategy_file, until

if TYPE_CHECKING:
    from pathlib import Path

EPOCHS = 40


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bars")
    store_bars(folder)
    return folder


def test_ten_clients_share_three_streams_and_none_starves(bars: Path, tmp_path: Path) -> None:
    """Who gets no stream asks for the status: it ends, and hears of every epoch, all the same."""
    path = strategy_file(tmp_path, epochs=EPOCHS, early_stopping=None)
    with (
        TrainingHost(bars, tmp_path / "there", "--max-streams", "3") as host,
        DataManager(tmp_path / "empty", env={}) as data,
        TrainingManager(data, tmp_path / "models", training_url=host.url, env={}) as remote,
    ):
        operations = [
            remote.train_multi_symbol_strategy(path, random_walk_baseline=False) for _ in range(10)
        ]
        for operation in operations:
            result = operation.result(LIMIT)
            assert result["training_metrics"]["epochs_completed"] == EPOCHS
            rows = OperationsService().metrics(operation.id).metrics
            assert [int(row["epoch"]) for row in rows] == list(range(1, EPOCHS + 1))


def test_a_fetched_model_predicts_bit_for_bit_what_one_trained_here_predicts(
    bars: Path, tmp_path: Path
) -> None:
    path = strategy_file(tmp_path)
    with (
        TrainingHost(bars, tmp_path / "there") as host,
        DataManager(tmp_path / "empty", env={}) as empty,
        TrainingManager(empty, tmp_path / "fetched", training_url=host.url, env={}) as remote,
        DataManager(bars, env={}) as data,
        TrainingManager(data, tmp_path / "here", env={}) as local,
    ):
        stored = data.get_data("AAPL", "1d")
        said = []
        for training in (remote, local):
            operation = training.train_multi_symbol_strategy(path, random_walk_baseline=False)
            model = saved.load(operation.result(LIMIT)["artifacts"]["model_path"])
            said.append(
                [(one.time, one.predicted, one.chances) for one in model.predict_bars(stored)]
            )
    assert len(said[0]) > 100
    assert said[0] == said[1]


def test_a_start_whose_answer_comes_after_its_clients_patience_is_no_second_session(
    tmp_path: Path,
) -> None:
    """The host stands still when the start is sent, until its client has given it up."""
    path = strategy_file(tmp_path, epochs=2)
    env = {"TRAINING_HOST_SERVICE_TIMEOUT": "1"}
    store_bars(tmp_path / "bars")
    with (
        TrainingHost(tmp_path / "bars", tmp_path / "there") as host,
        DataManager(tmp_path / "empty", env={}) as data,
        TrainingManager(data, tmp_path / "models", training_url=host.url, env=env) as remote,
    ):
        host.process.send_signal(signal.SIGSTOP)
        operation = remote.train_multi_symbol_strategy(path, random_walk_baseline=False)
        with pytest.raises(errors.KtrdrError):
            operation.result(LIMIT)
        host.process.send_signal(signal.SIGCONT)
        with host.client() as http:
            listed = http.get("/training/sessions").json()["sessions"]
            assert [one["session_id"] for one in listed] in ([], [operation.id])
            # Its client has given it up: it does not train unheard.
            until(lambda: http.get("/health").json()["active_training_sessions"] == 0)
