"""The IB host service's wire contract over recorded bars."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel

from ..._extras import needed_by
from ...guard import RequestGuard, RequestRules
from ..traffic import Gate, Traffic

with needed_by("the IB host service"):
    from fastapi import FastAPI, HTTPException, Request, Response

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from .replay import Bar, Replay

Answer = dict[str, Any]


class Opening(Protocol):
    """What holds requests: ``Gate`` or ``asyncio.Event``."""

    async def wait(self) -> object:
        """Return when the request may go on."""


class HistoricalRequest(BaseModel):
    """``POST /data/historical``. Times are ISO 8601, without an offset UTC; the range is ``[start, end)``."""

    symbol: str
    timeframe: str
    start: str
    end: str
    instrument_type: str | None = None


class ValidateRequest(BaseModel):
    """``POST /data/validate``."""

    symbol: str
    timeframes: list[str] | None = None


class ReleaseRequest(BaseModel):
    """``POST /control/release``: how many requests may pass; None opens the gate."""

    count: int | None = None


def create_app(
    source: Replay,
    *,
    delay: float = 0.0,
    gate: Opening | None = None,
    rules: RequestRules | None = None,
) -> FastAPI:
    """Build the service.

    Parameters
    ----------
    source : Replay
        The bars it answers from.
    delay : float
        Seconds that each answer of ``/data/historical`` takes.
    gate : Gate or asyncio.Event, optional
        Holds the requests of ``/data/historical`` in front of the delay. With a ``Gate`` the app has the routes
        ``/control/…`` that work it.
    rules : RequestRules, optional
        Which requests are let in; by default those for a server that is reached from this machine.
    """
    app = FastAPI(title="IB host service (replay)", docs_url=None, redoc_url=None, openapi_url=None)
    traffic = Traffic()
    app.state.traffic = traffic
    app.add_middleware(_Counting, traffic=traffic)
    # Added last, so it stands in front.
    app.add_middleware(RequestGuard, rules=rules)
    _add_health(app, traffic)
    _add_symbols(app, source, traffic)
    _add_historical(app, source, traffic, delay, gate)
    if isinstance(gate, Gate):
        _add_control(app, traffic, gate)
    return app


def _add_health(app: FastAPI, traffic: Traffic) -> None:
    started = time.monotonic()

    @app.get("/health")
    async def health() -> Answer:
        return {
            "healthy": True,
            "service": "ib-connector",
            "timestamp": _text(datetime.now(UTC)),
            "status": "replay",
            "ib_status": {"connected": True, "connection_count": 1},
        }

    @app.get("/health/detailed")
    async def detailed() -> Answer:
        return {
            "healthy": True,
            "service": "ib-connector",
            "timestamp": _text(datetime.now(UTC)),
            "ib_gateway_connected": True,
            "active_connections": len(traffic.open),
            "max_connections": traffic.max_connections,
            "total_requests": traffic.requests.total(),
            "requests": dict(traffic.requests),
            "cancelled_requests": traffic.cancelled_requests,
            "held_requests": traffic.held,
            "error_count": traffic.error_count,
            "last_error": traffic.last_error,
            "uptime_seconds": time.monotonic() - started,
            "connection_pool_status": {},
        }


def _add_symbols(app: FastAPI, source: Replay, traffic: Traffic) -> None:
    def look_up(symbol: str, timeframes: Sequence[str]) -> Answer:
        answer: Answer = {
            "success": True,
            "is_valid": source.knows(symbol),
            "error_message": None,
            "contract_info": None,
            "head_timestamps": {},
            "error": None,
        }
        if not answer["is_valid"]:
            answer["error_message"] = _unknown(symbol, source)
            return answer
        for timeframe in timeframes:
            first = source.first_timestamp(symbol, timeframe)
            answer["head_timestamps"][timeframe] = None if first is None else _text(first)
        answer["contract_info"] = _contract_info(symbol, source.note, answer["head_timestamps"])
        return answer

    @app.post("/data/validate")
    async def validate(asked: ValidateRequest) -> Answer:
        timeframes = (
            source.timeframes(asked.symbol) if asked.timeframes is None else asked.timeframes
        )
        return look_up(asked.symbol, timeframes)

    @app.get("/data/symbol-info/{symbol:path}")
    async def symbol_info(symbol: str) -> Answer:
        return look_up(symbol, source.timeframes(symbol))

    @app.get("/data/head-timestamp")
    async def head_timestamp(symbol: str, timeframe: str) -> Answer:
        first = source.first_timestamp(symbol, timeframe)
        if first is None:
            error = _missing(symbol, timeframe, source)
            traffic.failed(error)
            return {"success": False, "timestamp": None, "error": error}
        return {"success": True, "timestamp": _text(first), "error": None}


def _contract_info(symbol: str, note: str, head_timestamps: Answer) -> Answer:
    """Describe a symbol with every field that clients of the contract make a record of; times in seconds since 1970."""
    kind, exchange, currency = "STK", "SMART", "USD"
    return {
        "symbol": symbol,
        "contract": {
            "symbol": symbol,
            "secType": kind,
            "exchange": exchange,
            "currency": currency,
        },
        "asset_type": kind,
        "exchange": exchange,
        "currency": currency,
        "description": note,
        "validated_at": time.time(),
        "trading_hours": None,
        "head_timestamps": head_timestamps,
    }


def _add_historical(
    app: FastAPI, source: Replay, traffic: Traffic, delay: float, gate: Opening | None
) -> None:
    async def held() -> None:
        if gate is not None:
            traffic.held += 1
            traffic.changed()
            try:
                await gate.wait()
            finally:
                traffic.held -= 1
        await asyncio.sleep(delay)

    @app.post("/data/historical")
    async def historical(asked: HistoricalRequest, request: Request) -> Response:
        if not await _while_connected(request, held()):
            traffic.cancelled_requests += 1
            traffic.changed()
            return Response(status_code=499)
        try:
            bars = _bars(asked, source)
        except ValueError as error:
            traffic.failed(str(error))
            return _json({"success": False, "data": None, "rows": 0, "error": str(error)})
        return _json({"success": True, "data": _table(bars), "rows": len(bars), "error": None})


def _add_control(app: FastAPI, traffic: Traffic, gate: Gate) -> None:
    @app.post("/control/release")
    async def release(asked: ReleaseRequest) -> Answer:
        gate.release(asked.count)
        return {"held": traffic.held}

    @app.post("/control/hold")
    async def hold() -> Answer:
        gate.hold()
        return {"held": traffic.held}

    @app.get("/control/wait")
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
            if path != "/health/detailed" and not path.startswith("/control/"):
                client = scope.get("client")
                self._traffic.came(path, None if client is None else tuple(client))
        await self._app(scope, receive, send)


async def _while_connected(request: Request, work: Coroutine[Any, Any, None]) -> bool:
    """Finish ``work`` unless the client closes first; say whether it was finished."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.done()
    finally:
        working.cancel()
        leaving.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _bars(asked: HistoricalRequest, source: Replay) -> Sequence[Bar]:
    start, end = _time("start", asked.start), _time("end", asked.end)
    if start >= end:
        raise ValueError(f"start {asked.start!r} must lie before end {asked.end!r}")
    try:
        return source.between(asked.symbol, asked.timeframe, start, end)
    except KeyError:
        raise ValueError(_missing(asked.symbol, asked.timeframe, source)) from None


def _time(name: str, text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name} {text!r} is no ISO 8601 time") from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def _missing(symbol: str, timeframe: str, source: Replay) -> str:
    if not source.knows(symbol):
        return _unknown(symbol, source)
    has = ", ".join(source.timeframes(symbol))
    return f"unsupported timeframe {timeframe!r} for {symbol}: this replay has {has}"


def _unknown(symbol: str, source: Replay) -> str:
    has = ", ".join(source.series)
    return (
        f"No security definition has been found for the request: {symbol!r} (this replay has {has})"
    )


def _table(bars: Sequence[Bar]) -> str:
    return json.dumps(
        {
            _text(bar.time): {
                "open": bar.open,
                "high": bar.high,
                "low": bar.low,
                "close": bar.close,
                "volume": bar.volume,
            }
            for bar in bars
        }
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(answer: Answer) -> Response:
    return Response(json.dumps(answer), media_type="application/json")
