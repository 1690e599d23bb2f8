"""Using a saved model: rows, series, bars as they come, torch's network, and folders that cannot be used."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import indicator_reference as reference
import ktrdr_core.models as saved
from commands import run
from ktrdr_core import DataManager, TrainingManager, errors
from models_made import DAYS, STRATEGY, Trained, train, walk

if TYPE_CHECKING:
    from pathlib import Path

    from ktrdr_core import Bars


# The day of the walk that one of the stores lacks.
MISSING = 600


@dataclass(frozen=True)
class Coins:
    folder: Path
    model: saved.Model

    def bars(self, store: str) -> Bars:
        with DataManager(self.folder / store, env={}) as data:
            return data.load_data("BTC", "1d").result(60)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def model(trained: Trained) -> saved.Model:
    return saved.load(trained.path)


def memberships(values: np.ndarray[Any, Any], kind: str, corners: list[float]) -> Any:
    """Fuzzify by the definition."""
    if kind == "gaussian":
        return np.exp(-0.5 * ((values - corners[0]) / corners[1]) ** 2)
    a, b, c, d = corners if kind == "trapezoidal" else (corners[0], corners[1], *corners[1:])
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.where(
            values < b, (values - a) / (b - a), np.where(values > c, (d - values) / (d - c), 1.0)
        )
    return np.where(np.isnan(values), np.nan, np.where((values < a) | (values > d), 0.0, inside))


def rebuilt(folder: Path, close: list[float]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Features and chances out of the model's folder and closes alone, in numpy."""
    from safetensors.numpy import load_file

    strategy = json.loads((folder / "config.json").read_text())["strategy"]
    names = json.loads((folder / "features.json").read_text())["names"]
    made: dict[str, Any] = {}
    for one in strategy["indicators"]:
        given = one["params"]
        if one["name"] == "rsi":
            made[one["feature_id"]] = reference.rsi(close, int(given["period"]))
        else:
            periods = (int(given[f"{name}_period"]) for name in ("fast", "slow", "signal"))
            outputs = reference.macd(close, *periods)
            made |= {one["feature_id"]: outputs[0], f"{one['feature_id']}.histogram": outputs[2]}
    columns: dict[str, Any] = {}
    for key, sets in strategy["fuzzy_sets"].items():
        values = np.array(made[key], dtype=float)
        for name, fuzzy in sets.items():
            column = memberships(values, fuzzy["type"], fuzzy["parameters"])
            feature = f"1d_{key.replace('.', '_')}_{name}"
            columns[feature] = column
            columns[f"{feature}_lag_1"] = np.concatenate([[np.nan], column[:-1]])
    features = np.stack([columns[name] for name in names], axis=1)
    weights = load_file(folder / "model.safetensors")
    value = features
    last = max(int(name.split(".")[0]) for name in weights)
    for layer in range(0, last + 1, 3):
        value = value @ weights[f"{layer}.weight"].T.astype(float) + weights[f"{layer}.bias"]
        if layer < last:
            value = np.tanh(value)
    value = np.exp(value - value.max(axis=1, keepdims=True))
    return features, value / value.sum(axis=1, keepdims=True)


def test_a_saved_model_predicts_what_its_report_says(trained: Trained) -> None:
    close = trained.bars.close.tolist()
    features, chances = rebuilt(trained.path, close)
    rows = np.flatnonzero(~np.isnan(features).any(axis=1))
    ahead, threshold = 3, 0.01
    decided = rows[rows + ahead < len(close)]
    labels = {}
    for bar in decided.tolist():
        change = close[bar + ahead] / close[bar] - 1
        labels[bar] = 0 if change > threshold else 2 if change < -threshold else 1
    # The label of a row ends when the bar `ahead` later does, a day after that one starts.
    first = {
        name: int(len(decided) * share + 1e-9) for name, share in (("val", 0.6), ("test", 0.8))
    }
    starts = {name: decided[at] for name, at in first.items()}
    train_rows = [b for b in decided if b < starts["val"] and b + ahead + 1 <= starts["val"]]
    val_rows = [
        b
        for b in decided
        if starts["val"] <= b < starts["test"] and b + ahead + 1 <= starts["test"]
    ]
    test_rows = [b for b in decided if b >= starts["test"]]
    summary = trained.result["session_info"]["data_summary"]
    assert summary["rows"] == {
        "train": len(train_rows),
        "validation": len(val_rows),
        "test": len(test_rows),
    }
    assert len(decided) - len(train_rows) - len(val_rows) - len(test_rows) == 2 * ahead
    confusion = [[0] * 3 for _ in range(3)]
    for bar in test_rows:
        confusion[labels[bar]][int(chances[bar].argmax())] += 1
    tested = trained.result["test_metrics"]
    assert tested["confusion_matrix"] == confusion
    right = sum(confusion[k][k] for k in range(3)) / len(test_rows)
    assert tested["test_accuracy"] == pytest.approx(right, abs=1e-12)


