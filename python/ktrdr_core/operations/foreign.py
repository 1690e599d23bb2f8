"""Tokens that are not ours, for operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._bridge.foreign import split_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import _core


def as_token(
    argument: str, token: Any
) -> tuple[_core.CancellationToken | None, Callable[[_core.Operation], None]]:
    """Give the native token for ``token``, and what is to be called with the operation that holds it.

    Raises
    ------
    InvalidArgumentError
        For something that is no token, naming the argument.
    """
    if token is None:
        return None, _nothing
    native, foreign = split_token(token, argument)
    if foreign is None:
        return native, _nothing
    return native, lambda operation: foreign.watch(lambda: operation.done)


def _nothing(_operation: _core.Operation) -> None:
    """Watch a token that tells by itself."""
