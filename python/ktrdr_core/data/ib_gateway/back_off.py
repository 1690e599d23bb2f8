"""How long to wait before a gateway is connected to again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class BackOff:
    """Pauses between attempts: each twice as long as the one before, up to the longest, and each somewhat shorter by chance.

    Those who lost the same gateway do not come back together.

    Parameters
    ----------
    first, longest : float
        Seconds.
    chance : callable, optional
        Gives a number between two.
    """

    def __init__(
        self,
        first: float,
        longest: float,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._first, self._longest, self._chance = first, max(first, longest), chance
        self._next = first

    def pause(self) -> float:
        """Give how long to wait now. Seconds."""
        pause = self._next * self._chance(0.5, 1.0)
        self._next = min(2 * self._next, self._longest)
        return pause

    def reset(self) -> None:
        """Begin with the first again: the gateway was there."""
        self._next = self._first
