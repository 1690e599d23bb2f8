"""Work written in Python, under an operation of the core.

The core keeps state, token and timeout; here is only the awaiting, and the task's cancel when the token says so.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from . import _bridge, _core
from .errors import InvalidArgumentError, KtrdrError
from .progress import GenericProgressManager

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping

    from .cancellation import CancellationToken

T = TypeVar("T")

_current: ContextVar[OperationContext | None] = ContextVar("ktrdr_core_operation", default=None)


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
        from .cancellation import CancellationToken

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
    return _current.get()


def current_id() -> str:
    """Give the id of the operation that the code here runs under, or nothing."""
    here = _current.get()
    return "" if here is None else here.id


class Outcome:
    """The value of Python work, or what it raised: kept as long as somebody holds the operation."""

    __slots__ = ("__weakref__", "error", "value")

    def __init__(self) -> None:
        self.value: Any = None
        self.error: Exception | None = None


#: By operation id.
outcomes: WeakValueDictionary[str, Outcome] = WeakValueDictionary()


def close(work: object) -> None:
    """Let go of work that is not going to run, without a warning that it was never awaited."""
    if asyncio.iscoroutine(work):
        work.close()
    elif isinstance(work, asyncio.Future):
        work.cancel()


def json_or_none(value: Any) -> Any:
    """Give what a record can keep of a value: plain JSON as it is, else nothing."""
    try:
        _core.check_json(value)
    except InvalidArgumentError:
        return None
    return value


async def carry_out(
    native: _core.Operation, work: Awaitable[T], *, keep: bool
) -> tuple[T, BaseException | None]:
    """Await the work in this task and end the operation with it; the value, and what was raised.

    ``keep`` puts a value that is plain JSON into the record. Raises ``CancelledError`` only when the task itself was
    cancelled.
    """
    post = _bridge.loop_post()
    task = asyncio.current_task(post.loop)
    if task is None:
        close(work)
        raise RuntimeError("an operation's work runs in an asyncio task, and there is none here")
    before = task.cancelling()
    asked = False

    def interrupt(_kind: str, _value: Any) -> None:
        nonlocal asked
        asked = True
        task.cancel()

    key = post.add_work(interrupt, native)
    registration = native.notify_cancel(post.mailbox, key)
    here = _current.set(OperationContext(native))
    cause: BaseException | None = None
    value: Any = None
    begun = destroyed = False
    try:
        if not native.admitted:
            await _admitted(native)
        if native.start():
            begun = True
            value = await work
        native.succeed(json_or_none(value) if keep else None)
    except asyncio.CancelledError as error:
        if not asked or task.cancelling() > before + 1:
            native.cancel("the task that ran it was cancelled", "user")
            native.succeed(None)
            raise
        native.succeed(None)
        cause = error
    except Exception as error:  # noqa: BLE001 - what the work raises is unknown
        _fail(native, error)
        cause = error
    except BaseException as error:
        destroyed = isinstance(error, GeneratorExit)
        native.cancel("the task that ran it was destroyed", "user")
        native.succeed(None)
        raise
    finally:
        if not begun:
            close(work)
        registration.close()
        # A coroutine is destroyed wherever the last of it is let go: in another context, maybe on another thread.
        if destroyed:
            post.forget(key)
        else:
            _current.reset(here)
            post.remove(key)
        if asked:
            task.uncancel()
    return value, cause


async def _admitted(native: _core.Operation) -> None:
    """Wait until the store has the operation, or has refused it."""
    post = _bridge.loop_post()
    news = asyncio.Event()
    key = post.add(lambda _kind, _value: news.set())
    listener = native.listen(post.mailbox, key, False)
    native.admit(post.mailbox, key)
    try:
        await news.wait()
    finally:
        post.remove(key)
        native.unlisten(listener)


def _fail(native: _core.Operation, error: Exception) -> None:
    if isinstance(error, KtrdrError):
        native.fail(error.code, str(error), json_or_none(error.context) or {})
        return
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    native.fail("operation_failed", f"{kind}: {error}", {"type": kind})
