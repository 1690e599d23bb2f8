"""How many requests for bars are under way at once: as many as the gateway answers fast."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ..silence import Silence
from .refusals import GatewayError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: How many at the beginning, and at most: the gateway takes 50.
FIRST, MOST = 3, 20
# An answer is fast up to the one, and slow from the other on. Seconds.
_FAST, _SLOW = 2.0, 10.0


class AdaptiveGate:
    """Lets requests through: one more at once after each fast answer, half as many after a slow one or a pacing error.

    Confined to one loop; who waits longest goes first. Where a request is not answered, those that waited meanwhile have no
    turn (``Silence``).
    """

    def __init__(self) -> None:
        self.allowed = FIRST
        self.under_way = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._silence = Silence(GatewayError)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and take note of how long the answer took."""
        await self._enter()
        began = asyncio.get_running_loop().time()
        try:
            async with self._silence.looked_at(lambda: self._waiting):
                yield
        except BaseException:
            self._leave()
            raise
        took = asyncio.get_running_loop().time() - began
        if took >= _SLOW:
            self.slower()
        elif took <= _FAST:
            self.allowed = min(self.allowed + 1, MOST)
        self._leave()

    def slower(self) -> None:
        """Halve what may be under way."""
        self.allowed = max(self.allowed // 2, 1)

    async def _enter(self) -> None:
        if self.under_way < self.allowed and not self._waiting:
            self.under_way += 1
            return
        turn = self._silence.wait()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if self._silence.has_turn(turn):
                self._leave()
            elif turn in self._waiting:
                # Who leaves at the same moment has let it go already.
                self._waiting.remove(turn)
            raise

    def _leave(self) -> None:
        self.under_way -= 1
        while self._waiting and self.under_way < self.allowed:
            turn = self._waiting.pop(0)
            if not turn.done():
                self.under_way += 1
                turn.set_result(None)
