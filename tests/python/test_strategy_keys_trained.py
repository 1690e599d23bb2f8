"""Each key of a strategy file, changed, is another training: another model, other data, or a message that names it.

Nothing but the outcome of real trainings on real bars is looked at. What only readers mean is told apart in one place,
and has to be in the stored model.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ktrdr_core import DataManager, TrainingManager, _core, errors
from ktrdr_core.hosts.child import HostProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OPTIONS: Mapping[str, Mapping[str, Any]] = _core.strategy_options()

BASE: dict[str, Any] = yaml.safe_load("""
name: small
training_data:
  symbols: {mode: multi_symbol, list: [AAPL, MSFT]}
  timeframes: {mode: multi_timeframe, list: [1d, 1w], base_timeframe: 1d}
indicators:
  - {name: rsi, feature_id: rsi, source: close, period: 5}
  - {name: macd, feature_id: macd, fast_period: 3, slow_period: 8, signal_period: 3}
fuzzy_sets:
  rsi:
    low: {type: triangular, parameters: [0, 20, 60]}
    high: {type: trapezoidal, parameters: [40, 70, 100, 100]}
  macd.histogram:
    up: {type: gaussian, parameters: [0.5, 0.5]}
model:
  type: mlp
  architecture: {hidden_layers: [7], activation: relu, dropout: 0.2}
  features: {lookback_periods: 1}
  training:
    learning_rate: 0.02
    batch_size: 64
    epochs: 9
    early_stopping: {patience: 4}
    seed: 3
training:
  labels: {source: forward_return, threshold: 0.01, label_lookahead: 3}
  data_split: {train: 0.6, validation: 0.2, test: 0.2}
""")

#: What a key is changed to, where it is not the next best value; and what else it takes for the key to mean something.
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "name": ("other", {}),
    "version": ("9", {}),
    "training_data.symbols.mode": ("single_symbol", {}),
    "training_data.timeframes.mode": ("single_timeframe", {}),
    "training_data.history_required": (100_000, {}),
    "deployment.timeframes.mode": ("multi_timeframe", {}),
    "deployment.timeframes.supported": (["1d", "1w"], {}),
    "model.architecture.hidden_layers": ([5, 4], {}),
    "model.training.learning_rate": (0.003, {}),
    # One more than nine may come after it has stopped early.
    "model.training.epochs": (1, {}),
    "model.training.gradient_clip": (0.01, {}),
    "model.training.early_stopping.patience": (1, {}),
    "model.training.early_stopping.min_delta": (0.5, {}),
    "model.training.lr_scheduler.step_size": (2, {"model.training.lr_scheduler.type": "step"}),
    "model.training.lr_scheduler.gamma": (0.5, {"model.training.lr_scheduler.type": "exponential"}),
    "model.training.lr_scheduler.patience": (0, {"model.training.lr_scheduler.type": "plateau"}),
    # No machine has both.
    "model.training.device": (["cuda", "mps"], {}),
    # One that leaves more than one class.
    "training.labels.threshold": (0.02, {}),
    "training.labels.zigzag_threshold": (0.08, {"training.labels.source": "zigzag"}),
    "training.labels.stop_threshold": (0.05, {"training.labels.source": "triple_barrier"}),
    "training.labels.weights": ("uniqueness", {"training.labels.source": "triple_barrier"}),
    # The three have to be 1 together.
    "training.data_split.train": (0.5, {}),
    "training.data_split.validation": (0.3, {}),
    "training.data_split.test": (0.3, {}),
    "training.data_split.embargo": (7, {}),
}
#: Keys that are no option of their own: those of the lists and mappings of a file.
SECTIONS: dict[str, Any] = {
    "training_data.symbols.list": ["MSFT", "AAPL"],
    "training_data.timeframes.list": ["1d"],
    "training_data.timeframes.base_timeframe": "1w",
    "indicators.0.name": "roc",
    "indicators.0.feature_id": "strength",
    "indicators.0.source": "open",
    "indicators.0.period": 6,
    "indicators.1.fast_period": 4,
    "indicators.1.slow_period": 9,
    "indicators.1.signal_period": 4,
    "fuzzy_sets.rsi.low.type": "gaussian",
    "fuzzy_sets.rsi.low.parameters": [0, 25, 60],
    "fuzzy_sets.rsi.high": {"type": "triangular", "parameters": [40, 70, 100]},
    "fuzzy_sets.rsi.middle": {"type": "triangular", "parameters": [40, 50, 60]},
    "fuzzy_sets.rsi": {"other": {"type": "triangular", "parameters": [0, 20, 60]}},
}
#: What only readers and the users of a model mean.
FOR_READERS = {"description", "version", "hypothesis", "scope"}


def is_for_readers(path: str) -> bool:
    return path in FOR_READERS or path.startswith(("deployment.", "decisions."))


def placed(strategy: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The strategy with another value at a path."""
    made = copy.deepcopy(strategy)
    here: Any = made
    *sections, name = path.split(".")
    for section in sections:
        here = here[int(section)] if isinstance(here, list) else here.setdefault(section, {})
    here[name] = value
    return made


