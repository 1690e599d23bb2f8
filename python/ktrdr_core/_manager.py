"""What the managers share: which of their operations still run."""

from __future__ import annotations

import time
from typing import Any, TypeVar

from .operation import CANCEL_GRACE, Operation

T = TypeVar("T")


class Manager:
    """Keeps the operations it started until they end, so that leaving it can stop them."""

    def __init__(self) -> None:
        self._operations: list[Operation[Any]] = []

    def _track(self, operation: Operation[T]) -> Operation[T]:
        self._operations = [running for running in self._operations if not running.done()]
        self._operations.append(operation)
        return operation

    def _cancel(self) -> list[Operation[Any]]:
        operations, self._operations = self._operations, []
        return [op for op in operations if op.cancel("its manager was closed") or not op.done()]

    def _cancel_all(self) -> None:
        deadline = time.monotonic() + CANCEL_GRACE
        for operation in self._cancel():
            operation._native.wait(max(0.0, deadline - time.monotonic()))

    async def _stop_all(self) -> None:
        import asyncio

        waiting = [asyncio.ensure_future(op._finished()) for op in self._cancel()]
        if waiting:
            await asyncio.wait(waiting, timeout=CANCEL_GRACE)
