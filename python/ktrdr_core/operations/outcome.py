"""The value of work written in Python, or what it raised, for those who hold the operation."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary


class Outcome:
    """The value of Python work, or what it raised: kept as long as somebody holds the operation."""

    __slots__ = ("__weakref__", "error", "value")

    def __init__(self) -> None:
        self.value: Any = None
        self.error: Exception | None = None


#: By operation id.
outcomes: WeakValueDictionary[str, Outcome] = WeakValueDictionary()
