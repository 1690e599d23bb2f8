"""News on its way to event loops: which loops, whose threads, and what is left behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import selectors
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import uvloop

import held
import soak
from child import child
from ktrdr_core import (
    DataManager,
    Operation,
    OperationsService,
    _bridge,
    _core,
    current_operation,
    errors,
)
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.testing import Domain, until_running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class CountingSelector(selectors.DefaultSelector):
    """Counts how often its loop wakes up."""

    def __init__(self) -> None:
        super().__init__()
        self.wakes = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.wakes += 1
        return super().select(timeout)


class WithoutReaders(asyncio.SelectorEventLoop):
    """A loop that cannot watch descriptors, as the one of Windows."""

    def add_reader(self, *_: Any) -> Any:  # type: ignore[override]
        raise NotImplementedError


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
    "without add_reader": WithoutReaders,
}


@pytest.fixture(params=LOOPS)
def new_loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    return LOOPS[request.param]


@pytest.fixture
def domain() -> Domain:
    return Domain()


async def sleep_for_ever() -> None:
    await asyncio.Event().wait()


async def running_for_ever(domain: Domain) -> Operation[None]:
    operation = domain.start_operation("W", "w", sleep_for_ever)
    await until_running(operation)
    return operation


def join_notifiers() -> None:
    """Wait for the threads of loops that are closed: until it ends, one holds its loop."""
    for thread in threading.enumerate():
        if "ktrdr_core" in thread.name:
            thread.join()


def descriptors() -> int:
    join_notifiers()
    gc.collect()
    return held.descriptors()


# ---- every kind of loop


def test_progress_end_and_cancel_reach_every_kind_of_loop(
    new_loop: Callable[[], asyncio.AbstractEventLoop], domain: Domain
) -> None:
    async def work() -> str:
        for step in range(1, 4):
            domain.update_operation_progress(step, f"Step {step}")
            await asyncio.sleep(0)
        return "value"

    async def main() -> None:
        operation = domain.start_operation("Work", "work", work, total_steps=3)
        states = [state async for state in operation.events()]
        assert states[-1].percentage == 100
        assert await operation == "value"
        endless = domain.start_operation("Endless", "endless", sleep_for_ever)
        threading.Timer(0.01, endless.cancel, ["from a thread"]).start()
        with pytest.raises(errors.OperationCancelledError, match="from a thread"):
            await endless

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


def test_a_loop_that_is_closed_ends_what_ran_on_it(
    new_loop: Callable[[], asyncio.AbstractEventLoop], domain: Domain, tmp_path: Path
) -> None:
    loop = new_loop()
    left = loop.run_until_complete(running_for_ever(domain))
    assert left.status == "running"
    loop.close()

    # The loop object is still held: nothing but its close can have told.
    async def elsewhere() -> None:
        with pytest.raises(errors.OperationCancelledError, match="loop that it ran on was closed"):
            await asyncio.wait_for(left, 10)

    asyncio.run(elsewhere())
    assert left.status == "cancelled"
    with (
        pytest.warns(RuntimeWarning, match="never awaited"),
        pytest.raises(RuntimeError, match="closed"),
    ):
        loop.run_until_complete(left._wait())


def test_work_that_never_began_ends_with_its_loop(
    new_loop: Callable[[], asyncio.AbstractEventLoop], domain: Domain
) -> None:
    async def begin() -> Operation[None]:
        return domain.start_operation("W", "w", sleep_for_ever)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        left = runner.run(begin())
    assert left.status == "cancelled"
    with pytest.raises(errors.OperationCancelledError):
        left.result(10)
    loop = new_loop()
    closed = loop.run_until_complete(begin())
    loop.close()
    with pytest.raises(errors.OperationCancelledError, match="loop that it ran on was closed"):
        closed.result(10)


def test_work_of_a_closed_loop_is_let_go_of_at_once(
    new_loop: Callable[[], asyncio.AbstractEventLoop], domain: Domain
) -> None:
    before = held.native_objects()
    loop = new_loop()
    closed = loop.run_until_complete(running_for_ever(domain))
    loop.close()
    with pytest.raises(errors.OperationCancelledError, match="loop that it ran on was closed"):
        closed.result(10)
    del closed, loop
    join_notifiers()
    # The first collection ends the task's coroutine, and nothing that it leaves needs a second one.
    gc.collect()
    assert not _core.wait_for_live(before, held.limit)


def test_many_loops_one_after_the_other_leave_no_descriptor(
    new_loop: Callable[[], asyncio.AbstractEventLoop], domain: Domain
) -> None:
    async def main() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(domain.start_operation("W", "w", sleep_for_ever), 0.001)
        await domain.execute_with_progress(asyncio.sleep(0), progress_callback=lambda _: None)

    def one() -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())

    one()
    before = descriptors()
    for _ in range(50):
        one()
    assert descriptors() <= before


def test_debug_mode_finds_nothing(domain: Domain) -> None:
    script = """
