"""Files and fields as rows of one form: what the caller gives, as bytes, paths and descriptors that the core reads."""

from __future__ import annotations

import io
import mimetypes
import os
from collections.abc import Iterator, Mapping, Sequence
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from .._bridge.arguments import can_be_sent, described
from ..errors import InvalidArgumentError
from .query import without_none

#: What a file holds: bytes, a text, the path of a file, or a file that is open with ``"rb"``.
FileContent = bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes]

#: One file: its content, or ``(name, content)``, or ``(name, content, content_type)``.
File = FileContent | tuple[str | None, FileContent] | tuple[str | None, FileContent, str | None]

#: Files by the name of their field; several of one name as a list, or as pairs.
Files = Mapping[str, File | Sequence[File]] | Sequence[tuple[str, File]]

# As bytes, as a path, or as a descriptor with a name for messages.
_Content = bytes | os.PathLike[str] | tuple[int, str]

# The field's name, the file's or None, the content type, the content.
_Row = tuple[str, str | None, str, _Content]


def field_rows(data: Mapping[str, Any] | None) -> list[_Row]:
    """Give the fields of a form; a list is one for each of its values, None none."""
    rows: list[_Row] = []
    for name, value in without_none(data or {}).items():
        for one in value if isinstance(value, list | tuple) else [value]:
            rows.append((name, None, "", one if isinstance(one, bytes) else str(one).encode()))
    return rows


def file_rows(files: Files) -> list[_Row]:
    """Give the files of a form, in order.

    Raises
    ------
    InvalidArgumentError
        For what cannot be sent as a file, naming its field and what to give in its place.
    """
    return [_file_row(name, file) for name, file in _pairs(files)]


def _pairs(files: Files) -> Iterator[tuple[str, Any]]:
    if isinstance(files, Mapping):
        pairs: list[Any] = []
        for name, given in files.items():
            pairs.extend((name, one) for one in (given if isinstance(given, list) else [given]))
    elif isinstance(files, Sequence) and not isinstance(files, str | bytes):
        pairs = list(files)
    else:
        raise _wrong(f"must be a mapping or a list of pairs, not {described(files)}")
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise _wrong("must hold pairs of a field's name (str) and a file")
        yield pair


def _file_row(name: str, file: Any) -> _Row:
    filename: str | None = None
    content_type = None
    content = file
    if isinstance(file, tuple):
        if len(file) not in (2, 3):
            raise _wrong(f"{name!r} must be (name, content) or (name, content, content_type)")
        filename, content, content_type = (*file, None)[:3]
        for part, what in ((filename, "name"), (content_type, "content type")):
            if not isinstance(part, str | None):
                raise _wrong(f"the {what} of {name!r} must be str or None, not {described(part)}")
    else:
        filename = _name_of(file)
    if content_type is None:
        content_type = _type_of(filename)
    for text in (name, filename or "", content_type, content if isinstance(content, str) else ""):
        if not (text.isascii() or can_be_sent(text)):
            raise _wrong(
                "a name or a text holds half of a surrogate pair: that is no text which UTF-8 can carry"
            )
    return name, filename, content_type, _content(name, content)


def _type_of(filename: str | None) -> str:
    if filename is None:
        return ""
    return mimetypes.guess_type(filename)[0] or "application/octet-stream"


def _name_of(file: Any) -> str:
    """Give the last part of the file's own name, or ``upload``."""
    named = file if isinstance(file, os.PathLike) else getattr(file, "name", None)
    if not isinstance(named, str | bytes | os.PathLike):
        return "upload"
    # A byte that is not UTF-8 has no place in a form.
    return os.path.basename(os.fsencode(named)).decode("utf-8", "replace") or "upload"


def _content(name: str, content: Any) -> _Content:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes | os.PathLike):
        return content
    if isinstance(content, bytearray | memoryview):
        return bytes(content)
    if isinstance(content, io.BytesIO):
        return content.getvalue()
    return _descriptor(name, content)


def _descriptor(name: str, file: Any) -> _Content:
    """Give the descriptor of a file that is read from disk as it lies there.

    What only has a ``fileno()`` may be something else than the bytes behind it: a file of gzip, a socket.
    """
    # Temporary files, and what frameworks hand on, wrap one.
    real = file if isinstance(file, io.IOBase) else getattr(file, "file", file)
    if isinstance(real, io.TextIOBase):
        raise _wrong(f'{name!r} is open as text; open it with "rb"')
    raw = real.raw if isinstance(real, io.BufferedReader | io.BufferedRandom) else real
    if not isinstance(raw, io.FileIO | SpooledTemporaryFile):
        raise _wrong(
            f"{name!r} is of type {type(file).__name__}, which is no file on the disk; "
            'give its bytes, a path, or a file opened with "rb"'
        )
    try:
        descriptor = real.fileno()
        if not isinstance(real, io.BufferedReader):
            # What its owner has written and Python holds back.
            real.flush()
        return descriptor, _name_of(file)
    except ValueError as error:
        raise _wrong(f"{name!r} cannot be read: {error}") from None


def _wrong(what: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"files: {what}", context={"field": "files"})
