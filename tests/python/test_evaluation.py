"""Saved models judged on stored bars: by their own test as in their report, and by what they have never seen."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from fastapi.testclient import TestClient

from asgi import posted
from commands import run as command
from ktrdr_core import CancellationToken, DataManager, OperationsService, TrainingManager, errors
from ktrdr_core.hosts.training.app import create_app
from ktrdr_core.hosts.training.sessions import HostLimits
from walks import frame, store, swings, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("ktrdr_core._torch")

STRATEGY: dict[str, Any] = {
    "name": "judged",
    "training_data": {
        "symbols": {"mode": "multi_symbol", "symbols": ["SWING", "SWAY"]},
        "timeframes": {"mode": "single_timeframe", "timeframe": "1d"},
    },
    "indicators": [
        {"name": "rsi", "feature_id": "rsi_5", "period": 5},
        {"name": "ema", "feature_id": "ema_9", "period": 9},
    ],
    "fuzzy_sets": {
        "rsi_5": {
            "low": {"type": "triangular", "parameters": [0, 0, 60]},
            "high": {"type": "triangular", "parameters": [40, 100, 100]},
        },
        "ema_9": {"any": {"type": "gaussian", "parameters": [100, 40]}},
    },
    "model": {
        "type": "mlp",
        "features": {"scale_features": True, "lookback_periods": 2},
        "training": {"epochs": 4},
    },
    "training": {"labels": {"source": "forward_return", "threshold": 0.005, "label_lookahead": 3}},
}
PARTS = ("test_metrics", "baselines", "confidence", "calibration", "per_symbol")
LAST = "2013-06-01"


class Trained:
    """A model of two symbols, the result of its training, and what it was trained on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = DataManager(folder / "bars", env={})
        for number, symbol in enumerate(("SWING", "SWAY")):
            store(self.data, symbol, "1d", frame(swings(number, 1500), "1d"))
        store(self.data, "WALK", "1d", frame(walk(7, 1500), "1d"))
        strategy = folder / "judged.yaml"
        strategy.write_text(yaml.safe_dump(STRATEGY))
        self.training = TrainingManager(self.data, folder / "models", env={})
        self.result = self.training.train_multi_symbol_strategy(strategy, end_date=LAST).result(120)
        self.model = Path(self.result["artifacts"]["model_path"])

    def close(self) -> None:
        self.training.close()
        self.data.close()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    made = Trained(tmp_path_factory.mktemp("judged"))
    yield made
    made.close()


def test_on_the_dates_of_its_training_a_model_gets_the_figures_of_its_report(
    trained: Trained,
) -> None:
    judged = trained.training.evaluate_model(trained.model, end_date=LAST).result(60)
    for part in PARTS:
        assert judged[part] == trained.result[part], part
    assert judged["rows"] == trained.result["session_info"]["data_summary"]["rows"]["test"]
    assert judged["seen_rows"] == 0
    assert judged["warnings"] == []
    assert judged["symbols"] == ["SWING", "SWAY"]


def test_without_dates_it_is_judged_on_all_that_came_since(trained: Trained) -> None:
    whole = trained.training.evaluate_model(trained.model).result(60)
    own = trained.training.evaluate_model(trained.model, end_date=LAST).result(60)
    later = trained.training.evaluate_model(trained.model, start_date="2013-06-02").result(60)
    assert whole["from"] == own["from"]
    assert whole["to"] > own["to"]
    # The labels of the last three rows of each symbol look at bars behind the date.
    assert whole["rows"] == own["rows"] + later["rows"] + 2 * 3
    assert later["seen_rows"] == 0


def test_rows_that_it_was_trained_on_are_counted_and_told_of(trained: Trained) -> None:
    operation = trained.training.evaluate_model(
        trained.model, start_date="2010-06-01", end_date=LAST
    )
    judged = operation.result(60)
    own = trained.training.evaluate_model(trained.model, end_date=LAST).result(60)
    assert judged["seen_rows"] == judged["rows"] - own["rows"] > 0
    assert len(judged["warnings"]) == 2
    assert "was trained on such" in judged["warnings"][0]
    assert operation.warnings == judged["warnings"]


def test_what_it_has_learned_holds_where_it_is_true_and_not_on_a_random_walk(
    trained: Trained,
) -> None:
    swaying = trained.training.evaluate_model(trained.model, start_date="2013-06-02").result(60)
    assert swaying["confidence"]["beats_prior"] is True
    walking = trained.training.evaluate_model(trained.model, ["WALK"], "2010-03-01").result(60)
    assert walking["confidence"]["beats_prior"] is False
    assert set(walking["per_symbol"]) == {"WALK"}


def test_an_evaluation_is_an_operation(trained: Trained) -> None:
    token = CancellationToken()
    token.cancel("enough")
    stopped = trained.training.evaluate_model(trained.model, cancellation_token=token)
    with pytest.raises(errors.OperationCancelledError, match="enough"):
        stopped.result(60)

    async def main() -> dict[str, Any]:
        return await trained.training.evaluate_model(trained.model, end_date=LAST)

    assert asyncio.run(main())["rows"] > 0
    record = OperationsService().list(operation_type="model_evaluation", limit=1).records[0]
    assert record.status == "completed"