import asyncio
from ktrdr_core import ServiceOrchestrator, CancellationToken
class Domain(ServiceOrchestrator):
    def _get_service_name(self): return "Domain"
    def _get_env_var_prefix(self): return "DOMAIN"
async def work(domain):
    for step in range(1, 100):
        domain.update_operation_progress(step)
        await asyncio.sleep(0)
async def main():
    # How long anything takes is a matter of the machine.
    asyncio.get_running_loop().slow_callback_duration = 60
    domain = Domain()
    operations = [domain.start_operation("W", "w", work, domain, total_steps=99) for _ in range(20)]
    states = [state async for state in operations[0].events()]
    await asyncio.gather(*operations)
    stopped = domain.start_operation("W", "w", asyncio.Event().wait)
    token = CancellationToken()
    registration = token.on_cancel(lambda reason: stopped.cancel(reason.text))
    asyncio.get_running_loop().call_later(0.01, token.cancel, "enough")
    try:
        await stopped
    except BaseException as error:
        assert "enough" in str(error), error
asyncio.run(main(), debug=True)
"""
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


# ---- bursts


def test_a_thousand_ends_are_one_wake_up(domain: Domain) -> None:
    from ktrdr_core import _core

    selector = CountingSelector()

    async def main() -> None:
        post = _bridge.loop_post()
        heard: list[str] = []
        all_heard = asyncio.Event()

        def hear(kind: str, _: Any) -> None:
            heard.append(kind)
            if len(heard) == 1000:
                all_heard.set()

        natives = []
        for _ in range(1000):
            native, _ = _core.create_operation(_core.OperationSpec({"type": "burst"}))
            native.start()
            native.listen(post.mailbox, post.add(hear), False)
            natives.append(native)
        await asyncio.sleep(0.01)
        before = selector.wakes

        def end_all() -> None:
            for native in natives:
                native.succeed(None)

        thread = threading.Thread(target=end_all)
        thread.start()
        thread.join()  # the loop stands still meanwhile, so the burst is whole
        await all_heard.wait()
        # One for the mailbox; the loop goes round once more for the waiter, and once per slice of 5 ms.
        assert selector.wakes - before <= 6
        assert heard == ["finished"] * 1000

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(main())


# ---- callbacks that raise


def test_a_done_callback_that_raises_is_told_once_and_keeps_nothing_from_the_others(
    domain: Domain,
) -> None:
    told: list[dict[str, Any]] = []
    heard: list[str] = []

    def broken(_: Operation[None]) -> None:
        raise ValueError("in the callback")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        operation = domain.start_operation("W", "w", asyncio.sleep, 0)
        operation.add_done_callback(broken)
        operation.add_done_callback(lambda ended: heard.append(ended.status))
        await operation
        await domain.start_operation("W", "w", asyncio.sleep, 0)

    asyncio.run(main())
    assert heard == ["completed"]
    (context,) = told
    assert "done callback" in context["message"]
    assert str(context["exception"]) == "in the callback"


def test_done_callbacks_without_a_loop_run_inside_result(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def broken(_: object) -> None:
        raise ValueError("in the callback")

    with DataManager(tmp_path, env={}) as data:
        operation = data.load_data("AAPL", "1d")
        operation.add_done_callback(broken)
        operation.add_done_callback(lambda ended: heard.append(ended.status))
        operation.result(10)
    assert heard == ["completed"]
    assert "done callback" in caplog.text


# ---- cancelling and completing at once


def test_a_cancel_and_an_end_at_the_same_time_give_one_of_the_two(domain: Domain) -> None:
    chance = random.Random(1)

    async def work(delay: float) -> str:
        await asyncio.sleep(delay)
        return "value"

    async def main() -> dict[str, int]:
        counts = {"completed": 0, "cancelled": 0}
        for _ in range(soak.count(200, 1500)):
            operation = domain.start_operation("Race", "race", work, chance.random() * 0.002)
            thread = threading.Timer(chance.random() * 0.002, operation.cancel)
            thread.start()
            try:
                assert await operation == "value"
                counts["completed"] += 1
                assert operation.status == "completed"
            except errors.OperationCancelledError:
                counts["cancelled"] += 1
                assert operation.status == "cancelled"
            thread.join()
            final = operation.status
            operation.cancel("late")
            assert operation.status == final
        current = asyncio.current_task()
        assert current is not None
        assert current.cancelling() == 0
        return counts

    counts = asyncio.run(main())
    assert min(counts.values()) > 0, counts


def test_a_native_operation_in_the_same_race(tmp_path: Path) -> None:
    chance = random.Random(2)

    async def main() -> set[str]:
        seen = set()
        with DataManager(tmp_path, env={}) as data:
            for _ in range(soak.count(200, 1500)):
                operation = data.load_data("AAPL", "1d")
                thread = threading.Timer(chance.random() * 0.001, operation.cancel)
                thread.start()
                with suppress(errors.OperationCancelledError):
                    await operation
                seen.add(operation.status)
                thread.join()
        return seen

    assert asyncio.run(main()) <= {"completed", "cancelled"}


# ---- asyncio's own tools


async def nobody_is_cancelling() -> None:
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


def test_wait_for_and_timeout_cancel_the_operation(domain: Domain) -> None:
    async def main() -> None:
        first = domain.start_operation("W", "w", sleep_for_ever)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(first, 0.01)
        assert first.status == "cancelled"
        second = domain.start_operation("W", "w", sleep_for_ever)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await second
        assert second.status == "cancelled"
        await nobody_is_cancelling()

    asyncio.run(main())


def test_the_reason_of_a_cancelled_await_is_told_without_a_circle(domain: Domain) -> None:
    async def main() -> BaseException:
        operation = domain.start_operation("W", "w", sleep_for_ever)

        async def wait() -> None:
            await operation

        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(0.01)
        waiting.cancel()
        try:
            await waiting
        except asyncio.CancelledError as error:
            return error
        raise AssertionError("not cancelled")

    chain: list[BaseException] = []
    error: BaseException | None = asyncio.run(main())
    while error is not None:
        assert error not in chain
        chain.append(error)
        error = error.__context__
    assert any(isinstance(error, errors.OperationCancelledError) for error in chain)


def test_a_task_group_stops_operations_when_one_of_its_tasks_fails(domain: Domain) -> None:
    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise ValueError("one of them")

    async def main() -> None:
        operation = domain.start_operation("W", "w", sleep_for_ever)

        async def wait() -> None:
            await operation

        async def both() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(wait())
                group.create_task(fail())

        with pytest.raises(ExceptionGroup) as caught:
            await both()
        assert [str(error) for error in caught.value.exceptions] == ["one of them"]
        assert operation.status == "cancelled"

    asyncio.run(main())


def test_shield_keeps_the_operation_going(domain: Domain) -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def work() -> str:
            await gate.wait()
            return "value"

        operation = domain.start_operation("W", "w", work)

        async def wait() -> str:
            return await operation

        inner = asyncio.ensure_future(wait())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(inner), 0.01)
        assert operation.status == "running"
        gate.set()
        assert await inner == "value"
        await nobody_is_cancelling()

    asyncio.run(main())


def test_gather_and_as_completed_take_operations(domain: Domain) -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(0.01 * number)
        return number

    async def main() -> None:
        started = [domain.start_operation("W", "w", work, number) for number in (3, 1, 2)]
        assert await asyncio.gather(*started) == [3, 1, 2]
        more = [domain.start_operation("W", "w", work, number) for number in (3, 1, 2)]
        assert [await done for done in asyncio.as_completed(more)] == [1, 2, 3]
        await nobody_is_cancelling()

    asyncio.run(main())


def test_anyio_does_not_spin_while_slow_work_stops(domain: Domain) -> None:
    selector = CountingSelector()

    async def slow_to_stop() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.3)
            raise

    async def main() -> None:
        operation = domain.start_operation("W", "w", slow_to_stop)
        await until_running(operation)
        before = selector.wakes
        with anyio.move_on_after(0.01) as scope:
            await operation
        assert scope.cancelled_caught
        assert operation.status == "cancelled"
        # Not shielded, anyio would cancel the awaiting task again in every round of the loop.
        assert selector.wakes - before < 50
        await nobody_is_cancelling()

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(main())


# ---- several loops and threads


def test_an_operation_is_awaited_from_other_loops_than_its_own(domain: Domain) -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def work() -> str:
            await gate.wait()
            return "value"

        operation = domain.start_operation("W", "w", work)
        loop = asyncio.get_running_loop()

        async def elsewhere() -> str:
            loop.call_soon_threadsafe(gate.set)
            return await operation

        others = [asyncio.to_thread(lambda: asyncio.run(elsewhere())) for _ in range(3)]
        blocked = asyncio.to_thread(operation.result, 10)
        assert await asyncio.gather(*others, blocked, operation) == ["value"] * 5

    asyncio.run(main())


def test_two_hundred_operations_from_loops_and_threads_keep_apart(domain: Domain) -> None:
    service = OperationsService()
    problems: list[str] = []

    async def work(mark: int, total: int) -> int:
        here = current_operation()
        assert here is not None
        for step in range(1, total + 1):
            domain.update_operation_progress(step, f"{mark}")
            here.add_metric({"mark": mark, "step": step})
            await asyncio.sleep(0)
        return mark

    def look(operation: Operation[int], mark: int, total: int, last: Any) -> None:
        events = service.events(operation.id, limit=10_000)
        if [event.seq for event in events] != list(range(1, len(events) + 1)):
            problems.append(f"{mark}: seq {[event.seq for event in events]}")
        told = [event.data["mark"] for event in events if event.kind == "metric"]
        if told != [mark] * total:
            problems.append(f"{mark}: metrics of {set(told)}")
        if (last.percentage, last.message.split(" ")[0]) != (100, f"{mark}"):
            problems.append(f"{mark}: last {last.percentage} {last.message}")
        if events[-1].kind != "state" or events[-1].data["status"] != "completed":
            problems.append(f"{mark}: ends with {events[-1]}")

    async def one(mark: int) -> None:
        seen: list[Any] = []
        total = 5 + mark % 7
        operation = domain.start_operation(
            "Many", "many", work, mark, total, total_steps=total, progress_callback=seen.append
        )
        if await operation != mark:
            problems.append(f"{mark}: another's value")
        look(operation, mark, total, seen[-1])

    async def loop_main(first: int) -> None:
        await asyncio.gather(*(one(mark) for mark in range(first, first + 34)))

    def plain(first: int) -> None:
        for mark in range(first, first + 8):
            total = 5 + mark % 7
            seen: list[Any] = []
            value = domain.run_sync_operation(
                "Many", "many", work, mark, total, total_steps=total, progress_callback=seen.append
            )
            if value != mark or seen[-1].percentage != 100:
                problems.append(f"{mark}: {value} {seen[-1]}")

    jobs = [lambda first=first: asyncio.run(loop_main(first)) for first in range(0, 136, 34)]
    jobs += [lambda first=first: plain(first) for first in range(136, 200, 8)]
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


# ---- operations that nobody awaits


def test_operations_that_nobody_awaits_cost_nothing_in_the_end(domain: Domain) -> None:
    from ktrdr_core import _core

    records: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "unseen " in (message := record.getMessage()):
                records.append(message)

    async def work(number: int, words: str) -> None:
        if number % 10 == 0:
            raise ValueError(f"{words} {number}")

    async def some(count: int, words: str) -> None:
        for number in range(count):
            domain.start_operation("Lost", "lost", work, number, words)
            if number % 100 == 99:
                await asyncio.sleep(0.002)
        await asyncio.sleep(0.05)
        gc.collect()

    handler = Keep()
    logger = logging.getLogger("ktrdr_core")
    logger.addHandler(handler)
    try:
        total = soak.count(3000, 10_000)
        asyncio.run(some(2000, "warming up"))  # the newest 1000 stay in memory, by design
        before = held.resident()
        asyncio.run(some(total, "unseen"))
        _bridge.forward_logs()
        grown = held.resident() - before
    finally:
        logger.removeHandler(handler)
    assert len(records) == total // 10
    assert len(set(records)) == total // 10
    assert grown < 4 << 20 or held.SANITIZED, f"{grown} bytes"
    assert _core.list_operations([], "lost", "", True, 1, 0, None)[1] == 0


# ---- Ctrl-C

INTERRUPTED = """
import asyncio, sys
from ktrdr_core import DataManager, ServiceOrchestrator
class Domain(ServiceOrchestrator):
    def _get_service_name(self): return "Domain"
    def _get_env_var_prefix(self): return "DOMAIN"
