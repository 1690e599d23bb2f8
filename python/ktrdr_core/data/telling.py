"""What a source tells of while it works, to the load that asks it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol
from weakref import ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Listener(Protocol):
    """Who hears it."""

    def warned(self, text: str) -> None:
        """Take note of a warning."""


# Weak: what a source begins meanwhile and leaves running has the context, too, and must keep no question alive.
_asked_by: ContextVar[ref[Listener] | None] = ContextVar("ktrdr_core_asked_by", default=None)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Let what is told in this context, and in tasks that begin in it, go to a listener."""
    before = _asked_by.set(ref(listener))
    try:
        yield
    finally:
        _asked_by.reset(before)


def teller() -> Callable[[str], None]:
    """Give what tells whoever asks now, if anybody does: from any context, at any time."""
    who = _asked_by.get()

    def tell(text: str) -> None:
        listener = None if who is None else who()
        if listener is not None:
            listener.warned(text)

    return tell


def warn(text: str) -> None:
    """Tell whoever asks, if anybody does."""
    teller()(text)
