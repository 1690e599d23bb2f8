"""Sources of bars that are written in Python: where they run, what they may answer, and that nothing hangs on them."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from child import child
from ktrdr_core import Bars, BarSource, CancellationToken, DataManager, errors
from ktrdr_core.data import Contract, DroppedRow, SourceAnswer, SourceCalls, SourceLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MONTH: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-01-31", "mode": "full"}
PRICES = ("open", "high", "low", "close")


def columns(start: Any, end: Any) -> dict[str, Any]:
    days = np.arange(
        np.datetime64(pd.Timestamp(start).date()), np.datetime64(pd.Timestamp(end).date())
    )
    price = 1.0 + np.arange(float(len(days)))
    return {"timestamp": days, **dict.fromkeys(PRICES, price), "volume": price}


class Ramp(BarSource):
    """Daily bars of whatever is asked for."""

    provider = "ramp"

    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        return columns(start, end)


class AsyncRamp(BarSource):
    provider = "ramp"

    async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        await asyncio.sleep(0)
        return columns(start, end)


def load(source: BarSource, folder: Path, symbol: str = "AAPL", **more: Any) -> Bars:
    with DataManager(folder, source=source, env={}) as data:
        return data.load_data(symbol, "1d", **{**MONTH, **more}).result(60)


def answering(value: Any) -> BarSource:
    class Answering(BarSource):
        provider = "answering"

        def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            return value(start, end) if callable(value) else value

    return Answering()


# ---- where it runs


@pytest.mark.parametrize("kind", [Ramp, AsyncRamp])
def test_its_bars_are_loaded_stored_and_not_asked_for_again(
    kind: type[BarSource], tmp_path: Path
) -> None:
    asked: list[tuple[str, str, datetime, datetime]] = []

    class Noting(kind):  # type: ignore[misc, valid-type]
        def fetch(self, *question: Any) -> Any:
            asked.append(question)
            return super().fetch(*question)

    bars = load(Noting(), tmp_path)
    assert len(bars) == 31
    assert asked == [
        ("AAPL", "1d", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC))
    ]
    with DataManager(tmp_path, source=Noting(), env={}) as data:
        assert data.load_data("AAPL", "1d", **MONTH).result(30) == bars
        assert [series.provider for series in data.series()] == ["ramp"]
    assert len(asked) == 1


@pytest.mark.parametrize("made", ["on the loop", "before it"])
def test_async_methods_run_on_the_loop_on_which_it_was_made_or_bars_are_asked_for(
    made: str, tmp_path: Path
) -> None:
    ran_on: list[asyncio.AbstractEventLoop] = []

    class Noting(AsyncRamp):
        async def validate_symbol(self, symbol: str, timeframe: str) -> bool:
            ran_on.append(asyncio.get_running_loop())
            return True

        async def first_timestamp(self, symbol: str, timeframe: str) -> datetime:
            ran_on.append(asyncio.get_running_loop())
            return datetime(2020, 1, 1, tzinfo=UTC)

        async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            ran_on.append(asyncio.get_running_loop())
            return await super().fetch(symbol, timeframe, start, end)

    early = Noting() if made == "before it" else None

    async def main() -> None:
        source = early or Noting()
        async with DataManager(tmp_path, source=source, env={}) as data:
            assert len(await data.load_data("AAPL", "1d", **MONTH)) == 31
        assert ran_on == [asyncio.get_running_loop()] * 3

    asyncio.run(main())


def test_without_any_loop_async_methods_run_on_one_of_their_own(tmp_path: Path) -> None:
    before = threading.active_count()
    assert len(load(AsyncRamp(), tmp_path)) == 31
    until(lambda: threading.active_count() <= before)


def test_plain_methods_run_beside_the_loop_which_goes_on_meanwhile(tmp_path: Path) -> None:
    go_on = threading.Event()

    class Slow(Ramp):
        def fetch(self, *question: Any) -> Any:
            assert go_on.wait(30)
            assert threading.current_thread() is not threading.main_thread()
            return super().fetch(*question)

    async def main() -> None:
        async with DataManager(tmp_path, source=Slow(), env={}) as data:
            operation = data.load_data("AAPL", "1d", **MONTH)
            await asyncio.sleep(0)
            go_on.set()
            assert len(await operation) == 31

    asyncio.run(main())


def test_a_source_serves_several_managers_and_loops_one_after_the_other(tmp_path: Path) -> None:
    source = AsyncRamp()

    async def main(folder: Path) -> int:
        async with DataManager(folder, source=source, env={}) as data:
            return len(await data.load_data("AAPL", "1d", **MONTH))

    assert [asyncio.run(main(tmp_path / name)) for name in ("a", "b")] == [31, 31]
    assert len(load(source, tmp_path / "c")) == 31


def test_a_plain_method_that_gives_an_awaitable_is_awaited(tmp_path: Path) -> None:
    class Wrapped(Ramp):
        def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            return AsyncRamp().fetch(symbol, timeframe, start, end)

    assert len(load(Wrapped(), tmp_path)) == 31


def test_its_thread_ends_with_the_manager(tmp_path: Path) -> None:
    before = threading.active_count()
    data = DataManager(tmp_path, source=Ramp(), env={})
    assert threading.active_count() == before + 1
    data.close()
    del data
    until(lambda: threading.active_count() <= before)


def until(reached: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- what it says of itself


def test_its_limits_cut_the_range_and_bound_the_questions_of_all_loads(tmp_path: Path) -> None:
    under_way = most = 0
    lock = threading.Lock()
    spans: list[timedelta] = []

    class Limited(Ramp):
        def describe(self, timeframe: str) -> SourceLimits:
            return SourceLimits(timedelta(days=3), max_in_flight=2)

        def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
                spans.append(end - start)
            try:
                return super().fetch(symbol, timeframe, start, end)
            finally:
                with lock:
                    under_way -= 1

    async def main() -> None:
        async with DataManager(tmp_path, source=Limited(), env={}) as data:
            loads = [data.load_data(f"S{number}", "1d", **MONTH) for number in range(4)]
            assert [len(await operation) for operation in loads] == [31] * 4

    asyncio.run(main())
    assert max(spans) == timedelta(days=3)
    assert len(spans) == 4 * 11
    assert most <= 2


def test_a_timeframe_that_it_refuses_is_its_own_error(tmp_path: Path) -> None:
    class Daily(Ramp):
        def describe(self, timeframe: str) -> SourceLimits:
            if timeframe != "1d":
                raise errors.ConfigurationError(f"there are daily bars only, not {timeframe}")
            return SourceLimits()

    assert len(load(Daily(), tmp_path)) == 31
    with (
        DataManager(tmp_path, source=Daily(), env={}) as data,
        pytest.raises(errors.ConfigurationError, match="daily bars only, not 1h"),
    ):
        data.load_data("AAPL", "1h", **MONTH).result(30)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("provider", "", "provider"),
        ("provider", "x" * 65, "provider"),
        ("provider", "a\nb", "provider"),
        ("provider", 5, "must be str"),
        ("answer_within", 0, "more than 0"),
        ("answer_within", "soon", "number of seconds"),
        ("describe", lambda _timeframe: None, "SourceLimits"),
        ("describe", lambda _timeframe: SourceLimits(timedelta(0)), "max_span"),
        ("describe", lambda _timeframe: SourceLimits(max_in_flight=0), "max_in_flight"),
        ("describe", lambda _timeframe: SourceLimits("long"), "SourceLimits"),  # type: ignore[arg-type]
    ],
)
def test_what_it_cannot_be_is_refused_when_a_manager_takes_it(
    field: str, value: Any, said: str, tmp_path: Path
) -> None:
    source = Ramp()
    setattr(source, field, value)
    with pytest.raises(errors.InvalidArgumentError, match=said):
        DataManager(tmp_path, source=source, env={})
    assert not list(tmp_path.iterdir())


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=r"subclass ktrdr_core\.BarSource"):
        DataManager(tmp_path, source=object(), env={})  # type: ignore[arg-type]


def test_a_symbol_may_be_unknown_by_answer_or_by_error(tmp_path: Path) -> None:
    class Knowing(Ramp):
        def validate_symbol(self, symbol: str, timeframe: str) -> Any:
            if symbol == "ODD":
                raise errors.SymbolNotFoundError("ODD was taken off the list in 2019")
            return None if symbol == "NONE" else np.bool_(symbol == "AAPL")

    for symbol, said in (("NOPE", "does not know the symbol NOPE"), ("ODD", "off the list")):
        with pytest.raises(errors.SymbolNotFoundError, match=said):
            load(Knowing(), tmp_path, symbol)
    assert len(load(Knowing(), tmp_path)) == 31
    assert len(load(Knowing(), tmp_path, "NONE")) == 31


def test_what_a_symbol_stands_for_decides_when_bars_are_expected(tmp_path: Path) -> None:
    asked: list[tuple[datetime, datetime]] = []

    class Stocks(Ramp):
        def validate_symbol(self, symbol: str, timeframe: str) -> Contract:
            return Contract("stock", "NASDAQ", "USD")

        def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            asked.append((start, end))
            given = columns(start, end)
            traded = np.is_busday(given["timestamp"])
            return {name: values[traded] for name, values in given.items()}

    source = Stocks()
    assert asyncio.run(SourceCalls(source).validate_symbol("AAPL", "1d")) == Contract(
        "stock", "NASDAQ", "USD"
    )
    with DataManager(tmp_path, source=source, env={}) as data:
        data.load_data("AAPL", "1d", "2024-02-05", "2024-02-09", mode="full").result(30)
        count = len(asked)
        # A Saturday and a Sunday: nothing is expected.
        with pytest.raises(errors.NoDataError):
            data.load_data("AAPL", "1d", "2024-02-10", "2024-02-11", mode="full").result(30)
        assert len(asked) == count


@pytest.mark.parametrize(
    "first",
    [
        datetime(2024, 1, 20, tzinfo=UTC),
        datetime(2024, 1, 20),
        date(2024, 1, 20),
        "2024-01-20T00:00:00Z",
        np.datetime64("2024-01-20"),
        pd.Timestamp("2024-01-20"),
    ],
)
def test_the_first_timestamp_spares_questions(first: Any, tmp_path: Path) -> None:
    starts: list[datetime] = []

    class Beginning(Ramp):
        def describe(self, timeframe: str) -> SourceLimits:
            return SourceLimits(timedelta(days=5))

        def first_timestamp(self, symbol: str, timeframe: str) -> Any:
            return first

        def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            starts.append(start)
            return super().fetch(
                symbol, timeframe, max(start, datetime(2024, 1, 20, tzinfo=UTC)), end
            )

    load(Beginning(), tmp_path)
    assert min(starts) == datetime(2024, 1, 15, tzinfo=UTC)


# ---- what it may answer


@pytest.mark.parametrize(
    "frame",
    [
        lambda start, end: pd.DataFrame(columns(start, end)),
        lambda start, end: pd.DataFrame(columns(start, end)).set_index("timestamp"),
        lambda start, end: pl.DataFrame(columns(start, end)),
        lambda start, end: pl.DataFrame(columns(start, end)).to_arrow(),
        lambda start, end: SourceAnswer(columns(start, end)),
        lambda start, end: {**columns(start, end), "adjusted": np.zeros(31)},
    ],
    ids=["pandas", "pandas index", "polars", "arrow", "answer", "columns beside"],
)
def test_bars_come_in_any_form_that_is_stored(frame: Any, tmp_path: Path) -> None:
    bars = load(answering(frame), tmp_path / "a")
    assert bars == load(Ramp(), tmp_path / "b")
    assert load(answering(lambda _start, _end: bars), tmp_path / "c") == bars


@pytest.mark.parametrize(
    "nothing", [[], (), {}, pd.DataFrame(), SourceAnswer(), errors.NoDataError]
)
def test_no_bars_are_an_answer_and_not_asked_for_again(nothing: Any, tmp_path: Path) -> None:
    asked: list[datetime] = []

    def give(start: datetime, end: datetime) -> Any:
        asked.append(start)
        if nothing is errors.NoDataError:
            raise errors.NoDataError("none")
        return nothing

    counts = []
    for _ in range(3):
        with pytest.raises(errors.NoDataError):
            load(answering(give), tmp_path)
        counts.append(len(asked))
    # The second same answer confirms the first.
    assert counts[0] < counts[1] == counts[2]


def test_rows_without_a_price_are_left_out_named_and_asked_for_again(tmp_path: Path) -> None:
    asked: list[tuple[datetime, datetime]] = []
    broken = True

    def give(start: datetime, end: datetime) -> Any:
        asked.append((start, end))
        given = columns(start, end)
        if broken:
            given["close"] = given["close"].copy()
            given["close"][7] = float("nan")
        return given

    with DataManager(tmp_path, source=answering(give), env={}) as data:
        operation = data.load_data("AAPL", "1d", **MONTH)
        assert len(operation.result(30)) == 30
        (warning,) = operation.warnings
        assert "2024-01-08" in warning
        assert "close" in warning
        broken = False
        assert len(data.load_data("AAPL", "1d", **MONTH).result(30)) == 31
    start, end = asked[-1]
    assert start <= datetime(2024, 1, 8, tzinfo=UTC) < end
    assert end - start < timedelta(days=10)


def test_a_partial_answer_is_kept_told_and_asked_for_again(tmp_path: Path) -> None:
    whole = False

    def give(start: datetime, end: datetime) -> Any:
        given = columns(start, end)
        if whole:
            return given
        return SourceAnswer(
            {name: values[:10] for name, values in given.items()},
            partial="ten rows are the most",
            dropped=[DroppedRow("2024-01-20", "is smudged"), (date(2024, 1, 21), "too")],
        )

    with DataManager(tmp_path, source=answering(give), env={}) as data:
        operation = data.load_data("AAPL", "1d", **MONTH)
        assert len(operation.result(30)) == 10
        said = "\n".join(operation.warnings)
        assert "ten rows are the most" in said
        assert "is smudged" in said
        whole = True
        assert len(data.load_data("AAPL", "1d", **MONTH).result(30)) == 31


def test_volumes_may_be_missing(tmp_path: Path) -> None:
    def give(start: datetime, end: datetime) -> Any:
        given = columns(start, end)
        del given["volume"]
        return given

    assert set(load(answering(give), tmp_path).volume) == {-1.0}


def changed(**change: Any) -> Callable[[datetime, datetime], Any]:
    def give(start: datetime, end: datetime) -> Any:
        given = columns(start, end)
        return {name: change.get(name, lambda same: same)(values) for name, values in given.items()}

    return give


@pytest.mark.parametrize(
    ("nonsense", "said"),
    [
        (None, "answered None"),
        (42, "cannot be int"),
        ("bars", "cannot be str"),
        ([1, 2], "cannot be list"),
        ({"timestamp": ["2024-01-01"]}, "open"),
        (changed(timestamp=lambda days: days[::-1]), "sort the bars"),
        (changed(timestamp=lambda days: np.repeat(days[:1], len(days))), "sort the bars"),
        (changed(timestamp=lambda days: days + 400), "outside of the range"),
        (changed(timestamp=lambda days: days - 1), "2023-12-31T00:00:00.000Z is outside"),
        (changed(timestamp=lambda days: ["soon"] * len(days)), "soon"),
        (changed(timestamp=lambda days: days.astype(float)), "does not hold times"),
        (changed(close=lambda _: ["x"] * 31), "close"),
        (changed(close=lambda values: values[:3]), "close"),
        (changed(volume=lambda values: -2 * values), "volume -2"),
        (SourceAnswer(partial=3), "partial"),  # type: ignore[arg-type]
        (SourceAnswer(dropped=[("2024-01-02",)]), "cannot be taken"),  # type: ignore[list-item]
        (SourceAnswer(dropped=[("soon", "why")]), "soon"),
        (SourceAnswer(dropped=[("2020-01-02", "why")]), "outside of the range"),
    ],
)
def test_an_answer_that_cannot_be_is_an_error_that_names_the_question(
    nonsense: Any, said: str, tmp_path: Path
) -> None:
    with pytest.raises(errors.ProtocolError, match=said) as caught:
        load(answering(nonsense), tmp_path)
    assert "Answering.fetch(AAPL, 1d, 2024-01-01" in str(caught.value)
    assert len(load(answering(columns), tmp_path)) == 31, "it stands in the ledger as an answer"


@pytest.mark.parametrize(
    ("method", "value", "said"),
    [
        ("validate_symbol", "yes", "answered 'yes': answer a Contract, True, False"),
        ("first_timestamp", 5, "not int"),
        ("first_timestamp", "soon", "soon"),
        ("first_timestamp", pd.NaT, "NaT"),
    ],
)
def test_other_answers_that_cannot_be_name_the_question_too(
    method: str, value: Any, said: str
) -> None:
    source = Ramp()
    setattr(source, method, lambda *_: value)
    with pytest.raises(errors.ProtocolError, match=rf"Ramp\.{method}\(AAPL, 1d\)") as caught:
        asyncio.run(getattr(SourceCalls(source), method)("AAPL", "1d"))
    assert said in str(caught.value)


# ---- what it may raise


@pytest.mark.parametrize("kind", [Ramp, AsyncRamp])
@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (ValueError, errors.HostServiceError),
        (KeyError, errors.HostServiceError),
        (ConnectionResetError, errors.ServiceConnectionError),
        (TimeoutError, errors.ServiceTimeoutError),
        (errors.StatusError, errors.StatusError),
        (errors.ConfigurationError, errors.ConfigurationError),
        (errors.StorageError, errors.HostServiceError),
        (errors.OperationCancelledError, errors.HostServiceError),
        (SystemExit, errors.HostServiceError),
        (BaseException, errors.HostServiceError),
    ],
)
def test_whatever_it_raises_is_an_error_of_the_load(
    kind: type[BarSource],
    raised: type[BaseException],
    becomes: type[errors.KtrdrError],
    tmp_path: Path,
) -> None:
    if kind is AsyncRamp and raised is SystemExit:
        pytest.skip("that ends the loop, as it does from any task")
    failing = True

    def fail() -> None:
        if failing:
            raise raised("odd")

    class Raising(Ramp):
        def fetch(self, *question: Any) -> Any:
            fail()
            return super().fetch(*question)

    class AsyncRaising(AsyncRamp):
        async def fetch(self, *question: Any) -> Any:
            fail()
            return await super().fetch(*question)

    source = Raising() if kind is Ramp else AsyncRaising()
    with pytest.raises(becomes, match=r"Raising\.fetch\(AAPL.*odd") as caught:
        load(source, tmp_path)
    assert type(caught.value) is becomes
    failing = False
    assert len(load(source, tmp_path)) == 31, "it stands in the ledger as an answer"


def test_one_part_that_fails_leaves_the_others(tmp_path: Path) -> None:
    class Torn(Ramp):
        def describe(self, timeframe: str) -> SourceLimits:
            return SourceLimits(timedelta(days=10), 1)

        def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            if start.day == 11:
                raise ValueError("a page is missing")
            return super().fetch(symbol, timeframe, start, end)

    with DataManager(tmp_path, source=Torn(), env={}) as data:
        operation = data.load_data("AAPL", "1d", **MONTH)
        assert len(operation.result(30)) == 21
        assert "a page is missing" in "\n".join(operation.warnings)


def test_a_method_that_is_missing_or_cannot_be_looked_up_is_an_error(tmp_path: Path) -> None:
    class Empty(BarSource):
        provider = "empty"

    class Hidden(Ramp):
        @property
        def fetch(self) -> Any:
            raise RuntimeError("hidden")

    for kind, said in ((Empty, "has no fetch"), (Hidden, "hidden")):
        with pytest.raises(errors.HostServiceError, match=said):
            load(kind(), tmp_path)


# ---- cancelling


@pytest.mark.parametrize("step", ["validate_symbol", "first_timestamp", "fetch"])
def test_a_cancel_reaches_the_task_of_an_async_method(step: str, tmp_path: Path) -> None:
    async def main() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        class Endless(AsyncRamp):
            pass

        async def endless(*_: Any) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        source = Endless()
        setattr(source, step, endless)
        async with DataManager(tmp_path, source=source, env={}) as data:
            operation = data.load_data("AAPL", "1d", **MONTH)
            await asyncio.wait_for(begun.wait(), 30)
            operation.cancel("enough")
            with pytest.raises(errors.OperationCancelledError, match="enough"):
                await asyncio.wait_for(operation, 30)
            await asyncio.wait_for(ended.wait(), 30)
            setattr(source, step, getattr(AsyncRamp(), step))
            assert len(await data.load_data("AAPL", "1d", **MONTH)) == 31

    asyncio.run(main())


def test_a_plain_method_asks_its_token(tmp_path: Path) -> None:
    begun, seen = threading.Event(), threading.Event()

    class Patient(Ramp):
        def fetch(
            self,
            symbol: str,
            timeframe: str,
            start: datetime,
            end: datetime,
            *,
            cancellation_token: CancellationToken | None = None,
        ) -> Any:
            assert cancellation_token is not None
            begun.set()
            if cancellation_token.wait_for(60):
                seen.set()
            cancellation_token.check("waiting for the vendor")

    with DataManager(tmp_path, source=Patient(), env={}) as data:
        operation = data.load_data("AAPL", "1d", **MONTH)
        assert begun.wait(30)
        operation.cancel("enough")
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            operation.result(30)
        assert seen.wait(30)


def test_a_cancel_does_not_wait_for_a_method_that_never_ends(tmp_path: Path) -> None:
    begun, let_go = threading.Event(), threading.Event()

    class Deaf(Ramp):
        def fetch(self, *_: Any) -> Any:
            begun.set()
            let_go.wait(60)

    try:
        with DataManager(tmp_path, source=Deaf(), env={}) as data:
            operation = data.load_data("AAPL", "1d", **MONTH)
            assert begun.wait(30)
            operation.cancel("enough")
            with pytest.raises(errors.OperationCancelledError):
                operation.result(30)
    finally:
        let_go.set()


def test_one_that_waits_for_its_turn_can_be_cancelled(tmp_path: Path) -> None:
    begun, let_go = threading.Event(), threading.Event()

    class Narrow(Ramp):
        def describe(self, timeframe: str) -> SourceLimits:
            return SourceLimits(max_in_flight=1)

        def fetch(self, *question: Any) -> Any:
            begun.set()
            let_go.wait(60)
            return super().fetch(*question)

    with DataManager(tmp_path, source=Narrow(), env={}) as data:
        first = data.load_data("AAPL", "1d", **MONTH)
        assert begun.wait(30)
        second = data.load_data("MSFT", "1d", **MONTH)
        second.cancel("enough")
        with pytest.raises(errors.OperationCancelledError):
            second.result(30)
        let_go.set()
        assert len(first.result(30)) == 31


def test_the_end_of_the_interpreter_does_not_wait_for_it(tmp_path: Path) -> None:
    program = """
