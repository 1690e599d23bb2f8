"""Tokens in Python: callbacks, waits from any loop and thread, foreign tokens."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import time
from typing import Any

import pytest

from ktrdr_core import CancellationToken, _core, errors
from ktrdr_core.cancellation import CancellationSystem
from ktrdr_core.operations import Operation
from ktrdr_core.operations.foreign import as_token
from ktrdr_core.protocols import CancellationToken as TokenProtocol


def make_operation(
    token: _core.CancellationToken | None = None, operation_id: str = ""
) -> Operation[Any]:
    native, _ = _core.create_operation(
        _core.OperationSpec({"type": "check", "id": operation_id}), token=token
    )
    return Operation.of(native)


def test_first_cancel_wins_and_keeps_its_reason() -> None:
    token = CancellationToken()
    child = token.child()
    assert token.cancel("enough", code="shutdown")
    assert not token.cancel("later")
    assert token.reason is not None
    assert (token.reason.code, token.reason.text) == ("shutdown", "enough")
    assert child.reason is not None
    assert child.reason.code == "parent"
    assert CancellationToken(token) == token
    assert child != token
    assert isinstance(token, TokenProtocol)


def test_a_child_cancels_itself_after_its_timeout() -> None:
    token = CancellationToken()
    child = token.child(timeout=0.01)
    assert child.wait_for(5)
    assert child.reason is not None
    assert child.reason.code == "timeout"
    with pytest.raises(errors.OperationTimeoutError, match="reading"):
        child.check("reading")
    assert not token.is_cancelled()


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_that_is_not_positive_is_named(timeout: float) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="timeout must be a positive"):
        CancellationToken().child(timeout)


def test_bad_arguments_are_named() -> None:
    token = CancellationToken()
    with pytest.raises(errors.InvalidArgumentError, match="sometime"):
        token.cancel(code="sometime")
    with pytest.raises(errors.InvalidArgumentError, match="seconds must be at least 0"):
        token.wait_for(-1)

    async def callback(_: object) -> None: ...

    with pytest.raises(errors.InvalidArgumentError, match="callback must be a plain function"):
        token.on_cancel(callback)
    with pytest.raises(errors.InvalidArgumentError, match="callback must be a plain function"):
        token.on_cancel(3)  # type: ignore[arg-type]
    assert not token.is_cancelled()


def test_a_wait_wakes_an_idle_loop_from_another_thread() -> None:
    token = CancellationToken()

    async def main() -> str:
        waiting = asyncio.ensure_future(token.wait())
        await asyncio.sleep(0)
        thread = threading.Thread(target=lambda: token.cancel("from a thread"))
        thread.start()
        # Nothing else wakes this loop: without the mailbox the test ends at the limit.
        reason = await asyncio.wait_for(waiting, 10)
        thread.join()
        return reason.text

    assert asyncio.run(main()) == "from a thread"


def test_one_token_wakes_many_loops() -> None:
    token = CancellationToken()
    ready = threading.Barrier(5)
    reasons: list[str] = []

    async def main() -> None:
        waiting = asyncio.ensure_future(token.wait())
        await asyncio.sleep(0)
        ready.wait()
        reasons.append((await asyncio.wait_for(waiting, 10)).text)

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(4)]
    for thread in threads:
        thread.start()
    ready.wait()
    token.cancel("all")
    for thread in threads:
        thread.join()
    assert reasons == ["all"] * 4


def test_a_wait_that_is_cancelled_leaves_nothing_behind() -> None:
    token = CancellationToken()

    async def main() -> None:
        for _ in range(100):
            task = asyncio.ensure_future(token.wait())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        token.cancel()
        assert (await token.wait()).code == "user"

    asyncio.run(main())


def test_a_callback_runs_on_its_loop_in_its_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    seen: list[tuple[str, str, int]] = []
    token = CancellationToken()

    async def main() -> None:
        variable.set("mine")
        called = asyncio.Event()

        def callback(reason: Any) -> None:
            seen.append((variable.get(), reason.text, threading.get_ident()))
            called.set()

        token.on_cancel(callback)
        gc.collect()
        variable.set("other")
        threading.Thread(target=lambda: token.cancel("enough")).start()
        await asyncio.wait_for(called.wait(), 10)
        seen.clear()
        called.clear()
        token.on_cancel(callback)
        await asyncio.wait_for(called.wait(), 10)

    asyncio.run(main())
    assert seen == [("other", "enough", threading.get_ident())]


def test_a_callback_without_a_loop_runs_in_a_wait() -> None:
    token = CancellationToken()
    seen: list[str] = []
    token.on_cancel(lambda reason: seen.append(reason.text))
    token.cancel("enough")
    assert seen == []
    assert token.wait_for(0)
    assert token.wait_for(5)
    deadline = time.monotonic() + 10
    while not seen and time.monotonic() < deadline:
        CancellationToken().wait_for(0.01)
    assert seen == ["enough"]


def test_a_closed_registration_is_not_called() -> None:
    async def main() -> None:
        token = CancellationToken()
        seen: list[object] = []
        with token.on_cancel(seen.append):
            pass
        closed = token.on_cancel(seen.append)
        thread = threading.Thread(target=closed.close)
        thread.start()
        thread.join()
        token.cancel()
        await token.wait()
        await asyncio.sleep(0)
        assert seen == []

    asyncio.run(main())


def test_a_callback_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        token = CancellationToken()
        token.on_cancel(lambda _: 1 / 0)
        token.cancel()
        await token.wait()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert [record.message for record in caplog.records if "cancel callback" in record.message]


def test_wait_for_refuses_to_stop_a_running_loop() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"await token\.wait\(\)"):
            CancellationToken().wait_for(1)

    asyncio.run(main())


def test_the_system_knows_operations_that_are_alive() -> None:
    system = CancellationSystem()
    operation = make_operation(operation_id="mine")
    assert "mine" in system.active()
    assert system.find("mine") == operation.token
    assert system.cancel("mine", "enough")
    assert not system.cancel("mine")
    assert operation.status == "cancelling"
    operation._native.succeed(None)
    assert operation.status == "cancelled"
    assert system.find("mine") is None


def test_cancel_all_is_an_event_and_no_latch() -> None:
    system = CancellationSystem()
    before = make_operation()
    assert system.cancel_all("enough") >= 1
    after = make_operation()
    assert (before.status, after.status) == ("cancelling", "pending")
    for operation in (before, after):
        operation._native.succeed(None)


class Asked:
    """A token of the original's protocol."""

    def __init__(self) -> None:
        self.stop = False

    def is_cancelled(self) -> bool:
        return self.stop


