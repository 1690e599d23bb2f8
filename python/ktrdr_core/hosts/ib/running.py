"""Requests for bars that are worked on: how far each is, and how it is stopped."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...data.telling import heard_by
from .turns import FairTurns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

# So many clients may have all the requests that one may have.
_MOST_CLIENTS = 16
# Ended requests whose events can still be read, and events that are kept of one.
_MOST_ENDED, _MOST_EVENTS = 100, 1000
# Warnings that are kept of one, and how long each may be. Characters.
_MOST_WARNINGS, _LONGEST_WARNING = 100, 2000


class Running:
    """One request for bars. Confined to the service's loop."""

    def __init__(self, operation_id: str, client: str = "") -> None:
        self.operation_id = operation_id
        self.client = client
        #: running, completed, failed or cancelled.
        self.status = "running"
        self.task: asyncio.Task[Any] | None = None
        #: Why it was stopped; empty where nobody stopped it.
        self.stopped = ""
        self._events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    def told(self, part: int, parts: int, rows: int) -> None:
        """Tell how far it is."""
        self._tell(
            {
                "status": self.status,
                "part": part,
                "parts": parts,
                "rows": rows,
                "percentage": 100.0 * part / max(parts, 1),
            }
        )

    def warned(self, text: str) -> None:
        """Tell what the source warns of."""
        self._tell({"warning": text})

    def ended(self, status: str, error: str | None, rows: int) -> None:
        """Tell how it ended."""
        if self.status == "running":
            self.status = status
            self._tell({"status": status, "rows": rows, "error": error})

    def stop(self, why: str) -> None:
        """Have it end with what is there."""
        if self.status == "running" and not self.stopped:
            self.stopped = why
            if self.task is not None:
                self.task.cancel()

    def _tell(self, event: dict[str, Any]) -> None:
        if len(self._events) < _MOST_EVENTS or self.status != "running":
            self._events.append(event)
        self._changed.set()
        self._changed = asyncio.Event()

    async def events(self, after: int) -> AsyncIterator[str]:
        """Give its events behind a number, as server-sent events, up to its end."""
        sent = max(after, 0)
        while True:
            changed = self._changed
            for number, event in enumerate(self._events[sent:], start=sent + 1):
                sent = number
                yield f"id: {number}\r\nevent: {_name_of(event)}\r\ndata: {json.dumps(event)}\r\n\r\n"
            if self.status != "running":
                return
            await changed.wait()


def _name_of(event: dict[str, Any]) -> str:
    if "warning" in event:
        return "warning"
    return "progress" if "part" in event else "state"


class Heard:
    """What a source has warned of while it worked on one request, each text once. Confined to the service's loop."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        #: Is told as well; None for nobody.
        self.running: Running | None = None

    def warned(self, text: str) -> None:
        """Take note of a warning."""
        text = text[:_LONGEST_WARNING]
        if text in self.warnings or len(self.warnings) >= _MOST_WARNINGS:
            return
        self.warnings.append(text)
        if self.running is not None:
            self.running.warned(text)

    def beside(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Put the warnings beside an answer, where there are any."""
        return {**answer, "warnings": self.warnings} if self.warnings else answer


class Hearing:
    """What sources have warned of, by the operation of the client, while its requests are under way.

    Confined to the service's loop.
    """

    def __init__(self) -> None:
        self._heard: dict[str, list[Heard]] = {}

    @contextmanager
    def of(self, operation_id: str) -> Iterator[Heard]:
        """Take note of warnings for a request, of an operation if that is not empty."""
        heard = Heard()
        of_operation = self._heard.setdefault(operation_id, []) if operation_id else []
        of_operation.append(heard)
        try:
            with heard_by(heard):
                yield heard
        finally:
            of_operation.remove(heard)
            if operation_id and not of_operation:
                self._heard.pop(operation_id, None)

    def warnings(self, operation_id: str) -> list[str]:
        """Give what the requests of an operation were warned of that are under way, each text once."""
        return list(
            dict.fromkeys(
                text for each in self._heard.get(operation_id, []) for text in each.warnings
            )
        )


class Requests:
    """Those that are worked on, and the last that have ended. Confined to the service's loop.

    Parameters
    ----------
    most : int
        How many questions for bars the source is asked at once.
    room : callable
        Gives how many it answers fast, where that is fewer.
    """

    def __init__(self, most: int, room: Callable[[], int]) -> None:
        self._most = most
        self._turns = FairTurns(lambda: min(most, room()))
        self._under_way: set[Running] = set()
        self._known: OrderedDict[str, Running] = OrderedDict()
        self.closing = ""

    def begin(self, operation_id: str | None, client: str) -> Running | str:
        """Take a request of a client on; in words why not."""
        if self.closing:
            return self.closing
        for whose, count, most in (
            ("yours", sum(each.client == client for each in self._under_way), 2 * self._most),
            ("all clients'", len(self._under_way), _MOST_CLIENTS * 2 * self._most),
        ):
            if count >= most:
                return f"busy: {count} requests are under way or wait, the limit of {whose}: ask again later"
        known = None if operation_id is None else self._known.get(operation_id)
        if known is not None and known.status == "running":
            return f"operation {operation_id} is under way already: give each request its own id"
        running = Running(operation_id or "", client)
        self._under_way.add(running)
        if operation_id is not None:
            self._known[operation_id] = running
        return running

    def turn(self, running: Running) -> AbstractAsyncContextManager[None]:
        """Give what lets only so many questions through at once, clients in turns."""
        return self._turns.turn(running.client)

    def end(self, running: Running) -> None:
        """Forget one that has ended, but for its events."""
        self._under_way.discard(running)
        ended = [name for name, each in self._known.items() if each.status != "running"]
        for name in ended[: max(0, len(ended) - _MOST_ENDED)]:
            del self._known[name]

    def find(self, operation_id: str) -> Running | None:
        """Look for one by its id."""
        return self._known.get(operation_id)

    def close(self, why: str) -> None:
        """Have all of them answer with what is there, and take on no more."""
        self.closing = why
        for running in list(self._under_way):
            running.stop(why)
