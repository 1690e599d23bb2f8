"""The operation that the code here runs under: found by a context variable, told of progress, metrics and warnings."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .. import _core
from ..progress import GenericProgressManager

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..cancellation import CancellationToken

current: ContextVar[OperationContext | None] = ContextVar("ktrdr_core_operation", default=None)


class OperationProgress(GenericProgressManager):
    """Progress by calls, into an operation that runs; its end is the operation's."""

    def __init__(self, native: _core.Operation) -> None:
        super().__init__()
        self._native = _core.GenericProgressManager(native)


class OperationContext:
    """What work can ask and tell of the operation it runs under; ``current_operation()`` finds it.

    Thread safety: every member from any thread; hand it to the threads that you start.
    """

    def __init__(self, native: _core.Operation) -> None:
        self._native = native
        self._progress: OperationProgress | None = None

    @property
    def id(self) -> str:
        """The operation's id."""
        return self._native.id

    @property
    def cancellation_token(self) -> CancellationToken:
        """The operation's token, for work that asks between two steps or runs in a thread."""
        from ..cancellation import CancellationToken

        return CancellationToken(self._native.token)

    @property
    def resumed(self) -> bool:
        """True when an earlier run of this operation was interrupted and this one goes on."""
        return self._native.record().attempt > 1

    @property
    def progress(self) -> GenericProgressManager:
        """Where to report progress."""
        if self._progress is None:
            self._progress = OperationProgress(self._native)
        return self._progress

    def add_metric(self, metric: Mapping[str, Any]) -> None:
        """Put numbers or facts by name, plain JSON, into the event log; read them with ``OperationsService.metrics``.

        Raises
        ------
        InvalidArgumentError
            For what is not plain JSON.
        """
        self._native.add_metric(dict(metric))

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Iterate over the operation's metrics so far, oldest first, those of runs before a resume too."""
        after = 0
        while page := _core.operation_events(self.id, after, 1000, "metric"):
            after = page[-1].seq
            yield from (event.data for event in page)

    def add_warning(self, message: str) -> None:
        """Say that something went less than well."""
        self._native.add_warning(message)

    def add_log(self, message: str) -> None:
        """Put a line into the event log."""
        self._native.add_log(message)

    def __repr__(self) -> str:
        return f"<OperationContext {self.id} {self._native.status}>"


def current_operation() -> OperationContext | None:
    """Give the operation that the code here runs under, or None.

    It is found through a context variable, so each of several operations at once finds its own.
    """
    return current.get()


def current_id() -> str:
    """Give the id of the operation that the code here runs under, or nothing."""
    here = current.get()
    return "" if here is None else here.id