def test_what_cannot_be_judged_is_told(trained: Trained, tmp_path: Path) -> None:
    judge = trained.training.evaluate_model
    with pytest.raises(errors.NotFoundError, match="nowhere"):
        judge(tmp_path / "nowhere").result(60)
    with pytest.raises(errors.NoDataError, match="NONE"):
        judge(trained.model, ["NONE"]).result(60)
    with pytest.raises(errors.NotEnoughDataError, match="earlier start_date"):
        judge(trained.model, start_date="2099-01-01").result(60)
    with pytest.raises(errors.InvalidArgumentError, match='start_date "yesterday"'):
        judge(trained.model, start_date="yesterday").result(60)
    with pytest.raises(errors.InvalidArgumentError, match="must lie before end_date"):
        judge(trained.model, start_date="2013-01-02", end_date="2013-01-01").result(60)
    with pytest.raises(errors.InvalidArgumentError, match="not one text"):
        judge(trained.model, "SWING")
    with pytest.raises(errors.InvalidArgumentError, match="a list of names, not \\[None\\]"):
        judge(trained.model, [None])  # type: ignore[list-item]
    with pytest.raises(
        errors.InvalidArgumentError, match=r"end_date \(2011-01-01\) lies before 2012-"
    ):
        judge(trained.model, end_date="2011-01-01").result(60)
    broken = tmp_path / "broken"
    shutil.copytree(trained.model, broken)
    (broken / "metadata.json").write_text("{}")
    with pytest.raises(errors.InvalidArgumentError, match="when its test began"):
        judge(broken).result(60)
    facts = json.loads((trained.model / "metadata.json").read_text())
    del facts["data_summary"]["train_classes"]
    (broken / "metadata.json").write_text(json.dumps(facts))
    with pytest.raises(errors.InvalidArgumentError, match="which classes it was trained on"):
        judge(broken).result(60)


def test_features_that_depend_on_where_bars_begin_are_those_of_the_training(
    trained: Trained, tmp_path: Path
) -> None:
    strategy = copy.deepcopy(STRATEGY)
    strategy["indicators"].append({"name": "obv", "feature_id": "obv"})
    strategy["fuzzy_sets"]["obv"] = {"up": {"type": "gaussian", "parameters": [0, 20_000]}}
    path = tmp_path / "obv.yaml"
    path.write_text(yaml.safe_dump(strategy))
    result = trained.training.train_multi_symbol_strategy(
        path, start_date="2011-01-03", end_date=LAST, random_walk_baseline=False
    ).result(120)
    model = result["artifacts"]["model_path"]
    own_test = result["session_info"]["data_summary"]["test_from"]
    for start in (None, own_test):
        judged = trained.training.evaluate_model(model, start_date=start, end_date=LAST).result(60)
        assert judged["test_metrics"] == result["test_metrics"], start


@pytest.mark.parametrize(
    "odd",
    [
        {"gain_over_prior": [None, None]},
        {"gain_over_prior": [0.1]},
        {"gain_over_prior": ["a", "b"]},
        {"test_accuracy": None},
    ],
)
def test_a_model_without_figures_of_a_random_walk_is_compared_with_none(
    trained: Trained, tmp_path: Path, odd: dict[str, Any]
) -> None:
    model = tmp_path / "odd"
    shutil.copytree(trained.model, model)
    metrics = json.loads((model / "metrics.json").read_text())
    metrics["baselines"]["random_walk"] |= odd
    (model / "metrics.json").write_text(json.dumps(metrics))
    judged = trained.training.evaluate_model(model).result(60)
    assert judged["confidence"]["beats_random_walk"] is None


def test_bars_of_another_kind_of_price_are_refused(trained: Trained) -> None:
    bars = frame(swings(4, 1500), "1d")
    trained.data.store("ADJUSTED", "1d", bars, what_to_show="ADJUSTED_LAST").result(60)
    operation = trained.training.evaluate_model(trained.model, ["ADJUSTED"])
    with pytest.raises(
        errors.InvalidArgumentError, match="ADJUSTED_LAST, and the model was trained on TRADES:"
    ):
        operation.result(60)


