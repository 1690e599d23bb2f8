"""Questions that wait for a turn at a provider which says nothing: they end with the one that was not answered."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ..errors import KtrdrError, ServiceConnectionError, ServiceTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence


class Silence:
    """Ends those that wait for a turn when a question is not answered and nothing else was meanwhile.

    Each would take as long once more to find the same, one after the other. Who has waited less than half as long has its turn.
    Confined to one loop.

    Parameters
    ----------
    answers : type of Exception
        The errors that are an answer, too.
    """

    def __init__(self, answers: type[Exception]) -> None:
        self._answers = answers
        self._answered = -math.inf
        self._since: WeakKeyDictionary[asyncio.Future[None], float] = WeakKeyDictionary()

    def wait(self) -> asyncio.Future[None]:
        """Make what is awaited for a turn."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._since[turn] = loop.time()
        return turn

    @asynccontextmanager
    async def looked_at(
        self, waiting: Callable[[], Sequence[asyncio.Future[None]]]
    ) -> AsyncIterator[None]:
        """Look at what comes of a question; ``waiting`` gives those that wait when it has ended."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield
        except (ServiceConnectionError, ServiceTimeoutError) as error:
            if self._answered < began:
                self._end(error, waiting(), began + (loop.time() - began) / 2)
            raise
        except self._answers:
            self._answered = loop.time()
            raise
        self._answered = loop.time()

    @staticmethod
    def has_turn(turn: asyncio.Future[None]) -> bool:
        """Say whether who is cancelled, or ended here, has its turn all the same."""
        return turn.done() and not turn.cancelled() and turn.exception() is None

    def _end(
        self, error: KtrdrError, waiting: Sequence[asyncio.Future[None]], before: float
    ) -> None:
        for turn in waiting:
            if not turn.done() and self._since[turn] <= before:
                said = f"not asked, for what was before it is not answered: {error.message}"
                turn.set_exception(type(error)(said, context=error.context))
