"""Sources of bars that are written in Python: where they run, what they say of themselves, who asks them."""

from __future__ import annotations

import asyncio
import os
import threading
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from ktrdr_core import Bars, BarSource, CancellationToken, DataManager, errors
from ktrdr_core.data import Contract, SourceCalls, SourceLimits
from ramp_source import MONTH, AsyncRamp, Ramp, columns, load, until
from served_days import serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_thread_of_a_call_is_left")


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


# ---- what it says of itself


@pytest.mark.parametrize("raised", [ValueError, KeyError, errors.ConfigurationError])
def test_whatever_it_raises_for_a_timeframe_refuses_that_and_no_other(
    raised: type[Exception], tmp_path: Path
) -> None:
    class Daily(Ramp):
        def describe(self, timeframe: str) -> SourceLimits:
            if timeframe != "1d":
                raise raised(f"not {timeframe}")
            return SourceLimits()

    with DataManager(tmp_path, source=Daily(), env={}) as data:
        assert len(data.load_data("AAPL", "1d", **MONTH).result(30)) == 31
        with pytest.raises(errors.KtrdrError, match="not 1h"):
            data.load_data("AAPL", "1h", **MONTH).result(30)
    asked = {"symbol": "AAPL", "timeframe": "1d", "start": "2024-01-01", "end": "2024-01-31"}

    async def ask(timeframe: str) -> Any:
        async with serving(Daily()) as client:
            answer = await client.post("/data/historical", json={**asked, "timeframe": timeframe})
            return answer.json()

    assert asyncio.run(ask("1d"))["rows"] == 30
    refused = asyncio.run(ask("1h"))
    assert (refused["success"], "not 1h" in refused["error"]) == (False, True)


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


def test_what_a_source_below_another_warns_of_is_told_to_the_load(tmp_path: Path) -> None:
    class Below(AsyncRamp):
        async def fetch(self, *asked: Any) -> Any:
            self.warn("the vendor lets everybody wait today")
            return await super().fetch(*asked)

    class Above(AsyncRamp):
        def __init__(self) -> None:
            super().__init__()
            self.calls = SourceCalls(Below())

        async def fetch(self, *asked: Any) -> Any:
            return await self.calls.fetch(*asked)

    with DataManager(tmp_path, source=Above(), env={}) as data:
        loading = data.load_data("AAPL", "1d", **MONTH)
        assert len(loading.result(60)) > 0
        assert any("the vendor lets everybody wait today" in each for each in loading.warnings)
    # Nobody has to listen.
    asyncio.run(SourceCalls(Below()).fetch("AAPL", "1d", "2024-01-01", "2024-01-02"))


class Endless(AsyncRamp):
    """Never answers, and says when it was asked and when it was stopped."""

    def __init__(self, begun: asyncio.Event, ended: asyncio.Event) -> None:
        super().__init__()
        self._begun, self._ended = begun, ended

    async def fetch(self, *_: Any) -> Any:
        self._begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self._ended.set()


def test_a_task_that_is_cancelled_stops_its_question() -> None:
    async def main() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(
            SourceCalls(Endless(begun, ended)).fetch("AAPL", "1d", "2024-01-01", "2024-01-02")
        )
        await asyncio.wait_for(begun.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(ended.wait(), 30)
        token = CancellationToken()
        begun.clear()
        task = asyncio.create_task(
            SourceCalls(Endless(begun, ended)).fetch(
                "AAPL", "1d", "2024-01-01", "2024-01-02", cancellation_token=token
            )
        )
        await asyncio.wait_for(begun.wait(), 30)
        token.cancel("enough")
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            await task

    asyncio.run(main())


def test_a_source_that_nobody_holds_any_more_stops_what_it_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The end of the source may be heard before the cancel of its question.
    monkeypatch.setattr("ktrdr_core.data.asking._Asking._cancelled", lambda *_: None)

    async def main() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(
            SourceCalls(Endless(begun, ended)).fetch("AAPL", "1d", "2024-01-01", "2024-01-02")
        )
        await asyncio.wait_for(begun.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        await asyncio.wait_for(ended.wait(), 10)

    asyncio.run(main())


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
