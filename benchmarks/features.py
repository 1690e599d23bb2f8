"""Half a million bars into rows: features of an example, labels, splits, against the same in pandas and numpy."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ktrdr_core.strategies import load_strategy

from .build import ROOT, build, quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The one with the most features: fifty, of MACD and Aroon, with four lags.
EXAMPLE = ROOT / "examples" / "strategies" / "macd_turn.yaml"


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        A tenth of the bars, and fewer rounds.
    """
    count, rounds = (50_000, 3) if quick else (500_000, 7)
    closes = 100 * np.exp(np.random.default_rng(7).normal(0, 0.001, count).cumsum())
    plain = load_strategy(EXAMPLE).to_json()
    native = _native(plain, closes, rounds)
    peers = {
        "feature matrix": _median(lambda: features_by_pandas(plain, closes), rounds),
        "label and split, forward_return": _median(lambda: labels_by_pandas(plain, closes), rounds),
    }
    lines = []
    for name, took in native.items():
        line = {"case": f"{name}, {count:,} bars", "value": took, "unit": "ms"}
        if name in peers:
            line |= {"ratio": took / peers[name], "against": "pandas"}
            lines.append({"case": f"{name} by pandas", "value": peers[name], "unit": "ms"})
        lines.append(line)
    return lines


def _native(plain: Mapping[str, Any], closes: Any, rounds: int) -> dict[str, float]:
    folder = build("bench-core", "features_benchmark", torch=False)
    program = folder / "cpp" / "training" / "features_benchmark"
    with tempfile.TemporaryDirectory() as place:
        strategy, prices = Path(place, "strategy.json"), Path(place, "closes")
        strategy.write_text(json.dumps(plain), encoding="utf-8")
        prices.write_bytes(closes.tobytes())
        said = quiet(str(program), str(strategy), str(prices), str(rounds))
    pairs = (line.split("\t") for line in said.splitlines())
    return {name: float(took) for name, took in pairs}


def _median(work: Callable[[], object], rounds: int) -> float:
    spent = []
    for _ in range(max(3, rounds // 2)):
        begin = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begin)
    return 1000 * median(spent)


def membership(fuzzy: Mapping[str, Any], values: pd.Series) -> pd.Series:
    """Compute how much each value belongs to a set, as one writes it with numpy."""
    at = fuzzy["parameters"]
    if fuzzy["type"] == "gaussian":
        found: pd.Series = np.exp(-0.5 * ((values - at[0]) / at[1]) ** 2)
        return found
    a, b, c, d = (at[0], at[1], at[1], at[2]) if fuzzy["type"] == "triangular" else at
    rising = (values - a) / (b - a) if b > a else (values >= a).astype(float)
    falling = (d - values) / (d - c) if d > c else (values <= d).astype(float)
    least: pd.Series = np.minimum(rising, falling)
    return least.clip(0, 1).where(values.notna())


def aroon(high: Any, low: Any, period: int) -> Any:
    """Compute how much newer the last high is than the last low, -100..100; the newest of equal ones counts."""
    windows = np.lib.stride_tricks.sliding_window_view
    since = [windows(each[::-1], period + 1)[::-1].argmax(axis=1) for each in (high, -low)]
    found = np.full(len(high), np.nan)
    found[period:] = 100.0 * (since[1] - since[0]) / period
    return found


def features_by_pandas(plain: Mapping[str, Any], closes: Any) -> pd.DataFrame:
    """Compute the example's features as one writes them with pandas."""
    close = pd.Series(closes)
    given = {one["name"]: one["params"] for one in plain["indicators"]}

    def mean(values: pd.Series, name: str) -> pd.Series:
        span = int(given["macd"][name])
        return values.ewm(span=span, min_periods=span, adjust=False).mean()

    line = mean(close, "fast_period") - mean(close, "slow_period")
    signal = mean(line, "signal_period")
    outputs = {
        "macd": 100 * line / close,
        "macd.signal": 100 * signal / close,
        "macd.histogram": 100 * (line - signal) / close,
        "aroon.oscillator": pd.Series(aroon(closes + 1, closes - 1, int(given["aroon"]["period"]))),
    }
    columns = {}
    for key, sets in plain["fuzzy_sets"].items():
        for name, fuzzy in sets.items():
            column = membership(fuzzy, outputs[key])
            for lag in range(plain["model"]["features"]["lookback_periods"] + 1):
                columns[f"{key}_{name}_lag_{lag}"] = column.shift(lag)
    return pd.DataFrame(columns).dropna().astype(np.float32)


def labels_by_pandas(plain: Mapping[str, Any], closes: Any) -> list[pd.DataFrame]:
    """Compute labels and a split purged by their ends as one writes them with pandas."""
    rule = plain["training"]["labels"]
    starts = pd.date_range("2020-01-01", periods=len(closes), freq="min")
    rows = pd.DataFrame({"start": starts, "close": closes})
    later = rows["close"].shift(-rule["label_lookahead"]) / rows["close"] - 1
    rows["end"] = rows["start"].shift(-rule["label_lookahead"] - 1)
    bounds = [-np.inf, -rule["threshold"], rule["threshold"], np.inf]
    rows["label"] = pd.cut(later, bounds, labels=["sell", "hold", "buy"])
    rows = rows.dropna()
    cuts = [rows["start"].iloc[int(len(rows) * share)] for share in (0.7, 0.85)]
    train = rows[(rows["start"] < cuts[0]) & (rows["end"] <= cuts[0])]
    between = rows["start"].between(cuts[0], cuts[1], inclusive="left") & (rows["end"] <= cuts[1])
    return [train, rows[between], rows[rows["start"] >= cuts[1]]]
