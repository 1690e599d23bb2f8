"""Whatever work raises, answers or tells: its operation ends, its caller gets it, and the record says what it can."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import gc
import json
import threading
import traceback
import uuid
from collections import OrderedDict, deque
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from ktrdr_core import GenericProgressManager, ProgressState, errors
from ktrdr_core.operations import OperationsService
from ktrdr_core.orchestrator import current_operation
from ktrdr_core.testing import Domain

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def domain() -> Domain:
    return Domain()


# ---- exceptions


class NoText(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class NeverText(Exception):
    def __init__(self) -> None:
        super().__init__(self)

    def __str__(self) -> str:
        return str(self.args[0])


class StoppingText(Exception):
    def __init__(self, stop: BaseException) -> None:
        super().__init__()
        self.stop = stop

    def __str__(self) -> str:
        raise self.stop


class NumberText(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]


class OddStr(str):
    def encode(self, *_: object) -> bytes:
        raise RuntimeError("no bytes")

    def __getitem__(self, _: object) -> str:
        raise RuntimeError("no part")

    def __len__(self) -> int:
        return -1


class OddText(Exception):
    def __str__(self) -> str:
        return OddStr("odd but there")


class OddAttributes(Exception):
    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") and name != "__notes__":
            return super().__getattribute__(name)
        raise RuntimeError(name)


class Locked(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError("locked")


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    code: int


class Base(BaseException):
    pass


class Coded(errors.KtrdrError):
    code = "mine"


class NumberCoded(errors.KtrdrError):
    code = 404  # type: ignore[assignment]


class BadlyCoded(errors.KtrdrError):
    @property
    def code(self) -> str:  # type: ignore[override]
        raise RuntimeError("no code")


class Unmade(errors.KtrdrError):
    def __init__(self) -> None:
        pass


def nameless() -> Exception:
    cls = type("Name" * 1000, (Exception,), {"__module__": 5})
    return cls("strange class")  # type: ignore[no-any-return]


def with_context(context: Any) -> Exception:
    error = errors.StorageError("full")
    error.context = context
    return error


def with_notes(notes: Any) -> Exception:
    error = ValueError("noted")
    error.__notes__ = notes
    return error


def circle() -> dict[str, Any]:
    context: dict[str, Any] = {}
    context["self"] = context
    return context


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


FAILURES: dict[str, tuple[Any, str]] = {
    "surrogates": (lambda: ValueError("caf\udce9.csv"), "ValueError: caf\\udce9.csv"),
    "no text": (lambda: NoText("disk", 5), "('disk', 5)"),
    "text of itself": (NeverText, "cannot be made"),
    "text that exits": (lambda: StoppingText(SystemExit(3)), "StoppingText"),
    "text that is cancelled": (lambda: StoppingText(asyncio.CancelledError()), "StoppingText"),
    "text that is interrupted": (lambda: StoppingText(KeyboardInterrupt()), "StoppingText"),
    "a number for text": (NumberText, "NumberText"),
    "a text of its own kind": (OddText, "odd but there"),
    "odd attributes": (lambda: OddAttributes("x"), "OddAttributes: x"),
    "locked": (lambda: Locked("x"), "Locked: x"),
    "frozen": (lambda: Frozen(5), "Frozen"),
    "a base exception": (lambda: Base("low"), "Base: low"),
    "a generator's exit": (lambda: GeneratorExit("out"), "GeneratorExit: out"),
    "a stop": (lambda: StopAsyncIteration("all"), "StopAsyncIteration: all"),
    "huge": (lambda: ValueError("x" * 10_000_000), "10,000,000 characters in all"),
    "empty": (ValueError, "ValueError"),
    "a nameless class": (nameless, "strange class"),
    "a group": (
        lambda: ExceptionGroup("two", [ValueError("a"), NoText("b"), TypeError("c\udce9")]),
        "two (3 sub-exceptions)",
    ),
    "a base group": (lambda: BaseExceptionGroup("g", [Base("a"), ValueError("b")]), "sub-exc"),
    "a code of its own": (lambda: Coded("no"), "no"),
    "a number as code": (lambda: NumberCoded("no"), "no"),
    "a code that raises": (lambda: BadlyCoded("no"), "no"),
    "never initialised": (Unmade, "Unmade"),
    "odd context": (lambda: with_context({"at": np.int64(3), "p": Path("x"), 5: {1, 2}}), "full"),
    "context with circle": (lambda: with_context(circle()), "full"),
    "deep context": (lambda: with_context({"deep": deep()}), "full"),
    "huge context": (lambda: with_context({str(n): "x" * 100 for n in range(200_000)}), "full"),
    "context that is none": (lambda: with_context(7), "full"),
    "odd cause": (lambda: with_context({"cause": {"message": "m", "code": []}}), "full"),
    "notes": (lambda: with_notes(["one", "tw\udce9o"]), "noted"),
    "notes that are none": (lambda: with_notes(5), "noted"),
    "odd notes": (lambda: with_notes([object(), deep()]), "noted"),
    "huge notes": (lambda: with_notes(["x" * 1_000_000] * 100), "noted"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_whatever_work_raises_its_caller_gets_and_its_record_tells(
    domain: Domain, name: str
) -> None:
    make, words = FAILURES[name]
    error: BaseException = make()

    async def work() -> None:
        ids.append(current_operation().id)  # type: ignore[union-attr]
        raise error

    ids: list[str] = []
    caught: list[BaseException] = []

    async def main() -> None:
        operation = domain.start_operation("W", "w", work)
        waits: list[Callable[[], Any]] = [
            lambda: operation,
            lambda: domain.execute_with_progress(work()),
            lambda: domain.execute_with_progress(work(), lambda _: None),
        ]
        for wait in waits:
            try:
                async with asyncio.timeout(20):
                    await wait()
            except BaseException as raised:  # noqa: BLE001
                caught.append(raised)

    asyncio.run(main())
    assert [id(raised) for raised in caught] == [id(error)] * 3
    for operation_id in ids:
        record = OperationsService().get(operation_id)
        assert record.status == "failed"
        assert record.error is not None
        assert words in record.error["message"]
        assert len(json.dumps(record.error)) < 300_000
        assert OperationsService().events(operation_id)[-1].data["status"] == "failed"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_program_ends_its_operation_first(
    domain: Domain, kind: type[BaseException]
) -> None:
    stop = kind(3)
    ids: list[str] = []

    async def work() -> None:
        ids.append(current_operation().id)  # type: ignore[union-attr]
        raise stop

    async def managed() -> None:
        await domain.start_operation("W", "w", work)

    async def executed() -> None:
        await domain.execute_with_progress(work(), lambda _: None)

    for main in (managed, executed):
        with pytest.raises(kind) as caught:
            asyncio.run(main())
        assert caught.value is stop
    assert [OperationsService().get(known).status for known in ids] == ["failed", "failed"]


def test_a_record_tells_the_notes_the_members_and_a_code_of_ones_own(domain: Domain) -> None:
    async def fail(error: Exception) -> dict[str, Any]:
        async def work() -> None:
            raise error

        operation = domain.start_operation("W", "w", work)
        with pytest.raises(type(error)):
            await operation
        found = OperationsService().get(operation.id).error
        assert found is not None
        return found

    async def main() -> None:
        group = ExceptionGroup("two", [ValueError("a"), KeyError("b")])
        group.add_note("while reading")
        told = await fail(group)
        assert told["context"]["notes"] == ["while reading"]
        assert told["context"]["exceptions"] == ["ValueError: a", "KeyError: 'b'"]
        told = await fail(Coded("no", context={"at": 5}))
        assert told["code"] == "operation_failed"
        assert told["context"]["code"] == "mine"
        assert told["context"]["at"] == 5
        told = await fail(errors.NoDataError("none"))
        assert (told["code"], told["message"], told["context"]) == ("no_data", "none", {})

    asyncio.run(main())


def test_what_work_raises_of_cancels_elsewhere_is_what_its_caller_gets(domain: Domain) -> None:
    class Mine(errors.OperationCancelledError):
        pass

    error = Mine("that other one was cancelled")

    async def work() -> None:
        raise error

    async def main() -> None:
        operation = domain.start_operation("W", "w", work)
        with pytest.raises(Mine) as caught:
            await operation
        assert caught.value is error
        assert operation.status == "cancelled"
        with pytest.raises(Mine) as caught:
            await domain.execute_with_progress(work())
        assert caught.value is error

    asyncio.run(main())


def test_a_thread_that_waits_gets_the_very_exception(domain: Domain) -> None:
    error = ValueError("so it is")
    caught: list[BaseException] = []

    async def work() -> None:
        raise error

    async def main() -> None:
        operation = domain.start_operation("W", "w", work)

        def wait() -> None:
            try:
                operation.result(20)
            except BaseException as raised:  # noqa: BLE001
                caught.append(raised)

        thread = threading.Thread(target=wait)
        thread.start()
        await asyncio.to_thread(thread.join)

    asyncio.run(main())
    assert caught == [error]


def test_each_await_of_a_failure_has_a_traceback_of_its_own(domain: Domain) -> None:
    async def work() -> None:
        try:
            raise KeyError("inner")
        except KeyError:
            raise ValueError("outer") from None

    async def main() -> None:
        operation = domain.start_operation("W", "w", work)
        lengths: list[int] = []
        contexts: list[Any] = []
        for _ in range(200):
            try:
                await operation
            except ValueError as error:
                lengths.append(len(traceback.extract_tb(error.__traceback__)))
                contexts.append((type(error.__context__), error.__cause__))
        assert set(contexts) == {(KeyError, None)}
        assert len(set(lengths)) == 1
        assert lengths[0] < 12
        try:
            raise RuntimeError("the asker's own")
        except RuntimeError:
            with pytest.raises(ValueError, match="outer") as caught:
                await operation
        assert isinstance(caught.value.__context__, KeyError)
        with pytest.raises(ValueError, match="outer") as caught:
            await domain.execute_with_progress(operation)
        assert "in work" in "".join(traceback.format_exception(caught.value))

    asyncio.run(main())


def test_errors_that_take_no_note_pass_the_error_context(
    domain: Domain, caplog: pytest.LogCaptureFixture
) -> None:
    class Silent:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    async def main() -> None:
        for name, (make, _) in FAILURES.items():
            error = make()
            if not isinstance(error, Exception) or name in ("a generator's exit",):
                continue

            async def work(error: Exception = error) -> None:
                raise error

            with pytest.raises(BaseException) as caught:  # noqa: PT011
                await domain.with_error_handling(work(), "saving", {"what": Silent()})
            assert caught.value is error
            assert (await domain_health(error))["status"] == "unhealthy"

    async def domain_health(error: Exception) -> dict[str, Any]:
        class Sick(Domain):
            def _initialize_adapter(self) -> Any:
                raise error

        return await Sick().health_check()

    asyncio.run(main())
    assert "saving" in caplog.text


# ---- values, contexts, metrics, words


class Colour(enum.Enum):
    RED = "red"
    ODD = object()


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Point:
    x: int
    y: Any


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no words")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


class BadList(list[Any]):
    def __getitem__(self, _: Any) -> Any:
        raise RuntimeError("no items")

    def __iter__(self) -> Any:
        raise SystemExit(3)


NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SOME_ID = uuid.uuid4()

PLAIN: list[tuple[Any, Any]] = [
    (np.int64(3), 3),
    (np.uint8(3), 3),
    (np.float32(0.5), 0.5),
    (np.float64(0.5), 0.5),
    (np.longdouble(0.5), 0.5),
    (np.bool_(True), True),
    (np.str_("a"), "a"),
    (np.array([1, 2]), [1, 2]),
    (np.array([[1.5], [np.nan]]), [[1.5], ["NaN"]]),
    (np.array(5), 5),
    (np.array([Path("x"), None]), ["x", None]),
    (np.datetime64("2026-01-02T12:00:00"), "2026-01-02T12:00:00"),
    (np.array(["2026-01-02", "NaT"], "datetime64[ns]"), ["2026-01-02T00:00:00", None]),
    (np.timedelta64(1500, "ms"), 1.5),
    (pd.Timestamp(NOON), "2026-01-02T12:00:00+00:00"),
    (pd.Timedelta(seconds=2), 2.0),
    (pd.NaT, None),
    (pd.NA, None),
    (pd.Series([1, 2]), [1, 2]),
    (pd.Series([NOON]), ["2026-01-02T12:00:00+00:00"]),
    (pd.Index(["a"]), ["a"]),
    (pd.DataFrame({"a": [1, 2]}), {"a": [1, 2]}),
    (NOON, "2026-01-02T12:00:00+00:00"),
    (date(2026, 1, 2), "2026-01-02"),
    (time(12, 30), "12:30:00"),
    (timedelta(seconds=1.5), 1.5),
    (Path("a") / "b\udce9", "a/b\\udce9"),
    (Decimal("1.10"), "1.10"),
    (Decimal("NaN"), "NaN"),
    (Fraction(1, 3), "1/3"),
    (1 + 2j, "(1+2j)"),
    (SOME_ID, str(SOME_ID)),
    (Colour.RED, "red"),
    (Colour.ODD, "ODD"),
    (Level.HIGH, 3),
    (float("nan"), "NaN"),
    (float("inf"), "Infinity"),
    (-np.inf, "-Infinity"),
    (2**64 - 1, 2**64 - 1),
    (2**64, str(2**64)),
    (-(2**63) - 1, str(-(2**63) - 1)),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"a"}), ["a"]),
    (range(3), [0, 1, 2]),
    (deque([1, Path("x")]), [1, "x"]),
    ({"a": 1}.values(), [1]),
    (b"caf\xe9", "caf\\xe9"),
    (bytearray(b"a"), "a"),
    (memoryview(b"a"), "a"),
    (Point(1, np.int8(2)), {"x": 1, "y": 2}),
    (OrderedDict(a=NOON), {"a": "2026-01-02T12:00:00+00:00"}),
    (MappingProxyType({"a": 1}), {"a": 1}),
    ({1: "a", None: "b", 1.5: "c", False: "d"}, {"1": "a", "null": "b", "1.5": "c", "false": "d"}),
    ({("AAPL", "1h"): 1, Colour.RED: 2, np.int64(7): 3}, {'["AAPL", "1h"]': 1, "red": 2, "7": 3}),
    ("caf\udce9", "caf\\udce9"),
    ({"k\udce9": 1}, {"k\\udce9": 1}),
    (ProgressState(percentage=50.0), None),
]
#: No plain form: in words, or only a part of it.
WORDED: list[tuple[Any, str]] = [
    (object(), "object"),
    (Silent(), "Silent"),
    (ValueError("x"), "ValueError: x"),
    (Path, "Path"),
    (print, "print"),
    (circle(), "…"),
    (deep(), "…"),
    (BadList([1]), "BadList"),
    (10**5000, "0x"),
    (np.zeros((1000, 1000)), "1000 x 1000"),
    (pd.DataFrame(np.zeros((1000, 1000))), "1000 x 1000"),
    ([np.int64(1)] * 200_000, "1"),
    ((n for n in range(3)), "generator"),
    (threading.Lock(), "lock"),
]


def ids_of(pairs: list[tuple[Any, Any]]) -> list[str]:
    return [f"{type(value).__name__}-{number}" for number, (value, _) in enumerate(pairs)]


@pytest.mark.parametrize(("value", "kept"), PLAIN, ids=ids_of(PLAIN))
def test_what_has_a_plain_form_is_kept_in_that_form(domain: Domain, value: Any, kept: Any) -> None:
    seen: list[ProgressState] = []

    async def work(argument: Any) -> Any:
        here = current_operation()
        assert here is not None
        domain.update_operation_progress(1, "half", context={"told": value})
        here.add_metric({"told": value})
        return argument

    async def main() -> None:
        operation = domain.start_operation(
            "W", "w", work, value, context={"given": value}, progress_callback=seen.append
        )
        assert await operation is value
        record = OperationsService().get(operation.id)
        assert record.status == "completed"
        metric = OperationsService().metrics(operation.id).metrics[0]["told"]
        context = record.progress.context
        if kept is None and isinstance(value, ProgressState):
            assert metric["percentage"] == 50
            return
        assert record.result == metric == context["told"] == context["given"] == kept
        assert record.parameters == {"argument": kept}

    asyncio.run(main())


@pytest.mark.parametrize(("value", "words"), WORDED, ids=ids_of(WORDED))
def test_what_has_none_is_described_and_changes_no_success(
    domain: Domain, value: Any, words: str
) -> None:
    async def work(argument: Any) -> Any:
        domain.update_operation_progress(1, context={"told": argument})
        current_operation().add_metric({"told": value})  # type: ignore[union-attr]
        return {"value": argument}

    async def main() -> None:
        operation = domain.start_operation("W", "w", work, value, context={"given": value})
        assert (await operation)["value"] is value
        alone = domain.start_operation("W", "w", asyncio.sleep, 0, result=value)
        assert await alone is value
        assert await domain.execute_with_progress(work(value), context={"given": value})
        record = OperationsService().get(operation.id)
        assert record.status == "completed"
        facts = record.progress.context
        # Where the first of them takes all the room, the mark of what was left out stands for the other.
        assert words in str(facts["given"])
        assert words in str(facts.get("told") or facts["…"])
        assert words in str(record.result["value"])
        assert len(json.dumps(record.result)) < 2_000_000
        kept = OperationsService().get(alone.id).result
        assert kept is None or isinstance(kept, dict | list)

    asyncio.run(main())


def test_progress_by_calls_takes_any_context() -> None:
    seen: list[ProgressState] = []
    manager = GenericProgressManager(callback=seen.append)
    for value, kept in PLAIN[:-1]:
        manager.start_operation("w", 2, context={"given": value})
        manager.update_progress(1, context={"told": value})
        assert seen[-1].context == {"given": kept, "told": kept}
    manager.update_progress(1, context=MappingProxyType({"told": Silent()}))
    assert "Silent" in seen[-1].context["told"]
    state = ProgressState(context={"at": NOON}).replace(context={"at": np.int64(5)})
    assert state.context == {"at": 5}
    with pytest.raises(errors.InvalidArgumentError, match="context"):
        manager.update_progress(1, context=5)  # type: ignore[arg-type]


def test_words_of_work_may_be_no_utf8(domain: Domain) -> None:
    name, shown = "caf\udce9", "caf\\udce9"
    manager = GenericProgressManager()
    manager.start_operation(name, 2)
    manager.start_step(name, 1)
    manager.update_step_progress(1, 2, detail=name)
    state = manager.current_state
    assert state is not None
    assert (state.operation_id, state.step_name) == (shown, shown)
    assert state.detail == f"{shown}: {shown}"
    assert ProgressState(message=name).message == shown
    told = asyncio.Event()

    async def work() -> None:
        here = current_operation()
        assert here is not None
        domain.update_operation_progress(1, name)
        here.add_warning(name)
        here.add_log(name)
        told.set()
        await asyncio.Event().wait()

    async def main() -> None:
        operation = domain.start_operation(name, "w", work)
        await told.wait()
        assert operation.progress.detail == shown
        assert operation.cancel(name)
        with pytest.raises(errors.OperationCancelledError, match="caf"):
            await operation
        record = OperationsService().get(operation.id)
        assert (record.name, record.warnings) == (shown, [shown])
        assert record.reason is not None
        assert record.reason.text == shown
        kinds = {event.kind: event.data for event in OperationsService().events(operation.id)}
        assert kinds["log"]["message"] == kinds["warning"]["message"] == shown

    asyncio.run(main())


# ---- values


@pytest.mark.parametrize("value", [None, 0, False, "", [], {}])
def test_what_is_plain_is_answered_to_who_asks_later_without_a_handle(
    value: Any, domain: Domain
) -> None:
    times: list[int] = []

    async def work() -> Any:
        times.append(1)
        return value

    async def main(known: str) -> None:
        await domain.start_operation("W", "w", work, operation_id=known)
        gc.collect()
        assert await domain.start_operation("W", "w", work, operation_id=known) == value
        handle = OperationsService().handle(known)
        assert handle is not None
        assert await handle == value
        assert times == [1]

    asyncio.run(main(f"own-{uuid.uuid4()}"))


def test_work_in_its_callers_task_leaves_its_value_with_the_caller(domain: Domain) -> None:
    async def work() -> str:
        here = current_operation()
        assert here is not None
        known.append(here.id)
        return "mine"

    known: list[str] = []
    assert asyncio.run(domain.execute_with_progress(work())) == "mine"
    handle = OperationsService().handle(known[0])
    assert handle is not None
    with pytest.raises(errors.ConflictError, match="was not kept"):
        handle.result(10)
