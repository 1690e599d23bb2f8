"""Every source does what every source does, and the suite refuses those that do not."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ktrdr_core import BarSource, Client, errors
from ktrdr_core.data import CsvSource, IbDataAdapter, ReplaySource, SourceAnswer, SourceLimits
from ktrdr_core.testing import FakeSource, SourceCase, SourceSuite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ktrdr_core.hosts.child import HostProcess

EXAMPLES = Path(__file__).parents[2] / "examples"
PRICES = ("open", "high", "low", "close", "volume")
YEAR = ("2023-01-01", "2023-12-31")


def columns(first: date, end: date) -> dict[str, Any]:
    days = np.arange(np.datetime64(first), np.datetime64(end))
    price = 1.0 + (days.astype(np.int64) % 50)
    return {"timestamp": days, **dict.fromkeys(PRICES, price)}


def case_of(source: Any, **more: Any) -> SourceCase:
    given: dict[str, Any] = {"unknown": "NOPE", "empty": ("1980-01-01", "1980-02-01"), **more}
    return SourceCase(source, "AAPL", "1d", *YEAR, **given)


def example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- ours


class TestFakeSource(SourceSuite):
    @pytest.fixture
    def case(self) -> SourceCase:
        bars = columns(date(2020, 1, 1), datetime.now(UTC).date() + timedelta(days=3))
        return case_of(FakeSource({("AAPL", "1d"): {"time": bars.pop("timestamp"), **bars}}))


class TestReplaySource(SourceSuite):
    @pytest.fixture
    def case(self) -> SourceCase:
        bars = columns(date(2020, 1, 1), datetime.now(UTC).date() + timedelta(days=3))
        return case_of(ReplaySource({("AAPL", "1d"): bars}))


class TestCsvSource(SourceSuite):
    @pytest.fixture
    def case(self, tmp_path: Path) -> SourceCase:
        bars = columns(date(2020, 1, 1), datetime.now(UTC).date() + timedelta(days=1))
        rows = zip(*(bars[name] for name in ("timestamp", *PRICES)), strict=True)
        lines = [",".join(map(str, row)) for row in rows]
        (tmp_path / "AAPL_1d.csv").write_text(f"timestamp,{','.join(PRICES)}\n" + "\n".join(lines))
        return case_of(CsvSource(tmp_path))


class TestIbDataAdapter(SourceSuite):
    """Over a service that answers from recorded bars, which is itself asked by the same suite's rules."""

    @pytest.fixture
    def case(self, host: HostProcess) -> SourceCase:
        year = ("2005-01-03", "2005-12-30")
        return SourceCase(
            IbDataAdapter(host.url, env={}),
            "AAPL",
            "1d",
            *year,
            "NOPE",
            ("1980-01-01", "1980-02-01"),
        )


def test_an_adapter_without_a_service_is_refused() -> None:
    with pytest.raises(errors.ConfigurationError, match="no IB host service is named"):
        IbDataAdapter(env={})
    with pytest.raises(errors.ConfigurationError):
        IbDataAdapter("ftp://localhost", env={})


class TestSpreadsheetSource(SourceSuite):
    """Of `examples/custom_source.py`."""

    @pytest.fixture
    def case(self, tmp_path: Path) -> SourceCase:
        bars = columns(date(2020, 1, 1), date(2024, 1, 1))
        rows = zip(*(bars[name] for name in ("timestamp", *PRICES)), strict=True)
        lines = [
            f"{stamp.item():%d.%m.%Y};" + ";".join(str(value).replace(".", ",") for value in values)
            for stamp, *values in rows
        ]
        (tmp_path / "AAPL.txt").write_text("Datum;…\n" + "\n".join(reversed(lines)))
        return case_of(example("custom_source").SpreadsheetSource(tmp_path))


class TestChartSource(SourceSuite):
    """Of `examples/yfinance_shaped_source.py`."""

    @pytest.fixture
    def case(self) -> Iterator[SourceCase]:
        module = example("yfinance_shaped_source")
        with module.made_up_service() as url, Client(url) as client:
            yield case_of(lambda: module.ChartSource(client), empty=None)


class Days(BarSource):
    """Daily bars of every day from 2020 on."""

    provider = "days"

    def validate_symbol(self, symbol: str, timeframe: str) -> bool:
        return symbol != "NOPE"

    def first_timestamp(self, symbol: str, timeframe: str) -> Any:
        return datetime(2020, 1, 1, 14, 30, tzinfo=UTC)

    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        first = max((start + timedelta(days=1, microseconds=-1)).date(), date(2020, 1, 1))
        last = (end + timedelta(days=1, microseconds=-1)).date()
        return columns(first, min(last, datetime.now(UTC).date()))


class AsyncDays(Days):
    async def fetch(self, *question: Any) -> Any:
        await asyncio.sleep(0)
        return Days.fetch(self, *question)


class TestPlainSource(SourceSuite):
    @pytest.fixture
    def case(self) -> SourceCase:
        return case_of(Days())


class TestAsyncSource(SourceSuite):
    @pytest.fixture
    def case(self) -> SourceCase:
        return case_of(AsyncDays)


# ---- planted bad ones


class Capped(Days):
    def fetch(self, *question: Any) -> Any:
        return {name: values[:100] for name, values in super().fetch(*question).items()}


