"""Half a million minutes: gaps and quality, against the same questions asked of pandas."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

import exchange_calendars
import numpy as np
import pandas as pd

from ktrdr_core.calendars import BarGrid, get_calendar
from ktrdr_core.quality import check_quality, clock_alignment, find_gaps, repair

if TYPE_CHECKING:
    from collections.abc import Callable

#: By name, the first is what the others are held against.
Group = dict[str, "Callable[[], Any]"]


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        Fewer bars and rounds.
    """
    start, rounds = ("2024-01-02", 3) if quick else ("2019-02-01", 7)
    grid = BarGrid("1m", get_calendar("XNYS"))
    frame = _frame(grid, start, "2024-04-01")
    return [
        line
        for group in (_gaps(frame, grid), _quality(frame, grid))
        for line in _taking_turns(group, rounds)
    ]


def _frame(grid: BarGrid, start: str, end: str) -> pd.DataFrame:
    """A walk at every minute that should exist, but for one in a thousand."""
    rng = np.random.default_rng(7)
    stamps = grid.expected(start, end)
    assert stamps is not None  # nosec B101
    stamps = stamps[rng.random(len(stamps)) > 0.001]
    close = 100 + rng.normal(0, 0.02, len(stamps)).cumsum().round(2)
    close += 5 - min(0.0, float(close.min()))
    columns = {"open": close, "high": close + 0.1, "low": close - 0.1, "close": close}
    columns["volume"] = rng.integers(1, 100_000, len(stamps)).astype(float)
    return pd.DataFrame(columns, index=pd.DatetimeIndex(stamps, name="timestamp"))


def _bars(frame: pd.DataFrame, grid: BarGrid) -> Any:
    """Bars in the core, so that nobody copies a frame while time is taken."""
    return repair(frame, check_quality(frame, calendar=grid)).bars


def _gaps(frame: pd.DataFrame, grid: BarGrid) -> Group:
    bars = _bars(frame, grid)
    calendar = exchange_calendars.get_calendar("XNYS", start="2018-01-02", end="2024-12-31")
    first, last = frame.index[0], frame.index[-1]
    minutes = calendar.minutes_in_range(first, last).tz_localize(None)
    count = len(frame)

    def with_pandas() -> pd.DataFrame:
        absent = minutes.difference(frame.index)
        runs = (absent.to_series().diff() != pd.Timedelta("1min")).cumsum()
        found: pd.DataFrame = absent.to_series().groupby(runs).agg(["min", "max", "size"])
        return found

    return {
        f"gaps by pandas, of {count:,}, expected minutes given": with_pandas,
        "find_gaps": lambda: find_gaps(bars, calendar=grid),
        "find_gaps, open hours only": lambda: find_gaps(bars, calendar=grid, closed=False),
    }


def _quality(frame: pd.DataFrame, grid: BarGrid) -> Group:
    bars = _bars(frame, grid)
    count = len(frame)

    def with_pandas() -> dict[str, int]:
        prices = frame[["open", "high", "low", "close"]]
        moves = frame.close.pct_change().abs()
        usual = moves.rolling(192, center=True, min_periods=1).median()
        same = (prices.diff() == 0).all(axis=1)
        return {
            "order": int((frame.index[1:] <= frame.index[:-1]).sum()),
            "not_finite": int((~np.isfinite(frame.to_numpy())).sum()),
            "ohlc": int(
                ((frame.high < prices.max(axis=1)) | (frame.low > prices.min(axis=1))).sum()
            ),
            "price": int((prices <= 0).to_numpy().sum()),
            "volume": int((frame.volume < 0).sum()),
            "equal_bars": int((same & same.shift(fill_value=False)).sum()),
            "jump": int(((moves > 12 * usual) & (moves > 0.03)).sum()),
        }

    return {
        f"seven of the rules by pandas, of {count:,}": with_pandas,
        "check_quality, every rule": lambda: check_quality(bars, calendar=grid),
        "clock_alignment": lambda: clock_alignment(bars, calendar=grid),
        "check_quality of a DataFrame": lambda: check_quality(frame, calendar=grid),
    }


def _taking_turns(group: Group, rounds: int) -> list[dict[str, Any]]:
    times: dict[str, list[float]] = {name: [] for name in group}
    for _ in range(rounds):
        for name, call in group.items():
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    peer = next(iter(group))
    return [
        {
            "case": name,
            "value": median(taken) * 1000,
            "unit": "ms",
            "ratio": median(taken) / median(times[peer]),
            "against": peer,
        }
        for name, taken in times.items()
    ]
