"""What became of bars that were stored, and what there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Stored:
    """What became of bars of your own; see ``DataManager.store``."""

    symbol: str
    """Whose bars they are."""
    timeframe: str
    """How long each is."""
    bars: int
    """How many were given."""
    added: int
    """Of those, how many were not there before."""
    replaced: int
    """How many took the place of one with the same timestamp, whatever its numbers."""
    first: datetime
    """The start of the oldest that was given, UTC."""
    last: datetime
    """The start of the newest that was given, UTC."""

    @classmethod
    def of(cls, value: dict[str, Any]) -> Stored:
        """Read what the core says."""
        ends = {name: datetime.fromisoformat(value[name]) for name in ("first", "last")}
        return cls(**{**value, **ends})


@dataclass(frozen=True)
class Series:
    """Bars that are stored; see ``DataManager.series``."""

    provider: str
    """Whose prices they are: a manager's loads, and its own bars, are those of one provider (``IB``)."""
    symbol: str
    """As the provider names it."""
    timeframe: str
    """How long each bar is."""
    bars: int
    """How many there are."""
    first: datetime
    """The start of the oldest, UTC."""
    last: datetime
    """The start of the newest, UTC."""