def test_a_break_in_the_basis_of_stored_prices_is_told_of(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    shutil.copytree(trained.folder / "bars", folder)
    at = int(np.datetime64("2013-03-01", "ns").astype(int))
    with closing(sqlite3.connect(folder / "ktrdr.db")) as file, file:
        file.execute(
            "INSERT INTO basis_break (series, at, found_at, ratio) SELECT id, ?1, ?1, 0.25 FROM series WHERE symbol = 'SWAY'",
            (at,),
        )
    with (
        DataManager(folder, env={}) as data,
        TrainingManager(data, tmp_path / "models", env={}) as training,
    ):
        judged = training.evaluate_model(trained.model).result(60)
    (warning,) = judged["warnings"]
    assert warning.startswith("SWAY 1d: prices from 2013-03-01T00:00:00.000Z on are 0.25 times")
    predicted = command("models", "predict", trained.model, "SWAY", "--data-dir", folder)
    assert predicted.returncode == 0, predicted.stderr
    assert warning in " ".join(predicted.stderr.split())
    later = ("--start", "2013-03-01", "--data-dir", folder)
    assert "0.25 times" not in command("models", "predict", trained.model, "SWAY", *later).stderr


def test_too_few_rows_to_tell_are_said_to_be_that(trained: Trained) -> None:
    judged = trained.training.evaluate_model(
        trained.model, start_date="2013-06-02", end_date="2013-06-12"
    ).result(60)
    assert judged["rows"] > 0
    assert judged["confidence"]["beats_prior"] is None
    assert judged["confidence"]["test_accuracy"] == [None, None]
    assert "too few were tested" in judged["confidence"]["verdict"]


def test_the_command_shows_what_the_call_gives(trained: Trained) -> None:
    place = ("--end", LAST, "--data-dir", trained.folder / "bars")
    shown = command("models", "evaluate", trained.model, *place)
    assert shown.returncode == 0, shown.stderr
    accuracy = trained.result["test_metrics"]["test_accuracy"]
    assert f"{100 * accuracy:.1f} %" in shown.stdout
    assert "SWAY" in shown.stdout
    assert trained.result["confidence"]["verdict"] in " ".join(shown.stdout.split())


def test_the_command_names_the_one_that_brings_bars_which_are_not_there(trained: Trained) -> None:
    done = command(
        "models", "evaluate", trained.model, "NOPE", "--data-dir", trained.folder / "bars"
    )
    assert done.returncode == 3
    assert "ktrdr-core data load NOPE 1d" in done.stderr.splitlines()[-1]
    assert "load_data(" not in done.stderr


@pytest.fixture
def client(trained: Trained) -> Iterator[TestClient]:
    operations = OperationsService(trained.data.database_path, default=False)
    app = create_app(
        trained.training,
        trained.data,
        operations,
        # As a person gives it; results name their models from the root.
        os.path.relpath(trained.folder / "models"),
        limits=HostLimits(max_evaluations=1),
    )
    with TestClient(app, base_url="http://localhost") as made:
        yield made


def test_a_host_judges_as_the_contract_says(trained: Trained, client: TestClient) -> None:
    below = trained.model.relative_to(trained.folder / "models").as_posix()
    for path in (str(trained.model), below, below + "/"):
        answer = client.post(
            "/training/evaluate",
            json={
                "model_path": path,
                "data_config": {"end_date": LAST, "timeframes": ["1d"], "gpu": True},
                "metrics": ["accuracy", "f1_score"],
            },
        )
        assert answer.status_code == 200, answer.text
        told = answer.json()
        figures = trained.result["test_metrics"]
        assert told["results"] == {
            "accuracy": figures["test_accuracy"],
            "f1_score": figures["f1_score"],
        }
        assert told["evaluation"]["test_metrics"] == figures
        assert told["gpu_used"] is False
        assert "gpu is not used" in told["message"]
        assert {"evaluation_id", "evaluation_time_seconds", "timestamp"} <= set(told)
    nothing_said = {"model_path": below, "data_config": {"symbols": [], "timeframes": []}}
    whole = client.post("/training/evaluate", json=nothing_said).json()
    assert "confusion_matrix" in whole["results"]


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"model_path": "/etc"}, 404, "no model"),
        ({"model_path": "../models"}, 404, "no model"),
        ({"model_path": ""}, 422, "model_path"),
        ({"metrics": ["luck"]}, 422, "'luck'"),
        ({"data_config": {"timeframes": ["1h"]}}, 422, "timeframes"),
        ({"data_config": {"symbols": ["NONE"]}}, 422, "NONE"),
        ({"data_config": {"symbols": "SWING"}}, 422, "not one text"),
        ({"data_config": {"symbols": [1]}}, 422, "symbols is a list of names, not [1]"),
        ({"data_config": {"symbols": 0}}, 422, "symbols is a list of names, not 0"),
        ({"data_config": {"start_date": 5}}, 422, "start_date"),
        ({"data_config": {"start_date": "2099-01-01"}}, 422, "start_date"),
    ],
)
def test_a_host_refuses_what_cannot_be_judged(
    asked: dict[str, Any], status: int, words: str, trained: Trained, client: TestClient
) -> None:
    answer = client.post("/training/evaluate", json={"model_path": str(trained.model), **asked})
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]


def test_a_client_that_leaves_takes_its_evaluation_along(
    trained: Trained, client: TestClient
) -> None:
    body = json.dumps({"model_path": str(trained.model)}).encode()
    scope, whole = posted("/training/evaluate", body)
    heard = iter([whole])
    answered: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(heard, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        answered.append(message)

    async def asked() -> None:
        await client.app(scope, receive, send)

    asyncio.run(asked())
    record = OperationsService().list(operation_type="model_evaluation", limit=1).records[0]
    assert record.status == "cancelled"
    assert answered[0]["status"] == 503
    # Its place is free.
    again = client.post("/training/evaluate", json={"model_path": str(trained.model)})
    assert again.status_code == 200, again.text