def test_bars_are_predicted_as_the_folder_alone_says(trained: Trained, model: saved.Model) -> None:
    predicted = model.predict_bars(trained.bars)
    _, chances = rebuilt(trained.path, trained.bars.close.tolist())
    assert predicted.rows[0] == model.history > model.least_history
    assert len(predicted) == len(trained.bars) - model.history
    np.testing.assert_allclose(predicted.chances, chances[predicted.rows], atol=1e-5)
    assert predicted.chances.dtype == np.float32
    assert (predicted.time == trained.bars.time[predicted.rows]).all()
    assert predicted.labels == [model.classes[k] for k in chances[predicted.rows].argmax(axis=1)]
    everything = model.predict_bars(trained.bars, exact=False)
    assert everything.rows[0] == model.least_history
    frame = predicted.to_pandas()
    assert list(frame.columns) == ["predicted", *model.classes]


@pytest.mark.parametrize("exact", [True, False])
def test_bars_as_they_come_give_the_same_bits(
    trained: Trained, model: saved.Model, exact: bool
) -> None:
    batch = iter(model.predict_bars(trained.bars, exact=exact))
    stream = model.stream(exact=exact)
    for place, bar in enumerate(trained.bars):
        one = stream.push(bar.timestamp, *bar[1:])
        assert (one is None) == (place < (model.history if exact else model.least_history))
        if one is not None:
            assert one == next(batch)
    assert next(batch, None) is None
    assert stream.missing == {"1d": 0}
    rows, values = model.features(trained.bars, exact=exact)
    assert rows[-1] == len(trained.bars) - 1
    assert (stream.features == values[-1]).all()


def test_a_model_is_pickled_as_the_name_of_its_folder(
    trained: Trained, model: saved.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.path.parent)
    relative = saved.load(trained.path.name)
    monkeypatch.chdir(tmp_path)
    assert relative.info == model.info
    expected = model.predict_bars(trained.bars)
    for other in (
        pickle.loads(pickle.dumps(relative)),
        copy.copy(model),
        copy.deepcopy([model])[0],
    ):
        assert np.array_equal(other.predict_bars(trained.bars).chances, expected.chances)
    elsewhere = shutil.copytree(trained.path, tmp_path / "model")
    gone = pickle.dumps(saved.load(elsewhere))
    shutil.rmtree(elsewhere)
    with pytest.raises(errors.NotFoundError):
        pickle.loads(gone)


def test_rows_are_predicted_as_torch_does(trained: Trained, model: saved.Model) -> None:
    import torch

    _, features = model.features(trained.bars)
    network = model.to_torch()
    assert type(network) is torch.nn.Sequential
    assert not network.training
    with torch.no_grad():
        chances = torch.softmax(network(torch.from_numpy(np.array(features))), dim=1).numpy()
    np.testing.assert_allclose(model.predict(features).chances, chances, atol=1e-6, rtol=0)
    one = model.predict(features[3])
    assert (one.chances == model.predict(features).chances[3]).all()


