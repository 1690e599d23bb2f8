"""Indicators in Python: functions, by name, and over bars as they come, for every row of the registry."""

from __future__ import annotations

import gc
import inspect
import threading
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from indicator_series import NAMES, series, walk, with_gaps
from ktrdr_core import Bars, DataManager, _core, features
from ktrdr_core.errors import InvalidArgumentError
from ktrdr_core.features.outputs import OF_SEVERAL

SPECS = _core.indicator_specs()
every = pytest.mark.parametrize("name", SPECS)


def columns_of(name: str) -> tuple[str, ...]:
    return features.stream(name).inputs


def arrays(made: Any) -> list[Any]:
    return list(made) if isinstance(made, tuple) else [made]


@every
def test_a_function_has_the_parameters_and_outputs_of_the_registry(name: str) -> None:
    function = getattr(features, name)
    assert name in features.__all__
    spec = SPECS[name]
    wanted = spec["inputs"] or ["values"]
    taken = inspect.signature(function).parameters
    assert list(taken) == [*wanted, *spec["params"]]
    defaults = {key: one.default for key, one in taken.items() if key in spec["params"]}
    assert defaults == {key: one["default"] for key, one in spec["params"].items()}
    fields = getattr(OF_SEVERAL.get(name), "_fields", None)
    assert (list(fields) if fields else 1) == (spec["outputs"] if fields else len(spec["outputs"]))
    for key, one in spec["params"].items():
        if key != "percent":
            assert f"{one['min']:g} to {one['max']:g}" in (function.__doc__ or ""), key


@every
def test_function_name_and_stream_give_the_same_bits(name: str) -> None:
    bars = with_gaps(walk(3_000, 7))
    taken = [bars[column] for column in columns_of(name)]
    called = arrays(getattr(features, name)(*taken))
    named = arrays(features.indicator(name, *taken))
    live: Any = features.stream(name)
    streamed = np.array([arrays(live.next(*bar)) for bar in zip(*taken, strict=True)]).T
    for one, other, third in zip(called, named, streamed, strict=True):
        assert one.dtype == np.float64
        assert one.tobytes() == other.tobytes()
        np.testing.assert_array_equal(one, third)
    assert type(features.indicator(name, *taken)) is OF_SEVERAL.get(name, np.ndarray)


def test_columns_may_be_anything_numpy_makes_numbers_of() -> None:
    close = walk(100, 1).close
    wanted = features.sma(close, 5)
    for other in (list(close), close.astype(object), np.repeat(close, 2)[::2], close[::-1][::-1]):
        np.testing.assert_array_equal(features.sma(other, 5), wanted)
    whole = np.arange(10)
    np.testing.assert_array_equal(features.sma(whole, 1 + 1)[1:], whole[1:] - 0.5)


def test_a_value_that_is_missing_in_anyones_way_is_missing() -> None:
    close = walk(100, 1).close
    hidden = np.arange(100) == 40
    wanted = features.sma(np.where(hidden, np.nan, close), 5)
    none = [None if gone else value for gone, value in zip(hidden, close, strict=True)]
    ways: list[Any] = [
        np.ma.masked_array(close, mask=hidden),
        none,
        pd.Series(none, dtype="Float64"),
        pl.Series(none),
    ]
    for other in ways:
        np.testing.assert_array_equal(features.sma(other, 5), wanted)
    whole = np.ma.masked_array(np.arange(100), mask=hidden)
    got = features.sma(whole, 5)
    assert np.isnan(got[40:45]).all()
    assert got[45] == 43


def test_columns_that_lie_at_odd_addresses_are_taken() -> None:
    close = np.ascontiguousarray(walk(100, 1).close)
    odd = np.frombuffer(b"x" + close.tobytes(), np.float64, offset=1)
    assert not odd.flags.aligned
    packed = np.zeros(100, np.dtype([("flag", "i1"), ("close", "f8")]))
    packed["close"] = close
    for other in (odd, packed["close"], close.astype(">f8")):
        np.testing.assert_array_equal(features.sma(other, 5), features.sma(close, 5))