async def work(refusals):
    print("running", flush=True)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("stopping", flush=True)
            if not refusals:
                raise
            refusals -= 1
domain, way, refusals, url = Domain(), sys.argv[1], int(sys.argv[2]), sys.argv[3]
operation = None
async def main():
    global operation
    operation = domain.start_operation("Work", "work", work, refusals)
    await operation
try:
    if way == "run":
        asyncio.run(main())
    elif way == "sync":
        domain.run_sync_operation("Work", "work", work, refusals)
    else:
        with DataManager(sys.argv[4], url, env={}) as data:
            operation = data.load_data("AAPL", "1d", "2000-01-01", "2001-01-01", mode="full")
            print("running", flush=True)
            operation.result()
except KeyboardInterrupt:
    print("interrupted", operation.status if operation else "", flush=True)
    sys.exit(130)
"""


def interrupt(way: str, refusals: int, times: int, url: str, folder: Path) -> str:
    """What the script says after so many Ctrl-C, each sent when it said something."""
    command = [sys.executable, "-c", INTERRUPTED, way, str(refusals), url, str(folder)]
    with child(command) as process:
        assert process.stdout is not None
        for _ in range(times):
            assert process.stdout.readline() in {"running\n", "stopping\n"}
            process.send_signal(signal.SIGINT)
        said = process.stdout.read()
        assert process.wait(30) == 130
    return said


def test_ctrl_c_stops_the_work_and_then_raises(tmp_path: Path) -> None:
    with HostProcess(delay=0, gate=True) as host:
        assert interrupt("run", 0, 1, host.url, tmp_path) == "stopping\ninterrupted cancelled\n"
        assert interrupt("sync", 0, 1, host.url, tmp_path) == "stopping\ninterrupted \n"
        assert interrupt("result", 0, 1, host.url, tmp_path) == "interrupted cancelled\n"


def test_a_second_ctrl_c_reaches_work_that_ignored_the_first(tmp_path: Path) -> None:
    said = interrupt("run", 1, 2, "", tmp_path)
    # It is interrupted where it waits, or, if it has not yet come so far, where it runs.
    assert said in {"stopping\ninterrupted cancelled\n", "interrupted cancelled\n"}
