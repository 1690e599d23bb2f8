"""Wrong types: found after the call has failed, so that a right call pays nothing for it."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from .. import _core
from ..errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

# Keywords that name a series; each is a text.
_WORDS = "Unpack[SeriesWords]"
# What every whole number of the core is at least.
_BITS = 32
# What the core says of a request's field that is not as its struct has it.
_OF_A_FIELD = re.compile(r"\w+: \w+ cannot be ")
P = ParamSpec("P")
R = TypeVar("R")

# How annotations here are spelt, and what they mean.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "None": type(None),
    "bool": bool,
    "bytes": bytes,
    "float": (int, float),
    "int": int,
    "str": str,
    "Format": str,
    "HostServiceConfig": _core.HostServiceConfig,
    "Iterable[ServiceCall]": Iterable,
    "Mapping[str, Any]": Mapping,
    "Mapping[str, str]": Mapping,
    "Mode": str,
    "PoolOptions": _core.PoolOptions,
    "RetryPolicy": _core.RetryPolicy,
    "Timeouts": _core.Timeouts,
    "TlsOptions": _core.TlsOptions,
    "_core.CancellationToken": _core.CancellationToken,
    "Sequence[str]": Sequence,
    "os.PathLike[str]": os.PathLike,
    "timedelta": timedelta,
}


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """Have a TypeError that a wrong argument caused name the argument, as an InvalidArgumentError."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (TypeError, AttributeError, UnicodeEncodeError) as error:
            wrong = error
        try:
            given = signature(function).bind(*args, **kwargs).arguments
        except TypeError:
            # The call itself: Python's own words name the function.
            raise wrong from None
        annotations = function.__annotations__
        known = {name: (given[name], annotations[name]) for name in given if name in annotations}
        for name, (value, annotation) in list(known.items()):
            if annotation == _WORDS:
                del known[name]
                known.update({word: (text, "str | None") for word, text in value.items()})
        unexpected = re.match(r"\w+ has no field (\w+);", str(wrong))
        if unexpected is not None and unexpected[1] in known:
            raise TypeError(
                f"{function.__name__}() got an unexpected keyword argument {unexpected[1]!r}"
            )
        raise explanation(wrong, known)

    return call


def explanation(error: Exception, given: Mapping[str, tuple[object, str]]) -> Exception:
    """Give what to raise in place of ``error``, which must not be its cause: a binding's repeats every argument, secrets too.

    An InvalidArgumentError about the first argument whose value does not fit its annotation or cannot be sent; where all
    do, what ``error`` says beside those values.
    """
    for name, (value, annotation) in given.items():
        if not _fits(value, annotation):
            words = (
                re.sub(r"\b(Mode|Format)\b", "str", annotation)
                .replace("Mapping[str, Any]", "mapping")
                .replace("Mapping[str, str]", "mapping")
                .replace("_core.", "")
                .replace(" | ", " or ")
            )
            return InvalidArgumentError(
                f"{name} must be {words}, not {described(value)}", context={"field": name}
            )
        if not can_be_sent(value):
            return InvalidArgumentError(
                f"{name} holds half of a surrogate pair: that is no text which UTF-8 can carry",
                context={"field": name},
            )
    said, repeated, _ = str(error).partition("\nInvoked with: ")
    # What fits its annotation, and no type of the core's.
    converted = repeated or _OF_A_FIELD.match(said)
    for name, (value, annotation) in given.items():
        wrong = (_out_of_range(value) if converted else "") or _wrong_inside(value, annotation)
        if wrong:
            return InvalidArgumentError(f"{name} {wrong}", context={"field": name})
    for name, (value, _) in given.items() if converted else ():
        # Only counts have an end there: nothing else was wrong.
        if isinstance(value, int) and value < 0:
            return InvalidArgumentError(
                f"{name} must be at least 0, not {described(value)}", context={"field": name}
            )
    return TypeError(said) if repeated else error


def described(value: object) -> str:
    """Give a wrong value as an error shows it: a number as it is, anything else by its type, for it may be a secret."""
    return repr(value) if isinstance(value, int | float | None) else type(value).__name__


def checked_environment(env: Mapping[str, str] | None) -> dict[str, str]:
    """Copy the variables that count: those given, else the process's own. No error repeats any, for they hold secrets.

    Raises
    ------
    InvalidArgumentError
        For what does not map str to str.
    """
    if env is None:
        return dict(os.environ)
    if not isinstance(env, Mapping):
        raise InvalidArgumentError(
            f"env must be mapping or None, not {described(env)}", context={"field": "env"}
        )
    given = dict(env)
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidArgumentError(
                f"env must map str to str; the value of {name!r} is of type {type(value).__name__}",
                context={"field": "env"},
            )
    return given


def text_of_hook(hook: Callable[[], Any], *, or_none: bool = False) -> str:
    """Ask a hook that a subclass may give; empty for None where that is an answer.

    Raises
    ------
    InvalidArgumentError
        For an answer that is no text, naming class and hook.
    """
    if not callable(hook):
        raise InvalidArgumentError(
            f"a hook that gives a text must be a method, not {described(hook)}: write it as one"
        )
    said = hook()
    if isinstance(said, str):
        return said
    if said is None and or_none:
        return ""
    if inspect.iscoroutine(said):
        said.close()
    owner = type(getattr(hook, "__self__", None)).__name__
    raise InvalidArgumentError(
        f"{getattr(hook, '__name__', 'a hook')} of {owner} must give str, not {described(said)}",
        context={"field": getattr(hook, "__name__", "")},
    )


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Copy them.

    Raises
    ------
    InvalidArgumentError
        For what does not map str to str.
    """
    if not isinstance(headers, Mapping | None):
        raise InvalidArgumentError(
            f"headers must be mapping or None, not {described(headers)}",
            context={"field": "headers"},
        )
    fields = dict(headers or {})
    for name, value in fields.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidArgumentError(
                f"headers must map str to str; the value of {name!r} is of type {type(value).__name__}",
                context={"field": "headers"},
            )
    return fields


def _fits(value: object, annotation: str) -> bool:
    alternatives = annotation.split(" | ")
    return any(
        alternative not in _TYPES or isinstance(value, _TYPES[alternative])
        for alternative in alternatives
    )


def _out_of_range(value: object) -> str:
    """Say that no number of the core is so large; empty where it may be."""
    if isinstance(value, int) and value.bit_length() >= _BITS:
        return f"cannot be {described(value)}: it is out of range"
    return ""


def _wrong_inside(value: object, annotation: str) -> str:
    """Say what a list of texts holds that is none; empty where it holds texts."""
    if (
        "Sequence[str]" not in annotation
        or not isinstance(value, Sequence)
        or isinstance(value, str)
    ):
        return ""
    wrong = [one for one in value if not isinstance(one, str)]
    return f"must hold nothing but str, not {described(wrong[0])}" if wrong else ""


def can_be_sent(value: object) -> bool:
    """Say whether UTF-8 can carry it, and all that a mapping holds."""
    if isinstance(value, Mapping):
        return all(can_be_sent(text) for item in value.items() for text in item)
    if isinstance(value, list | tuple):
        return all(can_be_sent(text) for text in value)
    if not isinstance(value, str):
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
