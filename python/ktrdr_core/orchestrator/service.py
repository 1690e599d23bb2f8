"""Your own service under the core: progress, cancellation, a record and retries for any work written in Python."""

from __future__ import annotations

import asyncio
import inspect
import logging
import warnings
from types import CoroutineType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    ParamSpec,
    TypeVar,
    TypeVarTuple,
    Unpack,
    cast,
    overload,
)
from weakref import ref

from .. import _bridge
from .._bridge.callbacks import refuse_coroutine
from .._bridge.texts import text_of
from ..errors import (
    ConflictError,
    InvalidArgumentError,
    KtrdrError,
    OperationCancelledError,
)
from ..operations import Operation
from ..operations.context import current_operation
from ..operations.failure import beginning
from ..operations.kinds import type_key
from ..operations.outcome import Outcome, Raised, ended_by_itself, outcomes
from ..operations.service import register_starter
from . import retries, starting
from .call import Call, as_called
from .error_context import ErrorContext
from .manager import Manager
from .routing import RoutedService
from .work import carry_out, close

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .. import _core
    from ..cancellation import CancellationToken
    from ..progress import ProgressRenderer
    from ..protocols import CancellationToken as AnyToken
    from ..protocols import ProgressCallback

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")
if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    # ``ServiceOrchestrator`` alone means any adapter.
    AdapterT = TypeVarWithDefault("AdapterT", default=Any)
else:
    AdapterT = TypeVar("AdapterT")

_log = logging.getLogger("ktrdr_core.orchestrator")


