"""A million bars of one's own: read from CSV, stored, read again; against what others read and write."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import csv, parquet

from ktrdr_core import Bars, DataManager, errors

if TYPE_CHECKING:
    from collections.abc import Callable


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        Fewer bars and rounds.
    """
    count, rounds = (20_000, 3) if quick else (1_000_000, 7)
    frame = _frame(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_csv(frame, folder / "ACME_1m.csv")
        # Its last bar is not closed yet, so it is read and checked, and nothing is stored.
        _write_csv(frame, folder / "OPEN_1m.csv", last="2200-01-01T00:00:00Z")
        groups = [
            _reading(folder, count),
            _storing(folder, frame, count),
            _opening(folder, frame, count),
            _frames(folder),
            _writing(folder, frame, count),
        ]
        return [line for group in groups for line in _taking_turns(group, rounds)]


Group = tuple[str, dict[str, "Callable[[], Any]"]]


def _frame(count: int) -> pl.DataFrame:
    rng = np.random.default_rng(7)
    close = 100 + rng.normal(0, 0.05, count).cumsum().round(2)
    start = np.datetime64("2010-01-04", "ns") + np.arange(count) * np.timedelta64(60, "s")
    return pl.DataFrame(
        {
            "timestamp": start,
            "open": close,
            "high": (close + 0.1).round(2),
            "low": (close - 0.1).round(2),
            "close": close,
            "volume": rng.integers(0, 100_000, count).astype(float),
        }
    ).with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))


def _write_csv(frame: pl.DataFrame, file: Path, last: str = "") -> None:
    frame.write_csv(file, datetime_format="%Y-%m-%dT%H:%M:%SZ")
    if last:
        with file.open("a") as text:
            text.write(f"{last},1,1,1,1,1\n")


def _reading(folder: Path, count: int) -> Group:
    file, unclosed = folder / "ACME_1m.csv", folder / "OPEN_1m.csv"
    data = DataManager(folder / "read", env={})

    def ours() -> None:
        try:
            data.import_csv(unclosed).result()
        except errors.InvalidArgumentError as error:
            if error.context["row"] != count:
                raise

    def with_pandas() -> pd.DataFrame:
        return pd.read_csv(file, parse_dates=["timestamp"])

    def same_by_pandas() -> pd.DataFrame:
        # What ours gives: the nearest double of each number, and rows that were looked at.
        frame = pd.read_csv(file, parse_dates=["timestamp"], float_precision="round_trip")
        low = frame[["open", "close"]].min(axis=1)
        high = frame[["open", "close"]].max(axis=1)
        sound = (frame["low"] <= low) & (frame["high"] >= high) & (frame["volume"] >= 0)
        if not (frame["timestamp"].is_monotonic_increasing and frame["timestamp"].is_unique):
            raise ValueError("timestamps do not rise")
        finite = np.isfinite(frame.iloc[:, 1:].to_numpy()).all(axis=1)
        if not (sound.all() and finite.all()):
            raise ValueError("a row cannot be")
        return frame

    def dates_by_text() -> pd.DataFrame:
        # As files are read whose dates are taken for texts first.
        frame = pd.read_csv(file, float_precision="round_trip")
        frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True, format="mixed")
        return frame

    def floor() -> None:
        # What no reader that gives columns can do without.
        buffer = bytearray(256 * 1024)
        with file.open("rb", buffering=0) as source:
            while source.readinto(buffer):
                pass
        np.empty((6, count)).fill(1)

    return f"pandas.read_csv, of {count:,}", {
        f"pandas.read_csv, of {count:,}": with_pandas,
        "pandas, exact numbers and checked rows": same_by_pandas,
        "pandas, dates by pd.to_datetime": dates_by_text,
        "polars.read_csv": lambda: pl.read_csv(file, try_parse_dates=True),
        "pyarrow.csv.read_csv": lambda: csv.read_csv(file),
        "duckdb read_csv": lambda: duckdb.connect().read_csv(str(file)).to_arrow_table(),
        "import_csv, read and checked": ours,
        "import_csv, stored too": lambda: data.import_csv(file).result(),
        "floor: its bytes read, six columns filled": floor,
    }


def _storing(folder: Path, frame: pl.DataFrame, count: int) -> Group:
    stored = DataManager(folder / "stored", env={})
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    pandas = frame.to_pandas()
    table = frame.to_arrow()
    names = iter(range(1_000_000))
    peer = f"polars.write_parquet, of {count:,}"
    return peer, {
        peer: lambda: frame.write_parquet(folder / "polars.parquet"),
        "pyarrow.parquet.write_table": lambda: parquet.write_table(table, folder / "a.parquet"),
        "pandas.to_parquet": lambda: pandas.to_parquet(folder / "pandas.parquet"),
        "store of numpy columns": lambda: stored.store(f"N{next(names)}", "1m", columns).result(),
        "store of polars": lambda: stored.store(f"P{next(names)}", "1m", frame).result(),
        "store of pandas": lambda: stored.store(f"D{next(names)}", "1m", pandas).result(),
        "until store returns": lambda: stored.store(f"U{next(names)}", "1m", columns),
    }


def _opening(folder: Path, frame: pl.DataFrame, count: int) -> Group:
    data = DataManager(folder / "open", env={})
    data.store("ACME", "1m", frame).result()
    frame.write_parquet(folder / "open.parquet")
    peer = f"polars.read_parquet, of {count:,}"
    return peer, {
        peer: lambda: pl.read_parquet(folder / "open.parquet"),
        "load_data of what is stored": lambda: data.load_data(
            "ACME", "1m", validate=False
        ).result(),
        "load_data, validated": lambda: data.load_data("ACME", "1m").result(),
        "one day of it": lambda: data.load_data("ACME", "1m", "2010-01-05", "2010-01-05").result(),
        "series": data.series,
    }


def _writing(folder: Path, frame: pl.DataFrame, count: int) -> Group:
    data = DataManager(folder / "open", env={})
    pandas = frame.to_pandas().set_index("timestamp")
    table = frame.to_arrow()
    out = folder / "out.csv"

    def ours(ending: str) -> Callable[[], Any]:
        file = folder / f"out{ending}"
        return lambda: data.export("ACME", "1m", file, overwrite=True).result()

    peer = f"pandas.to_csv, of {count:,}"
    return peer, {
        peer: lambda: pandas.to_csv(out, date_format="%Y-%m-%dT%H:%M:%SZ"),
        "polars.write_csv": lambda: frame.write_csv(out, datetime_format="%Y-%m-%dT%H:%M:%SZ"),
        "pyarrow.csv.write_csv": lambda: csv.write_csv(table, out),
        "export as CSV, synced": ours(".csv"),
        "export as Parquet, synced": ours(".parquet"),
        "export as Arrow, synced": ours(".arrow"),
    }


def _frames(folder: Path) -> Group:
    with DataManager(folder / "open", env={}) as data:
        bars: Bars = data.load_data("ACME", "1m").result()
    return "to_pandas", {
        "to_pandas": bars.to_pandas,
        "polars.DataFrame(bars)": lambda: pl.DataFrame(bars),
        "pyarrow.table(bars)": lambda: pa.table(bars),
        "pandas.DataFrame(bars), row by row": lambda: pd.DataFrame(bars),
        "a slice": lambda: bars[1000:2000],
    }


def _taking_turns(group: Group, rounds: int) -> list[dict[str, Any]]:
    peer, contenders = group
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
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
