"""Asking work to stop: tokens, and the system that knows those of all operations.

One token is one object in C++ and Python: work in C++ polls it, sockets and timers hear of it, and here it can be
awaited from any event loop and any thread.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

from . import _bridge, _core
from ._bridge.arguments import explained
from ._bridge.callbacks import guarded
from ._core import CancelReason
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CancelReason", "CancelRegistration", "CancellationSystem", "CancellationToken"]


class CancelRegistration:
    """A callback that waits for a cancel; also a context manager. It stays registered without being held."""

    def __init__(self, post: _bridge.Post, key: int) -> None:
        self._post = post
        self._key = key
        self._native: _core.CancelRegistration | None = None

    def close(self) -> None:
        """Forget the callback: it does not run any more. From any thread; twice is once."""
        native, self._native = self._native, None
        if native is not None:
            native.close()
            self._post.forget(self._key)

    def __enter__(self) -> CancelRegistration:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CancellationToken(_core.CancellationToken):
    """A handle to a cancel that may come; copies (``CancellationToken(token)``) mean the same one.

    The first cancel wins; later ones change nothing. A child is cancelled with its parent, never the other way round.

    Thread safety: every member from any thread; ``wait`` on any event loop.

    Examples
    --------
    >>> from ktrdr_core import CancellationToken
    >>> token = CancellationToken()
    >>> child = token.child(timeout=30)
    >>> token.cancel("enough")
    True
    >>> child.is_cancelled(), child.reason.code
    (True, 'parent')
    """

    def __init__(self, same_as: _core.CancellationToken | None = None) -> None:
        _bridge.start()
        if same_as is None:
            super().__init__()
        elif isinstance(same_as, _core.CancellationToken):
            super().__init__(same_as)
        else:
            raise InvalidArgumentError(f"same_as must be a CancellationToken, not {same_as!r}")

    @explained
    def child(self, timeout: float | None = None) -> CancellationToken:
        """Make a token that is cancelled with this one, or by itself after ``timeout`` seconds.

        Raises
        ------
        InvalidArgumentError
            For a timeout that is not positive.
        """
        return CancellationToken(super().child(timeout))

    @explained
    def cancel(self, reason: str = "", *, code: str = "user") -> bool:
        """Cancel; True for the call that did it, False for later ones.

        Parameters
        ----------
        reason : str
            Why, for a person; it is in the error that the work ends with.
        code : {'user', 'timeout', 'shutdown', 'parent', 'error'}
            Why, for programs.

        Raises
        ------
        InvalidArgumentError
            For another code.
        """
        return super().cancel(reason, code=code)

    @explained
    def check(self, context: str = "") -> None:
        """Raise once the token is cancelled; ``context`` names what was cancelled.

        Raises
        ------
        OperationCancelledError
            Once cancelled; ``OperationTimeoutError`` where a deadline did it.
        """
        super().check(context)

    def on_cancel(self, callback: Callable[[CancelReason], object]) -> CancelRegistration:
        """Call ``callback`` once with the reason when the token is cancelled, soon if it is already.

        It runs on the event loop that runs here, in the present context; without one on this thread, while it waits in
        ``result()`` or ``wait_for()``. One that raises is told to the loop's exception handler, else to the log.

        Raises
        ------
        InvalidArgumentError
            For a coroutine function: use ``await token.wait()`` in a task.
        """
        if not callable(callback) or inspect.iscoroutinefunction(callback):
            raise InvalidArgumentError(
                f"callback must be a plain function, not {callback!r}; in a task use `await token.wait()`"
            )
        import contextvars

        context = contextvars.copy_context()
        post = _bridge.here()
        tell = guarded(callback, what="cancel callback")

        def hear(_: str, __: Any) -> None:
            registration.close()
            context.run(tell, cast("CancelReason", self.reason))

        registration = CancelRegistration(post, post.add(hear))
        registration._native = self._notify(post.mailbox, registration._key)
        return registration

    async def wait(self) -> CancelReason:
        """Wait until the token is cancelled, by whatever thread; the reason."""
        import asyncio

        post = _bridge.loop_post()
        cancelled = asyncio.Event()
        key = post.add(lambda _kind, _value: cancelled.set())
        registration = self._notify(post.mailbox, key)
        try:
            await cancelled.wait()
        finally:
            registration.close()
            post.remove(key)
        return cast("CancelReason", self.reason)

    @explained
    def wait_for(self, seconds: float | None = None) -> bool:
        """Block this thread until the token is cancelled, at most ``seconds``; True when it is.

        Raises
        ------
        RuntimeError
            On a thread whose event loop is running, which this call would stop: await ``wait()`` there.
        InvalidArgumentError
            For negative seconds.
        """
        if seconds is not None and not seconds >= 0:
            raise InvalidArgumentError(f"seconds must be at least 0, not {seconds!r}")
        if _bridge.running_loop() is not None:
            raise RuntimeError(
                "wait_for() would stop the event loop that runs on this thread: use `await token.wait()` instead"
            )
        post = _bridge.thread_post()
        key = post.add(lambda _kind, _value: None)
        registration = self._notify(post.mailbox, key)
        try:
            # Looked at once more after the last wait, so that callbacks of this thread have run.
            if not post.wait_until(self.is_cancelled, seconds):
                return False
            post.wait(0)
            return True
        finally:
            registration.close()
            post.remove(key)


class CancellationSystem:
    """The tokens of this process's operations, by operation id.

    ``cancel_all`` is an event, not a latch: operations that start later are not affected.
    """

    def __init__(self) -> None:
        _bridge.start()

    def active(self) -> list[str]:
        """List the ids whose tokens are not cancelled."""
        return _core.active_tokens()

    @explained
    def find(self, operation_id: str) -> CancellationToken | None:
        """Give the token of an operation that is alive, else None."""
        token = _core.find_token(operation_id)
        return None if token is None else CancellationToken(token)

    @explained
    def cancel(self, operation_id: str, reason: str = "", *, code: str = "user") -> bool:
        """Cancel one; True for the call that did it, False for an unknown id too.

        Raises
        ------
        InvalidArgumentError
            For an unknown code; see ``CancelReason``.
        """
        return _core.cancel_token(operation_id, reason, code)

    @explained
    def cancel_all(self, reason: str = "", *, code: str = "user") -> int:
        """Cancel all that are alive; how many this call cancelled.

        Raises
        ------
        InvalidArgumentError
            For an unknown code.
        """
        return _core.cancel_all_tokens(reason, code)
