"""What a record keeps of a value that is not plain JSON: its plain form where it has one, else a description.

==========================================  =======================================================================
value                                       kept as
==========================================  =======================================================================
numpy and pandas scalars, arrays, series    the numbers; a tensor's and a small frame's too
``datetime``, ``date``, ``time``            ISO 8601 text
``timedelta``                               seconds
``Path``, ``Decimal``, ``UUID``             text
``Enum``                                    its value, its name where that is not plain
NaN and the infinities                      ``"NaN"``, ``"Infinity"``, ``"-Infinity"``; missing values null
whole numbers beyond 64 bits                text
sets, ranges, dataclasses, models           lists and objects
keys that are no text                       as ``json.dumps`` writes them
anything else                               described in a few words, as is what goes round in a circle
==========================================  =======================================================================

Nothing here raises: what is kept of a value must not decide how the work ends.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence, Set, ValuesView
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from os import PathLike, fspath
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any
from uuid import UUID

from .texts import name_of, readable, said, shown

# Levels, well below what the core takes.
_DEEPEST = 40
# Parts of one value: more would hold the loop up for longer than a tenth of a second.
_MOST = 30_000
# Numbers of an array, which numpy itself makes a list of.
_NUMBERS = 100_000
_CUT = "…"


def plain(value: Any, most: int = _MOST, longest: int = 2**40) -> Any:
    """Give the plain JSON of any value; at most so many parts, and characters of a text."""
    return _Conversion(most, longest).of(value, 0)


def converted(value: Any) -> Any:
    """Give the plain JSON that stands for the whole value, or None where a part of it could only be described."""
    conversion = _Conversion(_MOST, 2**40)
    made = conversion.of(value, 0)
    return made if conversion.whole else None


def result(value: Any) -> Any:
    """Give what a record keeps of a result: plain JSON, parts of it described; nothing of one that has no plain form."""
    conversion = _Conversion(_MOST, 2**40)
    made = conversion.of(value, 0)
    return made if conversion.whole or isinstance(made, dict | list) else None


class _Conversion:
    """One value's way into plain JSON."""

    def __init__(self, most: int, longest: int) -> None:
        self._left = most
        self._longest = longest
        self._inside: set[int] = set()
        #: Nothing was left out or described.
        self.whole = True

    def of(self, value: Any, depth: int) -> Any:
        if self._left <= 0 or depth > _DEEPEST or id(value) in self._inside:
            self.whole = False
            return _CUT
        self._left -= 1
        self._inside.add(id(value))
        try:
            return self._scalar(value) if _is_scalar(value) else self._other(value, depth)
        except BaseException:  # noqa: BLE001 - the value's own code may raise anything
            return self._described(f"<{name_of(type(value))}>")
        finally:
            self._inside.discard(id(value))

    def _described(self, words: str) -> str:
        self.whole = False
        return words

    def _scalar(self, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return readable(value, self._longest)
        if isinstance(value, int):
            number = int(value)
            return number if number.bit_length() <= 63 else self._digits(number)
        fraction = float(value)
        return fraction if math.isfinite(fraction) else json.dumps(fraction)

    def _digits(self, number: int) -> str | int:
        if 0 < number < 2**64:
            return number
        if number.bit_length() < 10_000:
            return str(number)
        # Python does not write so many decimal digits.
        return self._described(f"{number:#x}"[:200] + _CUT)

    def _other(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if isinstance(value, Enum):
            return self._scalar(value.value) if _is_scalar(value.value) else str(value.name)
        if isinstance(value, date | time | timedelta):
            return _time(value)
        if isinstance(value, Decimal | UUID | Fraction | complex):
            return str(value)
        if isinstance(value, PathLike):
            return self.of(fspath(value), depth + 1)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._scalar(bytes(value).decode("utf-8", "backslashreplace"))
        if hasattr(kind, "tolist") and hasattr(kind, "dtype"):
            return self._array(value, depth)
        if hasattr(kind, "to_dict") and hasattr(kind, "dtypes"):
            few = math.prod(value.shape) <= self._left
            return self.of(value.to_dict("list"), depth) if few else self._described(_size(value))
        if isinstance(value, Mapping):
            return self._object(value.items(), depth)
        if isinstance(value, Set):
            return self._list(_in_order(value), depth)
        if isinstance(value, Sequence | ValuesView):
            return self._list(value, depth)
        if is_dataclass(value) and not isinstance(value, type):
            return self._object(((f.name, getattr(value, f.name)) for f in fields(value)), depth)
        if hasattr(kind, "model_dump"):
            return self.of(value.model_dump(), depth + 1)
        return self._in_words(value)

    def _in_words(self, value: Any) -> Any:
        if type(value).__name__ == "NAType":
            return None
        if isinstance(value, BaseException):
            return self._described(said(value))
        if isinstance(value, type):
            return self._described(name_of(value))
        if isinstance(value, FunctionType | BuiltinFunctionType | MethodType):
            return self._described(f"{value.__module__}.{value.__qualname__}")
        return self._described(shown(value))

    def _array(self, value: Any, depth: int) -> Any:
        size = math.prod(value.shape)
        numpy = type(value).__module__.partition(".")[0] == "numpy"
        if numpy and size <= _NUMBERS and _is_plain(value):
            return value.tolist()
        if size > self._left:
            return self._described(_size(value))
        if numpy and value.dtype.kind in "Mm":
            value = value.astype(f"{'datetime' if value.dtype.kind == 'M' else 'timedelta'}64[us]")
        listed = value.tolist()
        # A long double has no Python number of its own.
        return self.of(float(listed) if type(listed) is type(value) else listed, depth + 1)

    def _list(self, items: Iterable[Any], depth: int) -> list[Any]:
        made: list[Any] = []
        for item in items:
            made.append(self.of(item, depth + 1))
            if self._left <= 0:
                self.whole = False
                break
        return made

    def _object(self, items: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in list(items):
            name = self.of(key, depth + 1)
            if not isinstance(name, str):
                name = json.dumps(name, ensure_ascii=False)
            if name in made:
                name = f"{name} ({name_of(type(key))})"
            made[name] = self.of(value, depth + 1)
            if self._left <= 0:
                self.whole = False
                break
        return made


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _is_plain(array: Any) -> bool:
    kind, width = array.dtype.kind, array.dtype.itemsize
    if kind == "f" and width <= 8:
        return bool((abs(array) < math.inf).all())
    return kind in "bi" or (kind == "u" and width <= 8)


def _time(value: date | time | timedelta) -> str | float | None:
    if value != value:  # pandas' time that is not there
        return None
    return value.total_seconds() if isinstance(value, timedelta) else value.isoformat()


def _in_order(values: Set[Any]) -> Iterable[Any]:
    try:
        return sorted(values)
    except TypeError:
        return values


def _size(value: Any) -> str:
    return f"<{name_of(type(value))} of {' x '.join(str(int(length)) for length in value.shape)}>"
