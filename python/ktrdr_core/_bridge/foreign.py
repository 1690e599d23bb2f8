"""Tokens that are not ours: anything that can be asked whether to stop."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from .. import _bridge, _core
from ..errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .replies import Send


class ForeignToken:
    """A token of others as one of the core's: it is asked every 20 ms of a wait, and ``native`` is cancelled for it.

    No thread of the core may ask Python, so nobody asks while nobody waits here. It is asked once at once: what it
    raises then is its caller's, before anything has begun. One that raises later is told of and not asked again.

    Thread safety: that of the token itself; each watch stays on its own loop or thread.
    """

    def __init__(self, asked: Callable[[], bool]) -> None:
        _bridge.ensure_started()
        self.native = _core.CancellationToken()
        self._asked = asked
        self._raised = False
        if asked():
            self._stop()

    def watch(self, over: Callable[[], bool]) -> None:
        """Ask now and then until ``over()``: on the running loop, else in the waits of this thread."""

        def poll() -> bool:
            return not (over() or self.stop_if_asked())

        if not poll():
            return
        loop = _bridge.running_loop()
        if loop is None:
            _bridge.thread_post().add_poller(poll)
            return

        def again() -> None:
            if poll():
                loop.call_later(_bridge.POLL, again)

        loop.call_later(_bridge.POLL, again)

    def stop_if_asked(self) -> bool:
        """Ask once, on whatever thread this is; True where it need not be asked again."""
        if self.native.is_cancelled() or self._raised:
            return True
        try:
            if self._asked():
                self._stop()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - it asks somebody else's object
            self._raised = True
            _bridge.report("a token that is polled raised, and is not asked again", error)
        return self.native.is_cancelled() or self._raised

    def _stop(self) -> None:
        self.native.cancel("the caller's token was cancelled")

    def watch_reply(self, key: int) -> None:
        """Ask for as long as somebody waits here for the reply under ``key``."""
        post = _bridge.here()
        self.watch(lambda: not post.expects(key))


def split_token(
    token: Any, argument: str = "cancellation_token"
) -> tuple[_core.CancellationToken | None, ForeignToken | None]:
    """Give the core's token for ``token``, and what has to watch it where it is not the core's own.

    Raises
    ------
    InvalidArgumentError
        For something that is no token, naming the argument.
    """
    if token is None or isinstance(token, _core.CancellationToken):
        return token, None
    asked = _question(token)
    if asked is None:
        raise InvalidArgumentError(
            f"{argument} must be a CancellationToken or have is_cancelled() or is_cancelled_requested, "
            f"not {type(token).__name__}",
            context={"field": argument},
        )
    foreign = ForeignToken(asked)
    return foreign.native, foreign


@contextmanager
def asked_meanwhile(
    token: Any, argument: str = "cancellation_token"
) -> Iterator[_core.CancellationToken | None]:
    """Give the core's token for work that holds this thread up; a thread of its own asks a token of others meanwhile.

    Raises
    ------
    InvalidArgumentError
        For something that is no token, naming the argument.
    """
    native, foreign = split_token(token, argument)
    if foreign is None or foreign.stop_if_asked():
        yield native
        return
    over = Event()

    def ask() -> None:
        while not over.wait(_bridge.POLL) and not foreign.stop_if_asked():
            pass

    asking = Thread(target=ask, name="ktrdr-token", daemon=True)
    asking.start()
    try:
        yield native
    finally:
        over.set()
        asking.join()


def watched(send: Send, foreign: ForeignToken | None) -> Send:
    """Have a call's sending watch the token of others that it was given."""
    if foreign is None:
        return send

    def send_watched(mailbox: _core.Mailbox, key: int) -> _core.CancellationToken | None:
        foreign.watch_reply(key)
        return send(mailbox, key)

    return send_watched


def _question(token: Any) -> Callable[[], bool] | None:
    if callable(getattr(token, "is_cancelled", None)):
        return lambda: bool(token.is_cancelled())
    if not hasattr(token, "is_cancelled_requested"):
        return None

    def requested() -> bool:
        value = token.is_cancelled_requested
        return bool(value() if callable(value) else value)

    return requested
