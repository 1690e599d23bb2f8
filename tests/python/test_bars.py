"""`Bars` at home in Python: rows, slices, copies, frames of every library, answers of a service."""

from __future__ import annotations

import asyncio
import copy
import json
import multiprocessing
import pickle
import subprocess
import sys
from datetime import UTC, date, datetime
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import duckdb
import httpx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from fastapi import Body, FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from ktrdr_core import Bars, DataManager, OperationsService, errors
from ktrdr_core.bars import Bar
from own_bars import NUMBERS, bytes_of, columns, sound_columns, stored
from soak import count

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ["timestamp", *NUMBERS]


@pytest.fixture
def bars(tmp_path: Path) -> Bars:
    """Ten days, the volume of the fourth missing."""
    return ten_days(tmp_path)


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Bars:
    """The same, for tests that repeat themselves."""
    return ten_days(tmp_path_factory.mktemp("ten"))


def ten_days(folder: Path) -> Bars:
    frame = columns(10)
    frame["volume"][3] = np.nan
    return stored(folder, frame)


def empty(folder: Path) -> Bars:
    with DataManager(folder, env={}) as data:
        return data.load_data("NONE", "1d").result(30)


# ---- what they are


def test_they_know_their_series_wherever_they_come_from(bars: Bars, tmp_path: Path) -> None:
    assert (bars.symbol, bars.timeframe) == ("ACME", "1d")
    assert (bars[2:4].symbol, bars[2:4].timeframe) == ("ACME", "1d")
    assert (bars[::3].symbol, bars["2024-01-02":].timeframe) == ("ACME", "1d")
    assert empty(tmp_path).symbol == "NONE"
    with DataManager(tmp_path, env={}) as data:
        load = data.load_data("ACME", "1d")
        found = OperationsService().handle(load.id)
        assert found is not None
        assert found.result(30) == load.result(30) == bars


def test_they_are_shown_with_series_and_range(bars: Bars, tmp_path: Path) -> None:
    assert repr(bars) == "<Bars ACME 1d: 10 from 2024-01-01T00:00:00Z to 2024-01-10T00:00:00Z>"
    assert repr(empty(tmp_path)) == "<Bars NONE 1d: none>"


def test_a_notebook_gets_a_table(bars: Bars, tmp_path: Path) -> None:
    table = bars._repr_html_()
    assert table.count("<tr>") == 11
    assert "<th>timestamp</th>" in table
    assert "2024-01-10 00:00:00" in table
    more = stored(tmp_path, columns(1000, step="h"), "MORE", "1h")._repr_html_()
    assert more.count("<tr>") == 12
    assert "…" in more
    assert "1000 from" in more
    assert "<tr><td" not in empty(tmp_path)._repr_html_()


# ---- rows and slices


def test_one_bar_is_a_small_named_value(bars: Bars) -> None:
    bar = bars[1]
    assert isinstance(bar, Bar)
    assert bar == (
        datetime(2024, 1, 2, tzinfo=UTC),
        bars.open[1],
        bars.high[1],
        bars.low[1],
        bars.close[1],
        100,
    )
    assert (bar.time, bar.close) == (bar.timestamp, bars.close[1])
    assert bars[-1] == bars[9] == bars[np.int64(9)]
    assert np.isnan(bars[3].volume)
    for index in (10, -11):
        with pytest.raises(IndexError, match=f"no bar {index}: there are 10"):
            bars[index]


def test_they_are_iterated_in_order(bars: Bars, tmp_path: Path) -> None:
    assert [bar.open for bar in bars] == bars.open.tolist()
    assert [bar.open for bar in reversed(bars)] == bars.open[::-1].tolist()
    assert bars[1] in bars
    assert all(type(bar) is Bar for bar in bars)
    assert list(empty(tmp_path)) == []
    many = stored(tmp_path, columns(10_000, step="h"), "MANY", "1h")
    assert [bar.close for bar in many] == many.close.tolist()