class ServiceOrchestrator(RoutedService, Manager, Generic[AdapterT]):
    """Base of the managers of a domain.

    A subclass gives four hooks (``_initialize_adapter``, ``_get_service_name``, ``_get_default_host_url``,
    ``_get_env_var_prefix``) and async functions; this class runs them as operations. It keeps nothing about a single
    operation, so any number run at once. A subclass may do without calling ``super().__init__()``.
    It may name the class of its adapter for type checkers: ``class Quotes(ServiceOrchestrator[QuotesAdapter])``.

    Thread safety: every member from any thread; what awaits stays on its own loop.

    Parameters
    ----------
    use_host_service : bool, optional
        Overrides ``USE_<PREFIX>_HOST_SERVICE``, without which a URL means True.
    host_service_url : str, optional
        Overrides ``<PREFIX>_HOST_SERVICE_URL``; giving it means that the host service is used.
    env : mapping, optional
        Read in place of ``os.environ``.

    Examples
    --------
    >>> import asyncio
    >>> from ktrdr_core import ServiceOrchestrator
    >>> class Greeter(ServiceOrchestrator):
    ...     def _get_service_name(self):
    ...         return "Greeter"
    ...     def _get_env_var_prefix(self):
    ...         return "GREETER"
    ...     async def greet(self, names):
    ...         for number, name in enumerate(names, start=1):
    ...             self.update_operation_progress(number, f"Greeting {name}")
    ...             await asyncio.sleep(0)
    ...         return len(names)
    >>> async def main():
    ...     greeter = Greeter()
    ...     operation = greeter.start_operation("Greetings", "greeting", greeter.greet, ["Ada", "Alan"], total_steps=2)
    ...     return await operation, operation.progress.percentage
    >>> asyncio.run(main())
    (2, 100.0)
    """

    #: Words for the progress of its operations; a domain may set its own.
    progress_renderer: ProgressRenderer | None = None

    # ---- running work in the task that awaits it

    async def execute_with_progress(
        self,
        operation: Awaitable[T],
        progress_callback: ProgressCallback | None = None,
        timeout: float | None = None,
        operation_name: str = "operation",
        total_steps: int | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> T:
        """Await a piece of work as an operation, in this task.

        Parameters
        ----------
        operation : awaitable
            A coroutine or any other awaitable, or an ``Operation`` of the core. What is awaited finds its operation
            with ``current_operation()`` and reports with ``update_operation_progress``.
        progress_callback : callable, optional
            Called with a ``ProgressState`` on this loop; the last state comes before this call returns.
        timeout : float, optional
            Seconds after which the work is interrupted.
        operation_name : str
            For a person; also the type in the operation's id.
        total_steps : int, optional
            How many steps there will be.
        context : mapping, optional
            What every progress state carries: plain JSON; anything else is converted or described.

        Raises
        ------
        OperationTimeoutError
            After ``timeout``.
        OperationCancelledError
            When the operation was cancelled by its id.
        asyncio.CancelledError
            When this task was cancelled.
        InvalidArgumentError
            For arguments out of range, before any work.
        Exception
            Whatever the work raises.
        """
        return await self._run_in_this_task(
            operation, operation_name, progress_callback, timeout, None, total_steps, context
        )

    async def execute_with_cancellation(
        self,
        operation: Awaitable[T],
        cancellation_token: AnyToken | None = None,
        operation_name: str = "operation",
    ) -> T:
        """Await a piece of work until the token is cancelled, which interrupts it at once.

        Parameters
        ----------
        operation : awaitable
            As in ``execute_with_progress``.
        cancellation_token : CancellationToken or anything like one, optional
            Stops the work, wherever it waits.
        operation_name : str
            For a person; also the type in the operation's id.

        Raises
        ------
        OperationCancelledError
            When the token, or the operation by its id, was cancelled.
        asyncio.CancelledError
            When this task was cancelled.
        Exception
            Whatever the work raises.
        """
        return await self._run_in_this_task(
            operation, operation_name, None, None, cancellation_token, None, None
        )

    async def _run_in_this_task(
        self,
        work: Awaitable[T],
        name: str,
        callback: ProgressCallback | None,
        limit: float | None,
        token: AnyToken | None,
        total_steps: int | None,
        context: Mapping[str, Any] | None,
    ) -> T:
        # Most work is a coroutine, which needs no look at an abstract class.
        plain = type(work) is CoroutineType
        if not plain and isinstance(work, Operation):
            return await starting.attach(work, callback, limit, token)
        try:
            if not inspect.isawaitable(work):
                raise InvalidArgumentError(
                    f"operation must be an awaitable (call the coroutine function), not {work!r}"
                )
            if callback is not None:
                refuse_coroutine(callback)
            native, _ = starting.create(
                starting.type_of(name), "", name, limit, token, total_steps, context
            )
            if callback is not None:
                with beginning(native):
                    Operation(
                        native,
                        starting.itself,
                        progress_callback=callback,
                        renderer=self.progress_renderer,
                    )
        except BaseException:
            close(work)
            raise
        # For its own caller too: others who give up waiting leave the operation to this one.
        native.add_waiter()
        try:
            value, cause = await carry_out(native, work, keep=False)
        finally:
            native.remove_waiter()
        if cause is not None and isinstance(cause, KeyboardInterrupt | SystemExit):
            Raised(cause).again()
        if callback is not None or not native.done:
            # The last progress, and the end as the store has it, come before the value.
            await Operation.of(native)._finished()
        raised = None
        try:
            native.result()
        except KtrdrError as ended:
            own = cause is not None and not isinstance(cause, asyncio.CancelledError)
            if not own or not ended_by_itself(native):
                raise ended from cause
            raised = Raised(cast("BaseException", cause))
        if raised is not None:
            # Not inside the handler, whose error would become the context of this one.
            raised.again()
        return value

    # ---- running work by itself

    # The types refuse arguments that the function does not take. With options of ours beside them no type can say
    # which keywords are the function's: then those go into a functools.partial, or the call is not checked.
    @overload
    def start_operation(
        self,
        operation_name: str,
        operation_type: str,
        operation_func: Callable[P, Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Operation[T]: ...
    @overload
    def start_operation(
        self,
        operation_name: str,
        operation_type: str,
        operation_func: Callable[[Unpack[Ts]], Awaitable[T]],
        *args: *Ts,
        operation_id: str = "",
        parent_id: str = "",
        timeout: float | None = None,
        cancellation_token: AnyToken | None = None,
        progress_callback: ProgressCallback | None = None,
        total_steps: int | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Operation[T]: ...
    def start_operation(  # type: ignore[misc] # a keyword of the function may be called as one of ours
        self,
        operation_name: str,
        operation_type: str,
        operation_func: Callable[..., Awaitable[T]],
        *args: Any,
        operation_id: str = "",
        parent_id: str = "",
        timeout: float | None = None,
        cancellation_token: AnyToken | None = None,
        progress_callback: ProgressCallback | None = None,
        total_steps: int | None = None,
        context: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Operation[T]:
        """Start ``operation_func(*args, **kwargs)`` in a task of its own and return its handle at once.

        Parameters
        ----------
        operation_name : str
            For a person.
        operation_type : str
            What kind of work it is; part of the id, and what ``register_operation`` knows it by. Case does not count:
            it is kept in small letters.
        operation_func : callable
            An async function. One with a parameter ``operation_id`` is passed the operation's id.
        operation_id : str
            Your own id; the same id with the same type and arguments answers the same operation. Its time and its token
            are those of the call that began it: to wait no longer than one wants, await it under ``asyncio.timeout``.
        parent_id : str
            The operation that it belongs to, and is cancelled with; by default the one that runs here.
        timeout : float, optional
            Seconds after which the work is interrupted.
        cancellation_token : CancellationToken or anything like one, optional
            Stops the work, wherever it waits.
        progress_callback : callable, optional
            Called with a ``ProgressState`` on this loop.
        total_steps : int, optional
            How many steps there will be.
        context : mapping, optional
            What every progress state carries: plain JSON; anything else is converted or described.
        *args, **kwargs
            For ``operation_func``; the record keeps their plain form. Of a registered type they must be plain JSON. Type
            checkers look at keywords of the function only where none of the options above is given: beside those, give
            ``functools.partial(operation_func, ...)``.

        Raises
        ------
        RuntimeError
            Where no event loop runs: use ``run_sync_operation`` there.
        InvalidArgumentError
            For arguments out of range, at once.
        ConflictError
            When the id belongs to another request, at once.
        """
        return self._start_in_a_task(
            operation_name,
            operation_type,
            operation_func,
            args,
            kwargs,
            operation_id=operation_id,
            parent_id=parent_id,
            limit=timeout,
            token=cancellation_token,
            callback=progress_callback,
            total_steps=total_steps,
            context=context,
        )

    async def start_managed_operation(
        self,
        operation_name: str,
        operation_type: str,
        operation_func: Callable[..., Awaitable[Any]],
        *args: Any,
        **kwargs: Any,
    ) -> str:
        """Do what ``start_operation`` does, for callers that keep the id only.

        The operation is found by its id in ``OperationsService``, in ``ktrdr_core.fastapi`` and on the command line.
        """
        return self.start_operation(
            operation_name, operation_type, operation_func, *args, **kwargs
        ).id

    def run_sync_operation(
        self,
        operation_name: str,
        operation_type: str,
        operation_func: Callable[..., Awaitable[T]],
        *args: Any,
        **kwargs: Any,
    ) -> T:
        """Do what ``start_operation`` does, and wait for the value: for scripts without an event loop.

        Raises
        ------
        RuntimeError
            On a thread whose event loop is running, which this call would stop.
        KeyboardInterrupt
            After Ctrl-C, once the work has stopped.
        """
        if _bridge.running_loop() is not None:
            raise RuntimeError(
                "run_sync_operation() would stop the event loop that runs on this thread: use "
                "`await orchestrator.start_operation(...)` instead"
            )

        async def main() -> T:
            return await self.start_operation(
                operation_name, operation_type, operation_func, *args, **kwargs
            )

        return asyncio.run(main())

    def register_operation(
        self,
        operation_type: str,
        operation_func: Callable[..., Awaitable[Any]],
        *,
        resumable: bool = False,
    ) -> None:
        """Make a type of operation known, so that it can be retried, and resumed after its process died.

        Parameters
        ----------
        operation_type : str
            As in ``start_operation``.
        operation_func : callable
            An async function; its arguments are kept with the operation and must be plain JSON.
        resumable : bool
            Whether the function can go on where an interrupted run stopped (``current_operation().resumed``).

        Raises
        ------
        InvalidArgumentError
            When the function is not async.
        """
        if not isinstance(operation_type, str):
            raise InvalidArgumentError(f"operation_type must be str, not {operation_type!r}")
        if not starting.is_async(operation_func):
            raise InvalidArgumentError(
                f"operation_func of type {operation_type!r} must be an async function, not {operation_func!r}"
            )
        operation_type = type_key(operation_type)
        self._operation_kinds[operation_type] = (operation_func, resumable)

        def start(
            orchestrator: ServiceOrchestrator, record: _core.OperationRecord, *, resume: bool
        ) -> Operation[Any]:
            func, _ = orchestrator._operation_kinds[operation_type]
            args, kwargs = as_called(func, record.parameters)
            return orchestrator._start_in_a_task(
                record.name,
                operation_type,
                func,
                args,
                kwargs,
                operation_id=record.id if resume else "",
                total_steps=record.progress.total_steps or None,
                resume=resume,
            )

        self._register_starter(operation_type, start)

    def _register_starter(self, operation_type: str, start: Callable[..., Operation[Any]]) -> None:
        """Have ``start(self, record, ...)`` retry and resume operations of a type while this object lives."""
        owner, weak = type(self).__name__, ref(self)

        def starter(record: _core.OperationRecord, *, resume: bool) -> Operation[Any]:
            orchestrator = weak()
            if orchestrator is None:
                raise ConflictError(
                    f"the {owner} that started operations of type {operation_type!r} is gone: make it again first"
                )
            return start(orchestrator, record, resume=resume)

        register_starter(operation_type, starter)

    @property
    def _operation_kinds(self) -> dict[str, tuple[Callable[..., Awaitable[Any]], bool]]:
        kinds: dict[str, tuple[Callable[..., Awaitable[Any]], bool]]
        kinds = self.__dict__.setdefault("_registered_kinds", {})
        return kinds

    def _start_in_a_task(
        self,
        name: str,
        kind: str,
        func: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        operation_id: str = "",
        parent_id: str = "",
        limit: float | None = None,
        token: AnyToken | None = None,
        callback: ProgressCallback | None = None,
        total_steps: int | None = None,
        context: Mapping[str, Any] | None = None,
        resume: bool = False,
    ) -> Operation[T]:
        if not callable(func):
            raise InvalidArgumentError(f"operation_func must be an async function, not {func!r}")
        if callback is not None:
            refuse_coroutine(callback)
        if _bridge.running_loop() is None:
            raise RuntimeError(
                "an operation written in Python needs a running event loop, and none runs on this thread: "
                "use run_sync_operation(), or start it inside an async function"
            )
        kind = type_key(kind)
        registered = kind in self._operation_kinds
        call = Call(func, args, kwargs)
        native, created = starting.create(
            kind,
            operation_id,
            name,
            limit,
            token,
            total_steps,
            context,
            parent_id=parent_id,
            parameters=call.parameters(required=registered),
            resumable=registered and self._operation_kinds[kind][1],
            resume=resume,
        )
        if not created:
            return self._handle_of(native, callback)
        with beginning(native):
            outcome = outcomes[native.id] = Outcome()
            operation: Operation[T] = self._handle_of(native, callback)
            # Last: what is raised before ends an operation whose work has not begun.
            _bridge.loop_post().start_task(native, starting.drive(native, outcome, call))
        return operation

    def _handle_of(
        self, native: _core.Operation, callback: ProgressCallback | None
    ) -> Operation[Any]:
        operation = Operation.of(native, self.progress_renderer)
        if callback is not None:
            operation._follow(callback)
        return self._track_operation(operation)

    # ---- inside an operation

    def update_operation_progress(
        self,
        step: int,
        message: str | None = None,
        items_processed: int = 0,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        """Report progress of the operation that runs here; where none does, one RuntimeWarning says so.

        See ``GenericProgressManager.update_progress``; ``current_operation().progress`` has the rest of it.
        """
        here = current_operation()
        if here is not None:
            here.progress.update_progress(step, message, items_processed, context)
        elif not vars(self).setdefault("_warned_of_no_operation", False):
            vars(self)["_warned_of_no_operation"] = True
            warnings.warn(
                "update_operation_progress was called where no operation runs, so nobody hears of it: run the function "
                "with start_operation or execute_with_progress; in a thread or an executor, where no context goes, "
                "call it with current_operation().context().run(function, ...)",
                RuntimeWarning,
                stacklevel=2,
            )

    def get_current_cancellation_token(self) -> CancellationToken | None:
        """Give the token of the operation that runs here, or None."""
        here = current_operation()
        return None if here is None else here.cancellation_token

    async def retry_with_backoff(
        self,
        operation: Callable[[], Awaitable[T]],
        max_attempts: int = 3,
        base_delay: float = 1.0,
        max_delay: float = 30.0,
        *,
        multiplier: float = 2.0,
        jitter: float = 0.5,
        retry_on: type[Exception] | tuple[type[Exception], ...] | None = None,
        cancellation_token: AnyToken | None = None,
        operation_name: str = "operation",
    ) -> T:
        """Call and await ``operation`` again while it fails with an error that may pass.

        Each retry is a warning of the operation that runs here. A cancellation is never retried, and ends a wait
        between two tries at once.

        Parameters
        ----------
        operation : callable
            An async function without arguments.
        max_attempts : int
            Tries altogether.
        base_delay, max_delay : float
            Longest wait before the second try, and before any. Seconds.
        multiplier : float
            Each longest wait is so many times the one before.
        jitter : float
            The share of a wait that is left to chance, 0..1.
        retry_on : exception classes, optional
            What to retry; by default connection errors, timeouts, and errors of ours that may pass.
        cancellation_token : CancellationToken or anything like one, optional
            Ends a wait between two tries; by default that of the operation that runs here.
        operation_name : str
            For the warning.

        Raises
        ------
        OperationCancelledError
            When the token was cancelled between two tries.
        InvalidArgumentError
            For numbers out of range, before any work.
        Exception
            What the last try raised.
        """
        return await retries.retry_with_backoff(
            operation,
            retries.options(max_attempts, base_delay, max_delay, multiplier, jitter),
            retry_on,
            (
                self.get_current_cancellation_token()
                if cancellation_token is None
                else cancellation_token
            ),
            operation_name,
        )

    # ---- errors

    def error_context(self, operation_name: str, **facts: Any) -> ErrorContext:
        """Have errors that come out of a ``with`` block say what was being done; cancellations pass untouched.

        Parameters
        ----------
        operation_name : str
            What is being done, for a person.
        **facts
            Put into the ``context`` of our own errors, and into a note of any error.
        """
        return ErrorContext(operation_name, self._get_service_name, facts)

    async def with_error_handling(
        self,
        operation: Awaitable[T],
        operation_name: str = "operation",
        context: Mapping[str, Any] | None = None,
    ) -> T:
        """Await ``operation`` inside ``error_context``, and log what it fails with; a cancellation at debug level.

        Raises
        ------
        Exception
            Whatever the work raises, with a note.
        """
        try:
            with self.error_context(operation_name, **(context or {})):
                return await operation
        except (asyncio.CancelledError, OperationCancelledError):
            _log.debug("orchestrator: cancelled: %s", operation_name, extra=retries.facts())
            raise
        except Exception as error:
            _log.error(
                "orchestrator: failed: %s: %s",
                operation_name,
                text_of(error),
                extra=retries.facts(),
            )
            raise
