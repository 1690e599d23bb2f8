"""What nothing can be learned from is told with words that say what to change, and leaves no model."""

from __future__ import annotations

import copy
import importlib.metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from ktrdr_core import DataManager, TrainingManager, errors
from models_made import STRATEGY, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataManager]:
    """A manager over a walk, and over one that has no volume for a while."""
    with DataManager(tmp_path_factory.mktemp("bars"), env={}) as manager:
        manager.store("WALK", "1d", walk()).result(60)
        quiet = walk(seed=2)
        quiet["volume"] = np.where(np.arange(900) // 30 == 10, np.nan, quiet["volume"])
        manager.store("QUIET", "1d", quiet).result(60)
        yield manager


@pytest.fixture
def training(data: DataManager, tmp_path: Path) -> Iterator[TrainingManager]:
    with TrainingManager(data, tmp_path / "models", env={}) as manager:
        yield manager


def file_of(folder: Path, **training: Any) -> Path:
    """The small strategy with other options of its training."""
    strategy = copy.deepcopy(STRATEGY)
    strategy["model"]["training"] |= training.pop("model", {})
    strategy["training"]["labels"] |= training
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(strategy, sort_keys=False))
    return path


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"threshold": 0.9}, r"all \d+ rows of the training part have one label"),
        ({"model": {"batch_size": 100_000}}, r"\d+ rows, fewer than one batch of 100000"),
        ({"label_lookahead": 880}, r"WALK 1d has 900 bars to train on; \d+ are needed"),
    ],
)
def test_too_little_to_learn_from_is_told_in_numbers(
    training: TrainingManager, tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    with pytest.raises(errors.NotEnoughDataError, match=says):
        training.train_multi_symbol_strategy(file_of(tmp_path, **changed)).result(60)
    assert not list((tmp_path / "models").rglob("*.safetensors"))


def test_a_learning_rate_that_diverges_is_told_by_epoch_and_batch(
    training: TrainingManager, tmp_path: Path
) -> None:
    path = file_of(
        tmp_path, model={"learning_rate": 100, "optimizer": "sgd", "weight_decay": 10, "epochs": 90}
    )
    with pytest.raises(
        errors.TrainingError, match=r"epoch \d+, batch \d+ .*learning rate \(100\)"
    ) as told:
        training.train_multi_symbol_strategy(path).result(60)
    assert told.value.context["epoch"] >= 1
    assert told.value.context["batch"] >= 1
    assert not list((tmp_path / "models").rglob("*.safetensors"))


def test_a_symbol_without_bars_is_told_with_what_loads_them(
    training: TrainingManager, tmp_path: Path
) -> None:
    with pytest.raises(errors.NoDataError, match=r"GHOST.*load"):
        training.train_multi_symbol_strategy(file_of(tmp_path), symbols=["WALK", "GHOST"]).result(
            60
        )


def test_bars_that_give_no_number_cost_their_rows_and_are_counted(
    training: TrainingManager, tmp_path: Path
) -> None:
    strategy = copy.deepcopy(STRATEGY)
    strategy["indicators"].append({"name": "mfi", "feature_id": "flow", "period": 5})
    strategy["fuzzy_sets"]["flow"] = {"low": {"type": "triangular", "parameters": [0, 20, 60]}}
    path = tmp_path / "flow.yaml"
    path.write_text(yaml.safe_dump(strategy, sort_keys=False))
    operation = training.train_multi_symbol_strategy(path, symbols=["QUIET"])
    (one,) = operation.result(60)["session_info"]["data_summary"]["symbols"]
    # Thirty bars, and those that look back at one of them.
    assert one["nan"] >= 30
    assert one["nan"] < 60
    rows = one["train"] + one["validation"] + one["test"]
    assert rows + sum(one[why] for why in ("warm_up", "hole", "nan", "undecided", "purged")) == 900


def test_a_torch_of_another_release_is_refused_with_the_command_for_the_right_one(
    training: TrainingManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "1.0.0+cpu" if name == "torch" else real(name)
    )
    with pytest.raises(
        errors.FeatureNotAvailableError, match=r"torch 1\.0\.0\+cpu is installed: .*torch=="
    ):
        training.train_multi_symbol_strategy(file_of(tmp_path))
