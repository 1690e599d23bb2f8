"""Nothing is foreseen where nothing can be: the accuracy of a test stays in the band of the class prior.

Planted leaks are found by the same measure, so it does not stay quiet by being blind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml

import ktrdr_core.models as saved
from ktrdr_core import DataManager
from ktrdr_core.labels import forward_return
from ktrdr_core.splits import HoldoutSplit
from soak import count
from walks import HOURS, frame, lead, lead_over, longer, shuffled, store, swings, trained, walk

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
    labels = strategy["training"]["labels"]
    lookahead = labels.get("label_lookahead", 5)
    # A third of the walk's moves are beyond it on either side, so that no class is an answer to all.
    labels["threshold"] = 0.0043 * lookahead**0.5
    if "stop_threshold" in labels:
        labels["stop_threshold"] = labels["threshold"] / 2
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


@pytest.mark.parametrize("seed", range(count(1, 20)))
@pytest.mark.parametrize("hour", range(0, 24, count(11, 1)))
def test_no_hour_knows_how_its_day_ends_whenever_days_begin(
    data: DataManager, tmp_path: Path, hour: int, seed: int
) -> None:
    strategy = learner()
    strategy["training_data"]["timeframes"] = {
        "mode": "multi_timeframe",
        "list": ["1h", "1d"],
        "base_timeframe": "1h",
    }
    closes = walk(24 * seed + hour, 24 * 300)
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
def test_shuffled_labels_cannot_be_foreseen(data: DataManager, tmp_path: Path, seed: int) -> None:
    # The opens say what the closes will do, until what the closes do is shuffled.
    closes = swings(seed, 4000)
    store(data, "A", "1d", frame(closes, "1d", opens=closes))
    store(data, "B", "1d", frame(shuffled(closes, seed), "1d", opens=closes))
    known = trained(data, tmp_path / "known", learner(price="open"), ["A"])
    assert lead(known, 1) > 2
    unknown = trained(data, tmp_path / "unknown", learner(price="open"), ["B"])
    assert lead(unknown, 1) <= 1


@seeds
def test_what_can_be_foreseen_beats_a_random_walk(
    data: DataManager, tmp_path: Path, seed: int
) -> None:
    closes = swings(seed, 4000)
    store(data, "A", "1d", frame(closes, "1d", opens=closes))
    result = trained(data, tmp_path, learner(price="open"), ["A"])
    assert result["confidence"]["beats_random_walk"] is True
    assert "beats always saying" in result["confidence"]["verdict"]


@seeds
def test_a_future_close_passed_off_as_an_open_is_found(
    data: DataManager, tmp_path: Path, seed: int
) -> None:
    closes = walk(seed, 2500)
    store(data, "A", "1d", frame(closes[:-1], "1d", opens=closes[1:]))
    result = trained(data, tmp_path, learner(price="open"), ["A"])
    assert lead(result, 1) > 2


def learned_by_heart(
    values: npt.NDArray[np.float32], classes: npt.NDArray[np.int64], seed: int
) -> npt.NDArray[np.int64]:
    """Give the confusion matrix of rows split as a training splits them, of a network of torch's own."""
    import torch

    days = np.datetime64("2010-01-04") + np.arange(len(values)) * np.timedelta64(1, "D")
    train, test = next(iter(HoldoutSplit(days, days + np.timedelta64(1, "D")).split()))
    rows, truth, learned = torch.tensor(values), torch.tensor(classes), torch.tensor(train)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = torch.nn.Sequential(
            torch.nn.Linear(values.shape[1], 64), torch.nn.Tanh(), torch.nn.Linear(64, 3)
        )
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(120):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(rows[learned]), truth[learned])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    predicted = network(rows[torch.tensor(test)]).argmax(1).numpy()
    confusion = np.zeros((3, 3), np.int64)
    np.add.at(confusion, (classes[test], predicted), 1)
    return confusion


@seeds
def test_labels_shifted_by_one_bar_are_found(data: DataManager, tmp_path: Path, seed: int) -> None:
    bars = frame(walk(seed, 4000), "1d")
    store(data, "A", "1d", bars)
    strategy = learner()
    strategy["model"]["training"]["epochs"] = 1
    result = trained(data, tmp_path, strategy, ["A"])
    rows, values = saved.load(Path(result["artifacts"]["model_path"])).features(
        data.load_data("A", "1d").result(60)
    )
    labels = forward_return(bars, lookahead=1, threshold=0.003, timeframe="1d")
    decided = labels.decided[rows]
    rows, values = rows[decided], values[decided]
    honest = learned_by_heart(values, labels.classes[rows].astype(np.int64), seed)
    assert lead_over(honest, 1) <= 1
    # The label of the bar before is over when the row's features are made.
    shifted = learned_by_heart(values, labels.classes[rows - 1].astype(np.int64), seed)
    assert lead_over(shifted, 1) > 2


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
    if source == "zigzag":
        # Of a leg that has begun its direction is half known: a walk gives that away too, and the verdict says so.
        assert result["confidence"]["beats_random_walk"] is False
    else:
        assert lead(result, 6) <= 1
    assert np.array(result["test_metrics"]["confusion_matrix"]).sum() > 500
