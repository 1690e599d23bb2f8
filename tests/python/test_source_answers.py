"""What a source that is written in Python may answer, and raise."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ktrdr_core import BarSource, DataManager, errors
from ktrdr_core.data import DroppedRow, SourceAnswer, SourceCalls, SourceLimits
from ramp_source import MONTH, AsyncRamp, Ramp, answering, columns, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_thread_of_a_call_is_left")


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
        operation = data.load_data("AAPL", "1d", **MONTH, validate=False)
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


def test_a_clock_that_is_apart_is_told(tmp_path: Path) -> None:
    for hours, words in ((1, "ahead of"), (-1, "behind"), (0, "")):
        now = datetime.now(UTC) + timedelta(hours=hours)
        give = answering(lambda start, end, now=now: SourceAnswer(columns(start, end), now=now))
        with DataManager(tmp_path / str(hours), source=give, env={}) as data:
            operation = data.load_data("AAPL", "1d", **MONTH)
            operation.result(60)
            told = [warning for warning in operation.warnings if "the clock of" in warning]
            assert [words in warning for warning in told] == ([True] if words else [])


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
        (KeyboardInterrupt, errors.HostServiceError),
        (BaseException, errors.HostServiceError),
    ],
)
def test_whatever_it_raises_is_an_error_of_the_load(
    kind: type[BarSource],
    raised: type[BaseException],
    becomes: type[errors.KtrdrError],
    tmp_path: Path,
) -> None:
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
