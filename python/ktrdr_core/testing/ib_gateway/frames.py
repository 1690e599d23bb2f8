"""Frames of the gateway's protocol: a length, and fields that each end with a NUL."""

from __future__ import annotations

import math
import re
import struct
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a field is made of; None is an empty one.
Field: TypeAlias = "str | int | float | bool | None"

#: The longest payload that a peer accepts. Bytes.
LONGEST = 0xFFFFFF
#: How a session begins, before the first length.
PREFIX = b"API\0"

_LENGTH = struct.Struct(">I")
_HELLO = re.compile(r"v(\d{1,6})(?:\.\.(\d{1,6}))?(?: (.*))?", re.DOTALL)


class BrokenFrame(Exception):
    """Bytes that no client of the protocol sends; the connection cannot go on."""


def text_of(field: Field) -> str:
    """Write a field: a bool as 1 or 0, a double in its shortest form, None as nothing."""
    if field is None:
        return ""
    if isinstance(field, bool):
        return "1" if field else "0"
    if isinstance(field, float):
        if math.isinf(field):
            return "Infinity"
        return str(int(field)) if field.is_integer() and abs(field) < 1e15 else repr(field)
    return str(field)


def payload_of(*fields: Field) -> bytes:
    """Write the fields of a message."""
    return "".join(f"{text_of(field)}\0" for field in fields).encode()


def framed(payload: bytes) -> bytes:
    """Put the length in front."""
    return _LENGTH.pack(len(payload)) + payload


def overlong() -> bytes:
    """Give the length of a frame that nobody may take."""
    return _LENGTH.pack(LONGEST + 1)


class FrameReader:
    """Cuts what a client sends into frames; the session's first four bytes are no frame."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._greeted = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes as they come; give the payloads that are whole.

        Raises
        ------
        BrokenFrame
            For a session that does not begin with ``API`` and NUL, and for a length that nobody sends.
        """
        self._pending += data
        if not self._greeted:
            if not PREFIX.startswith(bytes(self._pending[: len(PREFIX)])):
                raise BrokenFrame(f"a session begins with {PREFIX!r}")
            if len(self._pending) < len(PREFIX):
                return
            del self._pending[: len(PREFIX)]
            self._greeted = True
        while len(self._pending) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._pending)
            if length > LONGEST:
                raise BrokenFrame(f"a frame of {length} bytes; the longest has {LONGEST}")
            end = _LENGTH.size + length
            if len(self._pending) < end:
                return
            payload = bytes(self._pending[_LENGTH.size : end])
            del self._pending[:end]
            yield payload


def fields_of(payload: bytes) -> list[str]:
    """Read the fields of a message; what is no UTF-8 is taken as Latin-1."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = payload.decode("latin-1")
    fields = text.split("\0")
    return fields[:-1] if fields[-1] == "" else fields


def versions_of(payload: bytes) -> tuple[int, int]:
    """Read which versions a client speaks, from the first frame of a session.

    Raises
    ------
    BrokenFrame
        For anything else.
    """
    match = _HELLO.fullmatch(payload.decode("latin-1").rstrip("\0"))
    if match is None:
        raise BrokenFrame(f"a session begins with the versions, as v157..178, not {payload[:60]!r}")
    lowest = int(match[1])
    return lowest, int(match[2] or lowest)