@pytest.mark.parametrize(
    "given",
    [
        np.arange(9) + 1j,
        np.arange(9).astype("datetime64[s]"),
        np.arange(9).astype("timedelta64[s]"),
        [np.datetime64("2024-01-01")] * 9,
        pd.Series(pd.date_range("2024-01-01", periods=9, tz="UTC")),
        [1j] * 9,
        "text",
        {1.0, 2.0},
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_are_no_numbers_is_refused(given: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="close is no column of numbers"):
        features.sma(given, 5)


@every
@pytest.mark.parametrize("wrong", ["3", None, [3], 3 + 0j, np.array([3, 4])])
def test_a_parameter_that_is_no_number_is_named(name: str, wrong: Any) -> None:
    for key in SPECS[name]["params"]:
        for ask in (
            lambda key=key: getattr(features, name)(
                *([[]] * len(columns_of(name))), **{key: wrong}
            ),
            lambda key=key: features.stream(name, **{key: wrong}),
            lambda key=key: features.warm_up(name, **{key: wrong}),
            lambda key=key: features.indicator(name, [], **{key: wrong}),
        ):
            with pytest.raises(InvalidArgumentError, match=rf"{name}: {key} must be a number"):
                ask()


def test_a_contiguous_column_is_read_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    close = walk(50, 1).close
    close.flags.writeable = False
    seen: list[Any] = []
    real = _core.Indicator

    class Watched:
        def __init__(self, *arguments: Any) -> None:
            self.native = real(*arguments)
            self.inputs, self.outputs = self.native.inputs, self.native.outputs

        def compute(self, given: list[Any], made: list[Any]) -> None:
            seen.extend(given)
            self.native.compute(given, made)

    monkeypatch.setattr(_core, "Indicator", Watched)
    features.ema(close)
    assert np.shares_memory(seen[0], close)


def test_bars_give_their_columns(tmp_path: Any) -> None:
    bars = walk(80, 3)
    frame = {"date": np.arange("2024-01-01", 80, dtype="M8[D]")} | {n: bars[n] for n in NAMES}
    with DataManager(data_dir=tmp_path, env={}) as data:
        data.store("ACME", "1d", frame).result()
        stored = data.load_data("ACME", "1d").result()
    assert isinstance(stored, Bars)
    np.testing.assert_array_equal(
        features.indicator("adx", stored).adx, features.adx(bars.high, bars.low, bars.close).adx
    )
    np.testing.assert_array_equal(features.indicator("rsi", stored), features.rsi(bars.close))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: features.rsi([1, 2], 1),
            "rsi: period is 1; it must be a whole number from 2 to 1000",
        ),
        (
            lambda: features.indicator("rsi", [1, 2], period=2.5),
            "rsi: period is 2.5; it must be a whole number",
        ),
        (lambda: features.rsi(["a"]), "close is no column of numbers"),
        (lambda: features.rsi([[1.0]]), "close has 2 dimensions; give one number for each bar"),
        (lambda: features.rsi(1.0), "close has 0 dimensions"),
        (
            lambda: features.atr([1, 2], [1, 2], [1]),
            "atr: high has 2 values and close 1; give columns of one length",
        ),
        (
            lambda: features.macd([1], fast_period=30),
            r"macd: fast_period \(30\) must be less than slow_period \(26\)",
        ),
        (lambda: features.indicator("rsj", [1]), "there is no indicator 'rsj'; there are rsi, "),
        (lambda: features.indicator("rsi", [1], length=3), "rsi has no parameter 'length'"),
        (lambda: features.indicator("rsi"), r"rsi takes 1 column \(close\), not 0"),
        (
            lambda: features.indicator("atr", [1], [1]),
            r"atr takes 3 columns \(high, low, close\), not 2",
        ),
        (lambda: features.stream("rsi", period=0), "rsi: period is 0"),
        (
            lambda: features.stream("atr").next(1, 2),
            r"atr takes 3 values a bar \(high, low, close\), not 2",
        ),
        (lambda: features.warm_up("nothing"), "there is no indicator 'nothing'"),
    ],
)
def test_what_is_wrong_is_said(call: Any, says: str) -> None:
    with pytest.raises(InvalidArgumentError, match=says):
        call()


@every
def test_no_bars_give_no_values(name: str) -> None:
    for made in arrays(features.indicator(name, *([] for _ in columns_of(name)))):
        assert made.shape == (0,)


def test_another_thread_runs_while_the_core_computes() -> None:
    close = series()["one million"].close
    ran = threading.Event()
    turns = 0

    def compute() -> None:
        while not ran.is_set():
            features.fisher(close, close)

    thread = threading.Thread(target=compute)
    thread.start()
    for _ in range(1000):
        turns += 1
    ran.set()
    thread.join()
    assert turns == 1000


def test_streams_and_arrays_are_gone_when_nobody_holds_them() -> None:
    live = features.stream("sma", period=3)
    made = features.sma(np.arange(10.0), 3)
    assert "sma over close" in repr(live)
    del live, made
    gc.collect()


def test_the_guide_shows_what_the_registry_has() -> None:
    from pathlib import Path

    guide = (Path(__file__).parents[2] / "docs" / "guide" / "indicators.md").read_text()
    table = guide.partition("## What there is")[2].partition("\n## ")[0]
    rows = {}
    for line in table.splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            rows[cells[0].strip("`")] = cells[1:]
    assert list(rows) == list(SPECS)
    for name, (params, reads, gives, least, exact) in rows.items():
        spec, warm = SPECS[name], features.warm_up(name)
        said = ", ".join(f"{key} {one['default']:g}" for key, one in spec["params"].items())
        assert params == said, name
        assert reads == (", ".join(spec["inputs"]) or "price"), name
        assert gives == ", ".join(spec["outputs"]), name
        assert least == str(warm.least), name
        assert exact == ("never" if warm.exact is None else str(warm.exact)), name


@pytest.mark.parametrize("odd", [None, "3", [1.0]])
def test_a_value_of_a_bar_that_is_no_number_is_named(odd: Any) -> None:
    live = features.stream("atr", period=2)
    live.next(2, 1, 1.5)
    with pytest.raises(InvalidArgumentError, match="low must be float, not"):
        live.next(2, odd, 1.5)


def test_a_whole_number_that_no_float_holds_is_an_error_of_its_column() -> None:
    with pytest.raises(InvalidArgumentError, match="close is no column of numbers"):
        features.rsi([10**400, 1, 2], 2)
