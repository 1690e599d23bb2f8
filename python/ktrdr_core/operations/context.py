"""The operation that the code here runs under: found by a context variable, told of progress, metrics and warnings."""

from __future__ import annotations

from contextvars import copy_context
from threading import local
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from .. import _core
from .._bridge.current import current_work
from ..errors import NotFoundError
from ..progress import GenericProgressManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextvars import ContextVar, Token

    from ..cancellation import CancellationToken

P = ParamSpec("P")
T = TypeVar("T")

current = cast("ContextVar[OperationContext | None]", current_work)


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

    def context(self) -> OperationScope:
        """Carry this operation into a thread or an executor, where a context does not go by itself.

        Examples
        --------
        >>> import asyncio
        >>> from ktrdr_core import ServiceOrchestrator, current_operation
        >>> class Reader(ServiceOrchestrator):
        ...     def _get_service_name(self):
        ...         return "Reader"
        ...     def _get_env_var_prefix(self):
        ...         return "READER"
        ...     def read(self):
        ...         self.update_operation_progress(1, "Read")
        ...         return current_operation() is not None
        ...     async def work(self):
        ...         carried = current_operation().context()
        ...         return await asyncio.get_running_loop().run_in_executor(None, carried.run, self.read)
        >>> async def main():
        ...     reader = Reader()
        ...     return await reader.start_operation("Reading", "reading", reader.work)
        >>> asyncio.run(main())
        True
        """
        return OperationScope(self._native)

    def add_metric(self, metric: Mapping[str, Any]) -> None:
        """Put numbers or facts by name into the event log; read them with ``OperationsService.metrics``.

        What is not plain JSON is converted (numpy's numbers, times, paths, …) or described.
        """
        self._native.add_metric(dict(metric))

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Iterate over the operation's metrics so far, oldest first, those of runs before a resume too.

        Without a store those among the newest 2,000 events are all that is kept.
        """
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


class OperationScope:
    """Carries an operation to where no context goes by itself: a thread, an executor, another's callback.

    ``with operation.context(): ...``, or ``operation.context().run(function, ...)``. What runs inside finds it with
    ``current_operation()``, so its progress, its calls and what it starts belong to it. Each thread may enter it.
    """

    def __init__(self, native: _core.Operation) -> None:
        self._here = OperationContext(native)
        self._entered = _Entered()

    def __enter__(self) -> OperationContext:
        self._entered.tokens.append(current.set(self._here))
        return self._here

    def __exit__(self, *_: object) -> None:
        current.reset(self._entered.tokens.pop())

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function under the operation; what it changes of its context is gone afterwards."""

        def call() -> T:
            current.set(self._here)
            return function(*args, **kwargs)

        return copy_context().run(call)


class _Entered(local):
    """Of each thread: how to leave what it entered."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[Token[OperationContext | None]] = []


def current_operation() -> OperationContext | None:
    """Give the operation that the code here runs under, or None; one that has ended runs nothing any more.

    It is found through a context variable, so each of several operations at once finds its own. Tasks, callbacks and
    ``asyncio.to_thread`` take the context with them; see ``OperationContext.context`` for what does not.
    """
    here = current.get()
    return None if here is None or here._native.done else here


def current_id() -> str:
    """Give the id of the operation that the code here runs under, or nothing."""
    here = current_operation()
    return "" if here is None else here.id


def under_current(start: Callable[[str], T]) -> T:
    """Call ``start`` with the id of the operation that the code here runs under, or with nothing.

    With nothing again where that one has ended between the look and the start.
    """
    if current.get() is None:
        return start("")
    parent = current_id()
    try:
        return start(parent)
    except NotFoundError:
        if not parent:
            raise
        return start("")
