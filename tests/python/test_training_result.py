"""The result of a training as types: one schema for this machine, a host, and a host of the contract alone."""

from __future__ import annotations

import copy
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from commands import only_value, run
from ktrdr_core import DataManager, TrainingManager, errors
from ktrdr_core.models import ModelInfo
from ktrdr_core.report import html_report, save_html_report, training_lines
from ktrdr_core.training.result import TrainingResult, schema
from models_made import Trained, train
from threaded_server import Handler, answering
from training_hosts import LIMIT, TrainingHost, app_of, store_bars, strategy_file

if TYPE_CHECKING:
    from collections.abc import Iterator

STORED = Path(__file__).parents[2] / "docs" / "training_result.schema.json"
HOSTILE = "</title><script>alert(1)</script> & $x_{ \" '"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(tmp_path_factory.mktemp("trained"))


class _OfTheTable(Handler):
    """A training host that knows the contract's table only: flat metric lists, old state names, no result."""

    def do_GET(self) -> None:
        if self.path.startswith("/training/status/"):
            self.reply(
                {
                    "session_id": self.path.rpartition("/")[2],
                    "status": "COMPLETED",
                    "progress": {"epoch": 2, "total_epochs": 2, "progress_percent": 100.0},
                    "metrics": {
                        "train_loss": [1.1, 1.0],
                        "val_loss": [1.2, 1.15],
                        "val_accuracy": [0.4, 0.41],
                        "gradient_norm": [3.0, 2.0],
                    },
                    "gpu_usage": {},
                    "error": None,
                }
            )
        else:
            self.reply({"detail": "no such thing"}, 500)

    def do_POST(self) -> None:
        asked = self.asked()
        self.reply({"session_id": asked["session_id"], "status": "started", "message": ""})


def remote(url: str, folder: Path) -> dict[str, Any]:
    with (
        DataManager(folder / "empty", env={}) as data,
        TrainingManager(data, folder / "models", training_url=url, env={}) as manager,
    ):
        path = strategy_file(folder, epochs=2)
        result: dict[str, Any] = manager.train_multi_symbol_strategy(path).result(LIMIT)
        return result


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("hosted")
    store_bars(folder / "bars")
    with TrainingHost(folder / "bars", folder / "there") as host:
        return remote(host.url, folder)


