"""What a host service saw, and a gate that holds its requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

Client = tuple[str, int]

# Most paths that are counted by name, and most characters of one; the others are counted together.
_MOST_PATHS = 100
_LONGEST_PATH = 200
OTHER_PATHS = "(other)"
_LONGEST_ERROR = 1000


@dataclass
class Traffic:
    """Counts what came in. Confined to the service's loop.

    A connection counts from its first request for data until it closes: health checks and the test control do not
    open one.
    """

    requests: Counter[str] = field(default_factory=Counter)
    open: set[Client] = field(default_factory=set)
    max_connections: int = 0
    held: int = 0
    cancelled_requests: int = 0
    error_count: int = 0
    last_error: str | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def came(self, endpoint: str, client: Client | None) -> None:
        """Count a request; whoever asks for ever new paths makes no ever longer list."""
        known = endpoint in self.requests
        if known or (len(self.requests) < _MOST_PATHS and len(endpoint) <= _LONGEST_PATH):
            self.requests[endpoint] += 1
        else:
            self.requests[OTHER_PATHS] += 1
        if client is not None and not endpoint.startswith("/health"):
            self.open.add(client)
            self.max_connections = max(self.max_connections, len(self.open))
        self.changed()

    def closed(self, client: Client | None) -> None:
        """Count a connection that closed."""
        if client is not None:
            self.open.discard(client)
            self.changed()

    def failed(self, message: str) -> None:
        """Count an answer that says ``success: false``."""
        self.error_count += 1
        cut = len(message) - _LONGEST_ERROR
        self.last_error = (
            message if cut <= 0 else f"{message[:_LONGEST_ERROR]}… ({cut:,} characters more)"
        )

    def changed(self) -> None:
        """Wake those that wait for a figure."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, reached: Callable[[Traffic], bool]) -> None:
        """Wait for the figures to satisfy ``reached``."""
        while not reached(self):
            await self._changed.wait()


async def disconnected(receive: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
    """Wait until the client of a request has gone; its body was read, and ``receive`` is ASGI's."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Gate:
    """Holds requests for data until they are let through, one ticket each, so that a test need not race them.

    ``asyncio.Event`` has the same ``wait`` and serves as a gate that opens once.
    """

    def __init__(self) -> None:
        self._open = False
        self._tickets = asyncio.Semaphore(0)

    async def wait(self) -> None:
        """Wait for a ticket, or for the gate to open."""
        if self._open:
            return
        tickets = self._tickets
        await tickets.acquire()
        if self._open:
            # It was opened and not counted: the next in line goes through as well.
            tickets.release()

    def release(self, count: int | None = None) -> None:
        """Let ``count`` requests through, waiting or to come; None opens the gate."""
        self._open = self._open or count is None
        for _ in range(1 if count is None else count):
            self._tickets.release()

    def hold(self) -> None:
        """Hold the requests that come from now on."""
        self._open = False
        self._tickets = asyncio.Semaphore(0)
