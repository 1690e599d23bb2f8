"""A strategy's data with another value at a path, as people write paths."""

from __future__ import annotations

import re
from typing import Any

_INDEX = re.compile(r"\[(\d+)\]\.?")


def changed(data: Any, path: str, value: Any) -> Any:
    """Give the data with ``value`` at ``path``; what it was given stays as it is.

    Raises
    ------
    ValueError
        When the path leads into what has no parts.
    """
    if not path:
        return _frozen(value)
    if index := _INDEX.match(path):
        return _changed_at(data, int(index[1]), path[index.end() :], value)
    if data is not None and not isinstance(data, dict):
        raise ValueError(f"leads into {data!r}, which has no keys; there is no {path!r}")
    key, rest = _first(data or {}, path)
    inside = (data or {}).get(key)
    return {**(data or {}), key: changed(inside, rest, value)}


def _changed_at(data: Any, index: int, rest: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(data, tuple) or index >= len(data):
        size = f"has {len(data)} items" if isinstance(data, tuple) else "is no list"
        raise ValueError(f"there is no item {index}: what it is asked of {size}")
    return (*data[:index], changed(data[index], rest, value), *data[index + 1 :])


def _first(data: dict[Any, Any], path: str) -> tuple[str, str]:
    """Part a path behind its first key; a key may hold dots itself, as ``macd.histogram`` does."""
    known = [str(key) for key in data if re.match(re.escape(str(key)) + r"(?:$|[.\[])", path)]
    key = max(known, key=len, default=re.split(r"[.\[]", path, maxsplit=1)[0])
    rest = path[len(key) :]
    return key, rest.removeprefix(".")


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(one) for key, one in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