def test_predicting_brings_in_no_torch(trained: Trained) -> None:
    code = (
        "import sys, ktrdr_core.models as m; model = m.load(sys.argv[1]);"
        "model.predict([[0.5] * len(model.feature_names)]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(trained.path)], check=True, timeout=60)


def test_an_explanation_names_what_fired(trained: Trained, model: saved.Model) -> None:
    said = model.explain(trained.bars)
    rows, values = model.features(trained.bars)
    assert {one.feature: one.value for one in said.fired} == {
        name: value
        for name, value in zip(model.feature_names, values[-1].tolist(), strict=True)
        if value > 0
    }
    assert [one.value for one in said.fired] == sorted((m.value for m in said.fired), reverse=True)
    assert said.prediction == list(model.predict_bars(trained.bars))[-1]
    assert (
        model.explain(trained.bars, int(rows[0])).prediction.time == trained.bars[int(rows[0])].time
    )
    with pytest.raises(errors.InvalidArgumentError, match="bar 3 has no prediction"):
        model.explain(trained.bars, 3)


@pytest.mark.parametrize("scaled", [False, True])
def test_an_explanation_has_the_memberships_as_the_sets_define_them(
    scaled: bool, tmp_path: Path
) -> None:
    strategy = {**STRATEGY, "name": "context", "model": {**STRATEGY["model"]}}
    strategy["model"]["features"] = {
        "lookback_periods": 1,
        "include_price_context": True,
        "scale_features": scaled,
    }
    (tmp_path / "context.yaml").write_text(json.dumps(strategy))
    with (
        DataManager(tmp_path / "bars", env={}) as data,
        TrainingManager(data, tmp_path / "models", env={}) as training,
    ):
        data.store("WALK", "1d", walk()).result(60)
        bars = data.load_data("WALK", "1d").result(60)
        result = training.train_multi_symbol_strategy(
            tmp_path / "context.yaml", random_walk_baseline=False
        ).result(120)
    model = saved.load(result["artifacts"]["model_path"])
    close = [float(value) for value in bars.close]
    sets = [("rsi_5", name, reference.rsi(close, 5)) for name in ("low", "high")]
    sets.append(("macd.histogram", "up", reference.macd(close, 3, 6, 3)[2]))
    wanted: dict[str, Any] = {}
    for key, name, values in sets:
        one = STRATEGY["fuzzy_sets"][key][name]
        column = memberships(np.array(values, float), one["type"], one["parameters"])
        for lag, suffix in enumerate(("", "_lag_1")):
            wanted[f"1d_{key.replace('.', '_')}_{name}{suffix}"] = np.roll(column, lag)
    for bar in (-1, -2, model.history, model.history + 77):
        said = model.explain(bars, bar)
        fired = {one.feature: one.value for one in said.fired}
        assert fired == pytest.approx(
            {name: column[bar] for name, column in wanted.items() if column[bar] > 0}, abs=1e-6
        )
        assert [one.value for one in said.fired] == sorted(fired.values(), reverse=True)
        predicted = model.predict_bars(bars)
        place = bar % len(bars)
        assert said.prediction == list(predicted)[predicted.rows.tolist().index(place)]


def test_rows_may_be_whatever_holds_numbers(trained: Trained, model: saved.Model) -> None:
    rows = model.features(trained.bars)[1][:5]
    wanted = model.predict(rows).chances
    names = list(model.feature_names)
    for other in (
        rows.tolist(),
        rows.astype(np.float64),
        np.asfortranarray(rows),
        np.frombuffer(b"x" + rows.tobytes(), np.float32, offset=1).reshape(rows.shape),
        np.ma.masked_array(rows, mask=False),
        pd.DataFrame(rows, columns=names),
        pl.DataFrame(rows, schema=names),
    ):
        np.testing.assert_array_equal(model.predict(other).chances, wanted)
    one = model.predict(pd.Series(rows[0], index=names))
    np.testing.assert_array_equal(one.chances, wanted[:1])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda rows, _: np.ma.masked_array(rows, mask=np.eye(*rows.shape)), "no finite value"),
        (lambda rows, _: rows + 1j, "must be numbers: it holds complex"),
        (lambda rows, _: rows.astype("datetime64[s]"), "must be numbers: it holds datetime64"),
        (lambda _, __: "text", "must be numbers"),
        (lambda _, __: [[1.0], [1.0, 2.0]], "must be numbers"),
        (lambda _, __: {"a": 1}, "must be numbers"),
        (lambda rows, names: pd.Series(rows[0][::-1], index=names[::-1]), "column 0 of features"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_rows_that_hold_something_else_are_refused(
    trained: Trained, model: saved.Model, spoil: Any, words: str
) -> None:
    rows = model.features(trained.bars)[1][:5]
    with pytest.raises(errors.InvalidArgumentError, match=words):
        model.predict(spoil(rows, list(model.feature_names)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"open": "1"}, "open must be float, not str"),
        ({"close": None}, "close must be float, not None"),
        ({"volume": [1]}, "volume must be float, not list"),
        ({"time": 2**63}, "time cannot be 9223372036854775808"),
    ],
)
def test_a_bar_that_is_none_is_named_and_the_stream_goes_on(
    model: saved.Model, given: dict[str, Any], words: str
) -> None:
    stream = model.stream()
    bar: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), 1.0)
    with pytest.raises(errors.InvalidArgumentError, match=words):
        stream.push(**{"time": "2024-01-01", **bar, **given})
    assert stream.push("2024-01-01", **bar) is None


