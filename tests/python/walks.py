"""Random walks as bars, and trainings on them: nothing can be foreseen there, so nothing may be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import yaml

from ktrdr_core import DataManager, TrainingManager

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Closes = npt.NDArray[np.float64]

HOURS = {"1h": 1, "2h": 2, "4h": 4, "1d": 24, "1w": 7 * 24}
# Both sides together leave one in a hundred outside.
BAND = 2.576


def walk(seed: int, count: int, step: float = 0.01) -> Closes:
    """Give closes of a random walk."""
    moves = np.random.default_rng(seed).normal(0, step, count)
    return 100 * np.exp(np.cumsum(moves))


def swings(seed: int, count: int) -> Closes:
    """Give closes whose moves go on for a while, so that the last moves tell the next."""
    random = np.random.default_rng(seed)
    moves = np.zeros(count)
    for place in range(1, count):
        moves[place] = 0.9 * moves[place - 1] + random.normal(0, 0.004)
    return 100 * np.exp(np.cumsum(moves))


def shuffled(closes: Closes, seed: int) -> Closes:
    """Give closes of the same moves in another order."""
    moves = np.diff(np.log(closes))
    steps = np.cumsum(np.random.default_rng(seed).permutation(moves))
    made: Closes = closes[0] * np.exp(np.concatenate([[0.0], steps]))
    return made


def frame(
    closes: Closes, timeframe: str, *, opens: Closes | None = None, begin: int = 0
) -> dict[str, Any]:
    """Give bars of a timeframe from an hour of 2010-01-04 on; each opens where the last one closed, unless said."""
    first = np.datetime64("2010-01-04T00:00:00", "s") + np.timedelta64(begin, "h")
    steps = np.arange(len(closes)) * np.timedelta64(HOURS[timeframe], "h")
    before = np.concatenate([closes[:1], closes[:-1]]) if opens is None else opens
    return {
        "date": first + steps,
        "open": before,
        "high": np.maximum(before, closes),
        "low": np.minimum(before, closes),
        "close": closes,
        "volume": np.full(len(closes), 1000.0),
    }


def longer(closes: Closes, hours: int, begin: int, timeframe: str) -> dict[str, Any]:
    """Give bars of a longer timeframe, made of a walk of bars of so many hours, whose first begins at an hour."""
    per = HOURS[timeframe] // hours
    whole = closes[begin // hours :]
    whole = whole[: len(whole) // per * per].reshape(-1, per)
    return frame(whole[:, -1].copy(), timeframe, opens=whole[:, 0].copy(), begin=begin)


def store(data: DataManager, symbol: str, timeframe: str, bars: Mapping[str, Any]) -> None:
    """Store bars as one's own."""
    data.store(symbol, timeframe, bars).result(60)


def trained(
    data: DataManager, folder: Path, strategy: Mapping[str, Any], symbols: list[str]
) -> dict[str, Any]:
    """Train, and give the result."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{strategy['name']}.yaml"
    path.write_text(yaml.safe_dump(dict(strategy), sort_keys=False))
    with TrainingManager(data, folder / "models", env={}) as training:
        return training.train_multi_symbol_strategy(path, symbols=symbols).result(300)


def lead(result: dict[str, Any], lookahead: int, copies: int = 1) -> float:
    """Say how far the test accuracy lies above the prior, in widths of the 99 % band.

    Labels that look ahead overlap, and copies say the same: of so many rows only one counts. What is foreseen without
    knowing anything is at best the most frequent class of the test itself.
    """
    confusion = np.array(result["test_metrics"]["confusion_matrix"])
    prior = result["baselines"]["class_prior"]
    return lead_over(confusion, lookahead, copies=copies, prior=prior)


def lead_over(
    confusion: npt.NDArray[np.int64], lookahead: int, *, copies: int = 1, prior: float = 0.0
) -> float:
    """Say the same of a confusion matrix."""
    rows = confusion.sum()
    prior = max(prior, confusion.sum(axis=1).max() / rows)
    width = BAND * math.sqrt(prior * (1 - prior) / (rows / lookahead / copies))
    return float((np.trace(confusion) / rows - prior) / width)
