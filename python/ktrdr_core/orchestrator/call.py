"""The call of an operation's function: its arguments by name, and the operation's id where the function asks for it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.texts import text_of
from ..errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_ID = "operation_id"


class Call:
    """A function and its arguments. One with a parameter ``operation_id`` that is not given is passed the id.

    Raises
    ------
    InvalidArgumentError
        For arguments that the function does not take.
    """

    def __init__(
        self, func: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._func, self._args, self._kwargs = func, args, kwargs
        try:
            self._signature: inspect.Signature | None = inspect.signature(func)
        except ValueError:  # a callable without a signature
            self._signature = None
        #: Among the arguments by position; or by name; or not at all.
        self._asks: int | str | None = self._how_it_asks()
        #: Names that stand for an argument by place and for one by name.
        self._twice: list[str] = []
        self._bound = self._bind("")

    def __call__(self, operation_id: str) -> Awaitable[Any]:
        """Call the function."""
        args, kwargs = self._arguments(operation_id)
        return self._func(*args, **kwargs)

    def parameters(self, *, required: bool) -> dict[str, Any]:
        """Give the arguments by name as the record keeps them: where ``required``, just as they are.

        Raises
        ------
        InvalidArgumentError
            For one that is required and not plain JSON.
        """
        parameters = dict(self._bound)
        if required and self._twice:
            raise InvalidArgumentError(
                f"{self._twice[0]} of a registered operation is given by place and by name, and its record keeps one "
                "value of a name: rename one of the two"
            )
        for name, value in parameters.items():
            try:
                _core.check_json(value)
            except Exception as error:  # noqa: BLE001 - the value's own code may raise anything
                if required:
                    raise InvalidArgumentError(
                        f"{name} of a registered operation is kept with it and must be plain JSON: {text_of(error)}"
                    ) from None
                from .._bridge.plain import converted

                # Nothing of what can only be described: the same words may stand for another request.
                parameters[name] = converted(value)
        return parameters

    def _how_it_asks(self) -> int | str | None:
        if self._signature is None or _ID not in self._signature.parameters:
            return None
        place = list(self._signature.parameters).index(_ID)
        kind = self._signature.parameters[_ID].kind
        by_place = kind is inspect.Parameter.POSITIONAL_ONLY or (
            place == 0 and kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        )
        if by_place and self._fits(*self._with_id(place, "")):
            return place
        by_name = kind in (
            inspect.Parameter.KEYWORD_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        )
        return _ID if by_name and self._fits(*self._args, **{_ID: ""}) else None

    def _with_id(self, place: int, operation_id: str) -> tuple[Any, ...]:
        return (*self._args[:place], operation_id, *self._args[place:])

    def _fits(self, *args: Any, **more: Any) -> bool:
        if self._signature is None or _ID in self._kwargs:
            return False
        try:
            self._signature.bind(*args, **self._kwargs, **more)
        except TypeError:
            return False
        return True

    def _arguments(self, operation_id: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if isinstance(self._asks, int):
            return self._with_id(self._asks, operation_id), self._kwargs
        if self._asks is not None:
            return self._args, {**self._kwargs, self._asks: operation_id}
        return self._args, self._kwargs

    def _bind(self, operation_id: str) -> dict[str, Any]:
        if self._signature is None:
            return {}
        args, kwargs = self._arguments(operation_id)
        try:
            bound = dict(self._signature.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise InvalidArgumentError(
                f"{getattr(self._func, '__qualname__', self._func)} cannot be called so: {error}"
            ) from error
        for parameter in self._signature.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                named = bound.pop(parameter.name, {})
                self._twice = [name for name in named if name in bound]
                for name, value in named.items():
                    bound[f"{name} (by name)" if name in bound else name] = value
        if self._asks is not None:
            del bound[_ID]
        return bound


def as_called(
    function: Callable[..., Awaitable[Any]], parameters: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Give arguments that a record keeps by name as the function takes them: some by place only, or as many as come."""
    args: list[Any] = []
    named = dict(parameters)
    known = inspect.signature(function).parameters.values()
    # What stands before the many is given by place where there are any.
    many = any(named.get(one.name) for one in known if one.kind is inspect.Parameter.VAR_POSITIONAL)
    for parameter in known:
        if parameter.name not in named:
            continue
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            args.extend(named.pop(parameter.name))
        elif parameter.kind is inspect.Parameter.POSITIONAL_ONLY or (
            many and parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ):
            args.append(named.pop(parameter.name))
    return tuple(args), named
