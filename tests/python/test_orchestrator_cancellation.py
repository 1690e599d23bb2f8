"""Work under the orchestrator that is cancelled: by tokens, by its task, by a limit."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest

from ktrdr_core import CancellationToken, errors
from ktrdr_core.operations import OperationsService
from ktrdr_core.orchestrator import current_operation
from ktrdr_core.testing import until_running
from orchestrated import Domain, sleep_for_ever


@pytest.fixture
def domain() -> Domain:
    return Domain()


def test_a_token_interrupts_the_work_from_another_thread(domain: Domain) -> None:
    token = CancellationToken()
    cleaned: list[bool] = []

    async def work() -> None:
        try:
            await sleep_for_ever()
        finally:
            cleaned.append(True)

    async def main() -> None:
        threading.Timer(0.02, lambda: token.cancel("enough")).start()
        with pytest.raises(errors.OperationCancelledError, match="enough") as caught:
            await domain.execute_with_cancellation(work(), token, "work")
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    asyncio.run(main())
    assert cleaned == [True]


def test_a_token_that_is_cancelled_before_lets_nothing_run(domain: Domain) -> None:
    token = CancellationToken()
    token.cancel("long ago")

    async def work() -> None:
        pytest.fail("it ran")

    async def main() -> None:
        with pytest.raises(errors.OperationCancelledError, match="long ago"):
            await domain.execute_with_cancellation(work(), token)

    asyncio.run(main())


def test_a_foreign_token_interrupts_too(domain: Domain) -> None:
    class Foreign:
        cancelled = False

        def is_cancelled(self) -> bool:
            return self.cancelled

    foreign = Foreign()

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.02, setattr, foreign, "cancelled", True)
        with pytest.raises(errors.OperationCancelledError):
            await domain.execute_with_cancellation(sleep_for_ever(), foreign)

    asyncio.run(main())


def test_the_tasks_own_cancel_stays_a_cancelled_error(domain: Domain) -> None:
    ids: list[str] = []
    begun = asyncio.Event()

    async def work() -> None:
        ids.append(current_operation().id)  # type: ignore[union-attr]
        begun.set()
        await sleep_for_ever()

    async def main() -> None:
        task = asyncio.create_task(domain.execute_with_progress(work()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await domain.execute_with_progress(sleep_for_ever())

    asyncio.run(main())
    assert OperationsService().get(ids[0]).status == "cancelled"


def test_a_cancelled_operation_stays_cancelled_whatever_its_work_does(domain: Domain) -> None:
    async def stubborn() -> str:
        with suppress(asyncio.CancelledError):
            await sleep_for_ever()
        return "done all the same"

    async def cleaning_fails() -> None:
        try:
            await sleep_for_ever()
        finally:
            raise ValueError("while cleaning up")

    async def main() -> None:
        for work in (stubborn(), cleaning_fails()):
            token = CancellationToken()
            asyncio.get_running_loop().call_later(0.01, token.cancel)
            with pytest.raises(errors.OperationCancelledError):
                await domain.execute_with_cancellation(work, token)

    asyncio.run(main())


def test_nothing_is_kept_of_a_value_that_comes_after_the_cancel(domain: Domain) -> None:
    async def stubborn() -> dict[str, int]:
        with suppress(asyncio.CancelledError):
            await sleep_for_ever()
        return {"bars": 7}

    async def main() -> None:
        cancelled = domain.start_operation("S", "s", stubborn)
        await until_running(cancelled)
        cancelled.cancel("enough")
        late = domain.start_operation("S", "s", stubborn, timeout=0.01)
        for operation, status in ((cancelled, "cancelled"), (late, "timed_out")):
            with pytest.raises((errors.OperationCancelledError, errors.OperationTimeoutError)):
                await operation
            record = OperationsService().get(operation.id)
            assert (record.status, record.result) == (status, None)

    asyncio.run(main())


def test_an_operation_of_the_core_takes_a_limit_and_a_token(domain: Domain) -> None:
    async def main() -> None:
        operation = domain.start_operation("Sleep", "sleep", sleep_for_ever)
        with pytest.raises(errors.OperationTimeoutError):
            await domain.execute_with_progress(operation, timeout=0.02)
        assert operation.status == "timed_out"
        operation = domain.start_operation("Sleep", "sleep", sleep_for_ever)
        token = CancellationToken()
        asyncio.get_running_loop().call_later(0.01, token.cancel)
        with pytest.raises(errors.OperationCancelledError):
            await domain.execute_with_cancellation(operation, token)

    asyncio.run(main())
