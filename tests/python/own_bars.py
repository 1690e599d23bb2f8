"""Bars that tests bring: frames of every library, and a strategy for bars as anybody may have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
from hypothesis import strategies as st

from ktrdr_core import Bars, DataManager

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Columns = dict[str, Any]
NUMBERS = ("open", "high", "low", "close", "volume")


def columns(
    count: int = 5, start: str = "2024-01-01", step: str = "D", volume: float = 100.0
) -> Columns:
    """Sound columns: ``count`` bars from ``start`` on, one every ``step``."""
    first = np.datetime64(start).astype("M8[ns]")
    time = first + np.arange(count) * np.timedelta64(1, step).astype("m8[ns]")  # type: ignore[call-overload]
    price = 10 + np.arange(count) / 7
    return {
        "timestamp": time,
        "open": price,
        "high": price + 2,
        "low": price - 1,
        "close": price + 1,
        "volume": np.full(count, volume),
    }


#: Prices as exchanges have them, and as nobody expects them.
prices = st.floats(min_value=-1e12, max_value=1e12, allow_nan=False, allow_infinity=False)


@st.composite
def sound_columns(draw: st.DrawFn) -> Columns:
    """Up to 20 daily bars with any prices, some days and volumes missing."""
    days = sorted(draw(st.sets(st.integers(0, 20_000), min_size=1, max_size=20)))
    quarters = draw(st.integers(0, 95))
    four = [sorted(draw(st.tuples(prices, prices, prices, prices))) for _ in days]
    swap = draw(st.booleans())
    volumes = draw(
        st.lists(
            st.one_of(st.just(float("nan")), st.floats(0, 1e15)),
            min_size=len(days),
            max_size=len(days),
        )
    )
    day = 86_400_000_000_000
    stamps = np.array([one * day + quarters * day // 96 for one in days], dtype="int64").view(
        "M8[ns]"
    )
    return {
        "timestamp": stamps,
        "open": np.array([p[2] if swap else p[1] for p in four]),
        "high": np.array([p[3] for p in four]),
        "low": np.array([p[0] for p in four]),
        "close": np.array([p[1] if swap else p[2] for p in four]),
        "volume": np.array(volumes),
    }


def _pandas(given: Mapping[str, Any]) -> pd.DataFrame:
    index = pd.DatetimeIndex(given["timestamp"], tz="UTC", name="timestamp")
    return pd.DataFrame({name: given[name] for name in NUMBERS}, index=index)


def _polars(given: Mapping[str, Any]) -> pl.DataFrame:
    frame = pl.DataFrame(dict(given))
    return frame.with_columns(
        pl.col("timestamp").dt.replace_time_zone("UTC"), pl.col("volume").fill_nan(None)
    )


def _structured(given: Mapping[str, Any]) -> Any:
    kinds = [("timestamp", "M8[ns]"), *((name, "f8") for name in NUMBERS)]
    rows = np.empty(len(given["timestamp"]), dtype=kinds)
    for name in given:
        rows[name] = given[name]
    return rows


def _duckdb(given: Mapping[str, Any]) -> Any:
    return duckdb.connect().from_arrow(_polars(given).to_arrow())


#: By name, how the same columns look in each library.
FRAMES: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "pandas": _pandas,
    "pandas, columns": lambda given: _pandas(given).reset_index(),
    "pandas, naive": lambda given: _pandas(given).tz_localize(None),
    "polars": _polars,
    "pyarrow": lambda given: _polars(given).to_arrow(),
    "pyarrow reader": lambda given: pa.RecordBatchReader.from_batches(
        _polars(given).to_arrow().schema, _polars(given).to_arrow().to_batches(max_chunksize=3)
    ),
    "duckdb": _duckdb,
    "dict": dict,
    "lists": lambda given: {
        "Date": np.datetime_as_string(given["timestamp"], unit="s").tolist(),
        **{name: given[name].tolist() for name in NUMBERS},
    },
    "numpy": _structured,
}


def stored(folder: Path, frame: Any, symbol: str = "ACME", timeframe: str = "1d") -> Bars:
    """Store a frame and read it again."""
    with DataManager(folder, env={}) as data:
        data.store(symbol, timeframe, frame).result(60)
        return data.load_data(symbol, timeframe).result(60)


def bytes_of(given: Mapping[str, Any] | Bars) -> list[bytes]:
    """The six columns as they lie in memory, a missing volume as the core has it."""
    if isinstance(given, Bars):
        arrays = [given.time, *(getattr(given, name) for name in NUMBERS)]
    else:
        volume = np.where(np.isnan(given["volume"]), -1.0, given["volume"])
        arrays = [given["timestamp"], *(given[name] for name in NUMBERS[:-1]), volume]
    return [np.ascontiguousarray(array).tobytes() for array in arrays]
