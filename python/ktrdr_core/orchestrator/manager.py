"""What the managers share: which of their operations still run, and how leaving them ends those."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from .. import _core
from ..operations.handle import CANCEL_GRACE, Operation

if TYPE_CHECKING:
    from types import TracebackType

T = TypeVar("T")


class Manager:
    """Knows the operations it started until they end, so that leaving it can stop them."""

    # Ids and not handles, so that a failure which nobody looked at is noticed as soon as it is nobody's.
    # Per object once the first operation starts; so a subclass need not call super().__init__().
    _started: tuple[str, ...] | list[str] = ()
    _prune_at = 64

    def close(self) -> None:
        """Cancel what still runs, wait for it a moment, and let go of what the manager holds open."""
        deadline = time.monotonic() + CANCEL_GRACE
        for operation in self._cancel():
            operation._native.wait(max(0.0, deadline - time.monotonic()))
        self._release()

    def _release(self) -> None:
        """Let go of what is held open; nothing runs any more."""

    def _track(self, operation: Operation[T]) -> Operation[T]:
        if not self._started:
            self._started = []
        if len(self._started) >= self._prune_at:
            self._started = [running.id for running in self._running()]
            self._prune_at = max(64, 2 * len(self._started))
        cast("list[str]", self._started).append(operation.id)
        return operation

    def _running(self) -> list[Operation[Any]]:
        known = (_core.find_operation(operation_id) for operation_id in self._started)
        return [Operation.of(native) for native in known if native is not None and not native.done]

    def _cancel(self) -> list[Operation[Any]]:
        operations, self._started = self._running(), ()
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

        waiting = [asyncio.ensure_future(op._finished()) for op in self._cancel()]
        if waiting:
            await asyncio.wait(waiting, timeout=CANCEL_GRACE)
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
