"""Work written in Python, under an operation of the core.

The core keeps state, token and timeout; here is only the awaiting, and the task's cancel when the token says so.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _bridge, _core
from ..operations.context import OperationContext, current
from ..operations.failure import beginning, record_failure

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
    asked = False

    def interrupt(_kind: str, _value: Any) -> None:
        nonlocal asked
        asked = True
        task.cancel()

    try:
        with beginning(native):
            post = _bridge.loop_post()
            task = _task_of(post.loop)
            before = task.cancelling()
            key = post.add_work(interrupt, native)
            registration = native.notify_cancel(post.mailbox, key)
            here = current.set(OperationContext(native))
    except BaseException:
        close(work)
        raise
    cause: BaseException | None = None
    value: Any = None
    begun = destroyed = False
    try:
        if not native.admitted:
            await _admitted(native)
        if native.start():
            begun = True
            value = await work
        _succeed(native, value, keep)
    except asyncio.CancelledError as error:
        if not asked or task.cancelling() > before + 1:
            native.cancel("the task that ran it was cancelled", "user")
            native.end()
            raise
        native.end()
        cause = error
    except BaseException as error:
        destroyed = is_let_go(error, task)
        if destroyed:
            native.cancel("the task that ran it was destroyed", "user")
            native.end()
            raise
        record_failure(native, error)
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


def _task_of(loop: asyncio.AbstractEventLoop) -> asyncio.Task[Any]:
    task = asyncio.current_task(loop)
    if task is None:
        raise RuntimeError("an operation's work runs in an asyncio task, and there is none here")
    return task


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


def is_let_go(error: BaseException, task: asyncio.Task[Any]) -> bool:
    """Say whether it comes of letting go of a task's coroutine, which gets a GeneratorExit while the task does not run."""
    return isinstance(error, GeneratorExit) and not _runs(task)


def _runs(task: asyncio.Task[Any]) -> bool:
    try:
        return asyncio.current_task() is task
    except RuntimeError:  # No loop runs on this thread.
        return False


def _succeed(native: _core.Operation, value: Any, keep: bool) -> None:
    if keep:
        # What has no room to be kept is no failure.
        with suppress(BaseException):
            native.succeed(value)
    # One that has ended stays as it is.
    native.end()
