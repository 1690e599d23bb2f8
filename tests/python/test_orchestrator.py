"""Work written in Python under the orchestrator: progress, cancellation, records, retries."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ktrdr_core import CancellationToken, Operation, ProgressState, errors
from ktrdr_core.operations import OperationsService
from ktrdr_core.orchestrator import ServiceOrchestrator, current_operation
from ktrdr_core.progress import ProgressRenderer
from ktrdr_core.testing import until_running


class Domain(ServiceOrchestrator):
    """As a user writes one: the hooks, no ``super().__init__()``."""

    def __init__(self, **env: str) -> None:
        self._env = env

    def _initialize_adapter(self) -> Any:
        return object()

    def _get_service_name(self) -> str:
        return "Domain"

    def _get_default_host_url(self) -> str:
        return "http://localhost:5009"

    def _get_env_var_prefix(self) -> str:
        return "DOMAIN"


@pytest.fixture
def domain() -> Domain:
    return Domain()


async def sleep_for_ever() -> None:
    await asyncio.Event().wait()


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
        ({"timeout": -1.0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
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


# ---- cancellation


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


# ---- retry and resume


def test_a_registered_operation_can_be_retried(domain: Domain) -> None:
    tries: list[int] = []

    async def work(number: int) -> int:
        tries.append(number)
        if len(tries) == 1:
            raise ConnectionError("gone")
        return number

    async def main() -> None:
        service = OperationsService()
        domain.register_operation("trying", work)
        first = domain.start_operation("Trying", "trying", work, number=5)
        with pytest.raises(ConnectionError):
            await first
        again = service.retry(first.id)
        assert again.id != first.id
        assert await again == 5
        with pytest.raises(errors.ConflictError, match="only an interrupted one"):
            service.resume(first.id)

    asyncio.run(main())
    with pytest.raises(errors.InvalidArgumentError, match="async function"):
        domain.register_operation("bad", lambda: None)  # type: ignore[arg-type, return-value]


def test_arguments_of_a_registered_operation_are_plain_json(domain: Domain) -> None:
    async def work(where: Any) -> None: ...

    async def main() -> None:
        domain.register_operation("json", work)
        with pytest.raises(errors.InvalidArgumentError, match="where"):
            domain.start_operation("J", "json", work, Path("."))
        with pytest.raises(errors.InvalidArgumentError, match="cannot be called so"):
            domain.start_operation("J", "json", work, 1, 2)  # type: ignore[call-arg,arg-type]

    asyncio.run(main())


def test_retries_wait_and_end_with_the_last_error(domain: Domain) -> None:
    tries: list[float] = []

    async def flaky() -> str:
        tries.append(time.monotonic())
        if len(tries) < 3:
            raise errors.ServiceConnectionError("refused")
        return "there"

    async def work() -> str:
        return await domain.retry_with_backoff(
            flaky, base_delay=0.01, jitter=0.0, operation_name="call"
        )

    async def main() -> None:
        operation = domain.start_operation("W", "w", work)
        assert await operation == "there"
        assert operation.warnings[0].startswith("call: try 1 of 3 failed (refused)")

    asyncio.run(main())
    assert len(tries) == 3
    assert tries[2] - tries[1] >= 0.019


@pytest.mark.parametrize("error", [ValueError("no"), errors.NoDataError("none")])
def test_what_does_not_pass_is_not_retried(domain: Domain, error: Exception) -> None:
    tries: list[bool] = []

    async def work() -> None:
        tries.append(True)
        raise error

    async def main() -> None:
        with pytest.raises(type(error)):
            await domain.retry_with_backoff(work, base_delay=0.001)

    asyncio.run(main())
    assert len(tries) == 1


def test_a_cancel_ends_the_wait_between_two_tries(domain: Domain) -> None:
    async def work() -> None:
        raise ConnectionError("gone")

    async def main() -> float:
        token = CancellationToken()
        asyncio.get_running_loop().call_later(0.02, token.cancel)
        began = time.monotonic()
        with pytest.raises(errors.OperationCancelledError, match="waiting for the next try"):
            await domain.retry_with_backoff(
                work, base_delay=30, cancellation_token=token, operation_name="call"
            )
        return time.monotonic() - began

    assert asyncio.run(main()) < 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_attempts": 0}, "max_attempts"),
        ({"base_delay": -1.0}, "base_delay"),
        ({"base_delay": 2.0, "max_delay": 1.0}, "max_delay"),
        ({"multiplier": 0.5}, "multiplier"),
        ({"jitter": 1.5}, "jitter"),
    ],
)
def test_numbers_of_a_retry_are_named(domain: Domain, options: dict[str, Any], words: str) -> None:
    async def main() -> None:
        with pytest.raises(errors.InvalidArgumentError, match=words):
            await domain.retry_with_backoff(sleep_for_ever, **options)

    asyncio.run(main())


# ---- errors and configuration


def test_errors_say_what_was_being_done(domain: Domain, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise errors.StorageError("full", context={"file": "x"})

    async def main() -> None:
        with caplog.at_level(logging.ERROR), pytest.raises(errors.StorageError) as caught:
            await domain.with_error_handling(work(), "saving", {"symbol": "AAPL", "file": "y"})
        assert caught.value.context == {"file": "x", "symbol": "AAPL"}
        assert "while: saving (Domain" in caught.value.__notes__[0]

    asyncio.run(main())
    assert "saving" in caplog.text


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({}, None),
        ({"DOMAIN_HOST_SERVICE_URL": "http://other:1"}, "http://other:1"),
        ({"DOMAIN_HOST_SERVICE_URL": ""}, None),
        ({"USE_DOMAIN_HOST_SERVICE": "off", "DOMAIN_HOST_SERVICE_URL": "http://other:1"}, None),
        ({"USE_DOMAIN_HOST_SERVICE": "yes"}, "http://localhost:5009"),
        (
            {"USE_DOMAIN_HOST_SERVICE": "1", "DOMAIN_HOST_SERVICE_URL": "http://other:1"},
            "http://other:1",
        ),
    ],
)
def test_the_environment_decides_where_the_work_is_done(
    env: dict[str, str], url: str | None
) -> None:
    domain = Domain(**env)
    assert domain.get_host_service_url() == url
    assert domain.is_using_host_service() == (url is not None)
    assert domain.get_configuration_info()["host_service_url"] == url
    assert domain.validate_configuration() == {"valid": True, "issues": []}


def test_an_argument_wins_over_the_environment() -> None:
    class Routed(Domain):
        def __init__(self, **options: Any) -> None:
            ServiceOrchestrator.__init__(self, **options)

    env = {"USE_DOMAIN_HOST_SERVICE": "true"}
    assert not Routed(use_host_service=False, env=env).is_using_host_service()
    assert (
        Routed(host_service_url="http://mine:2", env={}).get_host_service_url() == "http://mine:2"
    )


def test_a_variable_that_cannot_be_read_is_named() -> None:
    domain = Domain(USE_DOMAIN_HOST_SERVICE="perhaps")
    with pytest.raises(errors.ConfigurationError, match="USE_DOMAIN_HOST_SERVICE"):
        domain.is_using_host_service()
    found = domain.validate_configuration()
    assert not found["valid"]
    assert "USE_DOMAIN_HOST_SERVICE" in found["issues"][0]
    assert asyncio.run(domain.health_check())["status"] == "unhealthy"


def test_health_asks_the_adapter() -> None:
    class Adapter:
        async def check_health(self) -> dict[str, bool]:
            return {"ok": True}

    class Slow:
        async def check_health(self) -> None:
            await sleep_for_ever()

    class Checked(Domain):
        what: Any = Adapter

        def _initialize_adapter(self) -> Any:
            return self.what()

    healthy = asyncio.run(Checked().health_check())
    assert (healthy["status"], healthy["mode"], healthy["details"]) == (
        "healthy",
        "local",
        {"ok": True},
    )
    slow = Checked()
    slow.what = Slow
    unhealthy = asyncio.run(slow.health_check(timeout=0.02))
    assert unhealthy["status"] == "unhealthy"
    assert "0.02" in unhealthy["error"]


def test_a_hook_that_is_missing_is_named() -> None:
    class Empty(ServiceOrchestrator):
        pass

    with pytest.raises(NotImplementedError, match="Empty must define _get_service_name"):
        Empty().get_configuration_info()


# ---- failures that nobody looks at


def test_a_failure_that_nobody_looks_at_is_logged_once(
    domain: Domain, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> None:
        raise ValueError("unseen")

    async def main() -> None:
        await domain.start_managed_operation("W", "w", broken)
        await asyncio.sleep(0.05)
        gc.collect()
        await asyncio.sleep(0.05)

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
        gc.collect()
        from ktrdr_core import _bridge

        _bridge.forward_logs()
    assert len([record for record in caplog.records if "unseen" in record.getMessage()]) == 1


def test_work_that_is_cancelled_before_the_store_took_it_is_closed(tmp_path: Path) -> None:
    # In a process of its own: the store stays its default.
    script = """
import asyncio, gc, sys
from ktrdr_core import OperationsService, ServiceOrchestrator
class Domain(ServiceOrchestrator):
    def _get_service_name(self): return "Domain"
    def _get_env_var_prefix(self): return "DOMAIN"
async def main():
    OperationsService(sys.argv[1])
    for _ in range(20):
        operation = Domain().start_operation("W", "w", asyncio.Event().wait)
        await asyncio.sleep(0)
        operation.cancel()
        await asyncio.gather(operation, return_exceptions=True)
        assert operation.status == "cancelled"
asyncio.run(main())
gc.collect()
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script, str(tmp_path / "operations.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# ---- where a context does and does not go


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
