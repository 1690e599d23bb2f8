"""What every source of bars must do, whatever it is written in."""

from __future__ import annotations

import asyncio
import inspect
import tempfile
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .. import errors
from .._extras import needed_by
from ..bars import Bars
from ..calendars import BarGrid
from ..data import BarSource, DataManager, SourceAnswer, SourceCalls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..dates import Date

# No question takes so long. Seconds.
_LIMIT = 60.0
# How long a method may go on after its question was cancelled. Seconds.
_STOP = 5.0
# Ranges are cut into pieces of so many bars, and questions asked at once are so many times what the limits allow.
_PIECES, _TIMES = 4, 3


@dataclass(frozen=True)
class SourceCase:
    """A source, and what its tests may count on.

    Parameters
    ----------
    source : BarSource or callable
        The source, or what makes it on the running loop: a function, async or not.
    symbol, timeframe : str
        A series that it has.
    start, end : str, date or datetime
        A range in which the series has at least four bars, all of them closed, and which is no longer than one fetch may
        be. An end that is a date without a time includes that day.
    unknown : str, optional
        A symbol that it does not know; None where it cannot say.
    empty : (start, end), optional
        A range in which the series has no bar.
    """

    source: BarSource | Callable[[], BarSource | Awaitable[BarSource]]
    symbol: str
    timeframe: str
    start: Date
    end: Date
    unknown: str | None = None
    empty: tuple[Date, Date] | None = None


