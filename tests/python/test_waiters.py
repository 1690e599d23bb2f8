"""Who waits for an operation, on whatever handle of it: one who gives up leaves it to the others; the last one cancels."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI

from ktrdr_core import CancellationToken, Operation, _core, errors
from ktrdr_core.fastapi import operations_router
from ktrdr_core.operations import OperationsService
from ktrdr_core.orchestrator import current_operation
from ktrdr_core.testing import Domain, until_running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Work:
    """An operation that goes on until it may end; nobody holds a handle of it."""

    def __init__(self) -> None:
        self.domain = Domain()
        self.go = asyncio.Event()
        self.id = f"waited-{uuid.uuid4()}"
        self.start()

    async def run(self) -> str:
        await self.go.wait()
        return "done"

    def start(self) -> Operation[str]:
        return self.domain.start_operation("W", "w", self.run, operation_id=self.id)

    def found(self) -> Operation[Any]:
        operation = OperationsService().handle(self.id)
        assert operation is not None
        return operation

    @property
    def status(self) -> str:
        return OperationsService().get(self.id).status


async def gives_up(waiting: Awaitable[Any]) -> None:
    """Wait until something is waited for, and give up."""
    task = asyncio.ensure_future(waiting)
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def waiters() -> int:
    """Count those who wait for anything."""
    return _core.live_objects().get("OperationWaiter", 0)


def awaited(work: Work) -> Awaitable[Any]:
    async def wait() -> Any:
        return await work.found()

    return wait()


def started_again(work: Work) -> Awaitable[Any]:
    async def wait() -> Any:
        return await work.start()

    return wait()


def executed(work: Work) -> Awaitable[Any]:
    return work.domain.execute_with_progress(work.found())


def in_a_thread(work: Work) -> Awaitable[Any]:
    handle = work.found()
    return asyncio.to_thread(handle.result, 30)


def on_another_loop(work: Work) -> Awaitable[Any]:
    async def wait(handle: Operation[Any]) -> Any:
        return await handle

    return asyncio.to_thread(lambda handle: asyncio.run(wait(handle)), work.found())


def followed(work: Work) -> Awaitable[Any]:
    async def wait() -> Any:
        events = [event async for event in OperationsService().follow(work.id)]
        assert events[-1].data["status"] == "completed"
        return "done"

    return wait()


def over_http(work: Work) -> Awaitable[Any]:
    app = FastAPI()
    app.include_router(operations_router())

    async def wait() -> Any:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            events = (await client.get(f"/operations/{work.id}/events", timeout=30)).text
        assert "completed" in events
        return "done"

    return wait()


WAYS: list[Callable[[Work], Awaitable[Any]]] = [
    *(awaited, started_again, executed, in_a_thread, on_another_loop, followed, over_http),
]


@pytest.mark.parametrize("other", WAYS)
@pytest.mark.parametrize("one", [awaited, started_again, executed])
def test_one_who_gives_up_leaves_the_operation_to_the_others(one: Any, other: Any) -> None:
    async def main() -> None:
        work = Work()
        before = waiters()
        waiting = asyncio.ensure_future(other(work))
        async with asyncio.timeout(30):
            while waiters() == before:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.005)
        await gives_up(one(work))
        assert work.status == "running"
        work.go.set()
        assert await waiting == "done"

    asyncio.run(main())


def test_the_last_to_leave_cancels_it() -> None:
    async def main() -> None:
        work = Work()
        first, second, third = work.found(), work.found(), work.found()
        await until_running(first)
        one, two = asyncio.ensure_future(first._wait()), asyncio.ensure_future(second._wait())
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.wait([one])
        assert first.status == "running"
        two.cancel()
        await asyncio.wait([two])
        assert first.status == "running"
        await gives_up(third._wait())
        assert first.status == "cancelled"

    asyncio.run(main())


def test_one_handle_awaited_twice_has_two_waiters() -> None:
    async def main() -> None:
        operation = Work().found()
        one, two = (asyncio.ensure_future(operation._wait()) for _ in range(2))
        await until_running(operation)
        one.cancel()
        await asyncio.wait([one])
        assert operation.status == "running"
        two.cancel()
        await asyncio.wait([two])
        assert operation.status == "cancelled"

    asyncio.run(main())


def test_one_who_holds_a_handle_is_left_the_operation_and_one_who_let_go_is_not() -> None:
    async def main() -> None:
        work = Work()
        mine, other = work.found(), work.found()
        await until_running(mine)
        await gives_up(mine._wait())
        assert other.status == "running"
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(other.result, 0.01)
        assert other.status == "running"
        del other
        gc.collect()
        await gives_up(mine._wait())
        assert mine.status == "cancelled"

    asyncio.run(main())


async def cancelled_task(operation: Operation[Any]) -> None:
    task = asyncio.create_task(operation)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def no_time_at_all(operation: Operation[Any]) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(operation, 0)


async def group_that_fails(operation: Operation[Any]) -> None:
    with pytest.raises(ExceptionGroup):  # noqa: PT012 - the group is what raises
        async with asyncio.TaskGroup() as group:
            group.create_task(operation)
            raise LookupError


async def cancelled_gathering(operation: Operation[Any]) -> None:
    gathering = asyncio.gather(operation, asyncio.sleep(60))
    gathering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathering


AT_ONCE: list[Callable[[Operation[Any]], Awaitable[None]]] = [
    *(cancelled_task, no_time_at_all, group_that_fails, cancelled_gathering),
]
at_once = pytest.mark.parametrize("give_up", AT_ONCE)


@at_once
def test_a_task_that_is_cancelled_before_its_first_step_gives_up_too(give_up: Any) -> None:
    async def main() -> None:
        work = Work()
        mine, other = work.found(), work.found()
        await until_running(mine)
        await give_up(mine)
        assert mine.status == "running", "somebody else holds it"
        del other
        gc.collect()
        await give_up(mine)
        async with asyncio.timeout(30):
            while mine.status == "cancelling":  # noqa: ASYNC110 - a gathering does not wait for all
                await asyncio.sleep(0.001)
        assert mine.status == "cancelled"
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    asyncio.run(main(), debug=True)


@at_once
def test_a_task_that_is_cancelled_before_its_first_step_is_so_for_one_that_has_ended_too(
    give_up: Any,
) -> None:
    async def main() -> None:
        work = Work()
        work.go.set()
        operation = work.found()
        assert await operation == "done"
        await give_up(operation)
        assert await operation == "done"

    asyncio.run(main(), debug=True)


def test_who_only_hears_of_it_is_no_waiter() -> None:
    async def main() -> None:
        work = Work()
        work.domain.start_operation(
            "W", "w", work.run, operation_id=work.id, progress_callback=lambda _: None
        )
        operation = work.found()
        states = operation.events()
        await anext(states)
        await gives_up(operation._wait())
        assert operation.status == "cancelled"
        async for _ in states:
            pass

    asyncio.run(main())


@pytest.mark.parametrize("ends", ["limit", "token"])
def test_a_callers_limit_and_token_are_its_own(ends: str) -> None:
    async def main() -> None:
        work = Work()
        other = asyncio.ensure_future(awaited(work))
        await until_running(work.found())

        async def call() -> None:
            if ends == "limit":
                await work.domain.execute_with_progress(work.found(), timeout=0.02)
            token = CancellationToken()
            asyncio.get_running_loop().call_later(0.02, token.cancel, "enough")
            await work.domain.execute_with_cancellation(work.found(), token)

        kind = errors.OperationTimeoutError if ends == "limit" else errors.OperationCancelledError
        with pytest.raises(kind, match="goes on for others"):
            await call()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        assert work.status == "running"
        gc.collect()  # What was raised holds the handle that was waited on.
        other.cancel()
        await asyncio.wait([other])
        assert work.status == "cancelled"

    asyncio.run(main())


def test_work_in_its_callers_own_task_has_that_caller_for_a_waiter() -> None:
    ids: list[str] = []

    async def main() -> None:
        go = asyncio.Event()

        async def run() -> str:
            ids.append(current_operation().id)  # type: ignore[union-attr]
            await go.wait()
            return "done"

        own = asyncio.ensure_future(Domain().execute_with_progress(run()))
        await asyncio.sleep(0.02)
        found = OperationsService().handle(ids[0])
        assert found is not None
        await gives_up(found._wait())
        go.set()
        assert await own == "done"

    asyncio.run(main())


def test_a_cancel_that_is_asked_for_asks_no_waiter() -> None:
    async def main() -> None:
        for cancel in (
            lambda work: work.found().cancel("enough"),
            lambda work: OperationsService().cancel(work.id, "enough"),
            lambda work: work.found().token.cancel("enough"),
        ):
            work = Work()
            others = [asyncio.ensure_future(way(work)) for way in (awaited, in_a_thread)]
            await until_running(work.found())
            cancel(work)
            for other in others:
                with pytest.raises(errors.OperationCancelledError, match="enough"):
                    await other

    asyncio.run(main())


def test_ctrl_c_in_a_blocking_wait_leaves_the_operation_to_the_others() -> None:
    async def serve(held: list[Work], ready: threading.Event) -> None:
        work = Work()
        operation = work.found()
        await until_running(operation)
        held.append(work)
        ready.set()
        with pytest.raises(errors.OperationCancelledError, match="over"):
            await operation

    held: list[Work] = []
    ready = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve(held, ready)))
    thread.start()
    assert ready.wait(30)
    mine = held[0].found()
    here = threading.main_thread().ident
    threading.Timer(0.05, lambda: signal.pthread_kill(here, signal.SIGINT)).start()  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        mine.result(30)
    assert mine.status == "running"
    mine.cancel("over")
    thread.join(30)
