"""The sessions of a training host: operations of its registry, in the contract's words."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from ...errors import ConflictError, KtrdrError, NotFoundError
from . import archive
from .asked import Asked, read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ..._core import OperationEvent, OperationRecord, ProgressState
    from ...operations import Operation, OperationsService
    from ...training import TrainingManager
    from .contract import StartRequest

Answer = dict[str, Any]

_TYPE = "training"
# Which bars a session is of, by the name in its record.
_BARS = ("symbols", "timeframes", "start_date", "end_date", "test_from", "what_to_show", "session")
# Ids that no session may have any more, and sessions whose last metrics are remembered.
_MOST_CLOSED, _MOST_REMEMBERED = 10_000, 1_000
#: Why an id is closed whose session is forgotten.
_CLEANED_UP = "was cleaned up"
# How long a stop waits for the training to end. Seconds.
_STOP_LIMIT = 30.0

# What of a progress state the contract tells.
_OF_STATE = (
    "epoch",
    "total_epochs",
    "batch",
    "total_batches",
    "items_processed",
    "total_items",
    "percentage",
    "message",
    "step_name",
    "context",
)

#: The registry's states in the contract's words, so that a client that knows only these sees an end in each.
WORDS = {
    "pending": "initializing",
    "running": "running",
    "cancelling": "running",
    "resuming": "initializing",
    "completed": "completed",
    "failed": "failed",
    "timed_out": "failed",
    "interrupted": "failed",
    "cancelled": "stopped",
}


class Busy(KtrdrError):
    """Not now: as much runs here as may, or takes longer than is waited for."""

    code = "busy"


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What one service takes on.

    Parameters
    ----------
    max_sessions : int
        Sessions that run or wait for their turn.
    max_streams : int
        Clients that follow events at once.
    max_evaluations : int
        Models that are judged at once.
    """

    max_sessions: int = 100
    max_streams: int = 1000
    max_evaluations: int = 4


