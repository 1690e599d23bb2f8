"""What was being done when an error came."""

from __future__ import annotations

import inspect
from contextlib import ContextDecorator, aclosing
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from .._bridge.texts import shown
from ..errors import OperationCancelledError, OperationTimeoutError
from ..operations.failure import annotate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

Function = TypeVar("Function", bound="Callable[..., Any]")


class ErrorContext(ContextDecorator):
    """See ``ServiceOrchestrator.error_context``; a function may be decorated with it, an async one too.

    No generator: contextlib sets an attribute of the error then, and one that is frozen refuses that.
    """

    def __init__(
        self, operation_name: str, service_name: Callable[[], str], facts: Mapping[str, Any]
    ) -> None:
        self._name, self._service_name, self._facts = operation_name, service_name, facts

    def __call__(self, function: Function) -> Function:
        """Decorate a function; an async one is in the context until it has ended, not until it is called."""
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return awaited  # type: ignore[return-value]
        if inspect.isasyncgenfunction(function):

            @wraps(function)
            async def iterated(*args: Any, **kwargs: Any) -> Any:
                with self:
                    async with aclosing(function(*args, **kwargs)) as items:
                        async for item in items:
                            yield item

            return iterated  # type: ignore[return-value]
        return super().__call__(function)

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or not issubclass(kind, Exception) or error is None:
            return
        if issubclass(kind, OperationCancelledError | OperationTimeoutError):
            return
        facts = "".join(f", {name}={shown(value)}" for name, value in self._facts.items())
        annotate(error, f"while: {self._name} ({self._service_name()}{facts})", self._facts)
