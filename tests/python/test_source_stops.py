"""Nothing hangs on a source that is written in Python: cancelling, and answers that never come."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from child import child
from ktrdr_core import BarSource, CancellationToken, DataManager, errors
from ktrdr_core.data import SourceLimits
from ramp_source import MONTH, AsyncRamp, Ramp, load

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_thread_of_a_call_is_left")


# ---- cancelling


@pytest.mark.parametrize("step", ["validate_symbol", "first_timestamp", "fetch"])
def test_a_cancel_reaches_the_task_of_an_async_method(step: str, tmp_path: Path) -> None:
    async def main() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        class Endless(AsyncRamp):
            pass

        async def endless(*_: Any) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        source = Endless()
        setattr(source, step, endless)
        async with DataManager(tmp_path, source=source, env={}) as data:
            operation = data.load_data("AAPL", "1d", **MONTH)
            await asyncio.wait_for(begun.wait(), 30)
            operation.cancel("enough")
            with pytest.raises(errors.OperationCancelledError, match="enough"):
                await asyncio.wait_for(operation, 30)
            await asyncio.wait_for(ended.wait(), 30)
            setattr(source, step, getattr(AsyncRamp(), step))
            assert len(await data.load_data("AAPL", "1d", **MONTH)) == 31

    asyncio.run(main())


def test_a_plain_method_asks_its_token(tmp_path: Path) -> None:
    begun, seen = threading.Event(), threading.Event()

    class Patient(Ramp):
        def fetch(
            self,
            symbol: str,
            timeframe: str,
            start: datetime,
            end: datetime,
            *,
            cancellation_token: CancellationToken | None = None,
        ) -> Any:
            assert cancellation_token is not None
            begun.set()
            if cancellation_token.wait_for(60):
                seen.set()
            cancellation_token.check("waiting for the vendor")

    with DataManager(tmp_path, source=Patient(), env={}) as data:
        operation = data.load_data("AAPL", "1d", **MONTH)
        assert begun.wait(30)
        operation.cancel("enough")
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            operation.result(30)
        assert seen.wait(30)


def test_a_cancel_does_not_wait_for_a_method_that_never_ends(tmp_path: Path) -> None:
    begun, let_go = threading.Event(), threading.Event()

    class Deaf(Ramp):
        def fetch(self, *_: Any) -> Any:
            begun.set()
            let_go.wait(60)

    try:
        with DataManager(tmp_path, source=Deaf(), env={}) as data:
            operation = data.load_data("AAPL", "1d", **MONTH)
            assert begun.wait(30)
            operation.cancel("enough")
            with pytest.raises(errors.OperationCancelledError):
                operation.result(30)
    finally:
        let_go.set()


def test_one_that_waits_for_its_turn_can_be_cancelled(tmp_path: Path) -> None:
    begun, let_go = threading.Event(), threading.Event()

    class Narrow(Ramp):
        def describe(self, timeframe: str) -> SourceLimits:
            return SourceLimits(max_in_flight=1)

        def fetch(self, *question: Any) -> Any:
            begun.set()
            let_go.wait(60)
            return super().fetch(*question)

    with DataManager(tmp_path, source=Narrow(), env={}) as data:
        first = data.load_data("AAPL", "1d", **MONTH)
        assert begun.wait(30)
        second = data.load_data("MSFT", "1d", **MONTH)
        second.cancel("enough")
        with pytest.raises(errors.OperationCancelledError):
            second.result(30)
        let_go.set()
        assert len(first.result(30)) == 31


def test_the_end_of_the_interpreter_does_not_wait_for_it(tmp_path: Path) -> None:
    program = """
import sys, threading
from ktrdr_core import BarSource, DataManager
class Deaf(BarSource):
    provider = "deaf"
    def fetch(self, *_):
        print("begun", flush=True)
        threading.Event().wait()
data = DataManager(sys.argv[1], source=Deaf(), env={})
operation = data.load_data("AAPL", "1d", "2024-01-01", "2024-01-31", mode="full")
sys.stdin.readline()
"""
    import subprocess
    import sys

    with child(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        _, said = process.communicate("\n", timeout=30)
        assert (process.returncode, said) == (0, "")


# ---- answers that never come


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_question_that_is_never_answered_ends_after_its_patience(
    kind: str, tmp_path: Path
) -> None:
    let_go = threading.Event()

    class Silent(Ramp):
        answer_within = 0.2

        def fetch(self, *_: Any) -> Any:
            let_go.wait(60)

    class AsyncSilent(AsyncRamp):
        answer_within = 0.2

        async def fetch(self, *_: Any) -> Any:
            await asyncio.Event().wait()

    try:
        with pytest.raises(errors.ServiceTimeoutError, match=r"no answer within 0\.2 s"):
            load(Silent() if kind == "plain" else AsyncSilent(), tmp_path)
    finally:
        let_go.set()


def test_a_loop_that_is_closed_before_is_an_error(tmp_path: Path) -> None:
    async def make() -> BarSource:
        return AsyncRamp()

    source = asyncio.run(make())
    with pytest.raises(
        errors.ServiceConnectionError, match="loop on which the source was made is closed"
    ):
        load(source, tmp_path)


def test_a_loop_that_is_closed_in_the_middle_is_an_error(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    begun = asyncio.Event()
    asked: list[datetime] = []

    class Endless(BarSource):
        provider = "endless"

        async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            asked.append(start)
            begun.set()
            await asyncio.Event().wait()

    async def make() -> BarSource:
        return Endless()

    source = loop.run_until_complete(make())
    with DataManager(tmp_path, source=source, env={}) as data:
        operation = data.load_data("AAPL", "1d", **MONTH)
        loop.run_until_complete(asyncio.wait_for(begun.wait(), 30))
        close_under_tasks(loop)
        # No smaller question follows, whose end would be told in place of this one's.
        with pytest.raises(errors.ServiceConnectionError, match="that it ran on was closed"):
            operation.result(30)
        assert not operation.warnings
    assert len(asked) == 1


def test_a_load_is_told_that_its_loop_was_closed_before_what_follows_from_it(
    tmp_path: Path,
) -> None:
    """One question hangs on the loop, and another is asked when it is closed already."""
    loop = asyncio.new_event_loop()
    begun, closed = asyncio.Event(), threading.Event()
    numbers = count()

    class Half(Ramp):
        def describe(self, timeframe: str) -> SourceLimits:
            return SourceLimits(timedelta(days=5), 2)

        def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            if next(numbers) == 1:
                assert closed.wait(30)
                return super().fetch(symbol, timeframe, start, end)
            return self.hang()

        async def hang(self) -> None:
            begun.set()
            await asyncio.Event().wait()

    async def make() -> BarSource:
        return Half()

    source = loop.run_until_complete(make())
    with DataManager(tmp_path, source=source, env={}) as data:
        operation = data.load_data("AAPL", "1d", **MONTH)
        loop.run_until_complete(asyncio.wait_for(begun.wait(), 30))
        close_under_tasks(loop)
        closed.set()
        said = ""
        try:
            operation.result(30)
        except errors.KtrdrError as error:
            said = error.message
        # With the bars of the other question it is a warning, else the error.
        said += "\n".join(operation.warnings)
    assert "the event loop that it ran on was closed" in said
    assert "on which the source was made is closed" not in said


def close_under_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop whose one task does not end."""
    (task,) = asyncio.all_tasks(loop)
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()