import sys, threading
from ktrdr_core import BarSource, DataManager
class Deaf(BarSource):
    provider = "deaf"
    def fetch(self, *_):
        print("begun", flush=True)
        threading.Event().wait()
data = DataManager(sys.argv[1], source=Deaf(), env={})
operation = data.load_data("AAPL", "1d", "2024-01-01", "2024-01-31", mode="full")
sys.stdin.readline()
"""
    import subprocess
    import sys

    with child(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        _, said = process.communicate("\n", timeout=30)
        assert (process.returncode, said) == (0, "")


# ---- answers that never come


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_question_that_is_never_answered_ends_after_its_patience(
    kind: str, tmp_path: Path
) -> None:
    let_go = threading.Event()

    class Silent(Ramp):
        answer_within = 0.2

        def fetch(self, *_: Any) -> Any:
            let_go.wait(60)

    class AsyncSilent(AsyncRamp):
        answer_within = 0.2

        async def fetch(self, *_: Any) -> Any:
            await asyncio.Event().wait()

    try:
        with pytest.raises(errors.ServiceTimeoutError, match=r"no answer within 0\.2 s"):
            load(Silent() if kind == "plain" else AsyncSilent(), tmp_path)
    finally:
        let_go.set()


def test_a_loop_that_is_closed_before_is_an_error(tmp_path: Path) -> None:
    async def make() -> BarSource:
        return AsyncRamp()

    source = asyncio.run(make())
    with pytest.raises(
        errors.HostServiceError, match="loop on which the source was made is closed"
    ):
        load(source, tmp_path)


def test_a_loop_that_is_closed_in_the_middle_is_an_error(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    begun = asyncio.Event()

    class Endless(BarSource):
        provider = "endless"

        async def fetch(self, *_: Any) -> Any:
            begun.set()
            await asyncio.Event().wait()

    async def make() -> BarSource:
        return Endless()

    source = loop.run_until_complete(make())
    with DataManager(tmp_path, source=source, env={}) as data:
        operation = data.load_data("AAPL", "1d", **MONTH)
        loop.run_until_complete(asyncio.wait_for(begun.wait(), 30))
        (task,) = asyncio.all_tasks(loop)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.close()
        del task
        with pytest.raises(errors.HostServiceError, match="loop that it ran on was closed"):
            operation.result(30)


def test_a_loop_that_stands_still_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ktrdr_core.data.asking._STANDSTILL", 0.1)
    loop = asyncio.new_event_loop()

    async def make() -> BarSource:
        return AsyncRamp()

    source = loop.run_until_complete(make())
    with pytest.raises(errors.HostServiceError, match="does not run: await the load on it"):
        load(source, tmp_path)
    # The question that it was given before comes to nothing now.
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_a_loop_that_ends_takes_its_tasks_along(tmp_path: Path) -> None:
    data = DataManager(tmp_path, env={}, source=AsyncRamp())

    async def main() -> Any:
        class Endless(AsyncRamp):
            async def fetch(self, *_: Any) -> Any:
                begun.set()
                await asyncio.Event().wait()

        begun = asyncio.Event()
        endless = DataManager(tmp_path / "other", env={}, source=Endless())
        operation = endless.load_data("AAPL", "1d", **MONTH)
        await asyncio.wait_for(begun.wait(), 30)
        return endless, operation

    endless, operation = asyncio.run(main())
    with pytest.raises(errors.HostServiceError, match=r"cancelled|closed"):
        operation.result(30)
    endless.close()
    assert len(data.load_data("AAPL", "1d", **MONTH).result(30)) == 31
    data.close()


def test_a_fork_says_that_its_threads_do_not_exist_and_the_parent_goes_on(tmp_path: Path) -> None:
    """In a process of its own: what is asked when a source's process forks."""
    program = """
import os, sys
from ktrdr_core import BarSource, DataManager, errors
import numpy as np
class Forking(BarSource):
    provider = "forking"
    def fetch(self, symbol, timeframe, start, end):
        child = os.fork()
        if child == 0:
            try:
                data.load_data("MSFT", "1d", "2024-01-01", "2024-01-31", mode="full")
            except errors.ShutDownError as error:
                os._exit(7 if "fork" in str(error) else 1)
            os._exit(2)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        days = np.arange(start.date(), end.date(), dtype="datetime64[D]")
        price = np.arange(float(len(days)))
        return {"timestamp": days, "open": price, "high": price, "low": price, "close": price}
with DataManager(sys.argv[1], source=Forking(), env={}) as data:
    print(len(data.load_data("AAPL", "1d", "2024-01-01", "2024-01-31", mode="full").result(30)))
    if os.fork() == 0:
        del data
        os._exit(0)
    os.wait()
"""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "31\n", "")