@pytest.mark.parametrize("bar", ["x", None, 1.5, True])
def test_a_place_that_is_no_number_is_refused(
    trained: Trained, model: saved.Model, bar: Any
) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="bar must be a whole number"):
        model.explain(trained.bars, bar)


def test_what_does_not_fit_is_said(trained: Trained, model: saved.Model, tmp_path: Path) -> None:
    few = trained.bars[: model.history]
    with pytest.raises(errors.NotEnoughDataError, match=rf"{model.history + 1} are needed"):
        model.predict_bars(few)
    with pytest.raises(errors.InvalidArgumentError, match=rf"rows of {len(model.feature_names)}"):
        model.predict(np.zeros((2, 2)))
    frame = pd.DataFrame(model.features(trained.bars)[1], columns=list(model.feature_names))
    assert (model.predict(frame).chances == model.predict(frame.to_numpy()).chances).all()
    with pytest.raises(errors.InvalidArgumentError, match=r"column 0 of features is '.*', and"):
        model.predict(frame[frame.columns[::-1]])
    with pytest.raises(errors.InvalidArgumentError, match=r"column 1 of features is 'other', and"):
        model.predict(frame.rename(columns={frame.columns[1]: "other"}))
    several = frame[frame.columns[::-1]]
    several.columns = pd.MultiIndex.from_product([several.columns, ["a"]])
    with pytest.raises(errors.InvalidArgumentError, match="column 0 of features"):
        model.predict(several)
    counted = frame.set_axis(range(len(frame.columns)), axis=1)
    assert model.predict(counted) == model.predict(frame)
    with pytest.raises(errors.InvalidArgumentError, match="row 1 has no finite value for"):
        model.predict([[0.0] * 6, [float("nan")] * 6])
    with pytest.raises(errors.InvalidArgumentError, match="the model needs bars of 1d"):
        model.predict_bars({"1h": trained.bars})
    with DataManager(tmp_path, env={}) as data:
        data.store("WALK", "1h", walk(10)).result(60)
        hours = data.load_data("WALK", "1h").result(60)
    with pytest.raises(errors.InvalidArgumentError, match="of 1h, and the model needs 1d"):
        model.predict_bars(hours)
    stream = model.stream()
    stream.push("2024-01-02", 1, 2, 0.5, 1)
    with pytest.raises(errors.InvalidArgumentError, match="oldest first"):
        stream.push("2024-01-02", 1, 2, 0.5, 1)
    with pytest.raises(errors.InvalidArgumentError, match="no bars of 4h"):
        stream.push("2024-01-03", 1, 2, 0.5, 1, timeframe="4h")


