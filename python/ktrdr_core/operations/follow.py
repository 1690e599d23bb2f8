"""Following the event log of an operation: of this process, of another one, or one of which only a record is left."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from contextlib import aclosing
from itertools import islice
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from .. import _bridge, _core

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from datetime import datetime

    from .._core import OperationEvent, OperationRecord

#: How often an operation of another process is looked at. Seconds.
_POLL = 0.5
#: So many events are read at a time, which is all that a reader who is slow keeps.
PAGE = 200
#: After so many events the loop has a turn: in it a server learns that its client has gone, and others do their work.
TURN = 4
# So many events are shared; who is further behind reads by itself.
_SHARED = 1000
# So many readers are woken at a time: whoever else is on the loop has a turn in between.
_AT_ONCE = 20


class _Watch:
    """One look after the other at a stored operation, for all who follow it on one loop.

    The store is read on a thread: nobody on the loop waits for the disk.
    """

    def __init__(self, operation_id: str) -> None:
        self._id = operation_id
        self._created: datetime | None = None
        # Those after `_floor` and up to `_last`.
        self._events: deque[OperationEvent] = deque()
        self._floor = self._last = 0
        self.readers: set[asyncio.Event] = set()
        #: Everything that the operation will ever tell is there.
        self.over = False
        self.error: Exception | None = None
        # Without the context of whoever comes first: the others follow too.
        self.task = asyncio.get_running_loop().create_task(
            self._look_again_and_again(), context=contextvars.Context()
        )

    async def events(self, after: int) -> list[OperationEvent]:
        """Give the first events after a number, of those that were there at the last look."""
        last = self._last
        if after >= last:
            return []
        if after >= self._floor:
            newer = (event for event in self._events if event.seq > after)
            return list(islice(newer, PAGE))
        read = await asyncio.to_thread(_core.operation_events, self._id, after, PAGE, None)
        return [event for event in read if event.seq <= last]

    async def _look_again_and_again(self) -> None:
        try:
            while not self.over:
                more = self._take(*await asyncio.to_thread(_look, self._id, self._known()))
                await self._wake()
                if not (more or self.over):
                    await asyncio.sleep(_POLL)
        except Exception as error:  # noqa: BLE001 - it is raised in those who follow
            self.error = error
            await self._wake()

    def _known(self) -> int | None:
        return None if self._created is None else self._last

    def _take(self, record: OperationRecord, events: list[OperationEvent]) -> bool:
        """Take what is new; True when there is more at once."""
        if self._created is None:
            self._created = record.created
            self._floor = self._last = record.last_seq
        elif record.created != self._created:
            # The id belongs to another run by now: this one was forgotten, so it had ended.
            self.over = True
            return False
        for event in events:
            self._events.append(event)
            self._last = event.seq
            if len(self._events) > _SHARED:
                self._floor = self._events.popleft().seq
        more = len(events) == PAGE
        self.over = not (more or record.active)
        return more

    async def _wake(self) -> None:
        for number, news in enumerate(list(self.readers), 1):
            news.set()
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)


def _look(operation_id: str, last: int | None) -> tuple[OperationRecord, list[OperationEvent]]:
    # Looked at before the events are read: what ends in between has its last event in them.
    record = _core.operation_record(operation_id)
    after = record.last_seq if last is None else last
    return record, _core.operation_events(operation_id, after, PAGE, None)


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Watch]] = WeakKeyDictionary()


async def follow_stored(
    operation_id: str, after: int, news: asyncio.Event, enough: Callable[[], bool]
) -> AsyncGenerator[OperationEvent, None]:
    """Follow until the operation has ended, or until ``enough()``, asked again whenever ``news`` is set."""
    watches = _watches.setdefault(asyncio.get_running_loop(), {})
    watch = watches.get(operation_id)
    if watch is None or watch.task.done():
        watch = watches[operation_id] = _Watch(operation_id)
    watch.readers.add(news)
    try:
        while True:
            news.clear()
            over = watch.over or enough()
            events = await watch.events(after)
            for number, event in enumerate(events, 1):
                after = event.seq
                yield event
                if number % TURN == 0:
                    await asyncio.sleep(0)
            if len(events) == PAGE:
                continue
            if watch.error is not None:
                # Each who follows has a traceback of its own.
                raise watch.error.with_traceback(None)
            if over:
                return
            await news.wait()
    finally:
        watch.readers.discard(news)
        if not watch.readers:
            watch.task.cancel()
            if watches.get(operation_id) is watch:
                del watches[operation_id]


async def follow_events(
    operation_id: str, after: int, news: asyncio.Event, enough: Callable[[], bool]
) -> AsyncGenerator[OperationEvent, None]:
    """Follow as ``follow_stored`` does, an operation of this process without asking the store."""
    native = _core.find_operation(operation_id)
    if native is None:
        async with aclosing(follow_stored(operation_id, after, news, enough)) as stored:
            async for event in stored:
                yield event
        return
    post = _bridge.loop_post()
    key = post.add(lambda _kind, _value: news.set())
    listener = native.listen(post.mailbox, key, False, True)
    # Others who give up waiting leave the operation to this reader, who never cancels it.
    waiter = native.waiter()
    try:
        while True:
            news.clear()
            # Looked at before the events are read: what ends in between has its last event in them.
            over = native.done
            if after + 1 < native.first_seq:
                # What memory has let go of is in the store.
                events = await asyncio.to_thread(native.events, after, PAGE)
            else:
                events = native.events(after, PAGE)
            for number, event in enumerate(events, 1):
                after = event.seq
                yield event
                if number % TURN == 0:
                    await asyncio.sleep(0)
            if len(events) == PAGE:
                continue
            if over or enough():
                return
            await news.wait()
    finally:
        post.remove(key)
        waiter.leave()
        native.unlisten(listener)