def otherwise(path: str) -> list[Any]:
    """Other values of an option than the one that the base has."""
    option = OPTIONS[path]
    now: Any = BASE
    for name in path.split("."):
        now = now.get(name, {}) if isinstance(now, dict) else {}
    current = option["default"] if now == {} else now
    if option["choices"]:
        # Of one choice alone another is refused.
        others = [choice for choice in option["choices"] if choice != current]
        return others or ["no such choice"]
    if option["type"] == "flag":
        return [not current]
    if option["type"] == "text":
        return ["other words"]
    return [
        int(current or 0) + 1 if option["type"] == "integer" else float(current or 0) / 2 + 0.05
    ]


@dataclass(frozen=True)
class Seen:
    """What a training left: all that may differ, and what is stored for readers."""

    model: bytes
    told: str
    strategy: str


class Trainer:
    """Trains mappings, and remembers what the base became."""

    def __init__(self, training: TrainingManager, folder: Path) -> None:
        self._training, self._folder = training, folder
        self._seen: dict[str, Seen | str] = {}

    def __call__(self, strategy: dict[str, Any]) -> Seen | str:
        key = json.dumps(strategy)
        if key not in self._seen:
            self._seen[key] = self._trained(strategy)
        return self._seen[key]

    def _trained(self, strategy: dict[str, Any]) -> Seen | str:
        path = self._folder / "strategy.yaml"
        path.write_text(yaml.safe_dump(strategy, sort_keys=False))
        try:
            result = self._training.train_multi_symbol_strategy(
                path, random_walk_baseline=False
            ).result(120)
        except errors.KtrdrError as error:
            return str(error)
        folder = Path(result["artifacts"]["model_path"])
        names = json.loads((folder / "features.json").read_text())["names"]
        config = json.loads((folder / "config.json").read_text())
        told = [
            names,
            result["history"],
            result["test_metrics"],
            result["session_info"]["data_summary"],
            folder.parent.name,
        ]
        weights = (folder / "model.safetensors").read_bytes()
        return Seen(weights, json.dumps(told), json.dumps(config["strategy"]))


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainer]:
    folder = tmp_path_factory.mktemp("keys")
    with HostProcess(delay=0) as host, DataManager(folder / "bars", host.url, env={}) as data:
        for symbol in ("AAPL", "MSFT"):
            data.load_data(symbol, "1d", "2008-01-01", "2010-12-31", mode="full").result(60)
            data.resample(symbol, "1d", "1w", store=True).result(60)
    with (
        DataManager(folder / "bars", env={}) as data,
        TrainingManager(data, folder / "models", env={}) as training,
    ):
        yield Trainer(training, folder)


def changes_of(path: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The strategy that a key is changed in, and what it becomes."""
    value, needed = CHANGES[path] if path in CHANGES else (otherwise(path), {})
    base = BASE
    for other, must_be in needed.items():
        base = placed(base, other, must_be)
    values = value if path not in CHANGES or path == "model.training.device" else [value]
    return base, [placed(base, path, one) for one in values]


def assert_counts(train: Trainer, path: str, base: dict[str, Any], changed: dict[str, Any]) -> bool:
    """Whether the change is another training; what is refused has to name the key."""
    before, after = train(base), train(changed)
    assert isinstance(before, Seen), before
    if isinstance(after, str):
        section, _, name = path.rpartition(".")
        assert name in after or section in after or "bars to train on" in after, after
        return True
    if is_for_readers(path):
        assert (after.model, after.told) == (before.model, before.told)
        return after.strategy != before.strategy
    return (after.model, after.told) != (before.model, before.told)


@pytest.mark.parametrize("path", list(OPTIONS))
def test_each_option_of_the_grammar_changes_a_real_training(train: Trainer, path: str) -> None:
    base, changed = changes_of(path)
    assert any(assert_counts(train, path, base, one) for one in changed)


@pytest.mark.parametrize("path", list(SECTIONS))
def test_each_key_of_a_section_changes_a_real_training(train: Trainer, path: str) -> None:
    assert assert_counts(train, path, BASE, placed(BASE, path, SECTIONS[path]))


def test_the_base_trains_and_the_same_file_is_the_same_training(train: Trainer) -> None:
    first = train(BASE)
    assert isinstance(first, Seen), first
    again = train({**BASE, "description": ""})
    assert isinstance(again, Seen)
    assert (again.model, again.told) == (first.model, first.told)
