"""Whether a gateway that does not answer a request answers less: asked while the request still has its time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .refusals import GatewayError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

# After which parts of its time a request that is not answered has smaller ones beside it, and from when on it gives way to
# one that was.
_BESIDE, _GIVES_WAY = (1 / 3, 1 / 2), 2 / 3


class Smaller:
    """Smaller requests beside one that is not answered, so that nobody waits out the time of one after the other.

    Confined to one loop.

    Parameters
    ----------
    asks : sequence of callable
        Make them, the largest first.
    within : float
        How much time the request has. Seconds.
    """

    def __init__(
        self, asks: Sequence[Callable[[], Coroutine[Any, Any, Any]]], within: float
    ) -> None:
        self._asks = list(asks)
        self._due = [part * within for part in _BESIDE[: len(asks)]]
        self._gives_way = _GIVES_WAY * within
        self.tasks: list[asyncio.Task[Any]] = []

    def look(self, passed: float) -> int:
        """Make those that are due after so many seconds; give how many there were."""
        begun = len(self.tasks)
        while len(self.tasks) < len(self._due) and self._due[len(self.tasks)] <= passed:
            self.tasks.append(asyncio.ensure_future(self._asks[len(self.tasks)]()))
        return len(self.tasks) - begun

    def until_next(self, passed: float) -> float:
        """Give how long it is until there is something to look at. Seconds."""
        moments = [*self._due[len(self.tasks) :], self._gives_way]
        return min((each - passed for each in moments if each > passed), default=1.0)

    @property
    def answered(self) -> bool:
        """Whether the gateway has answered one, be it by an error."""
        return any(
            each.done()
            and not each.cancelled()
            and (each.exception() is None or isinstance(each.exception(), GatewayError))
            for each in self.tasks
        )

    def is_enough(self, passed: float) -> bool:
        """Say whether the request is to give way."""
        return passed >= self._gives_way and self.answered

    async def close(self) -> None:
        """Take back those that are open."""
        for each in self.tasks:
            each.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