class SourceSuite:
    """Subclass it in a test module, under a name that begins with ``Test``, and give it the fixture ``case``.

    Each test runs a loop of its own, and asks the source as a load does (``SourceCalls``). The source must have the same
    bars all the while.

    Examples
    --------
    >>> import pytest
    >>> from ktrdr_core.testing import SourceCase, SourceSuite
    >>> class TestMyVendor(SourceSuite):
    ...     @pytest.fixture
    ...     def case(self) -> SourceCase:
    ...         return SourceCase(MyVendor(), "AAPL", "1d", "2024-01-02", "2024-01-31", unknown="NOPE")
    """

    # ---- what it says of itself

    def test_it_has_a_name_and_limits_that_stay(self, case: SourceCase) -> None:
        """Check that limits can be, and are the same each time."""

        async def check(asked: _Asked) -> None:
            limits = asked.calls.describe(case.timeframe)
            _true(limits.max_span > timedelta(0), f"the longest range: {limits.max_span}")
            _true(limits.max_in_flight >= 1, f"questions at once: {limits.max_in_flight}")
            _equal(asked.source.describe(case.timeframe), limits, "the limits when asked again")
            _equal(asked.source.provider, asked.calls.provider, "the provider")

        _run(case, check)

    def test_its_symbol_is_known(self, case: SourceCase) -> None:
        """Check that the symbol of the case is one."""

        async def check(asked: _Asked) -> None:
            await asked.calls.validate_symbol(case.symbol, case.timeframe)

        _run(case, check)

    def test_a_symbol_that_nobody_has_is_unknown(self, case: SourceCase) -> None:
        """Check that a load of it would end with ``SymbolNotFoundError``."""
        if case.unknown is None:
            return
        unknown = case.unknown

        async def check(asked: _Asked) -> None:
            try:
                await asked.calls.validate_symbol(unknown, case.timeframe)
                await asked.calls.first_timestamp(unknown, case.timeframe)
                await asked.calls.fetch(unknown, case.timeframe, case.start, case.end)
            except errors.SymbolNotFoundError:
                return
            raise AssertionError(f"nothing says that {unknown} is unknown")

        _run(case, check)

    def test_its_first_timestamp_is_not_after_its_first_bar(self, case: SourceCase) -> None:
        """Check that nothing before it can be had, but for the bar that it lies in."""

        async def check(asked: _Asked) -> None:
            first = await asked.calls.first_timestamp(case.symbol, case.timeframe)
            if first is not None:
                bars = await asked.whole()
                end = BarGrid(case.timeframe).end_of(bars.time[0])
                _true(first < end, f"the first timestamp {first} is after the first bar")

        _run(case, check)

    # ---- what it answers

    def test_bars_are_closed_inside_the_range_and_in_order(self, case: SourceCase) -> None:
        """Check stamps and prices of a whole range."""

        async def check(asked: _Asked) -> None:
            bars = await asked.whole()
            _true(len(bars) >= 4, f"a case needs four bars, and has {len(bars)}")
            _sound(bars, case.timeframe)

        _run(case, check)

    def test_a_range_is_half_open(self, case: SourceCase) -> None:
        """Check that a bar at the start is in, one at the end is not, and both ends are met to the bar."""

        async def check(asked: _Asked) -> None:
            bars = await asked.whole()
            middle = len(bars) // 2
            for first, last in ((middle - 1, middle), (middle - 1, middle + 1), (0, 1)):
                part = await asked.bars(_at(bars, first), _at(bars, last))
                _equal(part, bars[first:last], f"the bars from {first} to {last}")

        _run(case, check)

    def test_a_range_between_two_bars_is_empty(self, case: SourceCase) -> None:
        """Check that no bar is given for a range in which none starts, and that this is no error."""

        async def check(asked: _Asked) -> None:
            bars = await asked.whole()
            after = _at(bars, 1) + timedelta(seconds=1)
            _equal(len(await asked.bars(after, _at(bars, 2))), 0, "bars between two")
            if case.empty is not None:
                _equal(len(await asked.bars(*case.empty)), 0, "bars of the empty range")

        _run(case, check)

    def test_an_answer_is_whole_or_says_that_it_is_not(self, case: SourceCase) -> None:
        """Check that a long range has what its pieces have: no cap on rows goes untold."""

        async def check(asked: _Asked) -> None:
            answer = await asked.fetch(case.start, case.end)
            if answer.partial or answer.dropped:
                return
            bars = await asked.whole()
            step = -(-len(bars) // _PIECES)
            stamps = [_at(bars, row) for row in range(0, len(bars), step)]
            pieces = [
                await asked.bars(start, end)
                for start, end in zip(stamps, [*stamps[1:], None], strict=True)
            ]
            _equal(
                [len(piece) for piece in pieces], _lengths(len(bars), step), "bars of its pieces"
            )

        _run(case, check)

    def test_the_longest_range_is_answered(self, case: SourceCase) -> None:
        """Check that it takes what its limits say, and gives no less than for a short range."""

        async def check(asked: _Asked) -> None:
            bars = await asked.whole()
            last = BarGrid(case.timeframe).end_of(bars.time[-1])
            # Years that a datetime does not have are in no calendar either.
            span = min(asked.calls.describe(case.timeframe).max_span, timedelta(days=36500))
            long = await asked.bars(last - span, last)
            inside = [row for row in range(len(bars)) if _at(bars, row) >= last - span]
            _equal(long[-len(inside) :], bars[-len(inside) :], "the newest of the longest range")

        _run(case, check)

    def test_a_bar_that_is_still_being_made_is_left_out(self, case: SourceCase) -> None:
        """Check that a range up to tomorrow gives closed bars only."""

        async def check(asked: _Asked) -> None:
            grid, now = BarGrid(case.timeframe), datetime.now(UTC)
            span = asked.calls.describe(case.timeframe).max_span
            start = now - min(timedelta(days=7), span / 2)
            end = grid.end_of(now) + min(timedelta(days=1), span / 4)
            _sound(await asked.bars(start, end), case.timeframe)

        _run(case, check)

    def test_the_same_question_has_the_same_answer(self, case: SourceCase) -> None:
        """Check that asking changes nothing."""

        async def check(asked: _Asked) -> None:
            _equal(await asked.whole(), await asked.whole(), "the bars when asked again")

        _run(case, check)

    # ---- how it answers

    def test_several_questions_at_once_have_the_answers_of_one(self, case: SourceCase) -> None:
        """Check that questions under way do not get into each other's way."""

        async def check(asked: _Asked) -> None:
            bars = await asked.whole()
            at_once = asked.calls.describe(case.timeframe).max_in_flight * _TIMES
            rows = [number % (len(bars) - 1) for number in range(at_once)]
            found = await asyncio.gather(
                *(asked.bars(_at(bars, row), _at(bars, row + 1)) for row in rows)
            )
            _equal(list(found), [bars[row : row + 1] for row in rows], "the answers")

        _run(case, check)

    def test_a_cancel_stops_a_question_and_the_next_is_answered(self, case: SourceCase) -> None:
        """Check that it ends at once, that no method of the source goes on, and that the source is as before."""

        async def check(asked: _Asked) -> None:
            before = _methods_that_run()
            question = asyncio.ensure_future(asked.fetch(case.start, case.end))
            for _ in range(5):
                await asyncio.sleep(0.002)
            question.cancel()
            await asyncio.wait({question}, timeout=_STOP)
            _true(question.done(), "a cancelled question goes on")
            if not question.cancelled():
                question.result()
            deadline = asyncio.get_running_loop().time() + _STOP
            while _methods_that_run() - before:
                late = asyncio.get_running_loop().time() > deadline
                _true(not late, f"a method of the source goes on {_STOP:g} s after its cancel")
                await asyncio.sleep(0.01)
            _sound(await asked.whole(), case.timeframe)

        _run(case, check)

    def test_a_load_stores_what_it_answers_and_asks_once(self, case: SourceCase) -> None:
        """Check the whole way, from the plan over the parts to the database."""

        async def check(asked: _Asked) -> None:
            bars = await asked.whole()
            question = (case.symbol, case.timeframe, case.start, case.end)
            with tempfile.TemporaryDirectory() as folder:
                async with DataManager(folder, source=asked.source, env={}) as data:
                    _equal(await data.load_data(*question, mode="full"), bars, "the bars of a load")
                    stored = await data.load_data(*question)
                    _equal(stored, bars, "the bars that are stored")
                    (series,) = data.series()
                    _equal(series.provider, asked.calls.provider, "under whose name")

        _run(case, check)


class _Asked:
    """A case's source, as it is asked."""

    def __init__(self, case: SourceCase, source: BarSource) -> None:
        self._case = case
        self.source = source
        self.calls = SourceCalls(source)

    async def fetch(self, start: Date, end: Date) -> SourceAnswer:
        return await self.calls.fetch(self._case.symbol, self._case.timeframe, start, end)

    async def bars(self, start: Date, end: Date | None) -> Bars:
        answer = await self.fetch(start, self._case.end if end is None else end)
        if not isinstance(answer.bars, Bars):
            raise AssertionError(f"{answer.bars!r} are no bars")
        return answer.bars

    async def whole(self) -> Bars:
        """Give the bars of the case's range."""
        return await self.bars(self._case.start, self._case.end)


def _run(case: SourceCase, check: Callable[[_Asked], Awaitable[None]]) -> None:
    async def main() -> None:
        given = case.source
        made = given if isinstance(given, BarSource) else given()
        source = await made if inspect.isawaitable(made) else made
        async with asyncio.timeout(_LIMIT):
            try:
                await check(_Asked(case, source))
            except errors.KtrdrError as error:
                raise AssertionError(
                    f"it is answered with {type(error).__name__}: {error}"
                ) from error

    asyncio.run(main())


def _at(bars: Bars, row: int) -> datetime:
    return bars[row].timestamp


def _lengths(count: int, step: int) -> list[int]:
    return [min(step, count - first) for first in range(0, count, step)]


def _sound(bars: Bars, timeframe: str) -> None:
    with needed_by("SourceSuite"):
        import numpy as np
    time = bars.time
    _true(bool((np.diff(time.view(np.int64)) > 0).all()), "stamps do not rise")
    now = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "ns")
    _true(bool((BarGrid(timeframe).ends_of(time) <= now).all()), "a bar is not closed")
    for name in ("open", "high", "low", "close", "volume"):
        _true(bool(np.isfinite(getattr(bars, name)).all()), f"a bar has no number as its {name}")
    volume = bars.volume
    _true(bool(((volume >= 0) | (volume == -1)).all()), "a volume is below zero, and not -1")


def _methods_that_run() -> set[object]:
    """Give what runs of sources that are written in Python."""
    threads = {each for each in threading.enumerate() if each.name == "ktrdr_core source call"}
    tasks = {each for each in asyncio.all_tasks() if each.get_name() == "ktrdr_core source"}
    return threads | tasks


def _true(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _equal(found: Any, expected: Any, what: str) -> None:
    if found != expected:
        raise AssertionError(f"{what}: {found!r}, not {expected!r}")