def test_a_loop_that_stands_still_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ktrdr_core.data.asking._STANDSTILL", 0.1)
    loop = asyncio.new_event_loop()

    async def make() -> BarSource:
        return AsyncRamp()

    source = loop.run_until_complete(make())
    with pytest.raises(errors.ServiceConnectionError, match="does not run: await the load on it"):
        load(source, tmp_path)
    # The question that it was given before comes to nothing now.
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.mark.parametrize("ends", [SystemExit, KeyboardInterrupt, None])
def test_a_question_that_ends_the_loop_in_a_thread_is_the_last_that_fails(
    ends: type[BaseException] | None, tmp_path: Path
) -> None:
    class Ending(AsyncRamp):
        ends = True

        async def fetch(self, *question: Any) -> Any:
            if self.ends and ends is not None:
                raise ends("enough")
            if self.ends:
                asyncio.get_running_loop().stop()
                await asyncio.Event().wait()
            return await super().fetch(*question)

    source = Ending()
    with DataManager(tmp_path, source=source, env={}) as data:
        with pytest.raises(errors.HostServiceError):
            data.load_data("AAPL", "1d", **MONTH).result(60)
        source.ends = False
        assert len(data.load_data("AAPL", "1d", **MONTH).result(60)) == 31


def test_in_the_main_thread_an_exit_ends_its_loop_as_from_any_task(tmp_path: Path) -> None:
    async def main() -> None:
        class Exiting(BarSource):
            provider = "ramp"

            async def fetch(self, *question: Any) -> Any:
                raise SystemExit("a signal's")

        async with DataManager(tmp_path, source=Exiting(), env={}) as data:
            await data.load_data("AAPL", "1d", **MONTH)

    with pytest.raises(SystemExit, match="a signal's"):
        asyncio.run(main())


def test_a_loop_that_ends_takes_its_tasks_along(tmp_path: Path) -> None:
    data = DataManager(tmp_path, env={}, source=AsyncRamp())

    async def main() -> Any:
        class Endless(AsyncRamp):
            async def fetch(self, *_: Any) -> Any:
                begun.set()
                await asyncio.Event().wait()

        begun = asyncio.Event()
        endless = DataManager(tmp_path / "other", env={}, source=Endless())
        operation = endless.load_data("AAPL", "1d", **MONTH)
        await asyncio.wait_for(begun.wait(), 30)
        return endless, operation

    endless, operation = asyncio.run(main())
    with pytest.raises(errors.ServiceConnectionError, match=r"fetch.*cancelled, as those of"):
        operation.result(30)
    endless.close()
    assert len(data.load_data("AAPL", "1d", **MONTH).result(30)) == 31
    data.close()


def test_a_fork_says_that_its_threads_do_not_exist_and_the_parent_goes_on(tmp_path: Path) -> None:
    """In a process of its own: what is asked when a source's process forks."""
    program = """
import os, sys
from ktrdr_core import BarSource, DataManager, errors
import numpy as np
class Forking(BarSource):
    provider = "forking"
    def fetch(self, symbol, timeframe, start, end):
        child = os.fork()
        if child == 0:
            try:
                data.load_data("MSFT", "1d", "2024-01-01", "2024-01-31", mode="full")
            except errors.ShutDownError as error:
                os._exit(7 if "fork" in str(error) else 1)
            os._exit(2)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        days = np.arange(start.date(), end.date(), dtype="datetime64[D]")
        price = np.arange(float(len(days)))
        return {"timestamp": days, "open": price, "high": price, "low": price, "close": price}
with DataManager(sys.argv[1], source=Forking(), env={}) as data:
    print(len(data.load_data("AAPL", "1d", "2024-01-01", "2024-01-31", mode="full").result(30)))
    if os.fork() == 0:
        del data
        os._exit(0)
    os.wait()
"""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "31\n", "")
