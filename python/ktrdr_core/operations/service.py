"""The operations of this process and of the files it knows: look them up, follow, cancel, retry and resume them."""

from __future__ import annotations

import inspect
import os
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .. import _bridge, _core
from .._bridge.arguments import described, explained
from ..errors import ConflictError, InvalidArgumentError
from .handle import Operation
from .kinds import type_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from .._core import OperationEvent, OperationRecord


@dataclass(frozen=True, slots=True)
class OperationPage:
    """Some of the operations that were asked for, newest first.

    Attributes
    ----------
    records : list of OperationRecord
        Those on this page.
    total_count : int
        How many match, on all pages.
    active_count : int
        How many of all operations run or are about to.
    cursor : str, optional
        Give it to the next call for the page that follows, with the same conditions; None on the last page. What is
        started meanwhile shifts nothing.
    """

    records: list[OperationRecord]
    total_count: int
    active_count: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """What a store keeps of operations that have ended.

    Attributes
    ----------
    max_count : int
        The newest of each type, at least 1.
    max_age : timedelta
        Older ones go, at least an hour.
    max_bytes : int
        About how much all records and events may take, at least 1 MiB; the oldest go first, but never the newest ten.

    Examples
    --------
    >>> from datetime import timedelta
    >>> from ktrdr_core.operations import Retention
    >>> Retention(max_age=timedelta(days=365)).max_count
    10000
    """

    max_count: int = 10_000
    max_age: timedelta = timedelta(days=90)
    max_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """Metrics after a cursor.

    Attributes
    ----------
    metrics : list of dict
        Names and values, oldest first, each with ``seq``.
    cursor : int
        Give it to the next call.
    """

    metrics: list[dict[str, Any]]
    cursor: int


@dataclass(frozen=True, slots=True)
class StoreDamage:
    """Something in a store that cannot be what was written.

    Attributes
    ----------
    operation_id : str
        Whose record or event it is; empty where it is the file's own.
    seq : int
        Of an event; 0 for a record.
    what : str
        What cannot be read, in words.
    """

    operation_id: str
    seq: int
    what: str


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """What of a store was read, and what of it is damaged.

    Attributes
    ----------
    operations, events : int
        How many were read.
    damage : list of StoreDamage
        The first thousand.
    """

    operations: int
    events: int
    damage: list[StoreDamage]


class OperationStarter(Protocol):
    """Starts an operation of a registered type from its record."""

    def __call__(self, record: OperationRecord, *, resume: bool) -> Operation[Any]:
        """Start it: with ``resume`` the interrupted one goes on under its id, else the same is a new one."""


_starters: dict[str, OperationStarter] = {}


