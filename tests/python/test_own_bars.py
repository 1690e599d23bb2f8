"""Bars of one's own: into the store from any frame, out of it byte for byte, and refused where they cannot be."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings

from ktrdr_core import CancellationToken, DataManager, errors
from ktrdr_core.data import Series, Stored
from own_bars import FRAMES, NUMBERS, bytes_of, columns, sound_columns, stored
from soak import count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataManager]:
    with DataManager(tmp_path, env={}) as manager:
        yield manager


def spoilt(row: int, **values: Any) -> dict[str, Any]:
    """Sound columns but for one row."""
    wrong = columns()
    for name, value in values.items():
        wrong[name] = wrong[name].copy()
        wrong[name][row] = value
    return wrong


# ---- in and out


@pytest.mark.parametrize("library", FRAMES)
def test_a_frame_of_any_library_comes_out_as_it_went_in(library: str, tmp_path: Path) -> None:
    for given_volume in (100.0, float("nan")):
        frame = columns(volume=given_volume)
        bars = stored(tmp_path, FRAMES[library](frame))
        assert bytes_of(bars) == bytes_of(frame)
        assert (bars.symbol, bars.timeframe) == ("ACME", "1d")


@settings(max_examples=count(20, 500), deadline=None)
@given(sound_columns())
def test_any_sound_bars_come_out_of_every_library_byte_for_byte(frame: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder, DataManager(folder, env={}) as data:
        for number, (library, made) in enumerate(FRAMES.items()):
            stored_as = data.store(f"S{number}", "1d", made(frame)).result(60)
            assert (stored_as.bars, stored_as.added) == (len(frame["open"]), len(frame["open"]))
            bars = data.load_data(f"S{number}", "1d").result(60)
            if library == "duckdb":
                # It counts in microseconds, which every stamp of a day is whole in.
                assert (bars.time == frame["timestamp"]).all()
            assert bytes_of(bars) == bytes_of(frame), library


def test_stored_bars_can_be_stored_again_and_elsewhere(data: DataManager) -> None:
    data.store("ACME", "1d", columns()).result(30)
    bars = data.load_data("ACME", "1d").result(30)
    assert data.store("COPY", "1d", bars[1:3]).result(30).bars == 2
    copy = data.load_data("COPY", "1d").result(30)
    assert bytes_of(copy) == bytes_of(bars[1:3])
    assert copy.symbol == "COPY"


def test_bars_of_the_same_time_are_replaced_and_others_stay(data: DataManager) -> None:
    data.store("ACME", "1d", columns(5)).result(30)
    newer = {name: column[-2:] for name, column in columns(6).items()}
    newer["volume"] = np.array([7.0, 8.0])
    assert data.store("ACME", "1d", newer).result(30) == Stored(
        "ACME",
        "1d",
        bars=2,
        added=1,
        replaced=1,
        first=datetime(2024, 1, 5, tzinfo=UTC),
        last=datetime(2024, 1, 6, tzinfo=UTC),
    )
    assert data.load_data("ACME", "1d").result(30).volume.tolist() == [100, 100, 100, 100, 7, 8]


def test_intraday_bars_of_several_years_come_back_in_one_piece(data: DataManager) -> None:
    frame = columns(3 * 366 * 24, "2021-06-01", "h")
    data.store("ACME", "1h", frame).result(60)
    assert bytes_of(data.load_data("ACME", "1h").result(60)) == bytes_of(frame)


def test_series_lists_what_is_stored(data: DataManager) -> None:
    assert data.series() == []
    data.store("MSFT", "1d", columns(3)).result(30)
    data.store("ACME", "1d", columns(5)).result(30)
    data.store("ACME", "15m", columns(2, step="h")).result(30)
    day = datetime(2024, 1, 1, tzinfo=UTC)
    assert data.series() == [
        Series("IB", "ACME", "15m", 2, day, day + timedelta(hours=1)),
        Series("IB", "ACME", "1d", 5, day, day + timedelta(days=4)),
        Series("IB", "MSFT", "1d", 3, day, day + timedelta(days=2)),
    ]


# ---- columns as people have them


def test_columns_go_by_their_names_whatever_case_and_order(data: DataManager) -> None:
    frame = columns()
    shuffled = {
        "VOLUME": frame["volume"],
        "Close": frame["close"],
        "Low": frame["low"],
        "High": frame["high"],
        "Open": frame["open"],
        "Datetime": frame["timestamp"],
    }
    data.store("ACME", "1d", shuffled).result(30)
    assert bytes_of(data.load_data("ACME", "1d").result(30)) == bytes_of(frame)


@pytest.mark.parametrize(
    "make",
    [
        lambda frame: {**frame, "Adj Close": frame["close"], "symbol": "ACME"},
        lambda frame: pd.DataFrame({**frame, "Adj Close": frame["close"], "symbol": "ACME"}),
        lambda frame: pl.DataFrame({**frame, "Adj Close": frame["close"], "symbol": "ACME"}),
    ],
)
def test_columns_that_no_bar_has_are_left_out_and_named(make: Any, data: DataManager) -> None:
    operation = data.store("ACME", "1d", make(columns()))
    assert operation.result(30).bars == 5
    assert operation.warnings == ["columns that no bar has are not stored: Adj Close, symbol"]


@pytest.mark.parametrize(
    "stamps",
    [
        ["2024-01-01", "2024-01-02"],
        ["2024-01-01T00:00:00Z", "2024-01-02 00:00:00+00:00"],
        ["2024-01-01T01:00:00+01:00", "2024-01-02T01:00:00+01:00"],
        [date(2024, 1, 1), date(2024, 1, 2)],
        [datetime(2024, 1, 1), datetime(2024, 1, 2)],
        [
            datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
            datetime(2024, 1, 2, tzinfo=UTC),
        ],
        (np.datetime64("2024-01-01"), np.datetime64("2024-01-02")),
        np.array(["2024-01-01", "2024-01-02"]),
        np.array(["2024-01-01", "2024-01-02"], dtype="M8[D]"),
        np.array(["2024-01-01", "2024-01-02"], dtype="M8[h]"),
        np.array(["2024-01-01", "2024-01-02"], dtype="M8[ms]"),
        np.array(["2024-01-01", "2024-01-02"], dtype=">M8[s]"),
        pd.date_range("2024-01-01", periods=2, tz="America/New_York").tz_convert("UTC").normalize(),
        pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"])),
        pd.Series(["2024-01-01", "2024-01-02"], dtype="string"),
        pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True)).dt.as_unit("s"),
        pl.Series(["2024-01-01", "2024-01-02"]).str.to_date(),
        pa.chunked_array([pa.array([date(2024, 1, 1)]), pa.array([date(2024, 1, 2)])]),
    ],
)
def test_stamps_are_taken_in_every_form_that_is_clear(stamps: Any, tmp_path: Path) -> None:
    frame = {**columns(2), "timestamp": stamps}
    bars = stored(tmp_path, frame)
    assert bars.time.astype("M8[D]").astype(str).tolist() == ["2024-01-01", "2024-01-02"]


def test_a_zone_of_pandas_is_made_utc(tmp_path: Path) -> None:
    index = pd.date_range("2024-01-02 09:30", periods=3, freq="h", tz="America/New_York")
    frame = pd.DataFrame({name: columns(3)[name] for name in NUMBERS}, index=index)
    assert str(stored(tmp_path, frame, timeframe="1h").time[0]) == "2024-01-02T14:30:00.000000000"


@pytest.mark.parametrize(
    "numbers",
    [
        np.array([10, 11]),
        np.array([10, 11], dtype="uint8"),
        np.array([10, 11], dtype="float32"),
        np.array([10, 11], dtype="float16"),
        np.array([10, 11], dtype=">f8"),
        np.array([10, 0, 11, 0], dtype="float64")[::2],
        np.array([11, 10], dtype="float64")[::-1],
        [10, 11],
        (10.0, 11.0),
        pd.Series([10, 11], dtype="Int64"),
        pd.Series([10, 11], dtype="float32"),
        pl.Series([10, 11]),
        pa.array([10, 11]),
    ],
)
def test_numbers_are_taken_of_every_kind(numbers: Any, tmp_path: Path) -> None:
    frame = {**columns(2), **dict.fromkeys(("open", "high", "low", "close"), numbers)}
    assert stored(tmp_path, frame).close.tolist() == [10, 11]


@pytest.mark.parametrize(
    "volume",
    [
        np.array([5, np.nan]),
        [5, None],
        np.array([5, -1.0]),
        pd.Series([5, None], dtype="Int64"),
        pd.Series([5, None], dtype="Float64"),
        *(np.ma.array(values, mask=[False, True]) for values in ([5, 6], [5.0, 6.0])),
        np.ma.array(["5", ""], mask=[False, True]),
    ],
)
def test_a_missing_volume_is_none_of_numbers(volume: Any, tmp_path: Path) -> None:
    bars = stored(tmp_path, {**columns(2), "volume": volume})
    assert bars.volume.tolist() == [5, -1]
    assert bars.to_pandas()["volume"].isna().tolist() == [False, True]
    without = columns(2)
    del without["volume"]
    assert stored(tmp_path / "b", without).volume.tolist() == [-1, -1]


@pytest.mark.parametrize("name", ["Date", " TIME ", "timestamp", "Datetime"])
def test_an_index_of_texts_goes_by_its_name_as_a_column_does(name: str, tmp_path: Path) -> None:
    frame = columns(2)
    texts = pd.Index([str(day)[:10] for day in frame.pop("timestamp")], name=name)
    assert bytes_of(stored(tmp_path, pd.DataFrame(frame, index=texts))) == bytes_of(columns(2))


def masked(column: str) -> dict[str, Any]:
    """Columns with a value that nobody is to see."""
    frame = columns(3)
    return {**frame, column: np.ma.array(frame[column], mask=[False, True, False])}


# ---- what is refused


def assert_refused(data: DataManager, frame: Any, words: str, **context: Any) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=words) as caught:
        data.store("ACME", "1d", frame)
    for name, value in context.items():
        assert caught.value.context[name] == value
    assert data.series() == []


@pytest.mark.parametrize("library", FRAMES)
def test_the_first_bar_that_cannot_be_is_named_and_nothing_is_stored(
    library: str, data: DataManager
) -> None:
    assert_refused(
        data,
        FRAMES[library](spoilt(3, high=1.0)),
        r"store ACME 1d: row 3 \(2024-01-04T00:00:00.000Z\), column high: 1 is below open",
        row=3,
        stamp="2024-01-04T00:00:00.000Z",
        column="high",
    )


@pytest.mark.parametrize(
    ("row", "values", "column", "words"),
    [
        (2, {"timestamp": np.datetime64("2024-01-02")}, "timestamp", "keep one of them"),
        (2, {"timestamp": np.datetime64("2023-12-01")}, "timestamp", "sort the rows"),
        (1, {"timestamp": np.datetime64("2024-01-02T00:07")}, "timestamp", "multiples of 15"),
        (1, {"open": np.nan}, "open", "no price"),
        (1, {"close": np.inf}, "close", "not finite"),
        (0, {"low": 99.0}, "low", "lowest"),
        (4, {"volume": -2.0}, "volume", "no volume"),
    ],
)
def test_every_rule_names_row_and_column(
    row: int, values: dict[str, Any], column: str, words: str, data: DataManager
) -> None:
    assert_refused(data, spoilt(row, **values), words, row=row, column=column)


def test_a_bar_that_is_not_closed_is_refused(data: DataManager) -> None:
    today = str(datetime.now(UTC).date())
    assert_refused(data, columns(3, start=today), "not closed", row=0, column="timestamp")


def test_bars_of_another_timeframe_are_refused(data: DataManager) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="too close for 1d"):
        data.store("ACME", "1d", columns(10, step="h"))
    with pytest.raises(errors.InvalidArgumentError, match="too close for 4h"):
        data.store("ACME", "4h", columns(10, step="h"))


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (None, "frame cannot be NoneType"),
        ([1, 2, 3], "frame cannot be list"),
        (np.zeros((3, 6)), "frame cannot be ndarray"),
        ({}, "no column timestamp"),
        ({"close": [1]}, "no column timestamp .*; there are close"),
        ({**columns(), "close": ["a"] * 5}, "column close does not hold numbers"),
        *(
            ({**columns(), "close": np.zeros(5, kind)}, f"close does not hold numbers: .* {kind}")
            for kind in ("complex128", "datetime64", "timedelta64")
        ),
        *(
            (masked(name), f"row 1.* column {name}: there is no price")
            for name in ("open", "high", "low", "close")
        ),
        (masked("timestamp"), "row 1, column timestamp: there is no stamp"),
        (
            {name: np.ma.array(["2024-01-01"], mask=[name == "date"]) for name in ("date",)}
            | {name: values[:1] for name, values in columns().items() if name != "timestamp"},
            "row 0, column timestamp: there is no stamp",
        ),
        *(
            (
                {**columns(2), "timestamp": np.array([0, 2**60], f"M8[{unit}]")},
                "row 1, column timestamp: .* outside of the years",
            )
            for unit in ("Y", "M", "W", "2D", "h", "m", "10s", "10us")
        ),
        ({**columns(), "close": np.zeros((5, 2))}, "column close has 2 dimensions"),
        ({**columns(), "close": np.zeros(4)}, "column close has 4 rows, time has 5"),
        ({**columns(), "timestamp": np.arange(5)}, "does not hold times but int64"),
        ({**columns(), "timestamp": pd.RangeIndex(5)}, "does not hold times but int64"),
        ({**columns(), "timestamp": ["01/02/2024"] * 5}, "row 0, column timestamp"),
        ({**columns(), "timestamp": [None] * 5}, "row 0, column timestamp: there is no stamp"),
        ({**columns(), "timestamp": [1.5] * 5}, "timestamp must be a str, date"),
        (spoilt(2, timestamp=np.datetime64("NaT")), "row 2, column timestamp: there is no stamp"),
        ({name: column[:0] for name, column in columns().items()}, "no bar to store"),
        (pl.DataFrame(columns()).lazy(), "frame cannot be LazyFrame"),
        (pl.DataFrame(columns()).drop("low"), "no column low"),
        (pd.DataFrame(columns()).drop(columns="low"), "no column low"),
        (
            pl.DataFrame(columns()).with_columns(pl.col("close").cast(pl.String)),
            "column close is of the Arrow type",
        ),
        (
            pd.concat({"ACME": pd.DataFrame(columns())}, axis=1),
            "columns of 2 levels: take those of one symbol",
        ),
    ],
)
def test_what_is_no_frame_of_bars_is_refused(frame: Any, words: str, data: DataManager) -> None:
    assert_refused(data, frame, words)


def test_bars_are_taken_while_another_thread_is_in_the_middle_of_importing_pandas(
    data: DataManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What an import shows of a package that has only begun.
    monkeypatch.setitem(sys.modules, "pandas", ModuleType("pandas"))
    assert data.store("ACME", "1d", columns()).result().bars == 5


def test_a_wrong_symbol_or_timeframe_is_refused_before_any_work(data: DataManager) -> None:
    for symbol, timeframe in (("", "1d"), ("ACME", "2d"), ("a\nb", "1d")):
        with pytest.raises(errors.InvalidArgumentError):
            data.store(symbol, timeframe, columns())
    with pytest.raises(errors.InvalidArgumentError, match="symbol must be str, not 5"):
        data.store(5, "1d", columns())  # type: ignore[arg-type]
    assert data.series() == []


def test_a_closed_manager_takes_nothing(data: DataManager) -> None:
    data.close()
    with pytest.raises(errors.ClientClosedError):
        data.store("ACME", "1d", columns())
    with pytest.raises(errors.ClientClosedError):
        data.series()


# ---- as an operation


def test_a_million_rows_leave_the_loop_and_its_tasks_alone(tmp_path: Path) -> None:
    frame = columns(1_000_000, "2005-01-01", "m")

    async def main() -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        async with DataManager(tmp_path, env={}) as data:
            ticking = asyncio.create_task(tick())
            operation = data.store("ACME", "1m", frame)
            begun = ticks
            assert (await operation).bars == 1_000_000
            # The work is done elsewhere: the loop went round while it was.
            assert ticks > begun + 10
            ticking.cancel()
            assert bytes_of(await data.load_data("ACME", "1m")) == bytes_of(frame)

    asyncio.run(main())


def test_a_frame_may_change_as_soon_as_store_has_returned(data: DataManager) -> None:
    frame = columns()
    before = bytes_of(frame)
    operation = data.store("ACME", "1d", frame)
    for column in frame.values():
        column[:] = column[0]
    operation.result(30)
    assert bytes_of(data.load_data("ACME", "1d").result(30)) == before


def test_a_cancelled_token_stores_nothing(data: DataManager) -> None:
    token = CancellationToken()
    token.cancel("enough")
    with pytest.raises(errors.OperationCancelledError):
        data.store("ACME", "1d", columns(), cancellation_token=token).result(30)
    assert data.series() == []


def test_threads_may_store_at_once(data: DataManager) -> None:
    def store(number: int) -> None:
        data.store("ACME", "1d", columns(5, f"20{number:02}-01-01")).result(60)

    threads = [threading.Thread(target=store, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert data.series()[0].bars == 40


def test_a_with_block_waits_for_what_it_has_begun_to_store(tmp_path: Path) -> None:
    frame = columns(300_000, "2015-01-01", "m")

    async def main() -> None:
        async with DataManager(tmp_path, env={}) as data:
            data.store("LOOP", "1m", frame)

    with DataManager(tmp_path, env={}) as data:
        data.store("ACME", "1m", frame)
    asyncio.run(main())
    with DataManager(tmp_path, env={}) as data:
        assert [(one.symbol, one.bars) for one in data.series()] == [
            ("ACME", 300_000),
            ("LOOP", 300_000),
        ]


def test_a_with_block_that_fails_and_close_let_it_be_whole_or_not_at_all(tmp_path: Path) -> None:
    frame = columns(300_000, "2015-01-01", "m")
    with suppress(ZeroDivisionError), DataManager(tmp_path, env={}) as data:
        failed = data.store("FAIL", "1m", frame)
        raise ZeroDivisionError
    manager = DataManager(tmp_path, env={})
    closed = manager.store("CLOSE", "1m", frame)
    manager.close()
    for operation in (failed, closed):
        try:
            operation.result(30)
        except errors.OperationCancelledError:
            assert operation.status == "cancelled"
    with DataManager(tmp_path, env={}) as data:
        kept = {one.symbol: one.bars for one in data.series()}
    done = {"FAIL": failed, "CLOSE": closed}
    assert kept == {name: 300_000 for name, one in done.items() if one.status == "completed"}


# ---- files


def test_a_file_of_the_original_is_read_by_its_name(tmp_path: Path, data: DataManager) -> None:
    frame = columns()
    file = tmp_path / "ACME_1d.csv"
    stamps = np.datetime_as_string(frame["timestamp"], unit="s")
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [
        ",".join([f"{stamps[row]}Z", *(repr(float(frame[name][row])) for name in NUMBERS)])
        for row in range(5)
    ]
    file.write_text("\n".join(lines) + "\n")
    assert data.import_csv(file).result(30).added == 5
    assert bytes_of(data.load_data("ACME", "1d").result(30)) == bytes_of(frame)
    assert data.import_csv(str(file), "OTHER", "1d").result(30).symbol == "OTHER"


def test_what_pandas_writes_is_read(tmp_path: Path, data: DataManager) -> None:
    frame = columns(volume=float("nan"))
    pandas = FRAMES["pandas"](frame)
    pandas.to_csv(tmp_path / "ACME_1d.csv")
    pandas.to_csv(tmp_path / "OTHER_1d.csv", sep=";", lineterminator="\r\n", encoding="utf-8-sig")
    for symbol in ("ACME", "OTHER"):
        data.import_csv(tmp_path / f"{symbol}_1d.csv").result(30)
        assert bytes_of(data.load_data(symbol, "1d").result(30)) == bytes_of(frame)


def test_a_broken_line_is_named_by_file_and_line_and_nothing_is_stored(
    tmp_path: Path, data: DataManager
) -> None:
    file = tmp_path / "ACME_1d.csv"
    head = "timestamp,open,high,low,close,volume\n2024-01-02,10,12,9,11,100\n"
    for line, words in (
        ("2024-01-03,x,12,9,11,100", 'ACME_1d.csv: line 3, column open: "x" is no number'),
        ("2024-01-03,10,8,9,11,100", "ACME_1d.csv: line 3 .*column high"),
        ("2024-01-02,10,12,9,11,100", "ACME_1d.csv: line 3 .*column timestamp: .*keep one"),
    ):
        file.write_text(f"{head}{line}\n")
        with pytest.raises(errors.InvalidArgumentError, match=words):
            data.import_csv(file).result(30)
    assert data.series() == []


def test_a_file_that_is_not_there_or_does_not_say_what_it_is_is_refused_at_once(
    tmp_path: Path, data: DataManager
) -> None:
    with pytest.raises(errors.NotFoundError, match="no such file"):
        data.import_csv(tmp_path / "ACME_1d.csv")
    (tmp_path / "ACME.csv").write_text("")
    with pytest.raises(errors.InvalidArgumentError, match="does not say in its name"):
        data.import_csv(tmp_path / "ACME.csv")
    with pytest.raises(errors.InvalidArgumentError, match="is a folder"):
        data.import_csv(tmp_path, "ACME", "1d")
    with pytest.raises(errors.InvalidArgumentError, match="no plain file"):
        data.import_csv("/dev/null", "ACME", "1d")


def test_fields_of_a_packed_structured_array_are_columns(data: DataManager) -> None:
    fields = [
        ("timestamp", "M8[s]"),
        ("note", "u1"),
        ("open", "f4"),
        ("high", "f8"),
        ("low", "i4"),
        ("close", "u2"),
        ("volume", "i8"),
    ]
    array = np.zeros(4, dtype=fields)
    array["timestamp"] = np.arange("2024-01-02", "2024-01-06", dtype="M8[D]")
    array["open"], array["high"], array["low"], array["close"], array["volume"] = 2, 3, 1, 2, 7
    for given_array in (array, array.astype([(name, f">{kind}") for name, kind in fields])):
        data.store("ACME", "1d", given_array).result()
        bars = data.get_data("ACME", "1d")
        assert [bars.open[3], bars.high[3], bars.low[3], bars.close[3], bars.volume[3]] == [
            2,
            3,
            1,
            2,
            7,
        ]
        assert bars.time[3] == np.datetime64("2024-01-05")
