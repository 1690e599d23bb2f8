"""Tokens that are not ours: anything that can be asked whether to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _bridge, _core
from ..cancellation import CancellationToken
from ..errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable


def as_token(
    argument: str, token: Any
) -> tuple[_core.CancellationToken | None, Callable[[_core.Operation], None]]:
    """Give the native token for ``token``, and what is to be called with the operation that holds it.

    Raises
    ------
    InvalidArgumentError
        For something that is no token, naming the argument.
    """
    if token is None or isinstance(token, _core.CancellationToken):
        return token, _nothing
    asked = _question(token)
    if asked is None:
        raise InvalidArgumentError(
            f"{argument} must be a CancellationToken or have is_cancelled() or is_cancelled_requested, "
            f"not {type(token).__name__}"
        )
    native = CancellationToken()
    return native, lambda operation: _watch(asked, native, operation)


def _nothing(_operation: _core.Operation) -> None:
    """Watch a token that tells by itself."""


def _question(token: Any) -> Callable[[], bool] | None:
    if callable(getattr(token, "is_cancelled", None)):
        return lambda: bool(token.is_cancelled())
    if not hasattr(token, "is_cancelled_requested"):
        return None

    def requested() -> bool:
        value = token.is_cancelled_requested
        return bool(value() if callable(value) else value)

    return requested


def _watch(
    asked: Callable[[], bool], native: CancellationToken, operation: _core.Operation
) -> None:
    """Poll while the operation runs: a token of others cannot tell us, and no thread of ours may ask Python."""

    def poll() -> bool:
        if operation.done or native.is_cancelled():
            return False
        if asked():
            native.cancel("the caller's token was cancelled")
            return False
        return True

    loop = _bridge.running_loop()
    if loop is None:
        _bridge.thread_post().add_poller(poll)
        return

    def again() -> None:
        if poll():
            loop.call_later(_bridge.POLL, again)

    again()