@pytest.fixture(scope="module")
def of_the_table(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with answering(_OfTheTable) as url:
        return remote(url, tmp_path_factory.mktemp("table"))


def test_a_result_of_here_of_a_host_and_of_the_table_is_read_by_one_schema(
    trained: Trained, hosted: dict[str, Any], of_the_table: dict[str, Any]
) -> None:
    for result in (trained.result, hosted, of_the_table):
        read = TrainingResult.parse(result)
        # Nothing is lost, renamed, or made a number that was none.
        assert read.model_dump(by_alias=True) == result
        jsonschema.validate(result, schema())


def test_what_the_table_does_not_tell_is_none_and_never_zero(of_the_table: dict[str, Any]) -> None:
    read = TrainingResult.parse(of_the_table)
    assert [one.val_accuracy for one in read.history] == [0.4, 0.41]
    assert read.training_metrics.epochs_completed == 2
    assert read.test_metrics.test_accuracy is None
    assert read.confidence is None
    assert read.session_info.data_summary is None
    assert set(read.baselines.model_dump().values()) == {None}
    lines = "\n".join(training_lines(of_the_table))
    assert "unknown" in lines
    assert "verdict" not in lines


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Each key of a result by its path; of a list the first entry stands for all."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from places(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


# By a symbol, a class or a feature, of which there may be any.
ANY_NAME = ("per_symbol", "per_symbol_metrics", "feature_importance", "train_classes")


def test_each_key_that_is_missing_or_unknown_is_named(trained: Trained) -> None:
    seen = 0
    for *sections, key in places(trained.result):
        if sections and sections[-1] in ANY_NAME:
            continue
        damaged = copy.deepcopy(trained.result)
        section = damaged
        for one in sections:
            section = section[one]
        taken = section.pop(key)
        path = ".".join(map(str, [*sections, key]))
        with pytest.raises(errors.InvalidArgumentError, match=re.escape(f"{path} is missing")):
            TrainingResult.parse(damaged)
        section[key] = taken
        section["surplus"] = 1
        path = ".".join(map(str, [*sections, "surplus"]))
        with pytest.raises(errors.InvalidArgumentError, match=re.escape(f"{path} is unknown")):
            TrainingResult.parse(damaged)
        seen += 1
    assert seen > 100


@pytest.mark.parametrize("wrong", ["0.5", True, float("nan"), 1.5, -0.1, [0.5]])
def test_a_figure_is_a_number_in_its_range(trained: Trained, wrong: Any) -> None:
    damaged = copy.deepcopy(trained.result)
    damaged["test_metrics"]["test_accuracy"] = wrong
    with pytest.raises(errors.InvalidArgumentError, match=r"test_metrics\.test_accuracy"):
        TrainingResult.parse(damaged)


def test_the_stored_schema_is_the_one_of_the_types_and_of_the_command() -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    assert stored == schema(), "ktrdr-core models schema > docs/training_result.schema.json"
    assert json.loads(run("models", "schema").stdout) == stored


def test_the_hosts_openapi_says_what_a_result_is(tmp_path: Path) -> None:
    with app_of(tmp_path / "bars", tmp_path / "models") as client:
        parts = client.get("/openapi.json").json()["components"]["schemas"]
    kinds = parts["SessionStatus"]["properties"]["result"]["anyOf"]
    assert {"type": "null"} in kinds
    (told,) = (one for one in kinds if one != {"type": "null"})
    assert set(told["required"]) == set(schema()["required"])
    assert "verdict" in parts["Confidence"]["properties"]


# ---- as a page


def test_a_report_is_one_file_that_shows_it_all_and_loads_nothing(
    trained: Trained, tmp_path: Path
) -> None:
    told = run("models", "report", trained.path, "-o", tmp_path / "r.html", "--json")
    assert told.returncode == 0, told.stderr
    assert only_value(told.stdout)["report"] == str(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert [one.name for one in tmp_path.iterdir()] == ["r.html"]
    assert trained.result["confidence"]["verdict"] in page
    for text in (
        "WALK; 1d",
        "class prior",
        "persistence",
        "random walk",
        "warm-up",
        "purged",
        "F1",
    ):
        assert text in page
    assert page.count("<svg") == 1
    # The names of XML's vocabularies are no addresses that anybody fetches.
    left = re.sub(r' xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.search(r"https?:|//\w|<script|<link|<img|<image|data:|@import|url\((?!#)", left)
    assert page == html_report(ModelInfo.read(trained.path).result)


def test_names_are_text_wherever_they_stand(trained: Trained) -> None:
    hostile = json.loads(
        json.dumps(trained.result).replace('"WALK"', json.dumps(HOSTILE)).replace("hold", "<b>")
    )
    hostile["session_info"]["strategy_name"] = HOSTILE
    hostile["feature_importance"] = {HOSTILE: 0.1}
    hostile["confidence"]["verdict"] = HOSTILE
    page = html_report(hostile)
    assert "<script" not in page
    assert "<b>" not in page
    assert page.count("&lt;script&gt;") >= 5


def test_a_report_of_what_is_hardly_known_says_so(
    of_the_table: dict[str, Any], tmp_path: Path
) -> None:
    page = save_html_report(of_the_table, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "was not tested" in page
    assert "unknown" in page
    assert "unknown to unknown" not in page


def test_a_model_of_an_earlier_version_has_a_report(trained: Trained) -> None:
    old = ModelInfo.read(trained.path).result
    for name in ("confidence", "calibration", "per_symbol", "feature_importance"):
        old.pop(name)
    for name in ("holes", "basis_breaks"):
        old["session_info"]["data_summary"].pop(name)
    assert "was not tested" in html_report(old)


def test_a_report_that_cannot_be_written_leaves_the_one_before(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "r.html"
    target.write_text("before")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        save_html_report(trained.result, target)
    assert target.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["r.html"]


def test_a_report_is_a_file_like_every_other_that_the_core_writes(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0)
    try:
        assert (
            save_html_report(trained.result, tmp_path / "own.html").stat().st_mode & 0o777 == 0o600
        )
        monkeypatch.setenv("KTRDR_SHARED_FILES", "true")
        assert (
            save_html_report(trained.result, tmp_path / "all.html").stat().st_mode & 0o777 == 0o666
        )
    finally:
        os.umask(before)
    os.mkfifo(tmp_path / "fifo.html")
    with pytest.raises(errors.InvalidArgumentError, match="something else than a plain file"):
        save_html_report(trained.result, tmp_path / "fifo.html")
    assert (tmp_path / "fifo.html").is_fifo()
    with pytest.raises(errors.NotFoundError, match="there is no folder"):
        save_html_report(trained.result, tmp_path / "nowhere" / "r.html")
    behind = tmp_path / "behind.html"
    behind.write_text("another's")
    (tmp_path / "link.html").symlink_to(behind)
    save_html_report(trained.result, tmp_path / "link.html")
    assert behind.read_text() == "another's"
