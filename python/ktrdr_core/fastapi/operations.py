"""The routes below ``/operations``: list, look up, cancel, retry, resume, metrics, events."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.params import Depends as Dependency
from pydantic import AfterValidator, BaseModel
from sse_starlette import EventSourceResponse

from .. import errors
from .._core import OperationEvent, OperationRecord
from ..guard import RequestRules
from ..operations import OperationsService
from ..operations.follow import follow_events
from ..operations.handle import CANCEL_GRACE
from .answers import (
    STATES,
    Answer,
    ApiStatus,
    Cancelled,
    Detail,
    ListAnswer,
    Metrics,
    Results,
    Row,
    answer,
    detail,
    error_responses,
    named,
    row,
    time_of,
    word_of,
)
from .envelope import Refusal, guarded

# So many encoded events are kept.
_RECENT = 1000
# How long a stream may take to end by itself when the server does. Seconds.
_SHUTDOWN_GRACE = 2.0

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The largest number of an event that there can be: the store and the core count in 64 bits, with a sign.
_MOST = 2**63 - 1

_STOPPING: dict[int | str, dict[str, Any]] = {
    202: {
        "model": Answer[Cancelled],
        "description": "It was asked to stop, and has not stopped yet",
    }
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `event` is the kind, `data` JSON with a `time`, `id` what Last-Event-ID takes",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "There are no more events, and there will be none"},
}

# An event's number, and which run it is of; numbers alone are what clients sent that kept one of an older server.
_EVENT_ID = re.compile(r"([0-9]{1,19})(?:-([0-9a-f]{1,16}))?")


def _event_id(text: str) -> tuple[int, str]:
    """Read ``Last-Event-ID``: the number, and the run where it is told.

    Raises
    ------
    ValueError
        For what no server of ours has sent.
    """
    found = _EVENT_ID.fullmatch(text)
    if found is None or int(found[1]) > _MOST:
        raise ValueError(f"must be the id of an event as it was sent, or a number up to {_MOST}")
    return int(found[1]), found[2] or ""


def _run_of(record: OperationRecord) -> str:
    """Tell a run from others of its id, which can be used again once its operation was forgotten."""
    microseconds = (record.created - _EPOCH) // timedelta(microseconds=1)
    return f"{microseconds:x}"


def _checked_event_id(text: str) -> str:
    _event_id(text)
    return text


OperationId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]


class CancelRequest(BaseModel):
    """``DELETE /operations/{id}``."""

    reason: str = ""
    """For a person; kept with the operation."""
    force: bool = False
    """Answer at once, without waiting for the work to stop."""


def operations_router(
    operations: OperationsService | None = None,
    *,
    dependencies: Sequence[Dependency] = (),
    allowed_hosts: Iterable[str] = (),
    allowed_origins: Iterable[str] = (),
    cancel_grace: float = CANCEL_GRACE,
    ping: float = 15.0,
) -> APIRouter:
    """Make the routes below ``/operations``.

    A client that goes away never cancels an operation; ``DELETE`` does. When the server ends, streams end. What is let
    in, and why, is ``ktrdr_core.guard.RequestRules``.

    Parameters
    ----------
    operations : OperationsService, optional
        Whose operations are shown; by default those of this process, and of the files it knows.
    dependencies : sequence of fastapi.Depends
        Asked before every route, for authentication.
    allowed_hosts : iterable of str
        Names in ``Host`` beside those of this machine; ``*`` for any. Others are answered 403.
    allowed_origins : iterable of str
        Pages of other sites that may cancel, retry and resume: ``https://app.example``.
    cancel_grace : float
        How long ``DELETE`` waits for the work to stop before it answers 202. Seconds.
    ping : float
        A comment goes over an idle event stream so often, so that proxies keep it open. Seconds.

    Raises
    ------
    InvalidArgumentError
        For numbers that are not positive, and for what is no host name or origin.

    Examples
    --------
    >>> from fastapi import FastAPI
    >>> from ktrdr_core.fastapi import operations_router
    >>> app = FastAPI()
    >>> app.include_router(operations_router(), prefix="/api/v1")
    >>> "/api/v1/operations/{operation_id}/events" in app.openapi()["paths"]
    True
    """
    for name, seconds in (("cancel_grace", cancel_grace), ("ping", ping)):
        if not seconds > 0:
            raise errors.InvalidArgumentError(f"{name} must be more than 0 seconds, not {seconds}")
    view = _View(operations, cancel_grace, ping)
    router = APIRouter(
        prefix="/operations",
        tags=["operations"],
        route_class=guarded(
            RequestRules(allowed_hosts=allowed_hosts, allowed_origins=allowed_origins)
        ),
        dependencies=list(dependencies),
    )
    read = error_responses(403, 404, 422, 500, 503)
    changing = read | error_responses(408, 413, 415)
    again = changing | error_responses(409, 501)
    router.get("", responses=error_responses(403, 422, 500, 503))(view.list)
    router.get("/{operation_id}", responses=read)(view.get)
    router.delete("/{operation_id}", responses=changing | error_responses(400) | _STOPPING)(
        view.cancel
    )
    router.get("/{operation_id}/results", responses=read | error_responses(409))(view.results)
    router.post("/{operation_id}/retry", responses=again)(view.retry)
    router.post("/{operation_id}/resume", responses=again)(view.resume)
    router.get("/{operation_id}/metrics", responses=read)(view.metrics)
    router.get(
        "/{operation_id}/events", response_class=EventSourceResponse, responses=read | _STREAM
    )(view.events)
    return router


class _View:
    """What the routes do. What only reads is a plain function: FastAPI runs it in a thread, for a store takes time."""

    def __init__(self, operations: OperationsService | None, grace: float, ping: float) -> None:
        self._given = operations
        self._grace = grace
        self._ping = ping
        self._recent: dict[tuple[str, datetime, int, datetime], bytes] = {}

    @property
    def _operations(self) -> OperationsService:
        # Made at the first request: the process that builds an app may fork before it serves.
        if self._given is None:
            self._given = OperationsService()
        return self._given

    def list(
        self,
        status: ApiStatus | None = None,
        operation_type: str | None = None,
        parent_id: str | None = None,
        active_only: bool = False,
        limit: Annotated[int, Query(ge=1, le=1000)] = 10,
        offset: Annotated[int, Query(ge=0, le=10_000)] = 0,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> ListAnswer:
        """List operations, newest first; the answer's ``cursor`` asks for the page that follows, null on the last."""
        page = self._operations.list(
            status=None if status is None else STATES[status],
            operation_type=operation_type,
            parent_id=parent_id,
            active_only=active_only,
            limit=limit,
            offset=offset,
            cursor=cursor,
        )
        return ListAnswer(
            success=True,
            data=[row(record) for record in page.records],
            error=None,
            total_count=page.total_count,
            active_count=page.active_count,
            cursor=page.cursor,
        )

    def get(self, operation_id: OperationId) -> Answer[Detail]:
        """Say what is known of an operation."""
        return answer(detail(self._operations.get(operation_id)))

    async def cancel(
        self, operation_id: OperationId, response: Response, asked: CancelRequest | None = None
    ) -> Answer[Cancelled]:
        """Cancel an operation, and wait a moment for it to stop; 202 when it has not yet."""
        asked = asked or CancelRequest()
        record = await asyncio.to_thread(self._operations.get, operation_id)
        try:
            await asyncio.to_thread(self._operations.cancel, operation_id, asked.reason)
        except errors.ConflictError as error:
            raise Refusal(400, error) from None
        if not asked.force:
            await self._stopped(record)
        record = await asyncio.to_thread(self._operations.get, operation_id)
        if record.active:
            response.status_code = 202
        reason = record.reason
        return answer(
            Cancelled(
                success=True,
                operation_id=operation_id,
                status="cancelling" if record.active else word_of(record),
                cancelled_at=time_of(record.stopped),
                cancellation_reason=asked.reason if reason is None else reason.text,
                task_cancelled=not record.active,
                training_session_cancelled=None,
            )
        )

    async def _stopped(self, record: OperationRecord) -> None:
        try:
            async with asyncio.timeout(self._grace):
                async for _ in self._operations.follow(record.id, after=record.last_seq):
                    pass
        except TimeoutError:
            return

    def results(self, operation_id: OperationId) -> Answer[Results]:
        """Give what a completed operation made, as far as it is plain JSON."""
        record = self._operations.get(operation_id)
        if record.status != "completed":
            raise errors.ConflictError(
                f"operation {operation_id} is {record.status}: only a completed one has results",
                context={"operation_id": operation_id, "status": record.status},
            )
        return answer(Results(**named(record), results=record.result))

    async def retry(self, operation_id: OperationId) -> Answer[Row]:
        """Make the request of an ended operation once more, as a new one."""
        return answer(row(self._operations.retry(operation_id)._native.record()))

    async def resume(self, operation_id: OperationId) -> Answer[Row]:
        """Let an operation that its process's end interrupted go on, under its id."""
        return answer(row(self._operations.resume(operation_id)._native.record()))

    def metrics(
        self,
        operation_id: OperationId,
        cursor: Annotated[int, Query(ge=0, le=_MOST)] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> Answer[Metrics]:
        """Give the metrics after a cursor, and the cursor for the next call."""
        page = self._operations.metrics(operation_id, cursor=cursor, limit=limit)
        return answer(Metrics(metrics=page.metrics, cursor=page.cursor))

    async def events(
        self,
        operation_id: OperationId,
        last_event_id: Annotated[str, AfterValidator(_checked_event_id), Header()] = "0",
        after: Annotated[int, Query(ge=0, le=_MOST)] = 0,
    ) -> Response:
        """Stream the event log as server-sent events, those to come too, until the operation has ended.

        A client that comes back with ``Last-Event-ID`` (or ``after``) goes on behind that event; one that has them all
        gets 204, at which a browser stops coming back. An id of an earlier operation of the same name is none of this
        one's.
        """
        record = await asyncio.to_thread(self._operations.get, operation_id)
        number, run = _event_id(last_event_id)
        if run in ("", _run_of(record)):
            after = max(after, number)
        if not record.active and after >= record.last_seq:
            return Response(status_code=204)
        ending = anyio.Event()
        return EventSourceResponse(
            self._stream(record, after, ending),
            ping=self._ping,
            shutdown_event=ending,
            shutdown_grace_period=_SHUTDOWN_GRACE,
        )

    async def _stream(
        self, record: OperationRecord, after: int, ending: anyio.Event
    ) -> AsyncIterator[bytes]:
        news = asyncio.Event()

        async def stop() -> None:
            await ending.wait()
            news.set()

        stopping = asyncio.create_task(stop())
        try:
            following = follow_events(record.id, after, news, ending.is_set)
            async with aclosing(following) as events:
                async for event in events:
                    yield self._encoded(record, event)
        finally:
            stopping.cancel()

    def _encoded(self, record: OperationRecord, event: OperationEvent) -> bytes:
        """Encode an event once for all who read the stream at about the same time."""
        # An id can be used again once its operation was forgotten, and the numbers begin anew: times tell runs apart.
        key = (record.id, record.created, event.seq, event.time)
        text = self._recent.get(key)
        if text is None:
            if len(self._recent) >= _RECENT:
                self._recent.clear()
            text = self._recent[key] = _sse(event, _run_of(record))
        return text


def _sse(event: OperationEvent, run: str) -> bytes:
    data = json.dumps(event.data | {"time": time_of(event.time)}, separators=(",", ":"))
    return f"id: {event.seq}-{run}\r\nevent: {event.kind}\r\ndata: {data}\r\n\r\n".encode()
