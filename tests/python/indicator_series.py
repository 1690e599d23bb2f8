"""Series that indicators are held to others on: real ones, and those that bring odd things together."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Floats: TypeAlias = "npt.NDArray[np.float64]"

# Beside the checkout, or beside what holds it; a clean clone has none.
SHARED = next(
    (folder for up in Path(__file__).parents if (folder := up / "shared" / "data").is_dir()), None
)


@dataclass(frozen=True)
class Columns:
    """Bars as columns."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __getitem__(self, name: str) -> Floats:
        return getattr(self, name)  # type: ignore[no-any-return]

    def rows(self, first: int, last: int) -> Columns:
        """Give some of the bars."""
        return Columns(*(self[name][first:last].copy() for name in NAMES))

    def __len__(self) -> int:
        return len(self.close)


NAMES = ("open", "high", "low", "close", "volume")


def read(text: str, first: int) -> Columns:
    """Read columns of a CSV file, the first of which is number ``first``."""
    rows = list(csv.reader(text.splitlines()))[1:]
    opened, high, low, close, volume = (
        np.array([float(row[first + i]) for row in rows]) for i in range(5)
    )
    return Columns(opened, high, low, close, volume)


def shipped(name: str) -> Columns:
    """Take the daily bars that ``bokeh_sampledata`` has of a share."""
    sample = getattr(import_module("bokeh_sampledata.stocks"), name)
    return Columns(*(np.array(sample[column], float) for column in NAMES))


def walk(count: int, seed: int, step: float = 0.01) -> Columns:
    """Make a random walk above zero, with bodies, shadows and volumes."""
    random = np.random.default_rng(seed)
    moves = random.normal(0, step, count)
    close = 100 * np.exp(np.cumsum(moves - moves.mean()))
    opened = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(opened, close) * (1 + step * random.random(count))
    low = np.minimum(opened, close) * (1 - step * random.random(count))
    return Columns(opened, high, low, close, np.floor(random.random(count) * 10_000))


def scaled(bars: Columns, factor: float, shift: float = 0) -> Columns:
    """Move prices; volumes stay."""
    opened, high, low, close = (bars[name] * factor + shift for name in NAMES[:4])
    return Columns(opened, high, low, close, bars.volume)


def with_gaps(bars: Columns) -> Columns:
    """Take some prices away: at the beginning, one, and a stretch."""
    close = bars.close.copy()
    close[:3] = close[700] = close[1500:1560] = np.nan
    high = bars.high.copy()
    high[2100] = np.nan
    return Columns(bars.open, high, bars.low, close, bars.volume)


def constant(price: float, count: int) -> Columns:
    """Make bars of one price and one volume."""
    return Columns(*(np.full(count, value) for value in (price, price, price, price, 1000.0)))


@cache
def series() -> dict[str, Columns]:
    """Give all of them by name."""
    real = {name: shipped(name) for name in ("AAPL", "IBM")}
    if SHARED is not None:
        real |= {path.stem: read(path.read_text(), 1) for path in sorted(SHARED.glob("*.csv"))}
    return real | {
        "walk": walk(3_000, 1),
        "constant": constant(0.1, 500),
        "gaps": with_gaps(walk(3_000, 2)),
        "two bars": walk(2, 3),
        "one million": walk(1_000_000, 4, 0.001),
        "below zero": scaled(walk(3_000, 5), 1, -100),
        "of 1e-8": scaled(walk(3_000, 6), 1e-10),
    }
