"""The value of work written in Python, or what it raised, for those who hold the operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from types import TracebackType

    from .. import _core


# An exception's class may have attributes of these names, and a __setattr__ of its own.
_TRACEBACK: Any = BaseException.__dict__["__traceback__"]
_CONTEXT: Any = BaseException.__dict__["__context__"]


class Raised:
    """An exception as the work raised it, to be raised again for each who asks."""

    __slots__ = ("_context", "_traceback", "error")

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self._traceback: TracebackType | None = _TRACEBACK.__get__(error)
        self._context: BaseException | None = _CONTEXT.__get__(error)

    def again(self) -> NoReturn:
        """Raise it. Its traceback is the work's own and the asker's, not that of all who asked before.

        What it was raised amid is left as it was, too: the asker may be handling something else.
        """
        error, context = self.error, self._context
        try:
            raise BaseException.with_traceback(error, self._traceback)
        finally:
            _CONTEXT.__set__(error, context)
            # Its traceback knows this frame, which must not know it in turn.
            del self, error, context


class Outcome:
    """The value of Python work, or what it raised: kept as long as somebody holds the operation."""

    __slots__ = ("__weakref__", "raised", "value")

    def __init__(self) -> None:
        self.value: Any = None
        self.raised: Raised | None = None


def ended_by_itself(native: _core.Operation) -> bool:
    """Say of an operation without a value whether what its work raised is the reason; a cancel overrules that."""
    return native.status == "failed" or not native.token.is_cancelled()


#: By operation id.
outcomes: WeakValueDictionary[str, Outcome] = WeakValueDictionary()