def test_folders_that_are_no_whole_model_are_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(errors.NotFoundError, match="models list"):
        saved.load(tmp_path / "nowhere")
    for name in ("model.safetensors", "config.json", "features.json", "metadata.json"):
        broken = tmp_path / name
        shutil.copytree(trained.path, broken)
        (broken / name).write_bytes(b"\x10\0\0\0\0\0\0\0{")
        with pytest.raises(errors.InvalidArgumentError, match=name):
            saved.load(broken)
    newer = tmp_path / "newer"
    shutil.copytree(trained.path, newer)
    (newer / "metadata.json").write_text('{"layout": 99}')
    with pytest.raises(errors.StorageSchemaError, match="layout 99"):
        saved.load(newer)


def test_models_are_listed_with_their_figures(trained: Trained) -> None:
    (one,) = saved.list_models(trained.models_dir)
    assert (one.strategy, one.symbols, one.timeframes, one.version) == (
        STRATEGY["name"],
        ("WALK",),
        ("1d",),
        1,
    )
    assert one.test_accuracy == trained.result["test_metrics"]["test_accuracy"]
    assert one.class_prior == trained.result["baselines"]["class_prior"]


@pytest.fixture(scope="module")
def coins(tmp_path_factory: pytest.TempPathFactory) -> Coins:
    """A model of a market that never rests, and stores with its bars, with a day of them missing, with others."""
    folder = tmp_path_factory.mktemp("coins")
    (folder / "small.yaml").write_text(json.dumps(STRATEGY))
    with (
        DataManager(folder / "whole", env={}) as data,
        TrainingManager(data, folder / "models", env={}) as training,
    ):
        data.store("BTC", "1d", walk(), instrument_type="crypto").result(60)
        result = training.train_multi_symbol_strategy(
            folder / "small.yaml", ["BTC"], random_walk_baseline=False
        ).result(120)
    with DataManager(folder / "gap", env={}) as data:
        gap = {name: np.delete(column, MISSING) for name, column in walk().items()}
        data.store("BTC", "1d", gap, instrument_type="crypto").result(60)
    with DataManager(folder / "adjusted", env={}) as data:
        data.store(
            "BTC", "1d", walk(), instrument_type="crypto", what_to_show="ADJUSTED_LAST"
        ).result(60)
    return Coins(folder, saved.load(result["artifacts"]["model_path"]))


def test_a_missing_session_is_named_and_history_begins_anew_behind_it(coins: Coins) -> None:
    model, history = coins.model, coins.model.history
    assert coins.bars("whole").what_to_show == "TRADES"
    assert model.predict_bars(coins.bars("whole")).warnings == ()
    found = model.predict_bars(coins.bars("gap"))
    (warning,) = found.warnings
    day = walk()["timestamp"][MISSING]
    assert f"BTC 1d: no bars from {day}" in warning
    assert "1 session;" in warning
    expected = [*range(history, MISSING), *range(MISSING + history, DAYS - 1)]
    assert found.rows.tolist() == expected
    stream = model.stream(symbol="BTC")
    stream.push_bars(coins.bars("gap"))
    assert stream.warnings == (warning,)
    told = run("models", "predict", model.path, "BTC", "--data-dir", coins.folder / "gap")
    assert (told.returncode, warning in told.stderr) == (0, True), told.stderr


def test_bars_of_another_basis_are_refused(coins: Coins) -> None:
    model, adjusted = coins.model, coins.bars("adjusted")
    assert pickle.loads(pickle.dumps(adjusted)).what_to_show == "ADJUSTED_LAST"
    stream = model.stream()
    for ask in (model.predict_bars, stream.push_bars):
        with pytest.raises(
            errors.InvalidArgumentError, match=r"are ADJUSTED_LAST, .*trained on TRADES"
        ):
            ask(adjusted)
    assert stream.missing == {"1d": model.history + 1}
    predict = ["models", "predict", model.path, "BTC", "--data-dir", coins.folder / "adjusted"]
    told = run(*predict)
    assert told.returncode != 0
    assert "has no bars of BTC 1d" in told.stderr, "of those that it was trained on"
    assert "--what-to-show TRADES" in told.stderr
    told = run(*predict, "--what-to-show", "ADJUSTED_LAST")
    assert told.returncode != 0
    assert "trained on TRADES" in told.stderr
