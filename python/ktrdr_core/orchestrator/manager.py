"""What the managers share: which of their operations still run, and how leaving them ends those."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .. import _core
from ..operations.handle import CANCEL_GRACE, Operation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

T = TypeVar("T")


class Manager:
    """Knows the operations it started until they end, so that leaving it can stop them."""

    # How many are known when those that have ended are forgotten.
    _prune_operations_at = 64

    @property
    def _started_ids(self) -> dict[str, None]:
        # Ids and not handles, so that a failure which nobody looked at is noticed as soon as it is nobody's. Made when it is
        # first needed, so that a subclass need not call super().__init__(), and never another one: threads add to it and
        # take out of it at the same time, one id in one step.
        started: dict[str, None] = vars(self).setdefault("_started_ids", {})
        return started

    def close(self) -> None:
        """Cancel what still runs, wait for it a moment, and let go of what the manager holds open."""
        deadline = time.monotonic() + CANCEL_GRACE
        try:
            for operation in self._cancel_operations():
                operation._native.wait(max(0.0, deadline - time.monotonic()))
        finally:
            self._release_resources()

    def _release_resources(self) -> None:
        """Let go of what is held open; nothing runs any more."""

    def _track_operation(self, operation: Operation[T]) -> Operation[T]:
        started = self._started_ids
        if len(started) >= self._prune_operations_at:
            ids = list(started)
            for ended in set(ids).difference(native.id for native in _alive(ids)):
                started.pop(ended, None)
            self._prune_operations_at = max(64, 2 * len(started))
        started[operation.id] = None
        return operation

    def _running_operations(self) -> list[Operation[Any]]:
        return [Operation.of(native) for native in _alive(list(self._started_ids))]

    def _cancel_operations(self) -> list[Operation[Any]]:
        operations = self._running_operations()
        for operation in operations:
            operation.cancel("its manager was closed")
        return operations

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import asyncio

        waiting = [asyncio.ensure_future(op._finished()) for op in self._cancel_operations()]
        try:
            if waiting:
                await asyncio.wait(waiting, timeout=CANCEL_GRACE)
        finally:
            self._release_resources()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _alive(ids: Iterable[str]) -> list[_core.Operation]:
    """Find those that run: no handles of them, each of which would count as somebody who waits."""
    known = (_core.find_operation(operation_id) for operation_id in ids)
    return [native for native in known if native is not None and not native.done]
