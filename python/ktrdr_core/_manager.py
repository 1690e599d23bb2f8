"""What the managers share: which of their operations still run, and how leaving them ends those."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .operation import CANCEL_GRACE, Operation

if TYPE_CHECKING:
    from types import TracebackType

T = TypeVar("T")


class Manager:
    """Keeps the operations it started until they end, so that leaving it can stop them."""

    def __init__(self) -> None:
        self._operations: list[Operation[Any]] = []

    def close(self) -> None:
        """Cancel what still runs, wait for it a moment, and let go of what the manager holds open."""
        deadline = time.monotonic() + CANCEL_GRACE
        for operation in self._cancel():
            operation._native.wait(max(0.0, deadline - time.monotonic()))
        self._release()

    def _release(self) -> None:
        """Let go of what is held open; nothing runs any more."""

    def _track(self, operation: Operation[T]) -> Operation[T]:
        self._operations = [running for running in self._operations if not running.done()]
        self._operations.append(operation)
        return operation

    def _cancel(self) -> list[Operation[Any]]:
        operations, self._operations = self._operations, []
        return [op for op in operations if op.cancel("its manager was closed") or not op.done()]

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
