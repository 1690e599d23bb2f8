"""What TA-Lib does not have is computed anew, slowly and from its definition."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from indicator_series import Columns, series, walk
from ktrdr_core import features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from indicator_series import Floats

COUNT = 400


def windows(values: Floats, period: int) -> Iterator[tuple[int, Floats]]:
    """Give the number of each bar that has a whole window, and the window."""
    for bar in range(period - 1, len(values)):
        yield bar, values[bar + 1 - period : bar + 1]


def empty(columns: Columns) -> Floats:
    return np.full(len(columns), np.nan)


def accumulated(c: Columns) -> Floats:
    height = c.high - c.low
    share = np.zeros(len(c))
    share[height != 0] = ((2 * c.close - c.low - c.high)[height != 0]) / height[height != 0]
    return share * c.volume


def cmf(c: Columns) -> list[Floats]:
    made, flow = empty(c), accumulated(c)
    for bar, volumes in windows(c.volume, 20):
        total = math.fsum(volumes)
        made[bar] = math.fsum(flow[bar - 19 : bar + 1]) / total if total else 0
    return [made]


def vwap(c: Columns) -> list[Floats]:
    made, typical = empty(c), (c.high + c.low + c.close) / 3
    for bar, volumes in windows(c.volume, 20):
        total = math.fsum(volumes)
        made[bar] = math.fsum(typical[bar - 19 : bar + 1] * volumes) / total if total else np.nan
    return [made]


def weighed(values: Floats) -> Floats:
    made = np.full(len(values), np.nan)
    for bar, four in windows(values, 4):
        made[bar] = four @ np.array([1, 2, 2, 1]) / 6
    return made


def rvi(c: Columns) -> list[Floats]:
    made, move, height = empty(c), weighed(c.close - c.open), weighed(c.high - c.low)
    for bar, heights in windows(height, 10):
        total = math.fsum(heights) if not np.isnan(heights).any() else np.nan
        made[bar] = math.fsum(move[bar - 9 : bar + 1]) / total if total else 0
    made[:12] = np.nan
    return [made, weighed(made)]


def fisher(c: Columns) -> list[Floats]:
    line, signal = empty(c), empty(c)
    value = last = 0.0
    for bar, middles in windows((c.high + c.low) / 2, 10):
        height = middles.max() - middles.min()
        place = (middles[-1] - middles.min()) / height if height else 0.5
        value = min(max(0.33 * (2 * place - 1) + 0.67 * value, -0.999), 0.999)
        signal[bar] = last if bar > 9 else np.nan
        line[bar] = last = math.atanh(value) + 0.5 * last
    return [line, signal]


def deviations(values: Floats, period: int) -> Floats:
    made = np.full(len(values), np.nan)
    for bar, some in windows(values, period):
        mean = math.fsum(some) / period
        made[bar] = math.sqrt(math.fsum((some - mean) ** 2) / period)
    return made


def bollinger(c: Columns) -> list[Floats]:
    middle, away = empty(c), 2 * deviations(c.close, 20)
    for bar, some in windows(c.close, 20):
        middle[bar] = math.fsum(some) / 20
    return [middle + away, middle, middle - away]


def true_ranges(c: Columns, period: int) -> Floats:
    made = empty(c)
    reach = [
        max(c.high[i] - c.low[i], abs(c.high[i] - c.close[i - 1]), abs(c.low[i] - c.close[i - 1]))
        for i in range(1, len(c))
    ]
    average = math.fsum(reach[:period]) / period
    for bar in range(period, len(c)):
        if bar > period:
            average = (average * (period - 1) + reach[bar - 1]) / period
        made[bar] = average
    return made


def squeeze(c: Columns) -> list[Floats]:
    inner, outer = 2 * deviations(c.close, 20), 1.5 * true_ranges(c, 20)
    with np.errstate(invalid="ignore"):
        made = 100 * (1 - inner / outer)
    made[(inner == 0) & (outer == 0)] = 0
    return [made]


def supertrend(c: Columns) -> list[Floats]:
    line, trend = empty(c), empty(c)
    reach, middle = 3 * true_ranges(c, 10), (c.high + c.low) / 2
    upper, lower = middle + reach, middle - reach
    rising = True
    for bar in range(10, len(c)):
        if bar > 10:
            if c.close[bar - 1] <= upper[bar - 1]:
                upper[bar] = min(upper[bar], upper[bar - 1])
            if c.close[bar - 1] >= lower[bar - 1]:
                lower[bar] = max(lower[bar], lower[bar - 1])
        if rising and c.close[bar] < lower[bar]:
            rising = False
        elif not rising and c.close[bar] > upper[bar]:
            rising = True
        line[bar], trend[bar] = (lower[bar], 1) if rising else (upper[bar], -1)
    return [line, trend]


def known_turns(close: Floats, back: float) -> tuple[float, float]:
    """Walk over the whole past of the last bar: the turn known there, and the direction since."""
    pivot, direction = close[0], 0
    since = 0
    for bar in range(len(close)):
        stretch = close[since : bar + 1]
        top, bottom = stretch.max(), stretch.min()
        if direction <= 0 and close[bar] > bottom and close[bar] - bottom >= back * abs(bottom):
            pivot, direction, since = bottom, 1, bar
        elif direction >= 0 and close[bar] < top and top - close[bar] >= back * abs(top):
            pivot, direction, since = top, -1, bar
    return pivot, direction


def zigzag(c: Columns) -> list[Floats]:
    known = [known_turns(c.close[: bar + 1], 0.05) for bar in range(len(c))]
    pivot = np.array([turn for turn, _ in known])
    direction = np.array([way for _, way in known], float)
    return [pivot, direction, 100 * (c.close - pivot) / np.abs(pivot)]


REFERENCES: dict[str, Callable[[Columns], list[Floats]]] = {
    "bollinger_bands": bollinger,
    "cmf": cmf,
    "fisher": fisher,
    "rvi": rvi,
    "squeeze_intensity": squeeze,
    "supertrend": supertrend,
    "vwap": vwap,
    "zigzag": zigzag,
}


def outputs(name: str, columns: Columns) -> list[Floats]:
    names = features.stream(name).inputs
    made = features.indicator(name, *(columns[one] for one in names))
    return list(made) if isinstance(made, tuple) else [made]


@pytest.mark.parametrize("which", [name for name in series() if name not in {"gaps", "two bars"}])
@pytest.mark.parametrize("name", REFERENCES)
def test_an_indicator_says_what_its_definition_says(name: str, which: str) -> None:
    columns = series()[which].rows(0, COUNT)
    for mine, wanted in zip(outputs(name, columns), REFERENCES[name](columns), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-9, atol=1e-12 * np.max(columns.close))


@pytest.mark.parametrize("name", ["sma", "bollinger_bands", "cmf", "distance_from_ma"])
def test_a_million_bars_leave_no_rounding_behind(name: str) -> None:
    columns = series()["one million"]
    last = columns.rows(len(columns) - 40, len(columns))
    for long, short in zip(outputs(name, columns), outputs(name, last), strict=True):
        np.testing.assert_allclose(long[-20:], short[-20:], rtol=1e-12, atol=1e-13)


def test_bollinger_of_a_price_that_barely_moves_keeps_its_digits() -> None:
    random = np.random.default_rng(1)
    close = 1e6 + np.round(random.normal(0, 0.01, 200), 4)
    columns = Columns(close, close, close, close, close)
    upper, middle, _ = outputs("bollinger_bands", columns)
    np.testing.assert_allclose(upper - middle, 2 * deviations(close, 20), rtol=1e-6)


def test_zigzag_turns_are_told_when_they_are_known() -> None:
    columns = walk(2_000, 11)
    pivot, direction, _ = outputs("zigzag", columns)
    told = np.flatnonzero(np.diff(pivot)) + 1
    assert len(told) > 20
    for bar in told:
        before = np.flatnonzero(columns.close[:bar] == pivot[bar])
        assert before.size, "a turn lies before the bar that tells it"
        assert abs(columns.close[bar] / pivot[bar] - 1) >= 0.05
        assert direction[bar] == np.sign(columns.close[bar] - pivot[bar])
