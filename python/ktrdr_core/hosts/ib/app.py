"""The IB host service's wire contract over any source of bars."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

from ... import errors
from ..._extras import needed_by
from ...guard import RequestGuard, RequestRules
from ..traffic import Gate, Traffic, disconnected
from .contract import (
    About,
    CancelAnswer,
    DetailedHealth,
    HeadTimestampAnswer,
    Health,
    HistoricalAnswer,
    HistoricalRequest,
    ReleaseRequest,
    ValidateAnswer,
    ValidateRequest,
    WarningsAnswer,
)
from .metrics import EXPOSITION, exposition
from .running import Heard, Hearing, Requests, Running
from .vendor import (
    Found,
    HostLimits,
    Refused,
    Vendor,
    code_of,
    table,
    text_of,
    time_of,
    words_of,
)

with needed_by("the IB host service"):
    from fastapi import FastAPI, HTTPException, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import PlainTextResponse, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from ...bars import Bars
    from ...data import BarSource
    from .replay import Replay

Answer = dict[str, Any]

_log = logging.getLogger("ktrdr_core.hosts.ib")
_VERSION = version("ktrdr-core")
# What tells figures is not counted.
_FIGURES = ("/health/detailed", "/metrics")
# The longest id of an operation or a client that is looked at. Characters.
_LONGEST_ID = 128
_ARROW = "application/vnd.apache.arrow.stream"


class Opening(Protocol):
    """What holds requests: ``Gate`` or ``asyncio.Event``."""

    async def wait(self) -> object:
        """Return when the request may go on."""


def create_app(
    source: BarSource | Replay,
    *,
    delay: float = 0.0,
    gate: Opening | None = None,
    rules: RequestRules | None = None,
    limits: HostLimits | None = None,
) -> FastAPI:
    """Build the service.

    Parameters
    ----------
    source : BarSource or Replay
        The bars it answers from.
    delay : float
        Seconds that each answer of ``/data/historical`` takes beside the source's own.
    gate : Gate or asyncio.Event, optional
        Holds the requests of ``/data/historical`` in front of the delay. With a ``Gate`` the app has the routes
        ``/control/…`` that work it.
    rules : RequestRules, optional
        Which requests are let in; by default those for a server that is reached from this machine.
    limits : HostLimits, optional
        How many requests for bars are worked on at once, and how long one may be.
    """
    limits = limits or HostLimits()
    app = FastAPI(title="IB host service", version=_VERSION, docs_url=None, redoc_url=None)
    vendor = Vendor(source, limits)
    traffic, hearing = Traffic(), Hearing()
    requests = Requests(limits.max_requests, lambda: vendor.room)
    app.state.traffic, app.state.requests = traffic, requests
    # The server's end: what is under way answers with what is there.
    app.state.stopping = lambda: requests.close("the service is shutting down")
    app.add_middleware(_Counting, traffic=traffic)
    # Added last, so it stands in front.
    app.add_middleware(RequestGuard, rules=rules)
    _add_refusals(app)
    _add_health(app, vendor, traffic)
    _add_symbols(app, vendor, traffic, hearing)
    _add_historical(app, _Historical(vendor, traffic, requests, delay, gate), hearing)
    _add_operations(app, requests)
    _add_warnings(app, hearing)
    if isinstance(gate, Gate):
        _add_control(app, traffic, gate)
    return app


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        # What was sent is not said again: it may be large, and no JSON (NaN, half of a surrogate pair).
        said = ("type", "loc", "msg")
        return _json(
            {"detail": [{name: one[name] for name in said} for one in error.errors()]}, 422
        )


def _add_health(app: FastAPI, vendor: Vendor, traffic: Traffic) -> None:
    started = time.monotonic()

    @app.get("/", response_model=About)
    async def about() -> Answer:
        return {
            "service": "ib-connector",
            "version": _VERSION,
            "source": vendor.note,
            "endpoints": sorted(app.openapi()["paths"]),
        }

    @app.get("/health", response_model=Health)
    async def health() -> Answer:
        return {
            "healthy": True,
            "service": "ib-connector",
            "timestamp": text_of(datetime.now(UTC)),
            "status": vendor.source.provider,
            "ib_status": {
                "connected": vendor.connected,
                "connection_count": int(vendor.connected),
            },
        }

    @app.get("/health/detailed", response_model=DetailedHealth)
    async def detailed() -> Answer:
        return {
            "healthy": True,
            "service": "ib-connector",
            "timestamp": text_of(datetime.now(UTC)),
            "ib_gateway_connected": vendor.connected,
            "active_connections": len(traffic.open),
            "max_connections": traffic.max_connections,
            "total_requests": traffic.requests.total(),
            "requests": dict(traffic.requests),
            "cancelled_requests": traffic.cancelled_requests,
            "held_requests": traffic.held,
            "error_count": traffic.error_count,
            "last_error": traffic.last_error,
            "uptime_seconds": time.monotonic() - started,
            "connection_pool_status": vendor.connection,
        }

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        text = exposition(traffic, vendor, time.monotonic() - started)
        return Response(text, media_type=EXPOSITION)


def _add_symbols(app: FastAPI, vendor: Vendor, traffic: Traffic, hearing: Hearing) -> None:
    async def answered(request: Request, work: Coroutine[Any, Any, Answer]) -> Any:
        with hearing.of(_operation_of(request)) as heard:
            answer = await _or_gone(request, work, traffic)
            return answer if isinstance(answer, Response) else heard.beside(answer)

    async def look_up(
        symbol: str, asked: Sequence[str] | None, instrument_type: str | None = None
    ) -> Answer:
        answer: Answer = {
            "success": True,
            "is_valid": False,
            "error_message": None,
            "contract_info": None,
            "head_timestamps": {},
            "error": None,
        }
        try:
            words = words_of(instrument_type)
            name, contract = await vendor.spelt(symbol, *(asked or ()), **words)
            for timeframe in vendor.timeframes(name) if asked is None else asked:
                first = await vendor.first_if_told(name, timeframe, **words)
                answer["head_timestamps"][timeframe] = None if first is None else text_of(first)
        except Refused as error:
            answer["error_message"] = str(error)
            return answer
        except errors.KtrdrError as error:
            traffic.failed(error.message)
            return {**answer, "success": False, "error": error.message, **code_of(error)}
        info = await vendor.contract_info(name, contract, answer["head_timestamps"], time.time())
        return {**answer, "is_valid": True, "contract_info": info}

    @app.post("/data/validate", response_model=ValidateAnswer, response_model_exclude_unset=True)
    async def validate(asked: ValidateRequest, request: Request) -> Any:
        return await answered(
            request, look_up(asked.symbol, asked.timeframes, asked.instrument_type)
        )

    @app.get(
        "/data/symbol-info/{symbol:path}",
        response_model=ValidateAnswer,
        response_model_exclude_unset=True,
    )
    async def symbol_info(symbol: str, request: Request) -> Any:
        return await answered(request, look_up(symbol, None))

    async def first_of(symbol: str, timeframe: str, instrument_type: str | None) -> Answer:
        coded: dict[str, str] = {}
        try:
            words = words_of(instrument_type)
            name, _ = await vendor.spelt(symbol, timeframe, **words)
            first = await vendor.first(name, timeframe, **words)
            error = f"there is no first timestamp of {timeframe} for {name}"
        except Refused as refused:
            first, error = None, str(refused)
        except errors.KtrdrError as failed:
            first, error, coded = None, failed.message, code_of(failed)
        if first is None:
            traffic.failed(error)
            return {"success": False, "timestamp": None, "error": error, **coded}
        return {"success": True, "timestamp": text_of(first), "error": None}

    @app.get(
        "/data/head-timestamp",
        response_model=HeadTimestampAnswer,
        response_model_exclude_unset=True,
    )
    async def head_timestamp(
        symbol: str, timeframe: str, request: Request, instrument_type: str | None = None
    ) -> Any:
        return await answered(request, first_of(symbol, timeframe, instrument_type))


class _Historical:
    """Answers ``POST /data/historical``."""

    def __init__(
        self,
        vendor: Vendor,
        traffic: Traffic,
        requests: Requests,
        delay: float,
        gate: Opening | None,
    ) -> None:
        self._vendor, self._traffic, self._requests = vendor, traffic, requests
        self._delay, self._gate = delay, gate

    async def answer(self, asked: HistoricalRequest, request: Request, heard: Heard) -> Response:
        began = time.monotonic()
        running = self._requests.begin(asked.operation_id, _client_of(request))
        if isinstance(running, str):
            return self._failed(running, heard)
        heard.running = running
        found = Found([])
        error: str | None = None
        working = running.task = asyncio.ensure_future(self._work(asked, running, found))
        try:
            here = await _while_connected(request, working)
            if here:
                error = self._outcome(working, running, found)
        finally:
            running.ended(_status(working, error, found), error, found.rows)
            working.cancel()
            self._requests.end(running)
            self._note(asked, running, found, time.monotonic() - began)
        if not here:
            self._traffic.cancelled_requests += 1
            self._traffic.changed()
            return Response(status_code=499)
        if error is not None and not found.rows:
            return self._failed(error, heard, found.code)
        return await self._bars(asked, found, error, request, heard)

    async def _work(self, asked: HistoricalRequest, running: Running, found: Found) -> None:
        await self._held()
        start, end = time_of("start", asked.start), time_of("end", asked.end)
        if start >= end:
            raise Refused(f"start {asked.start!r} must lie before end {asked.end!r}")
        parts = self._vendor.parts(asked.timeframe, start, end)
        words = words_of(asked.instrument_type)
        async with self._requests.turn(running):
            name, _ = await self._vendor.spelt(asked.symbol, asked.timeframe, **words)
        for word in ("what_to_show", "session"):
            if getattr(asked, word) is not None:
                words[word] = getattr(asked, word)
        await self._vendor.fetch(
            name,
            asked.timeframe,
            parts,
            found,
            lambda part, rows: running.told(part, len(parts), rows),
            lambda: self._requests.turn(running),
            **words,
        )

    async def _held(self) -> None:
        if self._gate is not None:
            self._traffic.held += 1
            self._traffic.changed()
            try:
                await self._gate.wait()
            finally:
                self._traffic.held -= 1
        await asyncio.sleep(self._delay)

    def _outcome(self, working: asyncio.Task[None], running: Running, found: Found) -> str | None:
        """Say in words why there may be more than came; nothing for nothing."""
        if working.cancelled():
            return running.stopped or "the request was stopped"
        raised = working.exception()
        if raised is None:
            return found.partial or None
        if isinstance(raised, errors.KtrdrError):
            found.code = code_of(raised)
            return raised.message
        if isinstance(raised, Refused):
            return str(raised)
        raise raised

    def _failed(self, error: str, heard: Heard, code: dict[str, str] | None = None) -> Response:
        self._traffic.failed(error)
        answer: Answer = {"success": False, "data": None, "rows": 0, "error": error}
        return _json(heard.beside({**answer, **(code or {})}))

    async def _bars(
        self,
        asked: HistoricalRequest,
        found: Found,
        error: str | None,
        request: Request,
        heard: Heard,
    ) -> Response:
        partial = None if error is None else f"partial: {error}"
        words = asked.model_dump(include={"what_to_show", "session"}, exclude_none=True)
        plain = error is None and not words and not heard.warnings
        if plain and _ARROW in request.headers.get("accept", ""):
            stream = await asyncio.to_thread(_arrow, found.parts)
            if stream is not None:
                return Response(stream, media_type=_ARROW)
        data = await table(found)
        answer = {"success": True, "data": data, "rows": found.rows, "error": partial, **words}
        return _json(heard.beside(answer))

    def _note(
        self, asked: HistoricalRequest, running: Running, found: Found, seconds: float
    ) -> None:
        facts = {
            "symbol": asked.symbol,
            "timeframe": asked.timeframe,
            "start": asked.start,
            "end": asked.end,
            "operation_id": running.operation_id,
            "status": running.status,
            "rows": found.rows,
            "seconds": round(seconds, 3),
        }
        shown = " ".join(f"{name}={str(value)[:200]!r}" for name, value in facts.items())
        _log.info("hosts.ib: historical: %s", shown, extra={"facts": facts})


def _status(working: asyncio.Task[None], error: str | None, found: Found) -> str:
    if not working.done() or working.cancelled():
        return "cancelled"
    if working.exception() is not None or (error is not None and not found.rows):
        return "failed"
    return "completed"


def _add_historical(app: FastAPI, historical: _Historical, hearing: Hearing) -> None:
    arrow = {200: {"content": {_ARROW: {"schema": {"type": "string", "format": "binary"}}}}}

    @app.post("/data/historical", response_model=HistoricalAnswer, responses=arrow)  # type: ignore[arg-type]
    async def bars(asked: HistoricalRequest, request: Request) -> Response:
        operation_id = _operation_of(request) or asked.operation_id or ""
        with hearing.of(operation_id) as heard:
            return await historical.answer(asked, request, heard)


def _operation_of(request: Request) -> str:
    """Give the operation for which a client says that it asks; empty where it does not say."""
    return request.headers.get("x-operation-id", "")[:_LONGEST_ID]


def _client_of(request: Request) -> str:
    """Give who asks, of those that take turns: as it says, else its address and the operation."""
    said = request.headers.get("x-client-id", "")[:_LONGEST_ID]
    host = request.client.host if request.client is not None else ""
    return said or f"{host} {_operation_of(request)}"


def _add_warnings(app: FastAPI, hearing: Hearing) -> None:
    @app.get("/warnings", response_model=WarningsAnswer)
    async def warnings(operation_id: str) -> Answer:
        asked = operation_id[:_LONGEST_ID]
        return {"operation_id": asked, "warnings": hearing.warnings(asked)}


def _add_operations(app: FastAPI, requests: Requests) -> None:
    @app.delete(
        "/operations/{operation_id}",
        response_model=CancelAnswer,
        responses={404: {"model": CancelAnswer}},
    )
    async def cancel(operation_id: str) -> Response:
        running = requests.find(operation_id)
        if running is None:
            error = f"no request for bars has the id {operation_id}"
            answer = {"success": False, "operation_id": operation_id}
            return _json({**answer, "status": None, "error": error}, 404)
        stopped = running.status == "running"
        running.stop("cancelled by DELETE")
        status = "cancelled" if stopped else running.status
        answer = {"success": stopped, "operation_id": operation_id, "status": status}
        return _json({**answer, "error": None if stopped else "it has ended already"})

    @app.get(
        "/operations/{operation_id}/events",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}, 404: {"model": CancelAnswer}},
    )
    async def events(operation_id: str, request: Request) -> Response:
        running = requests.find(operation_id)
        if running is None:
            error = f"no request for bars has the id {operation_id}"
            answer = {"success": False, "operation_id": operation_id}
            return _json({**answer, "status": None, "error": error}, 404)
        after = request.headers.get("last-event-id", "0")
        number = int(after) if after.isdecimal() and len(after) < 10 else 0
        return StreamingResponse(
            running.events(number),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )


def _add_control(app: FastAPI, traffic: Traffic, gate: Gate) -> None:
    @app.post("/control/release", include_in_schema=False)
    async def release(asked: ReleaseRequest) -> Answer:
        gate.release(asked.count)
        return {"held": traffic.held}

    @app.post("/control/hold", include_in_schema=False)
    async def hold() -> Answer:
        gate.hold()
        return {"held": traffic.held}

    @app.get("/control/wait", include_in_schema=False)
    async def wait(
        held: int = 0, cancelled: int = 0, closed: bool = False, seconds: float = 30.0
    ) -> Answer:
        def reached(now: Traffic) -> bool:
            enough = now.held >= held and now.cancelled_requests >= cancelled
            return enough and not (closed and now.open)

        try:
            await asyncio.wait_for(traffic.until(reached), seconds)
        except TimeoutError as error:
            raise HTTPException(408, f"not reached within {seconds} s: {traffic}") from error
        return {"held": traffic.held, "cancelled": traffic.cancelled_requests}


class _Counting:
    """ASGI middleware that counts requests, but for the control and the figures themselves."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path.startswith("/data/symbol-info/"):
                path = "/data/symbol-info"
            if path.startswith("/operations/"):
                path = "/operations"
            if path not in _FIGURES and not path.startswith("/control/"):
                client = scope.get("client")
                self._traffic.came(path, None if client is None else tuple(client))
        await self._app(scope, receive, send)