class Sessions:
    """Starts, stops and describes the trainings of one host.

    Thread safety: every member from any thread; coroutines stay on their own loop.

    Parameters
    ----------
    training : TrainingManager
        Which trains, on this machine.
    operations : OperationsService
        Where the sessions are kept.
    models : path
        The folder that models are written to.
    limits : HostLimits
        What is refused.
    strategies : path, optional
        The folder of strategies that may be asked for by name.
    """

    def __init__(
        self,
        training: TrainingManager,
        operations: OperationsService,
        models: Path,
        limits: HostLimits,
        strategies: Path | None = None,
    ) -> None:
        self._training, self._operations = training, operations
        self.models, self._limits, self._strategies = models, limits, strategies
        self._lock = Lock()
        self._handles: dict[str, Operation[Any]] = {}
        self._starting = 0
        self._closed: OrderedDict[str, str] = OrderedDict()
        self._last: OrderedDict[str, tuple[int, Answer]] = OrderedDict()

    @property
    def active(self) -> int:
        """How many run or wait for their turn."""
        with self._lock:
            return self._count()

    def _count(self) -> int:
        ended = [name for name, handle in self._handles.items() if handle.done()]
        for name in ended:
            del self._handles[name]
        return len(self._handles) + self._starting

    def start(self, request: StartRequest) -> tuple[str, Asked]:
        """Begin a session, once for an id however often it is asked for; its id, and what was asked for.

        Raises
        ------
        ConflictError
            For an id that was used for another training, or whose session was stopped before it came.
        Busy
            When as many run and wait as may.
        StrategyError, InvalidArgumentError
            For what cannot be trained.
        """
        asked = read(request, self._strategies)
        wanted = request.session_id or ""
        self._take_on(wanted)
        try:
            handle = self._begin(asked, wanted)
            with self._lock:
                self._handles[handle.id] = handle
                # Stopped while it began: whoever did so heard that there was nothing.
                late = self._closed.get(handle.id)
        finally:
            with self._lock:
                self._starting -= 1
        if late is not None:
            handle.cancel(late)
        return handle.id, asked

    def _take_on(self, wanted: str) -> None:
        over = bool(wanted) and self._is_over(wanted)
        with self._lock:
            if wanted in self._closed:
                raise ConflictError(
                    f"session {wanted} {self._closed[wanted]}: give the training an id of its own"
                )
            here = over or wanted in self._handles
            if not here and self._count() >= self._limits.max_sessions:
                raise Busy(
                    f"{self._limits.max_sessions} sessions run or wait here, the limit: ask again later"
                )
            self._starting += 1

    def _is_over(self, wanted: str) -> bool:
        """Say whether nothing can begin under this id: it is told what came of it."""
        try:
            record = self._operations.get(wanted)
        except NotFoundError:
            return False
        return not record.active and record.status != "interrupted"

    def _begin(self, asked: Asked, wanted: str) -> Operation[Any]:
        self._check_is_not_the_clients(wanted)
        if wanted and self._is_interrupted(wanted, asked):
            return self._operations.resume(wanted)
        return self._training.train_multi_symbol_strategy(
            asked.strategy,
            asked.symbols,
            asked.timeframes,
            asked.start_date,
            asked.end_date,
            operation_id=wanted,
            test_from=asked.test_from,
            what_to_show=asked.what_to_show,
            session=asked.session,
            **asked.options,
        )

    def _check_is_not_the_clients(self, wanted: str) -> None:
        """Refuse an id under which this very training stands here as its client knows it: it would be two in one record."""
        try:
            known = self._operations.get(wanted).parameters if wanted else {}
        except NotFoundError:
            return
        if known.get("training_host"):
            raise ConflictError(
                f"session {wanted} stands here as its client's own operation: client and host share one data directory; "
                "give the one or the other a --data-dir (or KTRDR_DATA_DIR) of its own"
            )

    def _is_interrupted(self, wanted: str, asked: Asked) -> bool:
        """Say whether the same training was under way when the service before this one died."""
        try:
            record = self._operations.get(wanted)
        except NotFoundError:
            return False
        if record.type != _TYPE or record.status != "interrupted":
            return False
        known = record.parameters
        same = known.get("strategy") == asked.strategy.to_json()
        for name in _BARS:
            given = getattr(asked, name)
            same = same and (given is None or given == known.get(name))
        # It has a checkpoint of its own, and keeps those that it is told of now and then.
        for name, given in asked.options.items():
            same = same and (name not in known or given == known[name])
        return same

    def get(self, session_id: str) -> OperationRecord:
        """Say what is known of a session.

        Raises
        ------
        NotFoundError
            For one that was never started here, or was cleaned up.
        """
        if session_id not in self._closed:
            record = self._operations.get(session_id)
            if record.type == _TYPE:
                return record
        raise NotFoundError(f"there is no training session {session_id} here")

    def status(self, session_id: str) -> Answer:
        """Describe a session; the answer does not grow with its epochs."""
        record = self.get(session_id)
        error = record.error or {}
        reason = "" if record.reason is None else record.reason.text
        interrupted = "the service ended while it trained" if record.status == "interrupted" else ""
        why = str(error.get("message", "")) or interrupted or reason
        return {
            "session_id": record.id,
            "status": WORDS[record.status],
            "progress": _progress(record.progress),
            "metrics": self._last_metrics(record),
            "gpu_usage": {"gpu_allocated": False},
            "start_time": _stamp(record.started or record.created),
            "last_updated": _stamp(record.stopped or datetime.now(UTC)),
            "error": why or None if not record.active and record.status != "completed" else None,
            "operation_status": record.status,
            "resumable": record.resumable,
            "error_code": str(error["code"]) if "code" in error else None,
            "warnings": list(record.warnings)[-100:],
            "result": record.result if isinstance(record.result, dict) else None,
        }

    def _last_metrics(self, record: OperationRecord) -> Answer:
        with self._lock:
            cursor, last = self._last.pop(record.id, (0, {}))
        while True:
            page = self._operations.metrics(record.id, cursor=cursor)
            for entry in page.metrics:
                last = {**last, **{k: v for k, v in entry.items() if k != "seq" and _is_figure(v)}}
            if page.cursor == cursor:
                break
            cursor = page.cursor
        with self._lock:
            self._last[record.id] = (cursor, last)
            if len(self._last) > _MOST_REMEMBERED:
                self._last.popitem(last=False)
        return last

    def metrics(self, session_id: str, cursor: int, limit: int) -> Answer:
        """Give the metrics behind a cursor."""
        page = self._operations.metrics(self.get(session_id).id, cursor=cursor, limit=limit)
        return {"session_id": session_id, "metrics": page.metrics, "cursor": page.cursor}

    def list(self, cursor: str | None, limit: int) -> Answer:
        """List sessions, the newest first."""
        rows: list[Answer] = []
        while True:
            page = self._operations.list(
                operation_type=_TYPE, limit=limit - len(rows), cursor=cursor
            )
            rows += [_row(record) for record in page.records if record.id not in self._closed]
            cursor = page.cursor
            # A page is full, or the last, whatever was cleaned up in between.
            if cursor is None or len(rows) >= limit:
                break
        with self._lock:
            # They stay among the operations, and are no sessions any more.
            cleaned_up = list(self._closed.values()).count(_CLEANED_UP)
        return {
            "total_sessions": max(page.total_count - cleaned_up, len(rows)),
            "sessions": rows,
            "timestamp": _stamp(datetime.now(UTC)),
            "cursor": cursor,
        }

    async def stop(self, session_id: str, why: str, save_checkpoint: bool) -> tuple[str, bool]:
        """Stop a session and wait for its end; how it stands then, in words, and whether it has left a checkpoint.

        Raises
        ------
        NotFoundError
            For one that is not here. One of this id that comes later is refused.
        ConflictError
            For one that has ended by itself.
        """
        try:
            record = await asyncio.to_thread(self.get, session_id)
        except NotFoundError:
            if not self._close(session_id, "was stopped before it came"):
                raise
            # One that was just being begun is here now, or will see that it was closed.
            with self._lock:
                handle = self._handles.get(session_id)
            if handle is None:
                raise
            with self._lock:
                self._closed.pop(session_id, None)
            record = await asyncio.to_thread(self.get, session_id)
        if record.active:
            await self._end(record, why)
            record = await asyncio.to_thread(self.get, session_id)
        if record.status in ("completed", "failed", "timed_out"):
            raise ConflictError(
                f"session {session_id} is {record.status}: there is nothing to stop"
            )
        return record.status, await asyncio.to_thread(self._keep, session_id, save_checkpoint)

    def _keep(self, session_id: str, save_checkpoint: bool) -> bool:
        """Keep or remove what a session has left to go on from; whether there is something now."""
        training = self._training._native
        if not save_checkpoint:
            training.remove_checkpoint(session_id)
        return training.has_checkpoint(session_id)

    async def _end(self, record: OperationRecord, why: str) -> None:
        # It may have ended meanwhile.
        with suppress(ConflictError):
            await asyncio.to_thread(self._operations.cancel, record.id, why)
        try:
            async with asyncio.timeout(_STOP_LIMIT):
                async for _ in self._operations.follow(record.id, after=record.last_seq):
                    pass
        except TimeoutError:
            raise Busy(
                f"session {record.id} has not stopped within {_STOP_LIMIT:.0f} s: ask for its status"
            ) from None

    async def clean_up(self, session_id: str) -> None:
        """Stop a session and forget it; its model stays.

        Raises
        ------
        NotFoundError
            For one that is not here.
        """
        record = await asyncio.to_thread(self.get, session_id)
        if record.active:
            await self._end(record, "cleaned up by a client")
        self._close(session_id, _CLEANED_UP)

    def _close(self, session_id: str, why: str) -> bool:
        """Take an id out of use; whether it was in use, or free, until now."""
        with self._lock:
            if session_id in self._closed:
                return False
            self._closed[session_id] = why
            if len(self._closed) > _MOST_CLOSED:
                self._closed.popitem(last=False)
            return True

    def model(self, session_id: str) -> bytes:
        """Pack the model of a completed session.

        Raises
        ------
        ConflictError
            For a session that has not completed.
        NotFoundError
            When the model is gone.
        """
        record = self.get(session_id)
        if record.status != "completed" or not isinstance(record.result, dict):
            raise ConflictError(
                f"session {session_id} is {record.status}: only a completed one has a model"
            )
        return archive.pack(self.models, str(record.result["artifacts"]["model_path"]))

    async def events(self, session_id: str, after: int) -> AsyncIterator[tuple[int, str, Answer]]:
        """Give number, kind and content of what happens in a session, up to its end."""
        async for event in self._operations.follow(session_id, after=after):
            yield event.seq, event.kind, _content(event)

    def finish(self, seconds: float) -> None:
        """Wait for the sessions to end, which others have asked them to."""
        deadline = time.monotonic() + seconds
        while self.active and time.monotonic() < deadline:
            time.sleep(0.01)


