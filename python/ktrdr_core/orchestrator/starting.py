"""How an operation of the orchestrator begins: its record, its task, or somebody else's operation to attach to."""

from __future__ import annotations

import inspect
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _bridge, _core
from .._bridge import arguments
from ..errors import InvalidArgumentError
from ..operations import foreign
from ..operations.context import OperationProgress, current_id
from ..progress import check_count
from .work import carry_out

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..operations import Operation
    from ..operations.outcome import Outcome
    from ..protocols import CancellationToken as AnyToken
    from ..protocols import ProgressCallback

T = TypeVar("T")


def itself(value: Any) -> Any:
    """Give the value as it is."""
    return value


@lru_cache
def type_of(name: str) -> str:
    """Make the type of an operation that has only a name."""
    if not isinstance(name, str):
        raise InvalidArgumentError(f"operation_name must be str, not {name!r}")
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40] or "operation"


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
    parameters: dict[str, Any] | None = None,
    resumable: bool = False,
    resume: bool = False,
) -> tuple[_core.Operation, bool]:
    """Make an operation, a child of the one that runs here; False for one that was there already."""
    if total_steps is not None and check_count("total_steps", total_steps) < 0:
        raise InvalidArgumentError(f"total_steps must be at least 0, not {total_steps}")
    _bridge.ensure_started()
    native_token, watch = foreign.as_token("cancellation_token", token)
    try:
        spec = _core.OperationSpec(
            type=kind,
            id=operation_id,
            name=name,
            parent_id=parent_id or current_id(),
            parameters=parameters or {},
            resumable=resumable,
            resume=resume,
        )
        native, created = _core.create_operation(spec, limit, native_token, dict(context or {}))
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

    def stop(reason: _core.CancelReason) -> None:
        operation._native.cancel(reason.text, "timeout" if reason.code == "timeout" else "parent")

    watch(operation._native)
    if callback is not None:
        operation._follow(callback)
    with own.on_cancel(stop):
        if callback is not None:
            await operation._finished()
        return await operation


def parameters(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, required: bool
) -> dict[str, Any]:
    """Give the arguments by name, as the operation's record keeps them."""
    try:
        bound = inspect.signature(func).bind(*args, **kwargs)
    except TypeError as error:
        raise InvalidArgumentError(
            f"{getattr(func, '__qualname__', func)} cannot be called so: {error}"
        ) from error
    except ValueError:  # a callable without a signature
        return {}
    parameters = dict(bound.arguments)
    for parameter in inspect.signature(func).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            parameters.update(parameters.pop(parameter.name, {}))
    for name, value in parameters.items():
        try:
            _core.check_json(value)
        except InvalidArgumentError as error:
            if required:
                raise InvalidArgumentError(
                    f"{name} of a registered operation is kept with it and must be plain JSON: {error}"
                ) from None
            parameters[name] = None
    return parameters


async def drive(
    native: _core.Operation,
    outcome: Outcome,
    func: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """Run a managed operation; what it raises is kept for those who await it."""

    async def call() -> Any:
        work = func(*args, **kwargs)
        if not inspect.isawaitable(work):
            raise InvalidArgumentError(
                f"operation_func must be an async function; {func!r} answered {type(work).__name__}"
            )
        outcome.value = await work
        return outcome.value

    _, cause = await carry_out(native, call(), keep=True)
    if isinstance(cause, Exception):
        outcome.error = cause


def is_async(func: object) -> bool:
    """Say whether calling it gives a coroutine."""
    if inspect.iscoroutinefunction(func):
        return True
    return inspect.iscoroutinefunction(getattr(func, "__call__", None))  # noqa: B004
