"""Every example trains, on real bars; and what a file says for its readers is in the stored model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from ktrdr_core import DataManager, TrainingManager
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.strategies import describe, load
from test_strategies import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = sorted(EXAMPLES.glob("*.yaml"))
SYMBOLS = ("AAPL", "MSFT")


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataManager]:
    """A manager over two shares' daily bars of some years, and weekly ones made of them."""
    folder = tmp_path_factory.mktemp("bars")
    with HostProcess(delay=0) as host, DataManager(folder, host.url, env={}) as data:
        loads = [data.load_data(one, "1d", "2006-01-01", "2012-12-31", "full") for one in SYMBOLS]
        for load_ in loads:
            load_.result(60)
        for symbol in SYMBOLS:
            data.resample(symbol, "1d", "1w", store=True).result(60)
    with DataManager(folder, env={}) as stored:
        yield stored


def changed(file: Path, folder: Path, **learning: Any) -> tuple[Path, dict[str, Any]]:
    """A copy of a strategy that learns for a moment."""
    data = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    section = data["training"] if "nn_inputs" in data else data["model"]["training"]
    section.update(learning)
    copy = folder / file.name
    copy.write_text(json.dumps(data), encoding="utf-8")
    return copy, data


def test_the_examples_are_of_different_kinds() -> None:
    plain = [load(file).to_json() for file in FILES]
    assert len(plain) >= 6
    sets = [one for each in plain for key in each["fuzzy_sets"].values() for one in key.values()]
    assert {one["type"] for one in sets} == {"triangular", "trapezoidal", "gaussian"}
    used = [{one["name"] for one in each["indicators"]} for each in plain]
    assert len({frozenset(names) for names in used}) == len(plain), "no two by the same indicators"
    assert len(set.union(*used)) >= 9
    assert {len(each["training_data"]["symbols"]["list"]) > 1 for each in plain} == {True, False}
    assert {len(each["training_data"]["timeframes"]["list"]) > 1 for each in plain} == {True, False}
    labels = [each["training"]["labels"] for each in plain]
    assert len({json.dumps(one) for one in labels}) >= 4
    # Not zigzag: of a leg that has begun its direction is half known, on a random walk too.
    assert {one["source"] for one in labels} == {"forward_return", "triple_barrier"}
    assert len({each["model"]["architecture"]["activation"] for each in plain}) >= 5


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_example_trains_on_real_bars(file: Path, bars: DataManager, tmp_path: Path) -> None:
    copy, _ = changed(file, tmp_path, epochs=2)
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        result = training.train_multi_symbol_strategy(copy).result(120)
    assert result["training_metrics"]["epochs_completed"] == 2
    assert 0 < result["test_metrics"]["test_accuracy"] < 1
    assert result["session_info"]["symbols"] == describe(file)["symbols"]
    features = json.loads((Path(result["artifacts"]["model_path"]) / "features.json").read_text())
    assert describe(file)["features"] == features["names"]
    assert result["model_info"]["parameters_count"] == describe(file)["parameters"]


def test_what_is_said_for_readers_is_in_the_stored_model(bars: DataManager, tmp_path: Path) -> None:
    file = EXAMPLES / "trend_pullback.yaml"
    said = {
        "description": "another",
        "version": "7.7",
        "hypothesis": "none",
        "scope": "all",
        "deployment": {
            "symbols": {"mode": "universal"},
            "timeframes": {"mode": "multi_timeframe", "supported": ["1d", "1w"]},
        },
        "decisions": {
            "confidence_threshold": 0.75,
            "position_awareness": True,
            "filters": {"min_signal_separation": 4, "volume_filter": True},
        },
    }
    copy, data = changed(file, tmp_path, epochs=1)
    copy.write_text(json.dumps(data | said), encoding="utf-8")
    with TrainingManager(bars, tmp_path / "models", env={}) as training:
        result = training.train_multi_symbol_strategy(copy).result(120)
    stored = json.loads((Path(result["artifacts"]["model_path"]) / "config.json").read_text())
    strategy = stored["strategy"]

    def holds(part: Any, whole: Any) -> bool:
        if isinstance(part, dict):
            return all(holds(value, whole[key]) for key, value in part.items())
        return bool(part == whole)

    assert holds(said, strategy)
