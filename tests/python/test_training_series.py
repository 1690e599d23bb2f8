"""Which of a symbol's stored series is trained on and judged on, where there are several."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pytest

import ktrdr_core.models as saved
from commands import only_value
from commands import run as command
from ktrdr_core import DataManager, OperationsService, TrainingManager, errors, sweep
from ktrdr_core.cli.app import cli
from training_hosts import LIMIT, TrainingHost, app_of, start_body, store_bars, strategy_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


#: Every call that reads stored series, by its name.
CALLS: dict[str, Callable[..., Any]] = {
    "sweep": sweep,
    **{
        name: function
        for name, function in inspect.getmembers(TrainingManager, inspect.isfunction)
        if not name.startswith("_") and "symbols" in inspect.signature(function).parameters
    },
}


def commands_on_stored_bars() -> dict[str, click.Command]:
    """Every command that opens a model or a strategy on them."""
    context = click.Context(cli)
    group, alone = (cli.get_command(context, name) for name in ("models", "sweep"))
    assert isinstance(group, click.Group)
    assert alone is not None
    found = {f"models {name}": one for name, one in group.commands.items()} | {"sweep": alone}
    return {
        name: one
        for name, one in found.items()
        if any(option.name == "data_dir" for option in one.params)
    }


COMMANDS = commands_on_stored_bars()
#: Words that name no series of any symbol.
WRONG: list[dict[str, Any]] = [{"what_to_show": "trades"}, {"session": "night"}, {"session": ""}]


def test_the_walks_find_what_there_is() -> None:
    assert set(CALLS) == {
        "sweep",
        "train_multi_symbol_strategy",
        "start_training",
        "evaluate_model",
    }
    assert set(COMMANDS) == {"models train", "models predict", "models evaluate", "sweep"}


@pytest.mark.parametrize("name", CALLS)
def test_every_call_takes_both_words(name: str) -> None:
    parameters = inspect.signature(CALLS[name]).parameters
    for word in ("what_to_show", "session"):
        assert parameters[word].default is None
        assert parameters[word].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_both_words(name: str) -> None:
    options = {text for option in COMMANDS[name].params for text in option.opts}
    assert {"--what-to-show", "--session"} <= options


class Entries:
    """Each call and each command on the same bars and strategy; how one is told of the words, and what it has read."""

    def __init__(self, training: TrainingManager, path: Path, folder: Path, model: Path) -> None:
        self.training, self.path, self.folder, self.model = training, path, folder, model

    def call(self, name: str, **words: Any) -> Any:
        """Begin it, and give what it gives."""
        first: dict[str, tuple[Any, ...]] = {
            "sweep": ({"model.training.seed": [1]},),
            "evaluate_model": (self.training, self.model),
        }
        more: dict[str, dict[str, Any]] = {
            "sweep": {"strategy": self.path, "training": self.training},
            "train_multi_symbol_strategy": QUICK,
        }
        arguments = first.get(name, (self.training, self.path))
        return CALLS[name](*arguments, **more.get(name, {}), **words)

    def run(self, name: str, data_dir: Path | None = None, **words: Any) -> Any:
        """Run the command to its end."""
        first: dict[str, tuple[object, ...]] = {
            "models predict": (self.model, "AAPL"),
            "models evaluate": (self.model,),
            "sweep": (self.path, "--set", "model.training.seed=1"),
        }
        said = [
            part for word, value in words.items() for part in (f"--{word.replace('_', '-')}", value)
        ]
        place: list[object] = ["--data-dir", data_dir or self.folder]
        if name in ("models train", "sweep"):
            place += ["--models-dir", self.training.models_dir]
        return command(*name.split(), *first.get(name, (self.path,)), *said, "--json", *place)


@pytest.fixture
def entries(training: TrainingManager, path: Path, folder: Path) -> Entries:
    result = training.train_multi_symbol_strategy(path, **QUICK).result(LIMIT)
    return Entries(training, path, folder, Path(result["artifacts"]["model_path"]))


@pytest.mark.parametrize("wrong", WRONG, ids=str)
@pytest.mark.parametrize("name", CALLS)
def test_every_call_refuses_wrong_words_before_any_work(
    name: str, wrong: dict[str, Any], entries: Entries
) -> None:
    known = {one.id for one in OperationsService().list(limit=1000).records}
    (word,) = wrong
    with pytest.raises(errors.InvalidArgumentError, match=f"{word} .* is not known: use one of"):
        entries.call(name, **wrong)
    assert {one.id for one in OperationsService().list(limit=1000).records} <= known


@pytest.mark.parametrize("wrong", WRONG, ids=str)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_wrong_words_before_any_work(
    name: str, wrong: dict[str, str], entries: Entries, tmp_path: Path
) -> None:
    """Where no bars are, too: that is looked at behind the words."""
    (word,) = wrong
    for place in (None, tmp_path / "nowhere"):
        told = entries.run(name, place, **wrong)
        assert told.returncode == 2
        assert word in told.stderr
        assert "is not known: use one of" in " ".join(told.stderr.split())
    assert not (tmp_path / "nowhere").exists()


def test_every_training_call_reads_the_series_of_both_words(entries: Entries) -> None:
    words: dict[str, Any] = {"what_to_show": "TRADES", "session": "extended"}
    result = entries.call("train_multi_symbol_strategy", **words).result(LIMIT)
    started = entries.call("start_training", **words)
    operation = OperationsService().handle(started)
    assert operation is not None
    results = [result, operation.result(LIMIT)]
    (row,) = entries.call("sweep", **words).result(LIMIT)
    results.append({"artifacts": {"model_path": row["model_path"]}})
    for name in ("models train", "sweep"):
        told = entries.run(name, **words)
        assert told.returncode == 0, told.stderr
        value = only_value(told.stdout)
        one = value["runs"][0] if name == "sweep" else value["artifacts"]
        results.append({"artifacts": {"model_path": one["model_path"]}})
    for each in results:
        assert series_of(each) == [(symbol, "TRADES", "extended") for symbol in ("AAPL", "MSFT")]


def test_every_judging_call_reads_the_series_of_both_words(entries: Entries, folder: Path) -> None:
    words: dict[str, Any] = {"what_to_show": "TRADES", "session": "extended"}
    usual = entries.call("evaluate_model").result(LIMIT)
    judged = entries.call("evaluate_model", **words).result(LIMIT)
    assert judged["test_metrics"] != usual["test_metrics"]
    told = entries.run("models evaluate", **words)
    assert told.returncode == 0, told.stderr
    assert only_value(told.stdout)["test_metrics"] == judged["test_metrics"]
    model = saved.load(entries.model)
    chances = {}
    for session in ("regular", "extended"):
        with DataManager(folder, env={}) as data:
            bars = data.get_data("AAPL", "1d", what_to_show="TRADES", session=session)
        chances[session] = [one.chances for one in model.predict_bars(bars)][-10:]
        told = entries.run("models predict", what_to_show="TRADES", session=session)
        assert told.returncode == 0, told.stderr
        predictions = only_value(told.stdout)["predictions"]
        assert [one["chances"] for one in predictions] == chances[session]
    assert chances["regular"] != chances["extended"]


def test_a_prediction_reads_the_session_that_the_model_was_trained_on(
    entries: Entries, folder: Path
) -> None:
    """Without a word: the model says it, as it says the kind of price."""
    result = entries.call("train_multi_symbol_strategy", session="extended").result(LIMIT)
    entries.model = Path(result["artifacts"]["model_path"])
    with DataManager(folder, env={}) as data:
        bars = data.get_data("AAPL", "1d", what_to_show="TRADES", session="extended")
    expected = [one.chances for one in saved.load(entries.model).predict_bars(bars)][-10:]
    told = entries.run("models predict")
    assert told.returncode == 0, told.stderr
    assert [one["chances"] for one in only_value(told.stdout)["predictions"]] == expected


#: An empty text says nothing to a host: clients of the table fill every field.
@pytest.mark.parametrize("wrong", WRONG[:2], ids=str)
def test_a_host_refuses_wrong_words_before_any_work(
    wrong: dict[str, Any], entries: Entries, folder: Path
) -> None:
    (word,) = wrong
    with app_of(folder, entries.training.models_dir) as http:
        body = start_body("none", epochs=1)
        body["data_configuration"] = wrong
        asked = {"model_path": str(entries.model), "data_config": wrong}
        for place, sent in (("/training/start", body), ("/training/evaluate", asked)):
            answer = http.post(place, json=sent)
            assert answer.status_code == 422
            assert word in answer.json()["detail"]
        assert http.get("/training/status/none").status_code == 404
