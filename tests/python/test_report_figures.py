"""What a report says of labels and rows, found anew from the public labels and the saved model alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ktrdr_core.models as saved
from ktrdr_core import DataManager, TrainingManager, labels
from ktrdr_core.calendars import BarGrid, get_calendar
from models_made import STRATEGY, walk

if TYPE_CHECKING:
    from pathlib import Path

DAY = np.timedelta64(1, "D")
SYMBOLS = ("ONE", "TWO")
RULES: dict[str, dict[str, Any]] = {
    "forward_return": {"threshold": 0.01, "label_lookahead": 3},
    "triple_barrier": {"threshold": 0.02, "stop_threshold": 0.01, "label_lookahead": 12},
    "zigzag": {"threshold": 0.01, "label_lookahead": 4, "zigzag_threshold": 0.04},
}
# The first output of each begins before its others.
SETS: dict[str, tuple[float, float]] = {
    "fisher": (0.0, 1.0),
    "macd": (0.0, 1.0),
    "rvi": (0.0, 0.3),
    "stochastic": (50.0, 30.0),
    "ichimoku": (100.0, 30.0),
    "adx.plus_di": (20.0, 10.0),
}


def strategy_of(source: str, key: str) -> dict[str, Any]:
    """A strategy over one output of an indicator."""
    return {
        **STRATEGY,
        "name": "figures",
        "training_data": {
            "symbols": {"list": list(SYMBOLS)},
            "timeframes": {"timeframe": "1d"},
        },
        "indicators": [{"name": key.partition(".")[0]}],
        "fuzzy_sets": {key: {"one": {"type": "gaussian", "parameters": list(SETS[key])}}},
        "training": {**STRATEGY["training"], "labels": {"source": source, **RULES[source]}},
    }


def persistence(made: labels.Labels, days: Any, tested: Any) -> tuple[int, int]:
    """How many of the rows that are tested have a label known before them, and for how many it is the same."""
    known = right = 0
    for row in tested:
        before = [one for one in tested if one < row and made.ends[one] <= days[row] + DAY]
        if before:
            known += 1
            right += int(made.classes[row] == made.classes[max(before)])
    return known, right


@pytest.mark.parametrize("key", SETS)
@pytest.mark.parametrize("source", RULES)
def test_rows_and_persistence_are_those_that_one_finds_by_hand(
    source: str, key: str, tmp_path: Path
) -> None:
    file = tmp_path / "figures.yaml"
    file.write_text(json.dumps(strategy_of(source, key)))
    with (
        DataManager(tmp_path / "bars", env={}) as data,
        TrainingManager(data, tmp_path / "models", env={}) as training,
    ):
        for seed, symbol in enumerate(SYMBOLS, start=1):
            data.store(symbol, "1d", walk(700 - 100 * seed, seed)).result(60)
        result = training.train_multi_symbol_strategy(file, random_walk_baseline=False).result(120)
        bars = {symbol: data.load_data(symbol, "1d").result(60) for symbol in SYMBOLS}
    model = saved.load(result["artifacts"]["model_path"])
    summary = result["session_info"]["data_summary"]
    test_from = np.datetime64(summary["test_from"].removesuffix("Z"))
    rule = {key: value for key, value in RULES[source].items() if key != "label_lookahead"}
    known = right = 0
    for told in summary["symbols"]:
        own = bars[told["symbol"]]
        made = getattr(labels, source)(own, lookahead=RULES[source]["label_lookahead"], **rule)
        days = own.time.astype("datetime64[ns]")
        # The model predicts from its least history for every bar that the training had a row for.
        rows = model.features(own, exact=False)[0]
        assert rows[0] == told["warm_up"] == model.least_history
        assert len(rows) == len(own) - told["warm_up"]
        tested = [row for row in rows if made.decided[row] and days[row] >= test_from]
        assert len(tested) == told["test"]
        more, same = persistence(made, days, tested)
        known, right = known + more, right + same
    assert result["baselines"]["persistence_rows"] == known
    assert result["baselines"]["persistence"] == pytest.approx(right / known, abs=1e-12)


@pytest.mark.parametrize("context", [False, True])
def test_a_model_over_hours_and_days_of_a_market_with_sessions_says_what_its_report_counts(
    context: bool, tmp_path: Path
) -> None:
    # Forex's days end at 17:00 in New York, hours before those of UTC.
    grids = {
        name: BarGrid(name, get_calendar("FOREX"), provider="other", asset_class="forex")
        for name in ("1h", "1d")
    }
    strategy = {
        **STRATEGY,
        "name": "sessions",
        "training_data": {
            "symbols": {"symbol": "EURUSD"},
            "timeframes": {"list": ["1h", "1d"], "base_timeframe": "1h"},
        },
        "model": {
            **STRATEGY["model"],
            "features": {"include_price_context": context, "scale_features": context},
        },
        "training": {
            **STRATEGY["training"],
            "labels": {"source": "triple_barrier", "threshold": 0.02, "label_lookahead": 8},
        },
    }
    (tmp_path / "sessions.yaml").write_text(json.dumps(strategy))
    with (
        DataManager(tmp_path / "bars", env={}) as data,
        TrainingManager(data, tmp_path / "models", env={}) as training,
    ):
        for seed, (name, grid) in enumerate(grids.items()):
            stamps = grid.expected("2023-01-02", "2023-12-01")
            assert stamps is not None
            frame = {**walk(len(stamps), seed), "timestamp": stamps}
            data.store(
                "EURUSD", name, frame, instrument_type="forex", what_to_show="MIDPOINT"
            ).result(60)
        result = training.train_multi_symbol_strategy(
            tmp_path / "sessions.yaml", random_walk_baseline=False
        ).result(120)
        bars = {name: data.load_data("EURUSD", name).result(60) for name in grids}
    model = saved.load(result["artifacts"]["model_path"])
    assert {one["calendar"] for one in model.info.metadata["series"]} == {"FOREX"}
    made = labels.triple_barrier(bars["1h"], threshold=0.02, lookahead=8)
    test_from = np.datetime64(result["session_info"]["data_summary"]["test_from"].removesuffix("Z"))
    confusion = np.zeros((3, 3), int)
    found = model.predict_bars(bars, exact=False)
    for row, time, predicted in zip(found.rows, found.time, found.classes, strict=True):
        if time >= test_from and made.decided[row]:
            confusion[made.classes[row], predicted] += 1
    assert (confusion > 0).any(axis=0).sum() > 1, "one answer for all would show nothing"
    assert confusion.tolist() == result["test_metrics"]["confusion_matrix"]
