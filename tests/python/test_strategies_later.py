"""Files of the later grammar (v3): read into the same training, or refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import _core
from ktrdr_core.errors import StrategyError
from ktrdr_core.strategies import describe, load, validate

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

LATER = """\
name: later
version: "3.0"
training_data:
  symbols: {mode: single_symbol, symbol: AAPL}
  timeframes: {mode: multi_timeframe, timeframes: [1d, 1w], base_timeframe: 1d}
indicators:
  rsi_14:
    type: RSI
    period: 21
  macd_1:
    type: macd
    fast_period: 8
fuzzy_sets:
  momentum:
    indicator: rsi_14
    low: [0, 20, 40]
    high: {type: gaussian, parameters: [80, 10]}
  turn:
    indicator: macd_1.histogram
    up: [0, 0.6, 100, 100]
nn_inputs:
  - {fuzzy_set: turn, timeframes: [1d]}
  - fuzzy_set: momentum
    timeframes: all
model:
  type: mlp
training:
  epochs: 4
  learning_rate: 0.01
  early_stopping: {patience: 3}
  labels: {source: forward_return, label_lookahead: 2}
"""
# The same but for its inputs' timeframes, in the earlier grammar.
EARLIER = """\
name: later
version: "3.0"
training_data:
  symbols: {symbol: AAPL}
  timeframes: {list: [1d, 1w]}
indicators:
  - {name: macd, feature_id: turn, fast_period: 8}
  - {name: rsi, feature_id: momentum, period: 21}
fuzzy_sets:
  turn.histogram:
    up: {type: trapezoidal, parameters: [0, 0.6, 100, 100]}
  momentum:
    low: {type: triangular, parameters: [0, 20, 40]}
    high: {type: gaussian, parameters: [80, 10]}
model:
  training: {epochs: 4, learning_rate: 0.01, early_stopping: {patience: 3}}
training:
  labels: {source: forward_return, label_lookahead: 2}
