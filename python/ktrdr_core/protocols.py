"""What ktrdr_core accepts in place of its own classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ._core import ProgressState


class ProgressCallback(Protocol):
    """Hears of progress; a plain function, not a coroutine function."""

    def __call__(self, state: ProgressState, /) -> object:
        """Take one picture of the progress."""


@runtime_checkable
class CancellationToken(Protocol):
    """Anything that can be asked whether to stop.

    It is accepted wherever a token is. Being asked is all it can do, so it is polled every 20 ms: on the running event
    loop, else inside ``result()``. An attribute or method ``is_cancelled_requested`` serves too.
    """

    def is_cancelled(self) -> bool:
        """Say whether to stop."""
