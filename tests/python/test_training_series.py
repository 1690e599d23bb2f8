"""Which of a symbol's stored series is trained on and judged on, where there are several."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from commands import run as command
from ktrdr_core import DataManager, TrainingManager, errors, sweep
from training_hosts import LIMIT, TrainingHost, start_body, store_bars, strategy_file

if TYPE_CHECKING:
    from collections.abc import Iterator

#: One epoch says which bars were read.
QUICK: dict[str, Any] = {"random_walk_baseline": False}


def columns(seed: int, rows: int = 700) -> dict[str, Any]:
    days = np.arange("2018-01-01", "2024-01-01", dtype="datetime64[D]")[:rows]
    price = 50 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, rows)))
    return {
        "timestamp": days,
        "volume": np.ones(rows),
        **dict.fromkeys(("open", "high", "low", "close"), price),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AAPL and MSFT as trades and adjusted, EURUSD as bids and asks, none of which is the usual one."""
    folder = tmp_path_factory.mktemp("bars")
    store_bars(folder, 700)
    with DataManager(folder, env={}) as data:
        for seed, symbol in enumerate(("AAPL", "MSFT"), 10):
            data.store(symbol, "1d", columns(seed), what_to_show="ADJUSTED_LAST").result(60)
            data.store(symbol, "1d", columns(seed + 9), session="extended").result(60)
        for seed, side in enumerate(("BID", "ASK"), 20):
            data.store(
                "EURUSD", "1d", columns(seed), instrument_type="forex", what_to_show=side
            ).result(60)
    return folder


@pytest.fixture
def training(folder: Path, tmp_path: Path) -> Iterator[TrainingManager]:
    with (
        DataManager(folder, env={}) as data,
        TrainingManager(data, tmp_path / "models", env={}) as one,
    ):
        yield one


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return strategy_file(tmp_path, epochs=1)


