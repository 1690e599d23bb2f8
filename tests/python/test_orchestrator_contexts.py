"""Where the operation that runs is known, and where it is not."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from ktrdr_core.operations import OperationsService
from ktrdr_core.orchestrator import current_operation
from orchestrated import Domain, sleep_for_ever


@pytest.fixture
def domain() -> Domain:
    return Domain()


def test_work_that_outlives_its_operation_starts_its_own_without_a_parent(domain: Domain) -> None:
    async def child() -> str:
        return OperationsService().get(current_operation().id).parent_id  # type: ignore[union-attr]

    async def serve(jobs: asyncio.Queue[asyncio.Future[Any]]) -> None:
        while True:
            done = await jobs.get()
            try:
                parent = await domain.start_operation("Child", "child", child)
                done.set_result(
                    (parent, current_operation(), await domain.execute_with_progress(child()))
                )
            except BaseException as error:
                done.set_exception(error)
                raise

    async def main(ends: str) -> None:
        jobs: asyncio.Queue[asyncio.Future[Any]] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        later: asyncio.Future[Any] = loop.create_future()
        servers: list[asyncio.Task[None]] = []
        go = asyncio.Event()

        def call() -> None:
            later.set_result((current_operation(), domain.get_current_cancellation_token()))

        async def work() -> None:
            servers.append(asyncio.create_task(serve(jobs)))
            inside = contextvars.copy_context()
            timers.append(lambda: inside.run(call))
            go.set()
            if ends == "cancelled":
                await sleep_for_ever()
            if ends == "failed":
                raise ValueError("over")

        timers: list[Any] = []
        operation = domain.start_operation("W", "w", work)
        await go.wait()
        if ends == "cancelled":
            operation.cancel()
        await asyncio.gather(operation, return_exceptions=True)
        assert operation.status == ends
        asked = loop.create_future()
        jobs.put_nowait(asked)
        assert await asked == ("", None, "")
        timers[0]()
        assert await later == (None, None)
        servers[0].cancel()
        await asyncio.wait(servers)

    for ends in ("completed", "failed", "cancelled"):
        asyncio.run(main(ends))


def test_an_operation_can_be_carried_to_where_no_context_goes(domain: Domain) -> None:
    def step(number: int) -> str:
        domain.update_operation_progress(number, f"in a thread {number}")
        here = current_operation()
        assert here is not None
        token = domain.get_current_cancellation_token()
        assert token is not None
        return here.id

    async def work() -> list[str]:
        here = current_operation()
        assert here is not None
        loop = asyncio.get_running_loop()
        carried = here.context()
        found = [await loop.run_in_executor(None, carried.run, step, 1)]
        found.append(await loop.run_in_executor(None, contextvars.copy_context().run, step, 2))
        found.extend(
            await asyncio.gather(
                *(loop.run_in_executor(None, carried.run, step, 3) for _ in range(20))
            )
        )

        def plain() -> None:
            assert current_operation() is None
            with carried as inside, carried:
                assert inside.id == here.id
                found.append(step(4))
            assert current_operation() is None

        thread = threading.Thread(target=plain)
        thread.start()
        await asyncio.to_thread(thread.join)
        return found

    async def main() -> None:
        operation = domain.start_operation("W", "w", work, total_steps=4)
        found = await operation
        assert set(found) == {operation.id}
        assert len(found) == 23
        assert operation.progress.detail == "in a thread 4"
        with operation.context() as here:
            assert here.id == operation.id
            assert current_operation() is None  # It has ended.

    asyncio.run(main())


def test_progress_where_no_operation_runs_is_warned_of_once() -> None:
    domain = Domain()
    with pytest.warns(RuntimeWarning, match=r"no operation runs.*context\(\)") as caught:
        domain.update_operation_progress(1, "nobody hears")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    domain.update_operation_progress(2, "which is known by now")
