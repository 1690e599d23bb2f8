"""The lines of a body that is read as it comes."""

from __future__ import annotations

import codecs
from collections import deque
from typing import TYPE_CHECKING

from ..errors import ResponseTooLargeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Self

#: A line that has no end by then is refused. Characters.
LONGEST_LINE = 16 * 1024 * 1024


class Lines:
    """Text line by line, without its ends: ``\\n``, ``\\r\\n`` or ``\\r``. Who gives up waiting misses nothing later on."""

    def __init__(self, pieces: AsyncIterator[bytes], waited: Iterator[bytes], charset: str) -> None:
        self._pieces = pieces
        self._waited = waited
        self._decoder = codecs.getincrementaldecoder(charset)("replace")
        self._lines: deque[str] = deque()
        # What has come of a line, in pieces: joined once, so that a long line costs no more than its length.
        self._begun: list[str] = []
        self._size = 0
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._lines and not self._over:
            piece = await anext(self._pieces, None)
            self._feed(piece)
        if not self._lines:
            raise StopAsyncIteration
        return self._lines.popleft()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        while not self._lines and not self._over:
            self._feed(next(self._waited, None))
        if not self._lines:
            raise StopIteration
        return self._lines.popleft()

    def _feed(self, piece: bytes | None) -> None:
        text = self._decoder.decode(piece or b"", final=piece is None)
        if self._begun and self._begun[-1].endswith("\r"):
            # Whether it ends the line or half of it does, only what follows tells.
            text = self._begun.pop() + text
        held = ""
        if piece is not None and text.endswith("\r"):
            text, held = text[:-1], "\r"
        *whole, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in whole:
            self._lines.append("".join(self._begun) + line)
            self._begun.clear()
            self._size = 0
        self._size += len(rest)
        self._begun += [part for part in (rest, held) if part]
        if self._size > LONGEST_LINE:
            raise ResponseTooLargeError(
                f"a line of the response is longer than {LONGEST_LINE} characters: read it with iter_bytes()"
            )
        if piece is None:
            self._over = True
            if self._begun:
                self._lines.append("".join(self._begun))
                self._begun.clear()
