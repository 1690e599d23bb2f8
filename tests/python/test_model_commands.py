"""``ktrdr-core models list|show|compare|predict``."""

from __future__ import annotations

import copy
import json
import shutil
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

import ktrdr_core.models as saved
from commands import only_value, run
from ktrdr_core import DataManager, errors
from ktrdr_core.cli.app import cli
from ktrdr_core.report import html_report
from models_made import Trained, train

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In place of a value that is taken out.
GONE = object()


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


def paths_into(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a file, of a list to the first two."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, one in value.items():
            yield from paths_into(one, (*path, key))
    elif isinstance(value, list):
        for place, one in enumerate(value[:2]):
            yield from paths_into(one, (*path, place))


@pytest.mark.parametrize("name", ["metrics.json", "metadata.json"])
def test_a_folder_whose_files_say_something_else_is_shown_or_refused_in_words(
    trained: Trained, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "models" / "small" / "WALK_1d_v1"
    shutil.copytree(trained.path, folder)
    kept = json.loads((folder / name).read_text())
    runner = CliRunner()
    random = Random(1)
    for path in paths_into(kept):
        for wrong in random.sample(["<b>x</b>", [], {}, -5e9, True, None, GONE], 1):
            spoilt = copy.deepcopy(kept)
            inner = spoilt
            for key in path[:-1]:
                inner = inner[key]
            if wrong is GONE:
                del inner[path[-1]]
            else:
                inner[path[-1]] = wrong
            (folder / name).write_text(json.dumps(spoilt))
            shown = [
                ("show", folder),
                ("compare", trained.path, folder),
                ("list", "--models-dir", tmp_path / "models"),
            ]
            # A page has pictures, which take their time.
            if random.random() < 0.1:
                shown.append(("report", folder, "-o", tmp_path / "page.html"))
            for words in shown:
                told = runner.invoke(cli, ["models", *map(str, words)])
                assert isinstance(told.exception, SystemExit | None), (path, wrong, words)
                assert told.exit_code in (0, 2), (path, wrong, words, told.output)
    page = tmp_path / "page.html"
    assert not page.exists() or "<b>x</b>" not in page.read_text()


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("test_metrics", "test_accuracy"), "x"),
        (("test_metrics",), 5),
        (("confidence", "beats_prior"), "yes"),
        (("training_metrics",), []),
        (("validation_metrics", "val_accuracy"), {}),
    ],
)
def test_a_folder_with_a_figure_that_is_none_is_named_and_does_not_hide_the_others(
    trained: Trained, tmp_path: Path, path: tuple[str, ...], wrong: Any
) -> None:
    for version in (1, 2):
        shutil.copytree(trained.path, tmp_path / "small" / f"WALK_1d_v{version}")
    spoilt = tmp_path / "small" / "WALK_1d_v2"
    metrics = json.loads((spoilt / "metrics.json").read_text())
    inner = metrics
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong
    (spoilt / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(errors.InvalidArgumentError, match=rf"metrics.json: {'.'.join(path)} is "):
        saved.ModelInfo.read(spoilt)
    assert [one.path.name for one in saved.list_models(tmp_path)] == ["WALK_1d_v1"]


def test_a_page_is_made_of_results_alone(trained: Trained) -> None:
    for result in ({}, {"session_info": 5}, {**trained.result, "history": [1]}):
        with pytest.raises(errors.InvalidArgumentError, match="no result of a training"):
            html_report(result)
