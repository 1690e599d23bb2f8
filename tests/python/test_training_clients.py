"""Many clients of one training host, and what a fetched model says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ktrdr_core.models as saved
from ktrdr_core import DataManager, OperationsService, TrainingManager
from training_hosts import LIMIT, TrainingHost, store_bars, strategy_file

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