def series_of(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    metadata = json.loads((Path(result["artifacts"]["model_path"]) / "metadata.json").read_text())
    return [(one["symbol"], one["what_to_show"], one["session"]) for one in metadata["series"]]


def config_of(result: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(
        (Path(result["artifacts"]["model_path"]) / "config.json").read_text()
    )
    return config


def test_without_a_word_the_usual_series_is_trained_on(
    training: TrainingManager, path: Path
) -> None:
    result = training.train_multi_symbol_strategy(path, **QUICK).result(LIMIT)
    assert series_of(result) == [("AAPL", "TRADES", "regular"), ("MSFT", "TRADES", "regular")]
    assert (config_of(result)["what_to_show"], config_of(result)["session"]) == (None, None)


@pytest.mark.parametrize(
    ("words", "stored"),
    [
        ({"what_to_show": "ADJUSTED_LAST"}, ("ADJUSTED_LAST", "regular")),
        ({"session": "extended"}, ("TRADES", "extended")),
        ({"what_to_show": "TRADES", "session": "regular"}, ("TRADES", "regular")),
    ],
)
def test_a_word_chooses_the_series_of_every_symbol(
    words: dict[str, Any], stored: tuple[str, str], training: TrainingManager, path: Path
) -> None:
    result = training.train_multi_symbol_strategy(path, **QUICK, **words).result(LIMIT)
    assert series_of(result) == [(symbol, *stored) for symbol in ("AAPL", "MSFT")]
    config = config_of(result)
    assert {"what_to_show": config["what_to_show"], "session": config["session"]} == {
        "what_to_show": None,
        "session": None,
        **words,
    }


def test_several_series_without_a_usual_one_are_named(
    training: TrainingManager, path: Path
) -> None:
    operation = training.train_multi_symbol_strategy(path, ["EURUSD"], **QUICK)
    with pytest.raises(
        errors.InvalidArgumentError, match=r"stored as 2 series.*BID.*ASK"
    ) as raised:
        operation.result(LIMIT)
    assert "what_to_show" in str(raised.value)
    chosen = training.train_multi_symbol_strategy(path, ["EURUSD"], what_to_show="BID", **QUICK)
    assert series_of(chosen.result(LIMIT)) == [("EURUSD", "BID", "regular")]


def test_what_is_not_stored_is_named_with_the_words_that_load_it(
    training: TrainingManager, path: Path
) -> None:
    operation = training.train_multi_symbol_strategy(path, what_to_show="MIDPOINT", **QUICK)
    with pytest.raises(errors.NoDataError, match='what_to_show="MIDPOINT"'):
        operation.result(LIMIT)


def test_the_same_id_with_other_series_is_another_request(
    training: TrainingManager, path: Path
) -> None:
    asked = {"operation_id": "once", **QUICK}
    training.train_multi_symbol_strategy(path, what_to_show="TRADES", **asked).result(LIMIT)
    with pytest.raises(errors.ConflictError):
        training.train_multi_symbol_strategy(path, what_to_show="ADJUSTED_LAST", **asked)


def test_a_model_is_judged_on_the_kind_of_bars_that_it_was_trained_on(
    training: TrainingManager, path: Path
) -> None:
    result = training.train_multi_symbol_strategy(
        path, ["AAPL"], what_to_show="ADJUSTED_LAST", **QUICK
    ).result(LIMIT)
    model = result["artifacts"]["model_path"]
    said: list[dict[str, Any]] = [{}, {"what_to_show": "ADJUSTED_LAST"}, {"session": "regular"}]
    for words in said:
        judged = training.evaluate_model(model, **words).result(LIMIT)
        assert judged["test_metrics"] == result["test_metrics"]
        assert judged["rows"] == result["session_info"]["data_summary"]["rows"]["test"]
    # Of another symbol, too.
    other = training.evaluate_model(model, ["MSFT"]).result(LIMIT)
    assert other["symbols"] == ["MSFT"]
    with pytest.raises(errors.InvalidArgumentError, match="trained on ADJUSTED_LAST"):
        training.evaluate_model(model, what_to_show="TRADES").result(LIMIT)
    # Nothing of the kind is there: what is there says why it does not do.
    with pytest.raises(errors.InvalidArgumentError, match="stored as 2 series"):
        training.evaluate_model(model, ["EURUSD"]).result(LIMIT)
    with pytest.raises(errors.InvalidArgumentError, match="what_to_show"):
        training.evaluate_model(model, what_to_show="trades").result(LIMIT)


def test_a_model_of_an_extended_session_is_judged_on_that(
    training: TrainingManager, path: Path
) -> None:
    result = training.train_multi_symbol_strategy(path, session="extended", **QUICK).result(LIMIT)
    judged = training.evaluate_model(result["artifacts"]["model_path"]).result(LIMIT)
    assert judged["test_metrics"] == result["test_metrics"]


def test_every_run_of_a_sweep_is_of_the_series(training: TrainingManager, path: Path) -> None:
    table = sweep(
        {"model.training.seed": [1, 2]},
        strategy=path,
        training=training,
        what_to_show="ADJUSTED_LAST",
    ).result(LIMIT)
    for row in table:
        metadata = json.loads((Path(row["model_path"]) / "metadata.json").read_text())
        assert {one["what_to_show"] for one in metadata["series"]} == {"ADJUSTED_LAST"}


def test_the_commands_take_the_words(folder: Path, path: Path, tmp_path: Path) -> None:
    places = ("--data-dir", folder, "--models-dir", tmp_path / "m")
    trained = command("models", "train", path, "--json", "--what-to-show", "ADJUSTED_LAST", *places)
    assert trained.returncode == 0, trained.stderr
    result = json.loads(trained.stdout)
    assert [show for _, show, _ in series_of(result)] == ["ADJUSTED_LAST"] * 2
    model = result["artifacts"]["model_path"]
    judge = ("models", "evaluate", model, "--json", "--data-dir", folder)
    judged = command(*judge)
    assert judged.returncode == 0, judged.stderr
    assert json.loads(judged.stdout)["test_metrics"] == result["test_metrics"]
    refused = command(*judge, "--what-to-show", "TRADES")
    assert refused.returncode == 2
    assert "trained on ADJUSTED_LAST" in " ".join(refused.stderr.split())
    missing = command("models", "train", path, "--what-to-show", "MIDPOINT", *places)
    assert missing.returncode == 3
    assert "--what-to-show MIDPOINT" in " ".join(missing.stderr.split())


def test_a_host_trains_and_judges_on_the_series_that_is_asked_for(
    folder: Path, tmp_path: Path
) -> None:
    with TrainingHost(folder, tmp_path / "there") as host, host.client() as http:
        body = start_body(epochs=1)
        body["data_configuration"] = {"what_to_show": "ADJUSTED_LAST"}
        body["training_configuration"] = {"random_walk_baseline": False}
        started = http.post("/training/start", json=body).json()
        assert {"what_to_show", "random_walk_baseline"} <= set(started["used"])
        status = f"/training/status/{started['session_id']}"
        from training_hosts import TableClient

        assert TableClient(http).end(started["session_id"])["status"] == "completed"
        result = http.get(status).json()["result"]
        assert [show for _, show, _ in series_of(result)] == ["ADJUSTED_LAST"] * 2
        asked: dict[str, Any] = {"model_path": result["artifacts"]["model_path"]}
        judged = http.post("/training/evaluate", json=asked).json()
        assert judged["results"]["accuracy"] == result["test_metrics"]["test_accuracy"]
        asked["data_config"] = {"what_to_show": "TRADES"}
        refused = http.post("/training/evaluate", json=asked)
        assert (refused.status_code, "ADJUSTED_LAST" in refused.json()["detail"]) == (422, True)
