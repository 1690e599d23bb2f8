"""Nothing is foreseen where nothing can be: the accuracy of a test stays in the band of the class prior.

Two planted leaks are found by the same measure, so it does not stay quiet by being blind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ktrdr_core import DataManager
from soak import count
from walks import HOURS, frame, lead, longer, store, trained, walk

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "strategies").glob("*.yaml"))
SEEDS = range(count(2, 20))
seeds = pytest.mark.parametrize("seed", SEEDS)


@pytest.fixture
def data(tmp_path: Path) -> Any:
    with DataManager(tmp_path / "data", env={}) as manager:
        yield manager


def learner(price: str = "close", **labels: Any) -> dict[str, Any]:
    """Give a strategy that learns by heart whatever there is to learn: the price's own moves, and many units."""
    return {
        "name": "learner",
        "training_data": {
            "symbols": {"mode": "multi_symbol", "list": ["A", "B"]},
            "timeframes": {"mode": "single_timeframe", "list": ["1d"]},
        },
        "indicators": [
            {"name": "rsi", "feature_id": f"rsi_{n}", "period": n, "source": price}
            for n in (2, 3, 7)
        ],
        "fuzzy_sets": {
            f"rsi_{n}": {
                "low": {"type": "trapezoidal", "parameters": [0, 0, 0, 100]},
                "middle": {"type": "triangular", "parameters": [0, 50, 100]},
            }
            for n in (2, 3, 7)
        },
        "model": {
            "type": "mlp",
            "architecture": {"hidden_layers": [96, 48], "dropout": 0.0},
            "features": {"lookback_periods": 2, "scale_features": True},
            "training": {"learning_rate": 0.004, "epochs": 40, "batch_size": 64, "weight_decay": 0},
        },
        "training": {
            "labels": {"threshold": 0.003, "label_lookahead": 1, **labels},
            "data_split": {"train": 0.7, "validation": 0.15, "test": 0.15},
        },
    }


@seeds
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_no_example_foresees_a_random_walk(
    data: DataManager, tmp_path: Path, path: Path, seed: int
) -> None:
    strategy = yaml.safe_load(path.read_text(encoding="utf-8"))
    options = strategy["model"].get("training", strategy["training"])
    options.update(epochs=25, learning_rate=0.003)
    frames = strategy["training_data"]["timeframes"]
    names = sorted(
        frames.get("list") or frames.get("timeframes") or [frames["timeframe"]],
        key=lambda name: HOURS[name],
    )
    hours = HOURS[names[0]]
    for number, symbol in enumerate(("A", "B")):
        closes = walk(1000 * seed + number, max(3000, 3000 * HOURS[names[-1]] // hours // 8))
        store(data, symbol, names[0], frame(closes, names[0]))
        for name in names[1:]:
            store(data, symbol, name, longer(closes, hours, 0, name))
    result = trained(data, tmp_path, strategy, ["A", "B"])
    lookahead = strategy["training"]["labels"].get("label_lookahead", 5)
    assert lead(result, lookahead) <= 1


@seeds
def test_a_copy_of_a_walk_tells_nothing_of_its_test(
    data: DataManager, tmp_path: Path, seed: int
) -> None:
    closes = walk(seed, 6000)
    later = 1.0003 * closes[4200:]
    store(data, "A", "1d", frame(closes, "1d"))
    store(data, "B", "1d", frame(later, "1d", begin=4200 * 24))
    result = trained(data, tmp_path, learner(), ["A", "B"])
    assert lead(result, 1, copies=2) <= 1


@pytest.mark.parametrize("hour", range(0, 24, count(11, 1)))
def test_no_hour_knows_how_its_day_ends_whenever_days_begin(
    data: DataManager, tmp_path: Path, hour: int
) -> None:
    strategy = learner()
    strategy["training_data"]["timeframes"] = {
        "mode": "multi_timeframe",
        "list": ["1h", "1d"],
        "base_timeframe": "1h",
    }
    closes = walk(hour, 24 * 300)
    store(data, "A", "1h", frame(closes, "1h"))
    store(data, "A", "1d", longer(closes, 1, hour, "1d"))
    result = trained(data, tmp_path, strategy, ["A"])
    assert lead(result, 1) <= 1


@seeds
def test_labels_of_another_walk_cannot_be_foreseen(
    data: DataManager, tmp_path: Path, seed: int
) -> None:
    # Features of opens, labels of closes that have nothing to do with them.
    bars = frame(walk(seed, 4000), "1d", opens=walk(seed + 7777, 4000))
    store(data, "A", "1d", bars)
    result = trained(data, tmp_path, learner(price="open"), ["A"])
    assert lead(result, 1) <= 1


@seeds
def test_a_future_close_passed_off_as_an_open_is_found(
    data: DataManager, tmp_path: Path, seed: int
) -> None:
    closes = walk(seed, 2500)
    store(data, "A", "1d", frame(closes[:-1], "1d", opens=closes[1:]))
    result = trained(data, tmp_path, learner(price="open"), ["A"])
    assert lead(result, 1) > 2


@seeds
def test_labels_shifted_by_one_bar_are_found(data: DataManager, tmp_path: Path, seed: int) -> None:
    closes = walk(seed, 2500)
    # The close of a bar is that of the bar before, so its label is over when the features are made.
    store(data, "A", "1d", frame(closes[:-1], "1d", opens=closes[1:]))
    shifted = learner(price="open", label_lookahead=1)
    result = trained(data, tmp_path, shifted, ["A"])
    assert lead(result, 1) > 2


@pytest.mark.parametrize("source", ["zigzag", "triple_barrier"])
@seeds
def test_no_source_of_labels_leaks(
    data: DataManager, tmp_path: Path, source: str, seed: int
) -> None:
    labels: dict[str, Any] = {"source": source, "threshold": 0.01, "label_lookahead": 6}
    if source == "zigzag":
        labels["zigzag_threshold"] = 0.03
    for number, symbol in enumerate(("A", "B")):
        store(data, symbol, "1d", frame(walk(500 + 2 * seed + number, 4000), "1d"))
    strategy = learner(**labels)
    strategy["training"]["data_split"]["embargo"] = 5
    result = trained(data, tmp_path, strategy, ["A", "B"])
    assert lead(result, 6) <= 1
    assert np.array(result["test_metrics"]["confusion_matrix"]).sum() > 500
