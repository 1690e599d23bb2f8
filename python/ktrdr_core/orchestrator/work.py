"""Work written in Python, under an operation of the core.

The core keeps state, token and timeout; here is only the awaiting, and the task's cancel when the token says so.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _bridge, _core
from ..operations.context import OperationContext, current
from ..operations.failure import on_paper

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


def close(work: object) -> None:
    """Let go of work that is not going to run, without a warning that it was never awaited."""
    if asyncio.iscoroutine(work):
        work.close()
    elif isinstance(work, asyncio.Future):
        work.cancel()


async def carry_out(
    native: _core.Operation, work: Awaitable[T], *, keep: bool
) -> tuple[T, BaseException | None]:
    """Await the work in this task and end the operation with it; the value, and what was raised.

    ``keep`` puts what is plain of the value into the record. Raises ``CancelledError`` only when the task itself was
    cancelled; whatever else the work raises ends the operation and is answered.
    """
    post = _bridge.loop_post()
    task = asyncio.current_task(post.loop)
    if task is None:
        close(work)
        raise RuntimeError("an operation's work runs in an asyncio task, and there is none here")
    before = task.cancelling()
    asked = False

    def interrupt(_kind: str, _value: Any) -> None:
        nonlocal asked
        asked = True
        task.cancel()

    key = post.add_work(interrupt, native)
    registration = native.notify_cancel(post.mailbox, key)
    here = current.set(OperationContext(native))
    cause: BaseException | None = None
    value: Any = None
    begun = destroyed = False
    try:
        if not native.admitted:
            await _admitted(native)
        if native.start():
            begun = True
            value = await work
        _succeed(native, value if keep else None)
    except asyncio.CancelledError as error:
        if not asked or task.cancelling() > before + 1:
            native.cancel("the task that ran it was cancelled", "user")
            native.succeed(None)
            raise
        native.succeed(None)
        cause = error
    except BaseException as error:
        # A coroutine that is let go of gets a GeneratorExit while its task does not run.
        destroyed = isinstance(error, GeneratorExit) and not _runs(task)
        if destroyed:
            native.cancel("the task that ran it was destroyed", "user")
            native.succeed(None)
            raise
        _fail(native, error)
        cause = error
    finally:
        if not begun:
            close(work)
        registration.close()
        # A coroutine is destroyed wherever the last of it is let go: in another context, maybe on another thread.
        if destroyed:
            post.forget(key)
        else:
            current.reset(here)
            post.remove(key)
        if asked:
            task.uncancel()
    return value, cause


async def _admitted(native: _core.Operation) -> None:
    """Wait until the store has the operation, or has refused it."""
    post = _bridge.loop_post()
    news = asyncio.Event()
    key = post.add(lambda _kind, _value: news.set())
    listener = native.listen(post.mailbox, key, False)
    native.admit(post.mailbox, key)
    try:
        await news.wait()
    finally:
        post.remove(key)
        native.unlisten(listener)


def _runs(task: asyncio.Task[Any]) -> bool:
    try:
        return asyncio.current_task() is task
    except RuntimeError:  # No loop runs on this thread.
        return False


def _succeed(native: _core.Operation, value: Any) -> None:
    try:
        native.succeed(value)
    except BaseException:  # noqa: BLE001 - what has no room to be kept is no failure
        native.succeed(None)


def _fail(native: _core.Operation, error: BaseException) -> None:
    try:
        native.fail(*on_paper(error))
    except BaseException:  # noqa: BLE001 - no room left to say more
        native.fail("operation_failed", "the work raised what cannot be described", {})
