"""Calls whose answer comes as mail: awaited on an event loop, or waited for on a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import _bridge
from .errors import from_record

if TYPE_CHECKING:
    from . import _core

#: Sends the call; its answer comes to this mailbox under this key. The token stops it, where it can be stopped.
Send = Callable[["_core.Mailbox", int], "_core.CancellationToken | None"]


async def reply(send: Send) -> Any:
    """Send the call and await its answer; the task's cancel stops it at once."""
    post = _bridge.loop_post()
    answer = post.loop.create_future()

    def hear(_: str, value: Any) -> None:
        if not answer.done():
            answer.set_result(value)

    key = post.add(hear)
    token = send(post.mailbox, key)
    try:
        outcome = await answer
    except BaseException:
        # The socket is closed, and nobody waits for the answer.
        if token is not None:
            token.cancel("the task that awaited it was cancelled")
        raise
    finally:
        post.remove(key)
    return _value(outcome)


def wait_for_reply(send: Send, timeout: float | None = None) -> Any:
    """Send the call and block for its answer, at most ``timeout`` seconds.

    Raises
    ------
    TimeoutError
        After ``timeout``; the call is stopped then.
    RuntimeError
        On a thread whose event loop is running.
    """
    if _bridge.running_loop() is not None:
        raise RuntimeError(
            "result() would stop the event loop that runs on this thread: use `await` instead"
        )
    post = _bridge.thread_post()
    answers: list[Any] = []
    key = post.add(lambda _, value: answers.append(value))
    token = send(post.mailbox, key)
    try:
        if not post.wait_until(lambda: answers, timeout):
            raise TimeoutError(f"no answer within {timeout} s; the request was stopped")
    except BaseException:
        if token is not None:
            token.cancel("the thread that waited for it gave up")
        raise
    finally:
        post.remove(key)
    return _value(answers[0])


def _value(outcome: tuple[bool, Any]) -> Any:
    succeeded, value = outcome
    if succeeded:
        return value
    raise from_record(*value)