class Flag:
    def __init__(self) -> None:
        self.is_cancelled_requested = False


@pytest.mark.parametrize("kind", [Asked, Flag])
def test_a_foreign_token_is_watched_on_the_loop(kind: type) -> None:
    foreign = kind()

    async def main() -> None:
        token, watch = as_token("token", foreign)
        operation = make_operation(token)
        watch(operation._native)
        await asyncio.sleep(0.05)
        assert operation.status == "pending"
        foreign.__dict__.update(stop=True, is_cancelled_requested=True)
        await asyncio.wait_for(operation.token.wait(), 10)
        operation._native.succeed(None)

    asyncio.run(main())


def test_a_foreign_token_is_watched_in_a_blocked_wait() -> None:
    foreign = Asked()
    token, watch = as_token("token", foreign)
    operation = make_operation(token)
    watch(operation._native)
    foreign.stop = True
    assert operation.token.wait_for(10)
    operation._native.succeed(None)
    with pytest.raises(errors.OperationCancelledError):
        operation.result(10)


def test_what_is_no_token_is_named() -> None:
    with pytest.raises(errors.InvalidArgumentError, match="cancellation_token must be"):
        as_token("cancellation_token", 3)


def test_is_cancelled_is_safe_on_every_kind_of_instance() -> None:
    class Subclass(CancellationToken):
        pass

    class Forgetful(CancellationToken):
        def __init__(self) -> None:
            pass

    token = Subclass()
    assert not _core.CancellationToken.is_cancelled(token)
    token.cancel()
    assert token.is_cancelled()
    with pytest.raises(TypeError):
        Forgetful().is_cancelled()
    with pytest.raises(TypeError):
        CancellationToken.is_cancelled(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        CancellationToken().is_cancelled(1)  # type: ignore[call-arg]
