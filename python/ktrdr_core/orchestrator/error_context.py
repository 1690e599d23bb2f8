"""What was being done when an error came."""

from __future__ import annotations

from contextlib import ContextDecorator
from typing import TYPE_CHECKING, Any

from .._bridge.texts import shown
from ..errors import OperationCancelledError, OperationTimeoutError
from ..operations.failure import annotate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType


class ErrorContext(ContextDecorator):
    """See ``ServiceOrchestrator.error_context``; a function may be decorated with it.

    No generator: contextlib sets an attribute of the error then, and one that is frozen refuses that.
    """

    def __init__(
        self, operation_name: str, service_name: Callable[[], str], facts: Mapping[str, Any]
    ) -> None:
        self._name, self._service_name, self._facts = operation_name, service_name, facts

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
