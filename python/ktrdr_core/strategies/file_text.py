"""The text of a strategy file, however strange the file is."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from .document import DocumentError, Place

if TYPE_CHECKING:
    import pathlib

#: Far above any strategy; reading this much takes seconds.
MOST_BYTES = 100_000

_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def text_of(file: pathlib.Path) -> str:
    """Read a file as text.

    Raises
    ------
    DocumentError
        When it cannot be read, is larger than a strategy, or no UTF-8 text.
    """
    try:
        content = _content(file)
    except FileNotFoundError:
        raise DocumentError("there is no such strategy file") from None
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise DocumentError(f"larger than {MOST_BYTES} bytes; this is no strategy file")
    if content.startswith(_UTF16):
        raise DocumentError("is UTF-16 text; save it as UTF-8")
    try:
        # What begins a text in some editors is no part of it.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        place = Place(before.count(b"\n") + 1, column)
        what = f"is not UTF-8 text: the byte 0x{content[error.start]:02x} begins no character"
        raise DocumentError(what, place) from None


def _content(file: pathlib.Path) -> bytes:
    """The file's beginning, a byte more than there may be."""
    # Opening a FIFO would wait for whoever writes into it, and some devices never end.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor = os.open(file, flags)
    except ValueError as error:
        raise DocumentError(f"cannot be read: {error}") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "no plain file"
            raise DocumentError(f"cannot be read: it is {kind}")
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            return opened.read(MOST_BYTES + 1)
    finally:
        os.close(descriptor)
