"""A model that tests train: bars of a random walk, a small strategy, and what its training said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ktrdr_core import Bars, DataManager, TrainingManager

DAYS = 900
STRATEGY: dict[str, Any] = {
    "name": "small",
    "training_data": {
        "symbols": {"mode": "single_symbol", "symbol": "WALK"},
        "timeframes": {"mode": "single_timeframe", "timeframe": "1d"},
    },
    "indicators": [
        {"name": "rsi", "feature_id": "rsi_5", "period": 5},
        {
            "name": "macd",
            "feature_id": "macd",
            "fast_period": 3,
            "slow_period": 6,
            "signal_period": 3,
        },
    ],
    "fuzzy_sets": {
        "rsi_5": {
            "low": {"type": "triangular", "parameters": [0, 0, 60]},
            "high": {"type": "trapezoidal", "parameters": [40, 70, 100, 100]},
        },
        "macd.histogram": {"up": {"type": "gaussian", "parameters": [0.5, 0.5]}},
    },
    "model": {
        "type": "mlp",
        "architecture": {"hidden_layers": [12, 6], "activation": "tanh", "dropout": 0.1},
        "features": {"lookback_periods": 1},
        "training": {"epochs": 4, "learning_rate": 0.01, "seed": 3},
    },
    "training": {
        "labels": {"source": "forward_return", "threshold": 0.01, "label_lookahead": 3},
        "data_split": {"train": 0.6, "validation": 0.2, "test": 0.2},
    },
}


@dataclass(frozen=True)
class Trained:
    """A trained model, its bars, and where both lie."""

    bars: Bars
    result: dict[str, Any]
    data_dir: Path
    models_dir: Path

    @property
    def path(self) -> Path:
        return Path(self.result["artifacts"]["model_path"])


def walk(count: int = DAYS, seed: int = 1) -> dict[str, Any]:
    """Columns of daily bars of a random walk."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.012, count)))
    opened = np.concatenate([[100.0], close[:-1]])
    return {
        "timestamp": np.datetime64("2019-01-01", "D") + np.arange(count),
        "open": opened,
        "high": np.maximum(opened, close) * 1.001,
        "low": np.minimum(opened, close) * 0.999,
        "close": close,
        "volume": np.full(count, 1000.0),
    }


def train(folder: Path, **asked: Any) -> Trained:
    """Store the walk, and train the small strategy on it."""
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(STRATEGY, sort_keys=False))
    with (
        DataManager(folder / "bars", env={}) as data,
        TrainingManager(data, folder / "models", env={}) as training,
    ):
        data.store("WALK", "1d", walk()).result(60)
        bars = data.load_data("WALK", "1d").result(60)
        result = training.train_multi_symbol_strategy(path, **asked).result(120)
    return Trained(bars, result, folder / "bars", folder / "models")
