"""Values that hold arrays, for which `==` gives an array and no answer."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


class HoldsArrays:
    """A dataclass with ``eq=False`` that compares by what its arrays hold; a missing value equals a missing value."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return all(_same(getattr(self, name), getattr(other, name)) for name in names)

    # As a list's: what an array holds can change.
    __hash__ = None  # type: ignore[assignment]


def _same(one: Any, other: Any) -> bool:
    import numpy

    if isinstance(one, numpy.ndarray) and isinstance(other, numpy.ndarray):
        return one.dtype == other.dtype and numpy.array_equal(one, other, equal_nan=True)
    return bool(one == other)
