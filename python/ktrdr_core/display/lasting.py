"""A stream that may fail under those who only show something with it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO


class Lasting:
    """Writes while the stream takes it: a full disk, a reader that has left or a closed file costs the words alone.

    Progress is shown beside work that goes on whoever looks; what fails to be shown is no failure of the work.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = False

    def write(self, text: str) -> int:
        """Write, and say that all of it was taken."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush what was written."""
        self._try(self._stream.flush)

    def _try(self, act: Any) -> None:
        if self._lost:
            return
        try:
            act()
        except (OSError, ValueError):
            self._lost = True

    def isatty(self) -> bool:
        """Say whether a terminal is at the other end."""
        with suppress(OSError, ValueError):
            return self._stream.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
