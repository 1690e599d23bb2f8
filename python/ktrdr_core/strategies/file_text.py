"""The text of a strategy file, however strange the file is."""

from __future__ import annotations

# Else the first file that is read imports it, on an event loop maybe.
import encodings.utf_8_sig  # noqa: F401
import os
import shlex
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from .document import DocumentError, Place
from .problems import nearest

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
        raise DocumentError(_missing(file)) from None
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


def _missing(file: pathlib.Path) -> str:
    """Say that a file is not there, which of those beside it has a name like its own, and what lists them."""
    folder = file.parent
    beside: dict[str, str] = {}
    with suppress(OSError):
        beside = {one.stem: one.name for one in folder.iterdir() if one.suffix in (".yaml", ".yml")}
    like = nearest(file.stem, beside)
    meant = f" (did you mean {beside[like]!r}?)" if like else ""
    command = shlex.join(["ktrdr-core", "strategies", "list", str(folder)])
    if not folder.is_dir():
        command = "ktrdr-core strategies list"
    return f"there is no such strategy file{meant}; `{command}` lists those that are there"


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
            content: bytes | None = opened.read(MOST_BYTES + 1)
        # Files of the kernel look plain, and some have nothing to tell yet.
        if content is None:
            raise DocumentError("cannot be read: it is no plain file")
        return content
    finally:
        os.close(descriptor)
