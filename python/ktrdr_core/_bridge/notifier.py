"""For loops that cannot watch a descriptor: a thread that does."""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

# How often a loop is looked at that may have been closed while nothing happened. Seconds.
_LOOK = 0.2


class Notifier:
    """Calls ``take`` on a loop each time a descriptor has become readable, until stopped or the loop is closed.

    Thread safety: confined to the loop's thread, but for its own thread, which sees only the descriptor.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        descriptor: int,
        take: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self._loop, self._descriptor = loop, descriptor
        self._take, self._lost = take, lost
        self._taken = threading.Event()
        self._stop_reader, self._stop_writer = os.pipe()
        self._thread = threading.Thread(target=self._run, name="ktrdr_core notifier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; ``take`` is not called any more."""
        self._take = lambda: None
        self._taken.set()
        os.close(self._stop_writer)
        self._thread.join()

    def _run(self) -> None:
        if self._watch():
            os.close(self._stop_writer)
            self._lost()
        os.close(self._stop_reader)

    def _watch(self) -> bool:
        """Watch until the loop is closed (True) or ``stop`` is called (False)."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.register(self._stop_reader, select.POLLIN)
        while not self._loop.is_closed():
            ready = {descriptor for descriptor, _ in poll.poll(_LOOK * 1000)}
            if self._stop_reader in ready:
                return False
            if self._descriptor not in ready:
                continue
            try:
                self._loop.call_soon_threadsafe(self._on_loop)
            except RuntimeError:  # closed in between
                return True
            # The descriptor stays readable until the loop has taken what is there.
            while not self._taken.wait(_LOOK) and not self._loop.is_closed():
                pass
            self._taken.clear()
        return True

    def _on_loop(self) -> None:
        try:
            self._take()
        finally:
            self._taken.set()
