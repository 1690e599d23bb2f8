"""The training host service's wire contract over a ``TrainingManager``."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ... import errors
from ..._extras import needed_by
from ...guard import RequestGuard, RequestRules
from ..traffic import Traffic, disconnected
from . import archive
from .contract import (
    About,
    CleanedUp,
    DetailedHealth,
    Evaluated,
    EvaluateRequest,
    Health,
    MetricsPage,
    Refusal,
    SessionId,
    SessionList,
    SessionStatus,
    Started,
    StartRequest,
    Stopped,
    StopRequest,
)
from .evaluations import Evaluations
from .sessions import Busy, HostLimits, Sessions

with needed_by("the training host service"):
    from fastapi import FastAPI, Header, Query, Request, Response
    from fastapi.exceptions import RequestValidationError
    from sse_starlette import EventSourceResponse

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Receive, Scope, Send

    from ...data import DataManager
    from ...operations import OperationsService
    from ...training import TrainingManager

Answer = dict[str, Any]

_log = logging.getLogger("ktrdr_core.hosts.training")
_VERSION = version("ktrdr-core")
_SERVICE = "training-host"
# A comment goes over an idle event stream so often, so that proxies keep it open. Seconds.
_PING = 10
# The largest number of an event that there can be.
_MOST = 2**63 - 1
_MIB = 1024.0 * 1024.0

_STATUSES: dict[type[errors.KtrdrError], int] = {
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.StrategyError: 422,
    errors.InvalidArgumentError: 422,
    errors.DataError: 422,
    errors.FeatureNotAvailableError: 501,
    # Of the host's work, as it ends.
    errors.OperationCancelledError: 503,
    Busy: 503,
}


def create_app(
    training: TrainingManager,
    data: DataManager,
    operations: OperationsService,
    models: str | os.PathLike[str],
    *,
    rules: RequestRules | None = None,
    limits: HostLimits | None = None,
    strategies: str | os.PathLike[str] | None = None,
) -> FastAPI:
    """Build the service.

    Parameters
    ----------
    training : TrainingManager
        Which trains, on this machine.
    data : DataManager
        Whose bars it trains on.
    operations : OperationsService
        Where the sessions are kept: the store of ``data``.
    models : path
        The folder that models are written to.
    rules : RequestRules, optional
        Which requests are let in; by default those for a server that is reached from this machine.
    limits : HostLimits, optional
        How many sessions run or wait, how many clients follow and how many models are judged at once.
    strategies : path, optional
        A folder of strategies that may be asked for by the name of their file.
    """
    limits = limits or HostLimits()
    app = FastAPI(title="Training host service", version=_VERSION, docs_url=None, redoc_url=None)
    traffic = Traffic()
    folder = None if strategies is None else Path(strategies)
    sessions = Sessions(training, operations, Path(models), limits, folder)
    app.state.traffic, app.state.sessions = traffic, sessions
    app.add_middleware(_Counting, traffic=traffic)
    # Added last, so it stands in front.
    app.add_middleware(RequestGuard, rules=rules)
    _add_refusals(app, traffic)
    _add_health(app, data, sessions, traffic)
    _add_sessions(app, sessions)
    _add_evaluations(app, Evaluations(training, limits.max_evaluations))
    _add_reading(app, sessions, limits)
    return app


def _add_refusals(app: FastAPI, traffic: Traffic) -> None:
    def refused(status: int, message: str) -> Response:
        traffic.failed(message)
        more = {"Retry-After": "1"} if status == 503 else {}
        body = json.dumps({"detail": message})
        return Response(body, status, more, media_type="application/json")

    @app.exception_handler(errors.KtrdrError)
    async def told(_: Request, error: errors.KtrdrError) -> Response:
        status = next((code for kind, code in _STATUSES.items() if isinstance(error, kind)), 500)
        return refused(status, error.message)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        # What was sent is not said again: it may be large.
        wrong = [
            f"{'.'.join(map(str, one['loc']))[:200]}: {one['msg'][:500]}"
            for one in error.errors()[:5]
        ]
        return refused(422, "; ".join(wrong))


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Refusal} for status in statuses}


def _add_health(app: FastAPI, data: DataManager, sessions: Sessions, traffic: Traffic) -> None:
    started = time.monotonic()

    def figures() -> Answer:
        return {
            "healthy": True,
            "service": _SERVICE,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "status": "healthy",
            "active_training_sessions": sessions.active,
        }

    @app.get("/", response_model=About)
    async def about() -> Answer:
        return {
            "service": _SERVICE,
            "version": _VERSION,
            "models_dir": str(sessions.models),
            "data_dir": str(data.database_path.parent),
            "endpoints": sorted(app.openapi()["paths"]),
        }

    @app.get("/health", response_model=Health)
    async def health() -> Answer:
        return figures()

    @app.get("/health/detailed", response_model=DetailedHealth)
    async def detailed() -> Answer:
        names = _gpu_names()
        return {
            **figures(),
            "gpu_available": bool(names),
            "gpu_device_count": len(names),
            "gpu_names": names,
            "gpu_memory_total_mb": None,
            "gpu_memory_allocated_mb": None,
            **_memory(),
            "uptime_seconds": time.monotonic() - started,
            "total_requests": traffic.requests.total(),
            "requests": dict(traffic.requests),
            "active_connections": len(traffic.open),
            "error_count": traffic.error_count,
            "last_error": traffic.last_error,
        }


def _add_sessions(app: FastAPI, sessions: Sessions) -> None:
    @app.post("/training/start", response_model=Started, responses=_refusals(409, 422, 501, 503))
    async def start(asked: StartRequest) -> Answer:
        session_id, read = await asyncio.to_thread(sessions.start, asked)
        _note("start", session_id=session_id, notes="; ".join(read.notes))
        return {
            "session_id": session_id,
            "status": "started",
            "message": "; ".join([f"training session {session_id} has begun", *read.notes]),
            "gpu_allocated": False,
            "estimated_duration_minutes": None,
            "used": read.used,
        }

    @app.post("/training/stop", response_model=Stopped, responses=_refusals(404, 409, 422))
    async def stop(asked: StopRequest) -> Answer:
        state, saved = await sessions.stop(
            asked.session_id, "stopped by a client", asked.save_checkpoint
        )
        _note("stop", session_id=asked.session_id, state=state)
        return {
            "session_id": asked.session_id,
            "status": "stopped",
            "message": f"session {asked.session_id} is {state}",
            "checkpoint_saved": saved,
        }

    @app.delete(
        "/training/sessions/{session_id}", response_model=CleanedUp, responses=_refusals(404, 422)
    )
    async def clean_up(session_id: SessionId) -> Answer:
        await sessions.clean_up(session_id)
        _note("clean up", session_id=session_id)
        return {
            "session_id": session_id,
            "status": "cleaned_up",
            "message": f"session {session_id} is forgotten; its model stays in models_dir",
        }


def _add_evaluations(app: FastAPI, evaluations: Evaluations) -> None:
    @app.post(
        "/training/evaluate", response_model=Evaluated, responses=_refusals(404, 409, 422, 503)
    )
    async def evaluate(asked: EvaluateRequest, request: Request) -> Answer:
        return await evaluations.evaluate(asked, partial(disconnected, request.receive))


def _add_reading(app: FastAPI, sessions: Sessions, limits: HostLimits) -> None:
    streams = _Streams(sessions, limits.max_streams)
    known = _refusals(404, 422)

    # Plain functions: FastAPI runs them in a thread, for a store takes time.
    @app.get("/training/status/{session_id}", response_model=SessionStatus, responses=known)
    def status(session_id: SessionId) -> Answer:
        return sessions.status(session_id)

    @app.get("/training/sessions", response_model=SessionList, responses=_refusals(422))
    def listed(
        cursor: Annotated[str | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Answer:
        return sessions.list(cursor, limit)

    @app.get("/training/sessions/{session_id}/metrics", response_model=MetricsPage, responses=known)
    def metrics(
        session_id: SessionId,
        cursor: Annotated[int, Query(ge=0, le=_MOST)] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> Answer:
        return sessions.metrics(session_id, cursor, limit)

    @app.get(
        "/training/sessions/{session_id}/model",
        response_class=Response,
        responses={200: {"content": {archive.MEDIA_TYPE: {}}}, **_refusals(404, 409, 422)},
    )
    def model(session_id: SessionId) -> Response:
        packed = sessions.model(session_id)
        headers = {"Repr-Digest": archive.digest(packed), "Cache-Control": "no-store"}
        return Response(packed, media_type=archive.MEDIA_TYPE, headers=headers)

    @app.get(
        "/training/sessions/{session_id}/events",
        response_class=EventSourceResponse,
        responses={
            200: {"content": {"text/event-stream": {}}},
            204: {"description": "There are no more events, and there will be none"},
            **_refusals(404, 422, 503),
        },
    )
    async def events(
        session_id: SessionId,
        last_event_id: Annotated[str, Header(pattern=r"^[0-9]{1,18}$")] = "0",
    ) -> Response:
        return await streams.begin(session_id, int(last_event_id))


class _Streams:
    """Event streams, so many at once."""

    def __init__(self, sessions: Sessions, most: int) -> None:
        self._sessions, self._most, self._open = sessions, most, 0

    async def begin(self, session_id: str, after: int) -> Response:
        record = await asyncio.to_thread(self._sessions.get, session_id)
        if not record.active and after >= record.last_seq:
            return Response(status_code=204)
        if self._open >= self._most:
            raise Busy(f"{self._most} clients follow here, the limit: ask for the status instead")
        return EventSourceResponse(self._told(session_id, after), ping=_PING)

    async def _told(self, session_id: str, after: int) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            async with aclosing(self._sessions.events(session_id, after)) as events:  # type: ignore[type-var]
                async for number, kind, content in events:
                    told = json.dumps(content, separators=(",", ":"))
                    yield f"id: {number}\r\nevent: {kind}\r\ndata: {told}\r\n\r\n".encode()
        finally:
            self._open -= 1


class _Counting:
    """ASGI middleware that counts requests, but for the figures themselves."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            for prefix in ("/training/status", "/training/sessions"):
                if path.startswith(prefix + "/"):
                    path = prefix
            if path != "/health/detailed":
                client = scope.get("client")
                self._traffic.came(path, None if client is None else tuple(client))
        await self._app(scope, receive, send)


def _note(what: str, **facts: str) -> None:
    shown = " ".join(f"{name}={value[:200]!r}" for name, value in facts.items())
    _log.info("hosts.training: %s: %s", what, shown, extra={"facts": facts})


def _gpu_names() -> list[str]:
    """Name the GPUs that the driver of this machine knows."""
    names = []
    for entry in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        lines = entry.read_text("utf-8", "replace").splitlines()
        names += [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]
    return names


def _memory() -> dict[str, float | None]:
    machine, own = _kilobytes("/proc/meminfo"), _kilobytes("/proc/self/status")
    return {
        "system_memory_total_mb": machine.get("MemTotal"),
        "system_memory_available_mb": machine.get("MemAvailable"),
        "process_memory_mb": own.get("VmRSS"),
    }


def _kilobytes(path: str) -> dict[str, float]:
    """Read figures in kB of a file of ``/proc``, as MiB."""
    try:
        lines = Path(path).read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    parted = [line.split() for line in lines if line.endswith(" kB")]
    return {
        words[0].rstrip(":"): int(words[1]) * 1024 / _MIB
        for words in parted
        if len(words) == 3 and words[1].isdecimal()
    }
