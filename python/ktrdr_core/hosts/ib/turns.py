"""Who is asked for next where several clients want something of one source."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ...data.silence import Silence

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable


class FairTurns:
    """Lets questions through, so many at once: of those that wait the client's that has the fewest under way.

    Among equals goes the one whose turn was longest ago, so that a client's only question waits for one of each other's, and
    not for a hundred of one of them. Where a question is not answered, those that waited meanwhile have no turn (``Silence``).
    Confined to one loop.

    Parameters
    ----------
    room : callable
        Gives how many may be under way now; looked at whenever one begins or ends.
    """

    def __init__(self, room: Callable[[], int]) -> None:
        self._room = room
        self._under_way: dict[str, int] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        # Clients by when they had a turn last, longest ago first.
        self._last: dict[str, None] = {}
        self._silence = Silence(Exception)

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for a turn, and hold it."""
        turn = self._silence.wait()
        self._waiting.setdefault(client, []).append(turn)
        self._go_on()
        try:
            await turn
        except BaseException:
            if self._silence.has_turn(turn):
                self._leave(client)
            else:
                self._forget(client, turn)
            raise
        try:
            async with self._silence.looked_at(
                lambda: [each for client in self._waiting.values() for each in client]
            ):
                yield
        finally:
            self._leave(client)

    def _go_on(self) -> None:
        while self._waiting and sum(self._under_way.values()) < max(self._room(), 1):
            order = list(self._last)
            client = min(
                self._waiting,
                key=lambda each: (
                    self._under_way.get(each, 0),
                    order.index(each) if each in self._last else -1,
                ),
            )
            turn = self._waiting[client][0]
            self._forget(client, turn)
            if turn.done():
                continue
            self._under_way[client] = self._under_way.get(client, 0) + 1
            self._last.pop(client, None)
            self._last[client] = None
            turn.set_result(None)

    def _forget(self, client: str, turn: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(client, [])
        if turn not in waiting:
            # Who leaves at the same moment has let it go already.
            return
        waiting.remove(turn)
        if not waiting:
            del self._waiting[client]

    def _leave(self, client: str) -> None:
        self._under_way[client] -= 1
        if not self._under_way[client]:
            del self._under_way[client]
        for gone in [
            each for each in self._last if each not in self._under_way and each not in self._waiting
        ]:
            del self._last[gone]
        self._go_on()
