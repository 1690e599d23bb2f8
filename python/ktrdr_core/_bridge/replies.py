"""Calls whose reply comes as mail: awaited on an event loop, or waited for on a thread."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _bridge
from ..errors import InvalidArgumentError, from_record
from .arguments import explained
from .awaited import Awaited
from .foreign import watched

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Generator

    from .. import _core
    from .foreign import ForeignToken

T = TypeVar("T")

#: ``(True, value)``, or ``(False, record)`` of an error.
Row = tuple[bool, Any]

#: Sends the call; its reply comes to this mailbox under this key. The token stops it, where it can be stopped.
Send = Callable[["_core.Mailbox", int], "_core.CancellationToken | None"]


class Unsent:
    """A call that is made ready: it says what it is, and warns when it is dropped before it was sent."""

    #: Method and URL.
    _shown: tuple[str, str]
    #: Somebody has asked for it to be sent.
    _begun = False

    def __repr__(self) -> str:
        # Without its query, which may hold secrets.
        method, url = self._shown
        return f"<{type(self).__name__} {method} {url.partition('?')[0]}>"

    def __del__(self) -> None:
        if not self._begun:
            warnings.warn(
                f"{self!r} was never awaited: nothing was sent",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )


class Pending(Unsent, Awaited[T]):
    """A call that is made when it is awaited, or waited for with ``result()``; each time anew.

    Python takes it where it takes a coroutine (``create_task``, ``TaskGroup``, ``asyncio.run``), and one that is dropped
    unsent warns as a coroutine does that was never awaited.
    """

    #: What has to watch a token of others that stops the call.
    _foreign: ForeignToken | None = None

    def _send(self, mailbox: _core.Mailbox, key: int) -> _core.CancellationToken | None:
        """See ``Send``."""
        raise NotImplementedError

    def _read(self, value: Any) -> T:
        """Make what the caller gets of what came."""
        return value  # type: ignore[no-any-return]

    def __await__(self) -> Generator[Any, None, T]:
        # One generator and no closure: this is most of what a short call costs in Python.
        self._begun = True
        post = _bridge.loop_post()
        key, expected = self._expect(post)
        token = None
        try:
            if self._foreign is not None:
                self._foreign.watch_reply(key)
            token = self._send(post.mailbox, key)
            succeeded, value = yield from expected
        except BaseException:
            # The socket is closed, and nobody waits for the answer.
            if token is not None:
                token.cancel("the task that awaited it was cancelled")
            raise
        finally:
            post.remove(key)
        if not succeeded:
            raise from_record(*value)
        return self._read(value)

    @explained
    def result(self, timeout: float | None = None) -> T:
        """Make the call and block for its outcome, on a thread without a running event loop.

        Parameters
        ----------
        timeout : float, optional
            Seconds; the call is stopped after them.

        Raises
        ------
        TimeoutError
            After ``timeout``.
        RuntimeError
            On a thread whose event loop is running: await it there.
        HostServiceError
            Why there is no answer; see the tree in ``ktrdr_core.errors``.
        """
        self._begun = True
        if timeout is not None and not timeout >= 0:
            raise InvalidArgumentError(f"timeout must be at least 0 seconds, not {timeout!r}")
        return self._read(wait_for_reply(watched(self._send, self._foreign), timeout, self._listen))

    def _expect(self, post: _bridge.LoopPost) -> tuple[int, Future[Row]]:
        return post.expect()

    @staticmethod
    def _listen(done: Callable[[Row], None]) -> _bridge.Handler:
        return lambda _, row: done(row)


class PendingParts(Pending[T]):
    """A call whose reply comes in parts, so that a large one is not decoded all at once; ``_read`` is given their list."""

    def _expect(self, post: _bridge.LoopPost) -> tuple[int, Future[Row]]:
        expected: Future[Row] = post.loop.create_future()

        def done(row: Row) -> None:
            if not expected.done():
                expected.set_result(row)

        return post.add(self._listen(done)), expected

    @staticmethod
    def _listen(done: Callable[[Row], None]) -> _bridge.Handler:
        parts: list[Any] = []

        def hear(kind: str, row: Row) -> None:
            succeeded, value = row
            parts.append(value)
            if kind != "part":
                done((True, parts) if succeeded else row)

        return hear


class _Reply(Pending[Any]):
    def __init__(self, send: Send, on_part: Callable[[Any], None] | None) -> None:
        self._sending = send
        self._on_part = on_part

    def _send(self, mailbox: _core.Mailbox, key: int) -> _core.CancellationToken | None:
        return self._sending(mailbox, key)

    def _expect(self, post: _bridge.LoopPost) -> tuple[int, Future[Row]]:
        on_part = self._on_part
        if on_part is None:
            return super()._expect(post)
        expected: Future[Row] = post.loop.create_future()

        def hear(kind: str, row: Row) -> None:
            if kind == "part":
                on_part(row[1])
            elif not expected.done():
                expected.set_result(row)

        return post.add(hear), expected


async def reply(send: Send, on_part: Callable[[Any], None] | None = None) -> Any:
    """Send the call and await its reply; the task's cancel stops it at once. ``on_part`` is given what comes before it."""
    return await _Reply(send, on_part)


def wait_for_reply(
    send: Send,
    timeout: float | None = None,
    listen: Callable[[Callable[[Row], None]], _bridge.Handler] = Pending._listen,
) -> Any:
    """Send the call and block for its reply, at most ``timeout`` seconds.

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
    replies: list[Row] = []
    key = post.add(listen(replies.append))
    token = None
    try:
        token = send(post.mailbox, key)
        if not post.wait_until(lambda: replies, timeout):
            raise TimeoutError(f"no answer within {timeout} s; the request was stopped")
    except BaseException:
        if token is not None:
            token.cancel("the thread that waited for it gave up")
        raise
    finally:
        post.remove(key)
    succeeded, value = replies[0]
    if not succeeded:
        raise from_record(*value)
    return value