# ---- asked by others


def test_source_calls_ask_as_a_load_does() -> None:
    async def main() -> None:
        calls = SourceCalls(Ramp())
        assert calls.provider == "ramp"
        assert calls.describe("1d") == SourceLimits()
        answer = await calls.fetch("AAPL", "1d", "2024-01-01", "2024-01-02")
        assert isinstance(answer.bars, Bars)
        assert (answer.bars.symbol, len(answer.bars), answer.partial, answer.dropped) == (
            *("AAPL", 2, ""),
            (),
        )
        assert await calls.first_timestamp("AAPL", "1d") is None
        with pytest.raises(errors.InvalidArgumentError, match="not before end"):
            await calls.fetch("AAPL", "1d", "2024-01-02", "2024-01-01")
        with pytest.raises(errors.InvalidArgumentError, match="1x"):
            await calls.fetch("AAPL", "1x", "2024-01-01", "2024-01-02")

    asyncio.run(main())


def test_a_task_that_is_cancelled_stops_its_question() -> None:
    async def main() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        class Endless(AsyncRamp):
            async def fetch(self, *_: Any) -> Any:
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()

        task = asyncio.create_task(
            SourceCalls(Endless()).fetch("AAPL", "1d", "2024-01-01", "2024-01-02")
        )
        await asyncio.wait_for(begun.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(ended.wait(), 30)
        token = CancellationToken()
        begun.clear()
        task = asyncio.create_task(
            SourceCalls(Endless()).fetch(
                "AAPL", "1d", "2024-01-01", "2024-01-02", cancellation_token=token
            )
        )
        await asyncio.wait_for(begun.wait(), 30)
        token.cancel("enough")
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            await task

    asyncio.run(main())


@pytest.fixture(autouse=True)
def no_thread_of_a_call_is_left() -> Iterator[None]:
    yield
    until(lambda: not any(t.name == "ktrdr_core source call" for t in threading.enumerate()))


def test_a_bar_that_is_not_closed_is_refused() -> None:
    now = datetime.now(UTC)
    later = (now + timedelta(days=3)).date()

    async def main() -> None:
        with pytest.raises(errors.ProtocolError, match="is not closed before"):
            await SourceCalls(Ramp()).fetch("AAPL", "1d", now.date() - timedelta(days=5), later)

    asyncio.run(main())


def test_this_process_has_few_descriptors_more() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        asyncio.run(SourceCalls(AsyncRamp()).fetch("AAPL", "1d", "2024-01-01", "2024-01-02"))
    until(lambda: len(os.listdir("/proc/self/fd")) <= before + 3)