async def _while_connected(request: Request, working: asyncio.Future[Any]) -> bool:
    """Wait for work to end, or the client to close; say whether it was the work."""
    async with _leaving(request) as leaving:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.done()


async def _or_gone(request: Request, work: Any, traffic: Traffic) -> Any:
    """Give what the work gives, unless the client closes first: the source is asked no further then."""
    working = asyncio.ensure_future(work)
    try:
        if await _while_connected(request, working):
            return working.result()
    finally:
        working.cancel()
    traffic.cancelled_requests += 1
    traffic.changed()
    return Response(status_code=499)


@asynccontextmanager
async def _leaving(request: Request) -> AsyncIterator[asyncio.Future[None]]:
    leaving = asyncio.ensure_future(disconnected(request.receive))
    try:
        yield leaving
    finally:
        leaving.cancel()


def _arrow(parts: Sequence[Bars]) -> bytes | None:
    """Write an Arrow stream; nothing where pyarrow is not installed, or there is no bar."""
    try:
        import pyarrow as pa  # type: ignore[import-untyped]
    except ImportError:
        return None
    if not parts:
        return None
    tables = [pa.table(bars) for bars in parts]
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, tables[0].schema) as writer:
        for each in tables:
            writer.write_table(each)
    return sink.getvalue()


def _json(answer: Answer, status: int = 200) -> Response:
    return Response(json.dumps(answer), status, media_type="application/json")
