"""A failure on paper: what the record keeps of an exception, whatever that is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.texts import name_of, said, text_of
from ..errors import KtrdrError

if TYPE_CHECKING:
    from collections.abc import Iterator

# So many parts of an error's context, and characters of a text in it, are kept.
_PARTS = 1000
_CHARACTERS = 4096
# So many of a group's exceptions, and of the notes.
_MANY = 20


def on_paper(error: BaseException) -> tuple[str, str, dict[str, Any]]:
    """Give code, message and context for the record of a failure; nothing that the exception does can raise."""
    from .._bridge.plain import plain

    kind = type(error)
    context: dict[str, Any] = {}
    code, message = "operation_failed", said(error)
    if issubclass(kind, KtrdrError):
        context = _context(error)
        own = _look(error, "code")
        if issubclass(type(own), str) and str.__str__(own) in _core.error_codes():
            code, message = str.__str__(own), text_of(error)
        else:
            context = {"type": name_of(kind), "code": own, **context}
    else:
        context = {"type": name_of(kind)}
    if (notes := _look(error, "__notes__")) is not None:
        context["notes"] = _few(notes)
    if issubclass(kind, BaseExceptionGroup):
        context["exceptions"] = _few(_look(error, "exceptions"))
    kept = plain(context, _PARTS, _CHARACTERS)
    return code, message, kept if isinstance(kept, dict) else {}


def record_failure(native: _core.Operation, error: BaseException) -> None:
    """End an operation with what its work raised, whatever that is."""
    try:
        native.fail(*on_paper(error))
    except BaseException:  # noqa: BLE001 - no room left to say more
        native.fail("operation_failed", "the work raised what cannot be described", {})


@contextmanager
def beginning(native: _core.Operation) -> Iterator[None]:
    """Begin the work of a new operation: what is raised meanwhile ends it, for nobody else would."""
    try:
        yield
    except BaseException as error:
        record_failure(native, error)
        raise


def annotate(error: BaseException, note: str, facts: Mapping[str, Any]) -> None:
    """Add a note once, and to an error of ours facts that its context lacks; one that takes neither stays as it is."""
    context = _look(error, "context")
    if issubclass(type(error), KtrdrError) and isinstance(context, dict):
        for name, value in facts.items():
            dict.setdefault(context, name, value)
    with suppress(Exception):
        # An operation's error is raised for each who awaits it, and goes through the same block then.
        if note not in getattr(error, "__notes__", ()):
            BaseException.add_note(error, note)


def _context(error: BaseException) -> dict[str, Any]:
    from .._bridge.plain import plain

    context = _look(error, "context")
    if isinstance(context, Mapping):
        kept = plain(context, _PARTS, _CHARACTERS)
        return kept if isinstance(kept, dict) else {}
    return {} if context is None else {"context": context}


def _few(things: Any) -> Any:
    from .._bridge.plain import plain

    kept = plain(things, _PARTS, _CHARACTERS)
    return kept[:_MANY] if isinstance(kept, list) else kept


def _look(error: BaseException, name: str) -> Any:
    try:
        return getattr(error, name, None)
    except BaseException:  # noqa: BLE001 - an attribute may be code of its own
        return None
