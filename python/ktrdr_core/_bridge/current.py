"""What the code here runs under, for those that know nothing of operations: only whether it has to stop."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .. import _core


class Work(Protocol):
    """An operation that work runs under."""

    _native: _core.Operation


current_work: ContextVar[Work | None] = ContextVar("ktrdr_core_operation", default=None)


def token_here() -> _core.CancellationToken | None:
    """Give the token of the operation that the code here runs under; None where none runs."""
    here = current_work.get()
    return None if here is None or here._native.done else here._native.token