"""


@pytest.fixture
def write(tmp_path: pathlib.Path) -> Callable[..., pathlib.Path]:
    """Write a file, `LATER` with texts replaced."""

    def make(*changes: tuple[str, str], text: str = LATER) -> pathlib.Path:
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        file = tmp_path / "later.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return make


def test_inputs_come_in_their_order_each_on_its_timeframes(write: Any) -> None:
    assert describe(write())["features"] == [
        "1d_turn_up",
        "1d_momentum_low",
        "1d_momentum_high",
        "1w_momentum_low",
        "1w_momentum_high",
    ]
    swapped = write(
        ("  - {fuzzy_set: turn, timeframes: [1d]}\n", ""),
        ("    timeframes: all\n", "    timeframes: all\n  - {fuzzy_set: turn}\n"),
    )
    assert describe(swapped)["features"] == [
        "1d_momentum_low",
        "1d_momentum_high",
        "1d_turn_up",
        "1w_momentum_low",
        "1w_momentum_high",
        "1w_turn_up",
    ]


def test_an_indicator_whose_inputs_stand_apart_keeps_their_order(write: Any) -> None:
    file = write(
        ("  turn:\n", "  calm:\n    indicator: rsi_14\n    mid: [40, 50, 60]\n  turn:\n"),
        ("nn_inputs:\n", "nn_inputs:\n  - {fuzzy_set: calm, timeframes: [1d]}\n"),
    )
    names = describe(file)["features"]
    assert names[:3] == ["1d_calm_mid", "1d_turn_up", "1d_momentum_low"]


def test_a_later_file_is_the_training_of_an_earlier_one(write: Any) -> None:
    later = load(write(("timeframes: [1d]}", "timeframes: all}"))).to_json()
    earlier = load(write(text=EARLIER)).to_json()
    assert later["model"] == earlier["model"]
    assert later["training"] == earlier["training"]
    assert later["indicators"][0]["params"] == earlier["indicators"][1]["params"] == {"period": 21}
    assert later["fuzzy_sets"]["momentum"] == earlier["fuzzy_sets"]["momentum"]
    first, second = _core.read_strategy(later), _core.read_strategy(earlier)
    assert first["parameters"] == second["parameters"]
    named = [name.replace("turn_histogram", "turn") for name in second["features"]]
    assert first["features"] == named


@pytest.mark.parametrize(
    ("old", "new", "path", "line", "told"),
    [
        ("    period: 21", "    perod: 21", "indicators.rsi_14.perod", 9, "mean 'period'?"),
        ("    period: 21", "    period: 0", "indicators.rsi_14.period", 9, "is needed"),
        ("type: RSI", "type: RSJ", "indicators.rsi_14.type", 8, "did you mean 'rsi'?"),
        ("    type: RSI\n", "", "indicators.rsi_14", 7, "type is missing"),
        ("type: RSI", "type: RSI\n    name: x", "indicators.rsi_14.name", 9, "remove it"),
        (
            "type: RSI",
            "type: RSI\n    data_source: fed",
            "indicators.rsi_14.data_source",
            9,
            "context",
        ),
        (
            "indicator: rsi_14",
            "indicator: rsi_41",
            "fuzzy_sets.momentum.indicator",
            15,
            "'rsi_14'?",
        ),
        ("macd_1.histogram", "macd_1.histo", "fuzzy_sets.turn.indicator", 19, "macd_1.histogram"),
        ("    indicator: rsi_14\n", "", "fuzzy_sets.momentum", 14, "indicator is missing"),
        ("low: [0, 20, 40]", "low: [40, 20, 0]", "fuzzy_sets.momentum.low.parameters", 16, "fall"),
        ("low: [0, 20, 40]", "low: [0, 20]", "fuzzy_sets.momentum.low", 16, "a mapping is needed"),
        ("{fuzzy_set: turn,", "{fuzzy_set: trun,", "nn_inputs[0].fuzzy_set", 22, "'turn'?"),
        (
            "timeframes: [1d]}",
            "timeframes: [1h]}",
            "nn_inputs[0].timeframes",
            22,
            "'1h' is not one",
        ),
        ("timeframes: [1d]}", "timeframes: []}", "nn_inputs[0].timeframes", 22, "must be all"),
        ("timeframes: [1d]}", "timeframes: 1d}", "nn_inputs[0].timeframes", 22, "a list is needed"),
        ("timeframes: [1d]}", "tmeframes: [1d]}", "nn_inputs[0].tmeframes", 22, "'timeframes'?"),
        ("timeframes: all", "timeframes: [1d]", "nn_inputs", 21, "of the timeframe 1w"),
        (
            "    timeframes: all\n",
            "    timeframes: all\n  - fuzzy_set: turn\n",
            "nn_inputs[2].fuzzy_set",
            25,
            "there twice",
        ),
        ("  epochs: 4", "  epochs: 0", "training.epochs", 28, "greater than or equal to 1"),
        ("  epochs: 4", "  epoch: 4", "training.epoch", 28, "did you mean"),
        ("patience: 3", "patience: 0", "training.early_stopping.patience", 30, "greater than"),
        ("  type: mlp", "  type: mlp\n  training: {epochs: 3}", "training.epochs", 29, "keep one"),
        ("  type: mlp", "  type: lstm", "model.type", 26, "'lstm' is not there yet"),
        ("  type: mlp", "  type: gru", "model.type", 26, "'gru' is not there yet"),
        ("source: forward_return", "source: regression", "training.labels.source", 31, "not there"),
        (
            "training:\n",
            "decisions: {output_format: regression}\ntraining:\n",
            "decisions.output_format",
            27,
            "not there yet",
        ),
        (
            "indicators:\n",
            "context_data: [{provider: fred}]\nindicators:\n",
            "context_data",
            6,
            "context data",
        ),
        ("nn_inputs:\n", "nn_input:\n", "nn_inputs", None, "is missing"),
    ],
)
def test_what_is_wrong_or_not_trained_is_told_where_the_file_says_it(
    write: Any, old: str, new: str, path: str, line: int | None, told: str
) -> None:
    found = validate(write((old, new)))
    assert told in str(next(one for one in found if one.path == path))
    assert line is None or line in [one.line for one in found if one.path == path]


def test_the_two_grammars_are_not_mixed(write: Any) -> None:
    file = write(
        ("nn_inputs:", "nn_inputs:"),
        text=LATER.replace("  rsi_14:\n    type: RSI", "  - name: rsi").replace(
            "  macd_1:\n    type: macd\n    fast_period: 8\n", ""
        ),
    )
    assert "has them as a mapping" in str(validate(file)[0])


def test_what_no_input_uses_is_refused(write: Any) -> None:
    with pytest.raises(StrategyError, match="nothing in nn_inputs uses it") as caught:
        load(write(("  turn:\n", "  calm: {indicator: rsi_14, mid: [40, 50, 60]}\n  turn:\n")))
    assert caught.value.context["path"] == "fuzzy_sets.calm"
    with pytest.raises(StrategyError, match="'macd_1' has no fuzzy set") as caught:
        load(write(("macd_1.histogram", "rsi_14")))
    assert caught.value.context["path"] == "indicators.macd_1"
