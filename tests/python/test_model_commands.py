"""``ktrdr-core models list|show|compare|predict``."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import ktrdr_core.models as saved
from commands import only_value, run
from ktrdr_core import DataManager
from models_made import Trained, train

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(tmp_path_factory.mktemp("trained"))


def test_models_are_listed_shown_and_compared(trained: Trained) -> None:
    listed = run("models", "list", "--models-dir", trained.models_dir)
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines()[1].split()[:3] == ["small", "WALK", "1"]
    (facts,) = only_value(
        run("models", "list", "--models-dir", trained.models_dir, "--json").stdout
    )
    assert facts["path"] == str(trained.path)
    assert facts["test_accuracy"] == trained.result["test_metrics"]["test_accuracy"]
    shown = run("models", "show", trained.path)
    assert "history    " in shown.stdout
    assert "mlp 6-12-6-3" in shown.stdout
    compared = run("models", "compare", trained.path, trained.path)
    assert compared.stdout.splitlines()[0].split() == ["small", "v1", "small", "v1"]


def test_a_prediction_is_that_of_the_model(trained: Trained) -> None:
    asked = ("models", "predict", trained.path, "WALK", "--data-dir", trained.data_dir, "--last", 3)
    told = run(*asked)
    assert told.returncode == 0, told.stderr
    assert len(told.stdout.splitlines()) == 4
    value = only_value(run(*asked, "--json").stdout)
    expected = list(saved.load(trained.path).predict_bars(trained.bars))[-3:]
    assert [one["predicted"] for one in value["predictions"]] == [one.predicted for one in expected]
    assert [one["chances"] for one in value["predictions"]] == [one.chances for one in expected]


def test_bars_are_read_in_the_basis_that_the_model_knows(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    shutil.copytree(trained.data_dir, folder)
    with DataManager(folder, env={}) as data:
        for symbol in ("WALK", "OTHER"):
            data.store(symbol, "1d", trained.bars, what_to_show="ADJUSTED_LAST").result(60)
    asked = ("models", "predict", trained.path, "--data-dir", folder, "--last", 3)
    told = run(*asked, "WALK", "--json")
    before = (
        "models",
        "predict",
        trained.path,
        "WALK",
        "--data-dir",
        trained.data_dir,
        "--last",
        3,
    )
    assert only_value(told.stdout) == only_value(run(*before, "--json").stdout)
    other_kind = run(*asked, "WALK", "--what-to-show", "ADJUSTED_LAST")
    assert other_kind.returncode != 0
    assert "are ADJUSTED_LAST, and the model was trained on TRADES:" in other_kind.stderr
    of_other = run(*asked, "OTHER")
    assert of_other.returncode != 0
    assert "ktrdr-core data load OTHER 1d --start" in of_other.stderr
    assert "--what-to-show TRADES" in of_other.stderr
    assert "is not known: use one of" in run(*asked, "WALK", "--what-to-show", "NOTHING").stderr


def test_what_is_not_there_is_said(trained: Trained, tmp_path: Path) -> None:
    none = run("models", "list", "--models-dir", tmp_path)
    assert none.returncode == 0
    assert "no models" in none.stdout
    nowhere = run("models", "show", tmp_path / "nowhere")
    assert nowhere.returncode != 0
    assert "nowhere" in nowhere.stderr
    unknown = run("models", "predict", trained.path, "OTHER", "--data-dir", trained.data_dir)
    assert unknown.returncode != 0
    assert "OTHER" in unknown.stderr
    few = run(
        *("models", "predict", trained.path, "WALK", "--data-dir", trained.data_dir),
        *("--start", "2021-06-01"),
    )
    assert few.returncode != 0
    assert "are needed" in few.stderr
