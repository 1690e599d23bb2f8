"""How an operation of the orchestrator begins: its record, its task, or somebody else's operation to attach to."""

from __future__ import annotations

import asyncio
import inspect
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .. import _bridge, _core
from .._bridge import arguments
from ..errors import InvalidArgumentError
from ..operations import foreign
from ..operations.context import OperationProgress, under_current
from ..operations.failure import beginning
from ..operations.outcome import Raised
from ..progress import as_dict, check_count
from .work import carry_out, is_let_go

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..operations import Operation
    from ..operations.outcome import Outcome
    from ..protocols import CancellationToken as AnyToken
    from ..protocols import ProgressCallback
    from .call import Call

T = TypeVar("T")


def itself(value: Any) -> Any:
    """Give the value as it is."""
    return value


def type_of(name: str) -> str:
    """Make the type of an operation that has only a name."""
    if not isinstance(name, str):
        raise InvalidArgumentError(f"operation_name must be str, not {name!r}")
    return _type_of(name)


@lru_cache
def _type_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "operation"


@lru_cache(maxsize=16)
def _plain_spec(kind: str, name: str) -> _core.OperationSpec:
    """Of one that has only a name, as blocks of work do that are awaited again and again; the core copies it."""
    return _core.OperationSpec({"type": kind, "name": name})


def create(
    kind: str,
    operation_id: str,
    name: str,
    limit: float | None,
    token: AnyToken | None,
    total_steps: int | None,
    context: Mapping[str, Any] | None,
    *,
    parent_id: str = "",
    **again: Any,
) -> tuple[_core.Operation, bool]:
    """Make an operation, a child of the one that runs here; False for one that was there already.

    ``again`` are ``parameters``, ``resumable`` and ``resume``, of work that can be made again.
    """
    if total_steps is not None and check_count("total_steps", total_steps) < 0:
        raise InvalidArgumentError(f"total_steps must be at least 0, not {total_steps}")
    _bridge.ensure_started()
    native_token, watch = foreign.as_token("cancellation_token", token)

    def make(parent: str) -> tuple[_core.Operation, bool]:
        if parent or operation_id or again:
            asked = {"type": kind, "id": operation_id, "name": name, "parent_id": parent, **again}
            spec = _core.OperationSpec(asked)
        else:
            spec = _plain_spec(kind, name)
        facts = {} if context is None else as_dict(context) or {}
        return _core.create_operation(spec, limit, native_token, facts)

    try:
        native, created = make(parent_id) if parent_id else under_current(make)
    except TypeError as error:
        given: dict[str, tuple[object, str]] = {
            "operation_type": (kind, "str"),
            "operation_id": (operation_id, "str"),
            "operation_name": (name, "str"),
            "parent_id": (parent_id, "str"),
            "timeout": (limit, "float | None"),
            "context": (context, "Mapping[str, Any] | None"),
        }
        raise arguments.explanation(error, given) from None
    if created:
        with beginning(native):
            watch(native)
            if total_steps is not None:
                OperationProgress(native).start_operation(native.id, total_steps)
    return native, created


async def attach(
    operation: Operation[T],
    callback: ProgressCallback | None,
    limit: float | None,
    token: AnyToken | None,
) -> T:
    """Await an operation of the core under a limit and a token of the caller's."""
    from ..cancellation import CancellationToken

    native_token, watch = foreign.as_token("cancellation_token", token)
    above = CancellationToken() if native_token is None else CancellationToken(native_token)
    own = above.child(limit)

    left = False

    def stop(reason: _core.CancelReason) -> None:
        nonlocal left
        if operation._is_last_to_leave():
            operation._native.cancel(
                reason.text, "timeout" if reason.code == "timeout" else "parent"
            )
        else:
            left = True
            task.cancel()

    watch(operation._native)
    if callback is not None:
        operation._follow(callback)
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    before = task.cancelling()
    with own.on_cancel(stop):
        try:
            await operation._finished()
        except asyncio.CancelledError:
            if not left or task.cancelling() > before + 1:
                raise
            own.check(f"waiting for {operation.id}, which goes on for others")
        finally:
            if left:
                task.uncancel()
    return operation._outcome()


async def drive(
    native: _core.Operation,
    outcome: Outcome,
    function: Call,
) -> None:
    """Run a managed operation; what it raises is kept for those who await it."""
    task = cast("asyncio.Task[None]", asyncio.current_task())

    async def call() -> Any:
        try:
            work = function(native.id)
            if not inspect.isawaitable(work):
                raise InvalidArgumentError(
                    f"operation_func must be an async function; what was called answered {type(work).__name__}"
                )
            outcome.value = await work
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            # Before the operation ends: who waits on another thread looks here at once. Nobody looks for that of a coroutine
            # that is let go of, and kept it would hold the frames that it came through.
            if not is_let_go(error, task):
                outcome.raised = Raised(error)
            raise
        return outcome.value

    _, cause = await carry_out(native, call(), keep=True)
    if isinstance(cause, KeyboardInterrupt | SystemExit):
        # These stop the loop, as they do from any task; the record has told of them.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        Raised(cause).again()


def is_async(func: object) -> bool:
    """Say whether calling it gives a coroutine."""
    if inspect.iscoroutinefunction(func):
        return True
    return inspect.iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004