@given(
    start=st.none() | st.integers(-14, 14),
    stop=st.none() | st.integers(-14, 14),
    step=st.none() | st.integers(1, 5),
)
@settings(max_examples=count(200, 5000), deadline=None)
def test_a_slice_is_what_numpy_s_is(
    ten: Bars, start: int | None, stop: int | None, step: int | None
) -> None:
    part = ten[start:stop:step]
    expected = ten.time[start:stop:step]
    assert part.time.tolist() == expected.tolist()
    assert len(part) == len(expected)
    assert part.close.tolist() == ten.close[start:stop:step].tolist()
    again = part[1:3]
    assert again.time.tolist() == expected[1:3].tolist()


def test_a_slice_shares_the_columns(bars: Bars) -> None:
    part = bars[3:7]
    assert np.shares_memory(part.close, bars.close)
    del bars
    assert len(part.close) == 4


@pytest.mark.parametrize(
    ("start", "stop", "first", "last"),
    [
        ("2024-01-03", "2024-01-05", 3, 5),
        (date(2024, 1, 3), date(2024, 1, 5), 3, 5),
        ("2024-01-03", "2024-01-05T00:00", 3, 4),
        (datetime(2024, 1, 3), datetime(2024, 1, 5), 3, 4),
        (datetime(2024, 1, 3, tzinfo=UTC), None, 3, 10),
        (None, "2024-01-05", 1, 5),
        (np.datetime64("2024-01-03"), np.datetime64("2024-01-05"), 3, 5),
        (np.datetime64("2024-01-03T00"), np.datetime64("2024-01-05T00:00"), 3, 4),
        (np.datetime64("2024-01-03", "ns"), np.datetime64("2024-01-05", "ns"), 3, 4),
        (pd.Timestamp("2024-01-03"), pd.Timestamp("2024-01-05", tz="UTC"), 3, 4),
        (pd.Timestamp("2024-01-03", tz="America/New_York"), None, 4, 10),
        ("1999-01-01", "2099-12-31", 1, 10),
    ],
)
def test_a_slice_of_time_ends_as_a_load_does(
    start: Any, stop: Any, first: int, last: int, bars: Bars, tmp_path: Path
) -> None:
    part = bars[start:stop]
    assert [int(str(day)[8:10]) for day in part.time.astype("M8[D]")] == list(
        range(first, last + 1)
    )
    with DataManager(tmp_path, env={}) as data:
        assert data.load_data("ACME", "1d", start, stop).result(30) == part


def test_a_slice_of_time_without_bars_is_empty(bars: Bars) -> None:
    assert len(bars["2024-01-05":"2024-01-03"]) == 0
    assert len(bars["2025-01-01":]) == 0


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (slice("01/02/2024", None), 'start "01/02/2024" is not a date'),
        (slice("2024-01-01", "2024-01-05", 2), "a slice of time has no step"),
        (slice(None, None, -1), "at least 1, not -1"),
        (slice(1.5, None), "not by float"),
        ("2024-01-01", "not by str"),
        (np.array([True]), "not by ndarray"),
        (slice(np.datetime64("NaT"), None), "start must be a time, not NaT"),
        (slice(pd.NaT, None), "start must be a time, not NaT"),
        (slice(np.datetime64("2024-01"), None), r"datetime64\[M\], which names no day"),
    ],
)
def test_what_takes_no_bars_says_what_does(key: Any, words: str, bars: Bars) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=words):
        bars[key]


# ---- copies


def test_equal_is_of_one_series_with_the_same_numbers(bars: Bars, tmp_path: Path) -> None:
    again = stored(tmp_path / "b", bars)
    assert again == bars
    assert hash(again) == hash(bars)
    assert bars[1:] != bars[:-1]
    assert stored(tmp_path / "c", bars, "OTHER") != bars
    assert bars != "bars"
    assert bars[2:2] == bars[:0]
    assert len({bars, again, bars[:5]}) == 2


