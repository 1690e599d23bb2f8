"""Work written in Python under the orchestrator: progress, handles, records."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import CancellationToken, Operation, ProgressState, errors
from ktrdr_core.operations import OperationsService
from ktrdr_core.orchestrator import current_operation
from ktrdr_core.progress import ProgressRenderer
from ktrdr_core.testing import until_running
from orchestrated import Domain, sleep_for_ever

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def domain() -> Domain:
    return Domain()


# ---- execute_with_progress


def test_work_is_awaited_as_an_operation(domain: Domain) -> None:
    seen: list[ProgressState] = []

    async def work() -> str:
        here = current_operation()
        assert here is not None
        for step in range(1, 4):
            domain.update_operation_progress(step, f"Doing {step}", items_processed=step * 10)
            await asyncio.sleep(0)
        return here.id

    async def main() -> str:
        return await domain.execute_with_progress(
            work(), seen.append, operation_name="My Work", total_steps=3, context={"symbol": "AAPL"}
        )

    operation_id = asyncio.run(main())
    assert operation_id.startswith("op_my_work_")
    assert seen[-1].percentage == 100
    assert seen[-1].items_processed == 30
    assert seen[-1].total_steps == 3
    assert seen[-1].context == {"symbol": "AAPL"}
    assert {state.operation_id for state in seen} == {operation_id}
    record = OperationsService().get(operation_id)
    assert (record.status, record.name) == ("completed", "My Work")
    assert current_operation() is None


def test_any_awaitable_will_do(domain: Domain) -> None:
    class Awaitable:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return 3

    async def one() -> int:
        return 1

    async def main() -> list[int]:
        future = asyncio.get_running_loop().create_future()
        future.set_result(4)
        return [
            await domain.execute_with_progress(one()),
            await domain.execute_with_progress(asyncio.create_task(one())) + 1,
            await domain.execute_with_progress(Awaitable()),
            await domain.execute_with_progress(future),
        ]

    assert asyncio.run(main()) == [1, 2, 3, 4]


def test_what_the_work_raises_comes_out_and_is_recorded(domain: Domain) -> None:
    async def work() -> None:
        ids.append(current_operation().id)  # type: ignore[union-attr]
        raise KeyError("no such thing")

    ids: list[str] = []

    async def main() -> None:
        with pytest.raises(KeyError, match="no such thing"):
            await domain.execute_with_progress(work())

    asyncio.run(main())
    record = OperationsService().get(ids[0])
    assert record.status == "failed"
    assert record.error is not None
    assert record.error["code"] == "operation_failed"
    assert record.error["message"] == "KeyError: 'no such thing'"
    assert record.error["context"] == {"type": "KeyError"}


def test_a_timeout_interrupts_the_work(domain: Domain) -> None:
    async def main() -> float:
        began = time.monotonic()
        with pytest.raises(errors.OperationTimeoutError):
            await domain.execute_with_progress(sleep_for_ever(), timeout=0.05)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return time.monotonic() - began

    assert 0.04 < asyncio.run(main()) < 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": -1.0}, "timeout must be positive, not -1 s"),
        ({"timeout": float("nan")}, "timeout must be positive, not nan s"),
        ({"total_steps": -1}, "total_steps"),
        ({"context": 5}, "context"),
        ({"operation_name": 5}, "operation_name must be str"),
        ({"operation_name": ["no", "hash"]}, "operation_name must be str"),
        ({"progress_callback": sleep_for_ever}, "coroutine function"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_bad_arguments_are_named_and_nothing_runs(
    domain: Domain, options: dict[str, Any], words: str
) -> None:
    ran: list[bool] = []

    async def work() -> None:
        ran.append(True)

    async def main() -> None:
        with pytest.raises(errors.InvalidArgumentError, match=words):
            await domain.execute_with_progress(work(), **options)

    asyncio.run(main())
    gc.collect()
    assert not ran


def test_a_function_in_place_of_an_awaitable_is_named(domain: Domain) -> None:
    async def main() -> None:
        with pytest.raises(errors.InvalidArgumentError, match="operation must be an awaitable"):
            await domain.execute_with_progress(sleep_for_ever)  # type: ignore[arg-type]
        with pytest.raises(errors.InvalidArgumentError, match="cancellation_token"):
            await domain.execute_with_cancellation(sleep_for_ever(), "stop")  # type: ignore[arg-type]

    asyncio.run(main())


# ---- operations of their own


def test_a_managed_operation_is_known_by_its_id(domain: Domain) -> None:
    async def work(count: int, *, word: str) -> dict[str, Any]:
        here = current_operation()
        assert here is not None
        here.add_metric({"count": count})
        here.add_warning("careful")
        here.add_log(word)
        return {"word": word * count}

    async def main() -> None:
        service = OperationsService()
        operation_id = await domain.start_managed_operation("Words", "words", work, 2, word="ab")
        operation = service.handle(operation_id)
        assert operation is not None
        assert await operation == {"word": "abab"}
        record = service.get(operation_id)
        assert record.parameters == {"count": 2, "word": "ab"}
        assert record.result == {"word": "abab"}
        assert record.warnings == ["careful"]
        assert service.metrics(operation_id).metrics[0]["count"] == 2
        kinds = [event.kind for event in service.events(operation_id)]
        assert kinds[0] == kinds[-1] == "state"
        assert {"metric", "warning", "log"} < set(kinds)

    asyncio.run(main())


def test_a_handle_gives_the_value_itself_and_what_the_work_raised(domain: Domain) -> None:
    value = object()

    async def work() -> object:
        return value

    async def broken() -> None:
        raise ZeroDivisionError("so it is")

    async def main() -> None:
        assert await domain.start_operation("A", "a", work) is value
        with pytest.raises(ZeroDivisionError, match="so it is"):
            await domain.start_operation("B", "b", broken)
        ended = domain.start_operation("C", "c", work)
        await ended
        kept = OperationsService().handle(ended.id)
        assert kept is not None
        assert await kept is value

    asyncio.run(main())


def test_the_same_id_with_the_same_request_is_the_same_operation(domain: Domain) -> None:
    runs: list[int] = []

    async def work(number: int) -> int:
        runs.append(number)
        await asyncio.sleep(0.01)
        return number

    async def main() -> None:
        first = domain.start_operation("W", "w", work, 1, operation_id="mine-1")
        again = domain.start_operation("W", "w", work, 1, operation_id="mine-1")
        assert (await first, await again) == (1, 1)
        with pytest.raises(errors.ConflictError, match="mine-1"):
            domain.start_operation("W", "w", work, 2, operation_id="mine-1")
        with pytest.raises(errors.InvalidArgumentError, match="id"):
            domain.start_operation("W", "w", work, 2, operation_id="not mine")

    asyncio.run(main())
    assert runs == [1]


def test_work_that_awaits_its_own_operation_is_told_so(domain: Domain) -> None:
    async def found() -> None:
        handle = OperationsService().handle(current_operation().id)  # type: ignore[union-attr]
        assert handle is not None
        await handle

    async def started_again() -> None:
        await domain.start_operation("W", "w", started_again, operation_id="myself")

    async def executed() -> None:
        handle = OperationsService().handle(current_operation().id)  # type: ignore[union-attr]
        assert handle is not None
        await domain.execute_with_progress(handle)

    async def main() -> None:
        for work, own in ((found, ""), (started_again, "myself"), (executed, "")):
            operation = domain.start_operation("W", "w", work, operation_id=own)
            with pytest.raises(errors.ConflictError, match="wait for its own end"):
                await asyncio.wait_for(operation, 30)
            assert operation.status == "failed"

    asyncio.run(main())


def test_children_are_cancelled_with_their_parent(domain: Domain) -> None:
    children: list[Operation[None]] = []
    begun = asyncio.Event()

    async def parent() -> None:
        children.extend(domain.start_operation("Child", "child", sleep_for_ever) for _ in range(3))
        begun.set()
        await asyncio.gather(*children)

    async def main() -> None:
        operation = domain.start_operation("Parent", "parent", parent)
        await begun.wait()
        records = OperationsService().list(parent_id=operation.id).records
        assert {record.id for record in records} == {child.id for child in children}
        operation.cancel("all of it")
        with pytest.raises(errors.OperationCancelledError, match="all of it"):
            await operation
        for child in children:
            with pytest.raises(errors.OperationCancelledError):
                await child

    asyncio.run(main())


class Foreign:
    """A token of others."""

    def is_cancelled(self) -> bool:
        return False


@pytest.mark.parametrize("made", [CancellationToken, Foreign])
@pytest.mark.parametrize("named", [False, True], ids=["that runs here", "by its id"])
def test_a_child_with_a_token_of_its_own_is_cancelled_with_its_parent_too(
    domain: Domain, made: Callable[[], Any], named: bool
) -> None:
    async def main() -> None:
        children: list[Operation[None]] = []
        token = made()

        def start(parent_id: str = "") -> None:
            children.append(
                domain.start_operation(
                    "Child", "child", sleep_for_ever, cancellation_token=token, parent_id=parent_id
                )
            )

        async def parent() -> None:
            if not named:
                start()
            await sleep_for_ever()

        operation = domain.start_operation("Parent", "parent", parent)
        await until_running(operation)
        if named:
            start(operation.id)
        await until_running(children[0])
        operation.cancel("all of it")
        with pytest.raises(errors.OperationCancelledError, match="all of it"):
            await children[0]
        assert not token.is_cancelled()
        record = OperationsService().get(children[0].id)
        assert record.reason is not None
        assert (record.parent_id, record.reason.code) == (operation.id, "parent")

    asyncio.run(main())


def test_a_parent_that_does_not_run_is_refused_whatever_token_is_given(domain: Domain) -> None:
    async def main() -> None:
        for token in (None, CancellationToken()):
            with pytest.raises(errors.NotFoundError, match="nobody"):
                domain.start_operation(
                    "C", "c", sleep_for_ever, parent_id="nobody", cancellation_token=token
                )

    asyncio.run(main())


def test_operations_at_once_see_only_their_own(domain: Domain) -> None:
    async def work(number: int) -> tuple[str, int]:
        for step in range(1, 6):
            domain.update_operation_progress(step, f"work {number}")
            await asyncio.sleep(0)
        here = current_operation()
        token = domain.get_current_cancellation_token()
        assert here is not None
        assert token is not None
        assert not token.is_cancelled()
        return here.id, number

    async def main() -> None:
        operations = [
            domain.start_operation("W", "w", work, number, total_steps=5) for number in range(50)
        ]
        for number, operation in enumerate(operations):
            assert await operation == (operation.id, number)
            assert operation.progress.detail == f"work {number}"
            assert operation.progress.percentage == 100

    asyncio.run(main())


@pytest.mark.parametrize("reached", [0, 1, 4, 5, 9])
def test_work_that_is_done_has_done_all_its_steps_in_its_words_too(
    reached: int, domain: Domain
) -> None:
    async def work() -> None:
        domain.update_operation_progress(reached, "Reading")

    async def main() -> None:
        running = domain.start_operation("W", "w", work, total_steps=5)
        await running
        last = OperationsService().get(running.id).progress
        assert (last.current_step, last.step_current, last.message) == (5, 5, "Reading [5/5]")

    asyncio.run(main())


def test_a_script_may_run_an_operation_without_a_loop(domain: Domain) -> None:
    async def work(number: int) -> int:
        return number

    assert domain.run_sync_operation("W", "w", work, 7, timeout=5) == 7
    with pytest.raises(RuntimeError, match="run_sync_operation"):
        domain.start_operation("W", "w", work, 7)

    async def main() -> None:
        with pytest.raises(RuntimeError, match="await"):
            domain.run_sync_operation("W", "w", work, 7)

    asyncio.run(main())


def test_a_renderer_of_the_domain_speaks_everywhere(domain: Domain) -> None:
    class Words(ProgressRenderer):
        def render_message(self, state: ProgressState) -> str:
            return f"{state.detail}, {state.percentage:.0f} of 100"

    domain.progress_renderer = Words()
    seen: list[ProgressState] = []

    async def work() -> None:
        domain.update_operation_progress(1, "half way")
        await asyncio.sleep(0.15)

    async def main() -> None:
        operation = domain.start_operation(
            "W", "w", work, total_steps=2, progress_callback=seen.append
        )
        states = [state.message async for state in operation.events()]
        await operation
        assert "half way, 50 of 100" in states
        assert operation.progress.message == "half way, 100 of 100"

    asyncio.run(main())
    assert "half way, 50 of 100" in [state.message for state in seen]


def test_the_end_of_a_loop_cancels_what_runs_on_it(domain: Domain) -> None:
    async def main() -> Operation[None]:
        operation = domain.start_operation("W", "w", sleep_for_ever)
        await until_running(operation)
        return operation

    assert asyncio.run(main()).status == "cancelled"
    loop = asyncio.new_event_loop()
    closed = loop.run_until_complete(main())
    loop.close()
    del loop
    gc.collect()
    assert closed.status == "cancelled"
    with pytest.raises(errors.OperationCancelledError):
        closed.result()


def test_leaving_the_orchestrator_stops_what_it_started(domain: Domain) -> None:
    async def main() -> None:
        async with domain:
            operation = domain.start_operation("W", "w", sleep_for_ever)
            await asyncio.sleep(0)
        assert operation.status == "cancelled"

    asyncio.run(main())


def test_leaving_stops_what_was_started_on_any_thread(domain: Domain) -> None:
    threads, each = 6, 150
    operations: list[Operation[None]] = []
    together = threading.Barrier(threads)
    over = threading.Event()

    async def start() -> None:
        together.wait(60)
        for _ in range(each):
            # Those that end make it forget now and then, which must lose none that runs.
            await domain.start_operation("W", "w", asyncio.sleep, 0)
            operations.append(domain.start_operation("W", "w", sleep_for_ever))
        started.release()
        await asyncio.to_thread(over.wait, 60)

    started = threading.Semaphore(0)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    running = [threading.Thread(target=lambda: asyncio.run(start())) for _ in range(threads)]
    try:
        for thread in running:
            thread.start()
        for _ in running:
            assert started.acquire(timeout=60)
    finally:
        sys.setswitchinterval(before)
    domain.close()
    left = [operation.status for operation in operations if not operation.token.is_cancelled()]
    over.set()
    for thread in running:
        thread.join(60)
    assert left == []
