"""Wrong types: found after the call has failed, so that a right call pays nothing for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from . import _core
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

# How annotations here are spelt, and what they mean.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "None": type(None),
    "bool": bool,
    "float": (int, float),
    "int": int,
    "str": str,
    "Iterable[ServiceCall]": Iterable,
    "Mapping[str, Any]": Mapping,
    "_core.CancellationToken": _core.CancellationToken,
    "Sequence[str]": Sequence,
    "os.PathLike[str]": os.PathLike,
}


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """Have a TypeError that a wrong argument caused name the argument, as an InvalidArgumentError."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (TypeError, AttributeError) as error:
            given = signature(function).bind(*args, **kwargs).arguments
            annotations = function.__annotations__
            explain(
                error,
                {name: (given[name], annotations[name]) for name in given if name in annotations},
            )
            raise

    return call


def explain(error: Exception, given: Mapping[str, tuple[object, str]]) -> None:
    """Raise for the first argument whose value does not fit its annotation; nothing happens when all fit.

    Raises
    ------
    InvalidArgumentError
        Naming the argument.
    """
    for name, (value, annotation) in given.items():
        if not _fits(value, annotation):
            words = (
                annotation.replace("Mapping[str, Any]", "mapping")
                .replace("_core.", "")
                .replace(" | ", " or ")
            )
            raise InvalidArgumentError(
                f"{name} must be {words}, not {value!r}", context={"field": name}
            ) from error


def _fits(value: object, annotation: str) -> bool:
    alternatives = annotation.split(" | ")
    return any(
        alternative not in _TYPES or isinstance(value, _TYPES[alternative])
        for alternative in alternatives
    )