def test_a_copy_is_they_themselves_for_they_never_change(bars: Bars) -> None:
    assert copy.copy(bars) is bars
    assert copy.deepcopy({"bars": bars})["bars"] is bars


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_holds_them(protocol: int, bars: Bars, tmp_path: Path) -> None:
    for some in (bars, bars[3:5], bars[::2], empty(tmp_path)):
        again = pickle.loads(pickle.dumps(some, protocol))
        assert again == some
        assert bytes_of(again) == bytes_of(some)
        assert (again.symbol, again.timeframe) == (some.symbol, some.timeframe)


def test_a_pickle_of_the_newest_protocol_can_leave_the_columns_outside(bars: Bars) -> None:
    buffers: list[pickle.PickleBuffer] = []
    inside = pickle.dumps(bars, 5, buffer_callback=buffers.append)
    assert len(buffers) == 6
    assert pickle.loads(inside, buffers=buffers) == bars


def test_a_spawned_process_gets_them_and_gives_them_back(bars: Bars) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        back = pool.apply(echo, (bars[2:],))
    assert back == bars[2:]


def echo(bars: Bars) -> Bars:
    """Run in the child."""
    assert len(bars) == 8
    return bars


# ---- frames


@settings(max_examples=count(20, 500), deadline=None)
@given(sound_columns())
def test_any_bars_go_through_every_frame_and_back(frame: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder, DataManager(folder, env={}) as data:
        data.store("ACME", "1d", frame).result(60)
        bars = data.load_data("ACME", "1d").result(60)
        ways = {
            "pandas": bars.to_pandas(),
            "pandas, rows": pd.DataFrame(bars),
            "polars": bars.to_polars(),
            "pyarrow": bars.to_arrow(),
            "duckdb": duckdb.connect().from_arrow(bars),
            "pickle": pickle.loads(pickle.dumps(bars)),
            "json": TypeAdapter(Bars).validate_json(TypeAdapter(Bars).dump_json(bars)),
        }
        for number, (way, value) in enumerate(ways.items()):
            data.store(f"S{number}", "1d", value).result(60)
            again = data.load_data(f"S{number}", "1d").result(60)
            assert bytes_of(again) == bytes_of(bars) == bytes_of(frame), way


def test_pandas_takes_them_by_its_own_constructor(bars: Bars) -> None:
    frame = pd.DataFrame(bars)
    assert list(frame.columns) == COLUMNS
    assert str(frame["timestamp"].dt.tz) == "UTC"
    assert frame["volume"].isna().tolist() == bars.to_pandas()["volume"].isna().tolist()
    pd.testing.assert_frame_equal(
        frame.set_index("timestamp"), bars.to_pandas(), check_index_type=False
    )


def test_to_pandas_has_an_index_of_utc_and_no_volume_where_there_is_none(bars: Bars) -> None:
    frame = bars.to_pandas()
    assert frame.index.name == "timestamp"
    assert frame["volume"].isna().tolist() == [day == 3 for day in range(10)]
    assert bars.volume[3] == -1
    frame.loc[:, "close"] = 0.0
    assert bars.close[0] != 0


def test_arrow_shares_the_columns(bars: Bars) -> None:
    for some, table in ((bars, pa.table(bars)), (bars[2:7], bars[2:7].to_arrow())):
        assert table.schema.names == COLUMNS
        assert table.schema.field("timestamp").type == pa.timestamp("ns", tz="UTC")
        shared = table.column("close").chunk(0).to_numpy(zero_copy_only=True)
        assert np.shares_memory(shared, some.close)
        assert table.column("volume").null_count == 1
    kept = pa.table(bars[2:7]).column("close")
    expected = bars.close[2:7].tolist()
    del bars, some, table, shared
    assert kept.to_pylist() == expected


def test_arrow_readers_may_give_up_the_stream_unread(bars: Bars) -> None:
    capsule = bars.__arrow_c_stream__()
    assert "arrow_array_stream" in repr(capsule)
    del capsule
    reader = pa.RecordBatchReader.from_stream(bars)
    del reader


def test_polars_and_duckdb_read_them(bars: Bars, tmp_path: Path) -> None:
    frame = pl.DataFrame(bars)
    assert frame.schema["timestamp"] == pl.Datetime("ns", "UTC")
    assert frame.columns == COLUMNS
    assert frame["volume"].null_count() == 1
    assert frame["close"].to_list() == bars.close.tolist()
    assert bars.to_polars().equals(frame)
    assert empty(tmp_path).to_polars().columns == COLUMNS
    total = duckdb.sql("SELECT sum(close), count(volume) FROM bars")
    assert total is not None
    assert total.fetchall() == [(pytest.approx(float(bars.close.sum())), 9)]


@pytest.mark.parametrize(
    ("call", "library", "requirement"),
    [
        ("to_pandas", "pandas", "ktrdr-core\\[notebook\\]"),
        ("to_polars", "polars", "polars"),
        ("to_arrow", "pyarrow", "pyarrow"),
    ],
)
def test_a_library_that_is_not_there_is_named_with_the_command(
    call: str, library: str, requirement: str, bars: Bars, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=f"needs {library}, .*pip install .*{requirement}"):
        getattr(bars, call)()


def test_numpy_pandas_and_the_rest_are_loaded_by_nobody_who_does_not_ask() -> None:
    code = (
        "import sys, ktrdr_core.bars, ktrdr_core.data\n"
        "print(*{'numpy', 'pandas', 'polars', 'pyarrow', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# ---- an answer of a service


class Chart(BaseModel):
    """What a service of one's own may answer."""

    title: str
    bars: Bars


def test_fastapi_answers_with_bars_and_says_so_in_its_schema(bars: Bars) -> None:
    app = FastAPI()

    @app.get("/bars")
    async def get_bars() -> Bars:
        return bars

    @app.get("/chart")
    async def get_chart() -> Chart:
        return Chart(title="ten days", bars=bars[3:5])

    @app.post("/count")
    async def count_bars(given: Annotated[Bars, Body()]) -> int:
        return len(given)

    async def ask(method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **more)

    def get(path: str) -> httpx.Response:
        return asyncio.run(ask("GET", path))

    answer = get("/bars")
    value = answer.json()
    assert list(value) == ["symbol", "timeframe", *COLUMNS]
    assert (value["symbol"], value["timeframe"]) == ("ACME", "1d")
    assert value["timestamp"][:2] == ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"]
    assert value["volume"][2:5] == [100, None, 100]
    again = TypeAdapter(Bars).validate_json(answer.content)
    assert again == bars
    assert bytes_of(again) == bytes_of(bars)
    assert Chart.model_validate(get("/chart").json()).bars == bars[3:5]
    assert asyncio.run(ask("POST", "/count", json=value)).json() == 10
    assert len(pd.DataFrame(value)) == 10
    schema = get("/openapi.json").json()
    text = json.dumps(schema["paths"]["/bars"]) + json.dumps(schema.get("components", {}))
    assert "timeframe" in text
    assert '"volume"' in text


def test_what_a_service_is_sent_in_place_of_bars_is_refused(bars: Bars) -> None:
    read = TypeAdapter(Bars)
    good = json.loads(read.dump_json(bars))
    for wrong in (
        {},
        {**good, "close": good["close"][:-1]},
        {**good, "close": ["a"] * 10},
        {**good, "timestamp": ["yesterday"] * 10},
        {**good, "timestamp": good["timestamp"][::-1]},
        5,
    ):
        with pytest.raises(ValidationError):
            read.validate_json(json.dumps(wrong))
        with pytest.raises(ValidationError):
            read.validate_python(wrong)
    assert read.validate_python(good) == read.validate_python(bars) == bars