def _content(event: OperationEvent) -> Answer:
    if event.kind == "progress":
        return {"progress": _progress_of(event.data), "metrics": _figures(event.data)}
    if event.kind == "state":
        return {**event.data, "session_status": WORDS.get(str(event.data.get("status")), "running")}
    return event.data


def _progress(state: ProgressState) -> Answer:
    return _progress_of({name: getattr(state, name) for name in _OF_STATE})


def _progress_of(state: Answer) -> Answer:
    context = state.get("context") or {}
    current = [str(context[name]) for name in ("symbol", "stage") if context.get(name)]
    return {
        "epoch": state.get("epoch") or 0,
        "total_epochs": state.get("total_epochs") or 0,
        "batch": state.get("batch") or 0,
        "total_batches": state.get("total_batches") or 0,
        "progress_percent": state.get("percentage") or 0.0,
        "items_processed": state.get("items_processed") or 0,
        "items_total": state.get("total_items") or 0,
        "message": state.get("message") or "",
        "current_item": " ".join(current),
        "phase": state.get("step_name") or "",
    }


def _figures(state: Answer) -> Answer:
    metrics = (state.get("context") or {}).get("metrics") or {}
    return {name: value for name, value in metrics.items() if _is_figure(value)}


def _is_figure(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (number and math.isfinite(value))


def _row(record: OperationRecord) -> Answer:
    parameters = record.parameters
    return {
        "session_id": record.id,
        "status": WORDS[record.status],
        "operation_status": record.status,
        "strategy_name": str(parameters.get("strategy_name", "")),
        "symbols": list(parameters.get("symbols", [])),
        "timeframes": list(parameters.get("timeframes", [])),
        "progress_percent": record.progress.percentage,
        "start_time": _stamp(record.started or record.created),
        "queue_place": record.progress.context.get("queue_place") if record.active else None,
    }


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
