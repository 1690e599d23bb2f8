"""What a manager does with bars that are stored: reading, summing up, resampling, deleting; and watch lists."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ktrdr_core import BarSource, CancellationToken, DataManager, OperationsService, errors
from ktrdr_core.calendars import BarGrid, get_calendar
from ktrdr_core.data import Contract
from ktrdr_core.testing import FakeSource
from own_bars import bytes_of, columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataManager]:
    with DataManager(tmp_path, env={}) as manager:
        yield manager


def minutes(count: int, start: str = "2024-01-02T00:00") -> dict[str, Any]:
    return columns(count, start, "m")


# ---- get_data


def test_get_data_reads_what_load_data_reads(data: DataManager) -> None:
    data.store("ACME", "1m", minutes(5000)).result(30)
    for dates in ((), ("2024-01-03",), ("2024-01-02T10:00", "2024-01-03"), (None, "2024-01-02")):
        assert data.get_data("ACME", "1m", *dates) == data.load_data("ACME", "1m", *dates).result(
            30
        )


@pytest.mark.parametrize("limit", [1, 2, 499, 500, 3999, 4000, 4001, 10**12])
@pytest.mark.parametrize("timeframe", ["1m", "1h", "1d", "1M"])
def test_a_limit_takes_the_newest(limit: int, timeframe: str, tmp_path: Path) -> None:
    step = {"1m": "m", "1h": "h", "1d": "D", "1M": "M"}[timeframe]
    frame = columns(240 if step == "M" else 4000, "2004-01", step)
    if step == "M":
        frame["timestamp"] = (np.datetime64("2004-01") + np.arange(240)).astype("M8[ns]")
    else:
        # Years of nothing in the middle: the newest lie before it, too.
        frame["timestamp"][2000:] += np.timedelta64(3 * 365, "D")
    with DataManager(tmp_path, env={}) as data:
        data.store("ACME", timeframe, frame).result(30)
        whole = data.get_data("ACME", timeframe)
        assert data.get_data("ACME", timeframe, limit=limit) == whole[-limit:]
        middle = whole.time[len(whole) // 2].astype("M8[s]").item()
        until = data.get_data("ACME", timeframe, end_date=middle)
        assert data.get_data("ACME", timeframe, end_date=middle, limit=limit) == until[-limit:]
        after = data.get_data("ACME", timeframe, middle)
        assert data.get_data("ACME", timeframe, middle, limit=limit) == after[-limit:]


@pytest.mark.parametrize("limit", [0, -1, True])
def test_a_limit_is_at_least_one(limit: int, data: DataManager) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="limit"):
        data.get_data("ACME", "1d", limit=limit)


def test_nothing_is_an_error_that_says_how_it_comes(data: DataManager) -> None:
    data.store("ACME", "1d", columns(3)).result(30)
    asked: list[tuple[Any, ...]] = [("NOPE", "1d"), ("ACME", "1h"), ("ACME", "1d", "2030-01-01")]
    for arguments in asked:
        with pytest.raises(errors.NoDataError, match="load_data"):
            data.get_data(*arguments)


# ---- get_summary


def test_a_summary_says_what_is_stored_and_of_what_it_is_all(data: DataManager) -> None:
    frame = columns(20, "2024-01-01")
    frame["timestamp"][10:] += np.timedelta64(30, "D")
    frame["volume"][3] = float("nan")
    data.store(" BRK B ", "1d", frame).result(30)
    summary = data.get_summary("BRK B", "1d")
    day = datetime(2024, 1, 1, tzinfo=UTC)
    assert (summary.provider, summary.symbol, summary.timeframe, summary.bars) == (
        "IB",
        "BRK B",
        "1d",
        20,
    )
    assert (summary.first, summary.last) == (day, day + timedelta(days=49))
    assert (summary.lowest, summary.highest) == (frame["low"].min(), frame["high"].max())
    assert summary.last_close == frame["close"][-1]
    assert (summary.volume, summary.without_volume) == (1900, 1)
    assert summary.known == (
        (day, day + timedelta(days=10)),
        (day + timedelta(days=40), day + timedelta(days=50)),
    )
    data.store("NONE", "1d", {**columns(2), "volume": [-1, -1]}).result(30)
    assert data.get_summary("NONE", "1d").volume is None
    with pytest.raises(errors.NoDataError):
        data.get_summary("NOPE", "1d")


# ---- delete


def test_delete_wants_the_exact_key_and_takes_only_that(data: DataManager) -> None:
    data.store("ACME", "1d", columns(3)).result(30)
    data.store("ACME", "1h", columns(4, step="h")).result(30)
    for key in (
        {"symbol": " ACME", "timeframe": "1d", "provider": "IB"},
        {"symbol": "acme", "timeframe": "1d", "provider": "IB"},
        {"symbol": "ACME", "timeframe": "1d", "provider": "ib"},
        {"symbol": "ACME", "timeframe": "1d", "provider": "IB", "session": "extended"},
        {"symbol": "ACME", "timeframe": "1w", "provider": "IB"},
    ):
        with pytest.raises(errors.NotFoundError, match="nothing is deleted"):
            data.delete(**key)
    assert data.delete("ACME", "1d", provider="IB") == 3
    assert [series.timeframe for series in data.series()] == ["1h"]
    with pytest.raises(errors.NoDataError):
        data.get_data("ACME", "1d")
    assert data.store("ACME", "1d", columns(2)).result(30).added == 2


def test_what_was_deleted_is_asked_for_again(tmp_path: Path) -> None:
    source = FakeSource({("ACME", "1d"): bars(columns(10))})
    asked: Any = ("ACME", "1d", "2024-01-01", "2024-01-10", "full")
    with DataManager(tmp_path, source=source, env={}) as data:
        data.load_data(*asked).result(30)
        before = source.fetches
        data.load_data(*asked).result(30)
        assert source.fetches == before
        data.delete("ACME", "1d", provider="IB")
        assert len(data.load_data(*asked).result(30)) == 10
        assert source.fetches == before + 1


# ---- resample


def test_minutes_become_any_longer_bars(data: DataManager) -> None:
    frame = minutes(3 * 1440)
    data.store("BTC/USD", "1m", frame).result(30)
    for timeframe, length in (("5m", 5), ("1h", 60), ("4h", 240), ("1d", 1440)):
        made = data.resample("BTC/USD", "1m", timeframe, calendar="CRYPTO").result(30)
        assert (made.symbol, made.timeframe, len(made)) == (
            "BTC/USD",
            timeframe,
            3 * 1440 // length,
        )
        rows = {
            name: frame[name].reshape(-1, length)
            for name in ("open", "high", "low", "close", "volume")
        }
        assert (made.time == frame["timestamp"][::length]).all()
        assert (made.open == rows["open"][:, 0]).all()
        assert (made.high == rows["high"].max(axis=1)).all()
        assert (made.low == rows["low"].min(axis=1)).all()
        assert (made.close == rows["close"][:, -1]).all()
        assert (made.volume == rows["volume"].sum(axis=1)).all()
    assert [series.timeframe for series in data.series()] == ["1m"]


def test_hours_become_days_on_session_boundaries_half_days_too(data: DataManager) -> None:
    xnys = get_calendar("XNYS")
    hours, days = BarGrid("1h", xnys, provider="IB"), BarGrid("1d", xnys, provider="IB")
    stamps = np.asarray(hours.expected("2024-07-01", "2024-07-06"))
    frame = columns(len(stamps))
    frame["timestamp"] = stamps
    data.store("AAPL", "1h", frame).result(30)
    made = data.resample("AAPL", "1h", "1d", calendar=xnys, store=True).result(30)
    assert (made.time == np.asarray(days.expected("2024-07-01", "2024-07-06"))).all()
    # Seven bars a day, four on the third of July.
    assert made.volume.tolist() == [700, 700, 400, 700]
    assert data.get_data("AAPL", "1d") == made
    four = data.resample("AAPL", "1h", "4h", calendar="XNYS").result(30)
    assert (
        four.time
        == np.asarray(BarGrid("4h", xnys, provider="IB").expected("2024-07-01", "2024-07-06"))
    ).all()


def test_no_bar_is_made_of_a_period_of_which_a_part_is_not_known(tmp_path: Path) -> None:
    frame = minutes(3 * 1440)
    source = FakeSource({("X", "1m"): bars(frame)})
    with DataManager(tmp_path, source=source, env={}) as data:
        # Of an hour of the second day nobody knows whether there are bars.
        data.load_data("X", "1m", "2024-01-02", "2024-01-04", mode="full").result(30)
        data.forget("X", "1m", "2024-01-03T10:00", "2024-01-03T11:00")
        operation = data.resample("X", "1m", "1d", store=True)
        made = operation.result(30)
        assert [str(day)[:10] for day in made.time] == ["2024-01-02", "2024-01-04"]
        assert operation.warnings == [
            "1380 bars are left out: they are of 1d periods of which the store does not have the whole"
        ]
        # What was made does not keep the day that is missing from being asked for.
        assert [tuple(map(str, known)) for known in data.get_summary("X", "1d").known] == [
            ("2024-01-02 00:00:00+00:00", "2024-01-03 00:00:00+00:00"),
            ("2024-01-04 00:00:00+00:00", "2024-01-05 00:00:00+00:00"),
        ]


def test_a_first_and_a_last_day_that_are_not_whole_are_left_out(data: DataManager) -> None:
    data.store("X", "1h", columns(60, "2024-01-01T06:00", "h")).result(30)
    made = data.resample("X", "1h", "1d").result(30)
    assert [str(day)[:10] for day in made.time] == ["2024-01-02"]
    with pytest.raises(errors.NoDataError, match="not one 1w period"):
        data.resample("X", "1h", "1w").result(30)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("X", "1h", "1h"), {}, "cannot be made of 1h"),
        (("X", "1d", "1h"), {}, "cannot be made of 1d"),
        (("X", "1h", "2d"), {}, "timeframe"),
        (("A\nB", "1h", "1d"), {}, "symbol"),
        (("X", "1h", "1d", "2024-01-02", "2024-01-01"), {}, "start_date"),
        (("X", "1h", "1d"), {"calendar": "NOPE"}, "NOPE"),
        (("X", "1h", "1d"), {"cut": "diagonal"}, "cut"),
        (("X", "1h", "1d"), {"asset_class": "house"}, "asset_class"),
    ],
)
def test_what_cannot_be_resampled_is_refused_at_once(
    data: DataManager, arguments: tuple[str, ...], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(errors.KtrdrError, match=words) as caught:
        data.resample(*arguments, **options)
    assert isinstance(caught.value, errors.InvalidArgumentError | errors.FeatureNotAvailableError)


def test_nothing_and_what_does_not_divide_end_the_operation(data: DataManager) -> None:
    with pytest.raises(errors.NoDataError, match="resample X 1h"):
        data.resample("X", "1h", "1d").result(30)
    frame = columns(100)
    frame["timestamp"] = np.datetime64("2024-01-01", "ns") + np.arange(100) * np.timedelta64(2, "m")
    data.store("X", "2m", frame).result(30)
    with pytest.raises(errors.InvalidArgumentError, match="after the 3m bar"):
        data.resample("X", "2m", "3m").result(30)


def test_a_cancelled_resample_stores_nothing(data: DataManager) -> None:
    data.store("X", "1h", columns(48, step="h")).result(30)
    token = CancellationToken()
    token.cancel("enough")
    with pytest.raises(errors.OperationCancelledError, match="enough"):
        data.resample("X", "1h", "1d", store=True, cancellation_token=token).result(30)
    assert [series.timeframe for series in data.series()] == ["1h"]


# ---- load_many


def bars(frame: dict[str, Any]) -> dict[str, Any]:
    return {"time": frame["timestamp"]} | {
        name: frame[name] for name in frame if name != "timestamp"
    }


def list_source(symbols: list[str], timeframes: tuple[str, ...] = ("1d",)) -> FakeSource:
    return FakeSource(
        {
            (s, t): bars(columns(10, step="h" if t == "1h" else "D"))
            for s in symbols
            for t in timeframes
        }
    )


def test_a_watch_list_comes_as_its_loads_children(tmp_path: Path) -> None:
    source = list_source(["A", "B", "C"], ("1d", "1h"))
    with DataManager(tmp_path, source=source, env={}) as data:
        load = data.load_many(
            ["A", " B", "C", "A"], ["1h", "1d"], "2024-01-01", "2024-01-10", "full", at_once=2
        )
        loaded = load.result(60)
        assert list(loaded.bars) == [(s, t) for s in "ABC" for t in ("1h", "1d")]
        assert loaded.failed == {}
        assert (len(loaded["A", "1d"]), len(loaded["C", "1h"])) == (10, 10)
        with pytest.raises(KeyError, match="give symbol and timeframe"):
            loaded["A"]
        for series, operation_id in loaded.operations.items():
            record = OperationsService().get(operation_id)
            assert record.parent_id == load.id
            assert record.parameters["symbol"] == series[0]
        assert load.warnings == []


def test_one_that_fails_is_named_and_the_others_come(tmp_path: Path) -> None:
    with DataManager(tmp_path, source=list_source(["A", "C"]), env={}) as data:
        load = data.load_many(["A", "NOPE", "C"], "1d", "2024-01-01", "2024-01-10", "full")
        loaded = load.result(60)
        assert list(loaded.bars) == [("A", "1d"), ("C", "1d")]
        assert len(loaded["C"]) == 10
        error = loaded.failed["NOPE", "1d"]
        assert isinstance(error, errors.SymbolNotFoundError)
        assert "NOPE" in error.message
        assert load.warnings == ["1 of 3 series could not be loaded: NOPE 1d"]
        with pytest.raises(errors.SymbolNotFoundError, match=r"not one of 2 series .* NO 1d"):
            data.load_many(["NO", "NOPE"], "1d", "2024-01-01", "2024-01-10", "full").result(60)


def test_no_more_run_at_once_than_that_and_a_cancel_reaches_all(tmp_path: Path) -> None:
    symbols = [f"S{number}" for number in range(9)]
    source = list_source(symbols)
    source.hold()
    with DataManager(tmp_path, source=source, env={}) as data:
        load = data.load_many(symbols, "1d", "2024-01-01", "2024-01-10", "full", at_once=3)
        source.wait_until_held()
        token_reached = load.cancel("enough")
        assert token_reached
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            load.result(30)
        assert source.fetches <= 3
        assert data.series() == []


def test_a_long_series_does_not_keep_the_short_ones_waiting(tmp_path: Path) -> None:
    short = [f"S{number}" for number in range(6)]
    # Ten years are ten requests of the long one.
    source = FakeSource(
        {("LONG", "1d"): bars(columns(3650, "2010-01-01"))}
        | {(symbol, "1d"): bars(columns(10, "2019-12-01")) for symbol in short}
    )
    source.hold()
    with DataManager(tmp_path, source=source, env={}) as data:
        load = data.load_many(["LONG", *short], "1d", "2010-01-01", "2019-12-31", "full", at_once=2)
        source.wait_until_held()
        source.release()
        loaded = load.result(60)
        assert len(loaded.bars) == 7
        assert len(loaded["LONG"]) == 3650


def test_a_watch_list_of_what_is_stored_asks_nobody(tmp_path: Path) -> None:
    with DataManager(tmp_path, env={}) as data:
        for symbol in "AB":
            data.store(symbol, "1d", columns(3)).result(30)
        loaded = data.load_many(["A", "B", "C"], "1d").result(30)
        assert [len(one) for one in loaded.bars.values()] == [3, 3, 0]
        assert bytes_of(loaded["A"]) == bytes_of(columns(3))


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (([], "1d"), {}, "symbols"),
        ((["A"], []), {}, "timeframes"),
        (("AAPL", "1d"), {}, "symbols must be a sequence"),
        ((["A", "A\nB"], "1d"), {}, "symbol"),
        ((["A"], ["1d", "2d"]), {}, "timeframe"),
        ((["A"], "1d", "2024-01-02", "2024-01-01"), {}, "start_date"),
        ((["A"], "1d"), {"mode": "fulll"}, "full"),
        ((["A"], "1d"), {"at_once": 0}, "at_once"),
    ],
)
def test_a_list_that_cannot_be_is_refused_before_any_load(
    tmp_path: Path, arguments: tuple[Any, ...], options: dict[str, Any], words: str
) -> None:
    source = list_source(["A"])
    with DataManager(tmp_path, source=source, env={}) as data:
        with pytest.raises(errors.InvalidArgumentError, match=words):
            data.load_many(*arguments, **options)
        assert source.fetches == 0
    with DataManager(tmp_path, env={}) as data, pytest.raises(errors.ConfigurationError):
        data.load_many(["A"], "1d", "2024-01-01", "2024-01-02", "full")


def test_progress_counts_the_loads(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    async def main() -> None:
        with DataManager(tmp_path, source=list_source(list("ABCD")), env={}) as data:
            await data.load_many(
                list("ABCD"),
                "1d",
                "2024-01-01",
                "2024-01-10",
                "full",
                progress_callback=lambda state: seen.append((state.step_current, state.step_total)),
            )

    asyncio.run(main())
    assert seen
    assert [one for one, _ in seen] == sorted(one for one, _ in seen)


def test_longer_bars_that_are_stored_join_the_symbol_s_series(tmp_path: Path) -> None:
    """Bars that were brought before anybody said what the symbol is have a shorter key than those of a load."""
    days = np.arange("2024-07-01", "2024-07-13", dtype="M8[D]")
    prices = {name: np.full(len(days), 10.0) for name in ("open", "high", "low", "close")}
    for asset_class, exchange in (("forex", "IDEALPRO"), ("crypto", "PAXOS"), ("stock", "NASDAQ")):
        source = ContractSource(
            {"timestamp": days, **prices}, Contract(asset_class, exchange, "USD")
        )
        with DataManager(tmp_path / asset_class, source=source, env={}) as data:
            data.store("BOTH", "1h", columns(24 * 10, "2024-07-02", "h")).result(30)
            data.load_data("BOTH", "1d", "2024-07-01", "2024-07-12", mode="full").result(30)
            made = data.resample("BOTH", "1h", "1d", store=True).result(30)
            assert len([one for one in data.series() if one.timeframe == "1d"]) == 1
            assert set(made.time) <= set(data.get_data("BOTH", "1d").time)
            assert data.get_data("BOTH", "1d", "2024-07-04", "2024-07-04").close != 10


class ContractSource(BarSource):
    """Days, of which it knows what they are."""

    provider = "IB"

    def __init__(self, bars: dict[str, Any], contract: Contract) -> None:
        self._bars, self._contract = bars, contract

    def validate_symbol(self, symbol: str, timeframe: str) -> Contract:
        return self._contract

    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        first, last = (np.datetime64(time.replace(tzinfo=None)) for time in (start, end))
        inside = (self._bars["timestamp"] >= first) & (self._bars["timestamp"] < last)
        return {name: column[inside] for name, column in self._bars.items()}


def test_a_backfill_from_behind_the_newest_bar_says_so(tmp_path: Path) -> None:
    days = np.arange("2024-07-01", "2024-07-13", dtype="M8[D]")
    prices = {name: np.full(len(days), 10.0) for name in ("open", "high", "low", "close")}
    source = ContractSource({"timestamp": days, **prices}, Contract())
    with DataManager(tmp_path, source=source, env={}) as data:
        data.load_data("ACME", "1d", "2024-07-01", "2024-07-05", mode="full").result(30)
        with pytest.raises(
            errors.NoDataError, match=r"older than the newest stored bar .*2024-07-05"
        ):
            data.load_data("ACME", "1d", "2024-07-08", "2024-07-12", mode="backfill").result(30)
