"""A thread with an event loop that pumps a connection, whatever the loops of others do."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

# How long the end may take. Seconds.
_LIMIT = 10.0


class OwnerThread:
    """Runs a loop until it is stopped. It holds nothing of whoever starts it."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self.loop.close()

    async def carry_out(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run work on the loop, from any; a cancelled task cancels it.

        Raises
        ------
        RuntimeError
            When the loop has been stopped.
        """
        if asyncio.get_running_loop() is self.loop:
            return await work()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), self.loop))

    def stop(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do a last work, and end; a second time nothing."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
        if threading.current_thread() is self._thread:
            self.loop.create_task(self._ended(last))
            return
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(last(), self.loop).result(_LIMIT)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_LIMIT)

    async def _ended(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await last()
        self.loop.stop()