class SaysSo(Days):
    """Capped as well, and told: no fault."""

    def fetch(self, *question: Any) -> Any:
        bars = super().fetch(*question)
        if len(bars["timestamp"]) <= 100:
            return bars
        return SourceAnswer({name: values[:100] for name, values in bars.items()}, partial="capped")


class Shuffled(Days):
    def fetch(self, *question: Any) -> Any:
        return {name: values[::-1] for name, values in super().fetch(*question).items()}


class Inclusive(Days):
    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        return super().fetch(symbol, timeframe, start, end + timedelta(days=1))


class Forming(Days):
    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        first = (start + timedelta(days=1, microseconds=-1)).date()
        return columns(first, min(end.date(), datetime.now(UTC).date() + timedelta(days=1)))


class Ignoring(Days):
    """Answers another range than it is asked for."""

    def fetch(self, *_: Any) -> Any:
        return columns(date(2023, 1, 1), date(2024, 1, 1))


class Believing(Days):
    def validate_symbol(self, symbol: str, timeframe: str) -> bool:
        return True


class Late(Days):
    def first_timestamp(self, symbol: str, timeframe: str) -> Any:
        return datetime(2023, 6, 1, tzinfo=UTC)


class Fickle(Days):
    asked = 0

    def fetch(self, *question: Any) -> Any:
        self.asked += 1
        bars = super().fetch(*question)
        return {name: v if name == "timestamp" else v + self.asked for name, v in bars.items()}


class Entangled(AsyncDays):
    """Keeps its question where the next one finds it."""

    question: Any = None

    async def fetch(self, *question: Any) -> Any:
        self.question = question
        await asyncio.sleep(0.01)
        return Days.fetch(self, *self.question)


class Deaf(Days):
    let_go = threading.Event()

    def fetch(self, *question: Any) -> Any:
        self.let_go.wait(60)
        return super().fetch(*question)


class Stubborn(AsyncDays):
    async def fetch(self, *question: Any) -> Any:
        loop = asyncio.get_running_loop()
        until = loop.time() + 3
        while loop.time() < until and not Deaf.let_go.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue
        return Days.fetch(self, *question)


class Raising(Days):
    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        bars = super().fetch(symbol, timeframe, start, end)
        if not len(bars["timestamp"]):
            raise LookupError("there is nothing")
        return bars


class Boasting(Capped):
    """Has less for the longest range that it names than for a short one."""

    def describe(self, timeframe: str) -> SourceLimits:
        return SourceLimits(timedelta(days=10_000))


class Drifting(Days):
    spans = 0

    def describe(self, timeframe: str) -> SourceLimits:
        self.spans += 1
        return SourceLimits(timedelta(days=400 + self.spans))


BAD = [
    (Capped, "test_an_answer_is_whole_or_says_that_it_is_not"),
    (Shuffled, "test_bars_are_closed_inside_the_range_and_in_order"),
    (Inclusive, "test_a_range_is_half_open"),
    (Inclusive, "test_bars_are_closed_inside_the_range_and_in_order"),
    (Forming, "test_a_bar_that_is_still_being_made_is_left_out"),
    (Ignoring, "test_a_range_is_half_open"),
    (Ignoring, "test_a_range_between_two_bars_is_empty"),
    (Believing, "test_a_symbol_that_nobody_has_is_unknown"),
    (Late, "test_its_first_timestamp_is_not_after_its_first_bar"),
    (Fickle, "test_the_same_question_has_the_same_answer"),
    (Entangled, "test_several_questions_at_once_have_the_answers_of_one"),
    (Deaf, "test_a_cancel_stops_a_question_and_the_next_is_answered"),
    (Stubborn, "test_a_cancel_stops_a_question_and_the_next_is_answered"),
    (Raising, "test_a_range_between_two_bars_is_empty"),
    (Boasting, "test_the_longest_range_is_answered"),
    (Drifting, "test_it_has_a_name_and_limits_that_stay"),
    (Fickle, "test_a_load_stores_what_it_answers_and_asks_once"),
]


@pytest.mark.parametrize(("kind", "test"), BAD, ids=lambda value: getattr(value, "__name__", value))
def test_a_bad_source_is_refused(
    kind: type[BarSource], test: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ktrdr_core.testing.source_suite._STOP", 0.5)
    Deaf.let_go.clear()
    suite: Any = SourceSuite()
    try:
        with pytest.raises(AssertionError):
            getattr(suite, test)(case_of(kind))
    finally:
        Deaf.let_go.set()


def test_each_test_of_the_suite_refuses_a_bad_source_but_the_one_that_asks_nothing() -> None:
    tests = {name for name in vars(SourceSuite) if name.startswith("test_")}
    assert tests - {test for _, test in BAD} == {"test_its_symbol_is_known"}


def test_a_symbol_that_the_case_names_and_nobody_knows_is_refused() -> None:
    case = SourceCase(Days(), "NOPE", "1d", *YEAR)
    with pytest.raises(AssertionError, match="SymbolNotFoundError"):
        SourceSuite().test_its_symbol_is_known(case)


def test_an_answer_that_says_that_it_is_not_whole_is_none_the_worse() -> None:
    SourceSuite().test_an_answer_is_whole_or_says_that_it_is_not(case_of(SaysSo()))


def test_a_case_with_too_few_bars_is_refused() -> None:
    with pytest.raises(AssertionError, match="needs four bars"):
        SourceSuite().test_bars_are_closed_inside_the_range_and_in_order(
            SourceCase(Days(), "AAPL", "1d", "2023-01-01", "2023-01-02")
        )
