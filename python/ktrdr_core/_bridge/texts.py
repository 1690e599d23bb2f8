"""Texts for people out of what user code gives: whatever it is, there is one, and it can be kept and shown.

Nothing here raises: what can be said of the work must not decide how the work ends.
"""

from __future__ import annotations

from typing import Any

#: Bytes of a text that is kept of an error: with what is said of a cut, fewer than the core's own bound.
LONGEST = 8_000


def readable(text: str, longest: int = LONGEST) -> str:
    """Give text that UTF-8 can carry: half of a surrogate pair, as in a file's name, is shown as ``\\udce9``."""
    # The methods of str itself: a subclass may have others.
    size = str.__len__(text)
    kept = str.__getitem__(text, slice(longest)) if size > longest else text
    plain = str.encode(kept, "utf-8", "backslashreplace")
    if size <= longest and len(plain) <= longest:
        return plain.decode()
    return f"{plain[:longest].decode(errors='ignore')}… ({size:,} characters in all)"


def name_of(cls: type) -> str:
    """Give the full name of a class: ``KeyError``, ``decimal.Overflow``."""
    try:
        module, name = cls.__module__, cls.__qualname__
        full = name if module in (None, "builtins") else f"{module}.{name}"
        return readable(full, 200)
    except BaseException:  # noqa: BLE001 - a class may answer anything, by code of its own
        return "an object of a nameless class"


def text_of(error: BaseException) -> str:
    """Give what an exception says; what its arguments say where it cannot say it itself; perhaps nothing."""
    for make in (str, BaseException.__str__):
        try:
            return readable(make(error))
        except BaseException as failed:  # noqa: BLE001 - its text is made by code of its own
            why = name_of(type(failed))
    return f"its text cannot be made: {why}"


def said(error: BaseException) -> str:
    """Give class and text: ``KeyError: 'no such thing'``."""
    name, text = name_of(type(error)), text_of(error)
    return f"{name}: {text}" if text else name


def shown(value: Any, longest: int = 200) -> str:
    """Give the ``repr`` of a value, its class where there is none."""
    try:
        own: object = type(value).__repr__
        if own is not object.__repr__:
            return readable(repr(value), longest)
    except BaseException:  # noqa: BLE001 - as in text_of
        pass
    return f"<{name_of(type(value))}>"