class OperationsService:
    """Every operation of this process, and those in the files it knows.

    Thread safety: every member from any thread; ``follow`` stays on its own loop.

    Parameters
    ----------
    store : path, optional
        A data directory's ``ktrdr.db`` (made if it is not there). Its operations are known as long as this object
        lives, those of other processes too. Without one, what has ended is kept in memory, the newest 1000.
    default : bool
        Whether operations of this process that name no store of their own are kept in ``store`` from now on, until the
        process ends. False only looks at it.
    retention : Retention, optional
        What the store keeps of operations that have ended, from now on and in whatever process: it is written into the
        file, which keeps what ``Retention()`` says until then. The rest is forgotten when a store is opened and now and
        then while it is used, without being asked.

    Raises
    ------
    StorageError
        When the file cannot be opened.
    InvalidArgumentError
        For a retention out of range, or without a store.

    Examples
    --------
    >>> from ktrdr_core.operations import OperationsService
    >>> OperationsService().list(active_only=True).total_count
    0
    """

    @explained
    def __init__(
        self,
        store: str | os.PathLike[str] | None = None,
        *,
        default: bool = True,
        retention: Retention | None = None,
    ) -> None:
        if store is None and retention is not None:
            raise InvalidArgumentError(
                "retention is a store's: memory keeps the newest 1000 by itself; give a store with it"
            )
        if retention is not None and not isinstance(retention.max_age, timedelta):
            raise InvalidArgumentError(
                f"retention.max_age must be timedelta, not {described(retention.max_age)}",
                context={"field": "retention"},
            )
        _bridge.start()
        self._storage = (
            None if store is None else _core.Storage(Path(store), default, dict(os.environ))
        )
        if self._storage is not None and retention is not None:
            self._storage.keep(
                retention.max_count, retention.max_age.total_seconds(), retention.max_bytes
            )

    @explained
    def list(
        self,
        *,
        status: str | Sequence[str] | None = None,
        operation_type: str | None = None,
        parent_id: str | None = None,
        active_only: bool = False,
        limit: int = 100,
        offset: int = 0,
        cursor: str | None = None,
    ) -> OperationPage:
        """List operations, newest first.

        Parameters
        ----------
        status : str or sequence of str, optional
            Only those in this state, or in one of these.
        operation_type, parent_id : str, optional
            Only those of this type (case does not count), with this parent.
        active_only : bool
            Only those that run or are about to.
        limit : int
            At most so many, 1 to 1000.
        offset : int
            Skip so many, at most 10,000: to walk through a list, use its cursor.
        cursor : str, optional
            That of the page before; by default the newest come first.

        Raises
        ------
        InvalidArgumentError
            For an unknown status, a limit or offset out of range, or a cursor that no page has given.

        Examples
        --------
        >>> from ktrdr_core.operations import OperationsService
        >>> page = OperationsService().list(limit=100)
        >>> while page.cursor is not None:
        ...     page = OperationsService().list(limit=100, cursor=page.cursor)
        """
        if not (isinstance(limit, int) and 1 <= limit <= 1000):
            raise InvalidArgumentError(f"limit must be between 1 and 1000, not {limit!r}")
        if not (isinstance(offset, int) and offset >= 0):
            raise InvalidArgumentError(f"offset must be at least 0, not {offset!r}")
        statuses = [status] if isinstance(status, str) else list(status or ())
        return OperationPage(
            *_core.list_operations(
                statuses,
                type_key(operation_type) or "",
                parent_id or "",
                active_only,
                limit,
                offset,
                cursor,
            )
        )

    @explained
    def get(self, operation_id: str) -> OperationRecord:
        """Say what is known of an operation.

        Raises
        ------
        NotFoundError
            When it was never started here, or was forgotten.
        """
        return _core.operation_record(operation_id)

    @explained
    def events(
        self, operation_id: str, *, after: int = 0, limit: int = 1000, kind: str | None = None
    ) -> Sequence[OperationEvent]:
        """Read the event log after a number, oldest first.

        Parameters
        ----------
        operation_id : str
            Which one.
        after : int
            The ``seq`` of the last event that is known already.
        limit : int
            At most so many, 1 to 10,000.
        kind : str, optional
            state, progress, metric, warning or log.

        Raises
        ------
        NotFoundError
            For an unknown id.
        InvalidArgumentError
            For an unknown kind or a limit out of range.
        """
        return _core.operation_events(operation_id, after, limit, kind)

    async def follow(self, operation_id: str, *, after: int = 0) -> AsyncIterator[OperationEvent]:
        """Iterate over the event log, those to come too, until the operation has ended.

        A slow reader costs no memory: it reads the log where it stands. Leaving the loop leaves the operation alone. Without
        a store the log is the newest 2,000 events, so who is further behind misses some, as their numbers show.

        Raises
        ------
        NotFoundError
            For an unknown id, at the first step.
        InvalidArgumentError
            For an ``after`` that is no number of an event, at the first step.
        """
        import asyncio

        from .follow import follow_events

        if not isinstance(after, int) or after < 0:
            raise InvalidArgumentError(
                f"after must be at least 0, the number of an event, not {after!r}",
                context={"field": "after"},
            )
        following = follow_events(operation_id, after, asyncio.Event(), lambda: False)
        async with aclosing(following) as events:
            async for event in events:
                yield event

    @explained
    def metrics(self, operation_id: str, *, cursor: int = 0, limit: int = 1000) -> MetricsPage:
        """Read the metrics after a cursor.

        Raises
        ------
        NotFoundError
            For an unknown id.
        """
        if isinstance(cursor, int) and cursor < 0:
            raise InvalidArgumentError(
                f"cursor must be at least 0, not {cursor}", context={"field": "cursor"}
            )
        events = self.events(operation_id, after=cursor, limit=limit, kind="metric")
        return MetricsPage(
            [{**event.data, "seq": event.seq} for event in events],
            events[-1].seq if events else cursor,
        )

    @explained
    def handle(self, operation_id: str) -> Operation[Any] | None:
        """Give the handle of an operation: one of this process, or one that has ended; None for one that runs elsewhere.

        The value of one that has ended and was held by nobody is what its record keeps of it: plain JSON, or nothing.

        Raises
        ------
        NotFoundError
            For an unknown id.
        """
        native = _core.operation_handle(operation_id)
        return None if native is None else Operation.of(native)

    @explained
    def cancel(self, operation_id: str, reason: str = "") -> bool:
        """Ask an operation to stop, in whatever process it runs; False when it was asked before.

        Raises
        ------
        NotFoundError
            For an unknown id.
        ConflictError
            When it has ended.
        """
        return _core.cancel_operation(operation_id, reason)

    @explained
    def cancel_all(self, reason: str = "", *, code: str = "user") -> int:
        """Ask all operations of this process that are alive to stop; later ones are not affected.

        Parameters
        ----------
        reason : str
            For a person.
        code : str
            user, timeout, shutdown, parent or error.
        """
        return _core.cancel_all_tokens(reason, code)

    @explained
    def retry(self, operation_id: str) -> Operation[Any]:
        """Make the request of an ended operation once more, as a new one.

        Raises
        ------
        NotFoundError
            For an unknown id.
        ConflictError
            When it still runs, or its type is not registered in this process.
        """
        record = _core.check_retry(operation_id)
        starter = _starters.get(type_key(record.type))
        if starter is None:
            return Operation.of(_core.retry_operation(operation_id))
        return starter(record, resume=False)

    @explained
    def resume(self, operation_id: str) -> Operation[Any]:
        """Let an operation that its process's end interrupted go on, under its id.

        Raises
        ------
        NotFoundError
            For an unknown id.
        ConflictError
            When it is not interrupted, cannot go on in the middle, or its type is not registered in this process.
        """
        record = _core.check_resume(operation_id)
        starter = _starters.get(type_key(record.type))
        if starter is None:
            return Operation.of(_core.resume_operation(operation_id))
        return starter(record, resume=True)

    @explained
    def forget(
        self,
        *,
        operation_type: str | None = None,
        max_count: int = 10_000,
        max_age: timedelta = timedelta(days=90),
        max_bytes: int = 256 << 20,
    ) -> int:
        """Forget operations of the store that have ended; answers how many.

        Others write meanwhile: it takes a few milliseconds at a time. The space goes back to the disk. A store forgets by
        itself too, as its ``retention`` says.

        Parameters
        ----------
        operation_type : str, optional
            Only of this type; else each type by itself.
        max_count : int
            The newest of a type that stay, at least 1.
        max_age : timedelta
            Older ones go, at least an hour.
        max_bytes : int
            About how much all records and events may take, at least 1 MiB; only where no type is given.

        Raises
        ------
        ConflictError
            Without a store: memory keeps the newest 1000 by itself.
        """
        if self._storage is None:
            raise ConflictError(
                "there is no store to forget from: memory keeps the newest 1000 by itself; give OperationsService a store"
            )
        return self._storage.forget(
            max_count, max_age.total_seconds(), max_bytes, type_key(operation_type) or ""
        )

    @explained
    def verify(self) -> StoreCheck:
        """Read the whole store and say what of it is damaged; nothing is changed.

        A damaged record or event does not keep others from being listed, so this is for whoever wants to know all. It
        takes as long as the file is large.

        Raises
        ------
        ConflictError
            Without a store.
        StorageError
            When the file cannot be read at all.
        """
        if self._storage is None:
            raise ConflictError(
                "there is no store to verify: give OperationsService the path of one"
            )
        operations, events, damage = self._storage.verify()
        return StoreCheck(operations, events, [StoreDamage(*one) for one in damage])

    def __repr__(self) -> str:
        page = self.list(limit=1)
        return f"<OperationsService {page.active_count} active of {page.total_count}>"


def register_starter(operation_type: str, starter: OperationStarter) -> None:
    """Say how operations of a type are started from their record; the last one of a type counts.

    Raises
    ------
    InvalidArgumentError
        For a coroutine function: it must start the operation and return its handle.
    """
    if inspect.iscoroutinefunction(starter) or not callable(starter):
        raise InvalidArgumentError(
            f"starter must be a plain function that returns an Operation, not {starter!r}"
        )
    _starters[type_key(operation_type)] = starter
