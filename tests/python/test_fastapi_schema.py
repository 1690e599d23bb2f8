"""What the routes answer is what OpenAPI says they answer: every route, every error; and errors of an app's own routes."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
from fastapi import Depends, FastAPI, HTTPException, WebSocket
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from ktrdr_core import (
    AsyncServiceAdapter,
    DataManager,
    HostServiceConfig,
    TrainingManager,
    errors,
)
from ktrdr_core.fastapi import error_responses, install_error_handlers, operations_router
from ktrdr_core.testing import Domain, FakeSource, FaultServer, status, until_running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

EXAMPLE = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"
PREFIX = "/api/v1"


class Checked:
    """A client of an app with the router; each answer must be one that the app's OpenAPI describes."""

    def __init__(self, **options: Any) -> None:
        self.app = FastAPI()
        self.app.include_router(operations_router(**options), prefix=PREFIX)
        self.schema = self.app.openapi()
        self.seen: set[tuple[str, str, int]] = set()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url=f"http://localhost{PREFIX}"
        )

    async def ask(self, method: str, path: str, expected: int, **sent: Any) -> Any:
        response = await self._client.request(method, path, **sent)
        assert response.status_code == expected, response.text
        route = self.route(path.partition("?")[0])
        self.seen.add((method, route, expected))
        described = self.schema["paths"][PREFIX + route][method.lower()]["responses"]
        assert str(expected) in described, f"{method} {route}: {expected} is not described"
        if expected == 204:
            assert response.content == b""
            return None
        [(kind, body)] = described[str(expected)]["content"].items()
        assert response.headers["content-type"].startswith(kind)
        if kind != "application/json":
            return response.text
        answer = response.json()
        check(answer, body["schema"], self.schema)
        return answer

    def route(self, path: str) -> str:
        parts = path.split("/")
        return "/".join(["", "operations", *["{operation_id}"][: len(parts) - 2], *parts[3:]])


def check(value: object, schema: dict[str, Any], openapi: dict[str, Any]) -> None:
    """Hold a value against a schema of the app, in which no field is too many and none is missing."""
    strict = json.loads(json.dumps(openapi["components"]), object_hook=closed)
    jsonschema.Draft202012Validator(
        {**schema, "components": strict}, format_checker=jsonschema.FormatChecker()
    ).validate(value)


def closed(part: dict[str, Any]) -> dict[str, Any]:
    answered = not str(part.get("title")).endswith("Request")
    if answered and part.get("type") == "object" and isinstance(part.get("properties"), dict):
        assert set(part.get("required", [])) == set(part["properties"]), part
        part["additionalProperties"] = False
    return part


def run(test: Callable[[Checked, Domain], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        await test(Checked(**options), Domain(env={}))

    asyncio.run(main())


# ---- routes


async def waits() -> None:
    await asyncio.Event().wait()


async def stops_late(gate: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await gate.wait()
        raise


async def breaks() -> None:
    raise errors.NoDataError("no bars of AAPL", context={"symbol": "AAPL"})


async def counts(number: int) -> dict[str, Any]:
    return {"number": number, "all": list(range(number)), "odd": float("nan")}


async def of_odd_parameters(**_: object) -> None:
    """Work whose parameters are called as a load's, and are something else."""


def test_every_answer_is_one_that_openapi_describes() -> None:
    async def test(api: Checked, domain: Domain) -> None:
        done = domain.start_operation("Count", "count", counts, 3, total_steps=3)
        await done
        broken = domain.start_operation("Break", "break", breaks)
        with pytest.raises(errors.NoDataError):
            await broken
        odd = domain.start_operation(
            "Odd", "odd", of_odd_parameters, symbol=5, symbols=[1, "AAPL"], start_date={"a": 1}
        )
        await odd
        waiting = domain.start_operation("Wait", "wait", waits)
        for operation in (done, broken, odd, waiting):
            await api.ask("GET", f"/operations/{operation.id}", 200)
            await api.ask("GET", f"/operations/{operation.id}/metrics", 200)
        rows = (await api.ask("GET", "/operations", 200))["data"]
        assert [row["symbols"] for row in rows if row["operation_id"] == odd.id] == [["AAPL"]]
        await api.ask("GET", "/operations?limit=0", 422)
        await api.ask("GET", f"/operations/{done.id}/results", 200)
        await api.ask("GET", f"/operations/{waiting.id}/results", 409)
        await api.ask("GET", f"/operations/{done.id}/events", 200)
        await api.ask("GET", f"/operations/{done.id}/events?after=1000", 204)
        await api.ask("GET", f"/operations/{done.id}/events?after=x", 422)
        await api.ask("GET", f"/operations/{done.id}/metrics?cursor=-1", 422)
        for method, last in (
            ("GET", ""),
            ("GET", "/results"),
            ("GET", "/metrics"),
            ("GET", "/events"),
            ("DELETE", ""),
            ("POST", "/retry"),
            ("POST", "/resume"),
        ):
            await api.ask(method, f"/operations/op_none{last}", 404)
            await api.ask(method, f"/operations/a b{last}", 422)
            await api.ask(
                method, f"/operations/op_none{last}", 403, headers={"host": "elsewhere.example"}
            )
        await api.ask("GET", "/operations", 403, headers={"host": "elsewhere.example"})
        await api.ask("POST", f"/operations/{done.id}/retry", 409)
        await api.ask("POST", f"/operations/{done.id}/resume", 409)
        domain.register_operation("count", counts)
        again = await api.ask("POST", f"/operations/{done.id}/retry", 200)
        assert again["data"]["operation_name"] == "Count"
        for method, last in (("DELETE", ""), ("POST", "/retry"), ("POST", "/resume")):
            path = f"/operations/{waiting.id}{last}"
            await api.ask(method, path, 415, content="a=1", headers={"content-type": "text/plain"})
            large = {"reason": "x" * (1 << 20)}
            await api.ask(method, path, 413, json=large)
        await api.ask("DELETE", f"/operations/{waiting.id}", 422, json={"reason": 5})
        await api.ask("DELETE", f"/operations/{waiting.id}", 200, json={"reason": "enough"})
        await api.ask("DELETE", f"/operations/{waiting.id}", 400)
        gate = asyncio.Event()
        late = domain.start_operation("Late", "late", stops_late, gate)
        await until_running(late)
        stopping = await api.ask("DELETE", f"/operations/{late.id}", 202, json={"force": True})
        assert stopping["data"]["status"] == "cancelling"
        gate.set()
        for operation in (waiting, late):
            with pytest.raises(errors.OperationCancelledError):
                await operation
        routes = {(method, route) for method, route, _ in api.seen}
        assert routes == {
            (method.upper(), path.removeprefix(PREFIX))
            for path, methods in api.schema["paths"].items()
            for method in methods
        }

    run(test, cancel_grace=30)


class Failing:
    """A service whose every call raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _: str) -> Any:
        def fail(*_args: object, **_kwargs: object) -> None:
            raise self._error

        return fail


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.StorageError("the disk is gone"), 503),
        (errors.ShutDownError("the interpreter is ending"), 503),
        (errors.InternalError("a defect"), 500),
    ],
)
def test_a_store_that_fails_is_described_too(error: errors.KtrdrError, expected: int) -> None:
    async def test(api: Checked, _: Domain) -> None:
        for path, methods in api.schema["paths"].items():
            for method in methods:
                route = path.removeprefix(PREFIX).replace("{operation_id}", "op_1")
                answer = await api.ask(method.upper(), route, expected)
                assert answer["error"]["code"] == error.code

    run(test, operations=Failing(error))


def test_no_route_says_that_an_error_is_fastapi_s_own() -> None:
    schema = Checked().schema
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    for methods in schema["paths"].values():
        for route in methods.values():
            for code, response in route["responses"].items():
                if int(code) >= 400:
                    [(_, body)] = response["content"].items()
                    assert body["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}
            assert "Retry-After" in route["responses"]["503"]["headers"]


def test_loads_and_trainings_say_what_they_are(tmp_path: Path) -> None:
    async def test(api: Checked, _: Domain) -> None:
        days = np.arange("2005-01-01", "2005-02-01", dtype="datetime64[D]")
        columns = {name: np.ones(len(days)) for name in ("open", "high", "low", "close", "volume")}
        source = FakeSource({("AAPL", "1d"): {"time": days, **columns}})
        async with (
            DataManager(tmp_path, source=source, env={}) as data,
            TrainingManager(data, tmp_path / "models", env={}) as training,
        ):
            load = data.load_data("AAPL", "1d", "2005-01-01", "2005-01-20", mode="full")
            await load
            learning = training.train_multi_symbol_strategy(EXAMPLE)
            learning.cancel("seen enough")
            # It has too few bars, and may have said so before it is stopped.
            with pytest.raises((errors.OperationCancelledError, errors.NotEnoughDataError)):
                await learning
        for operation, name, symbol, symbols in (
            (load, "AAPL 1d (full)", "AAPL", ["AAPL"]),
            (learning, "momentum_mlp on AAPL, MSFT", None, ["AAPL", "MSFT"]),
        ):
            detail = (await api.ask("GET", f"/operations/{operation.id}", 200))["data"]
            rows = (await api.ask("GET", "/operations", 200))["data"]
            [row] = [row for row in rows if row["operation_id"] == operation.id]
            for shown in (detail, row):
                assert shown["operation_name"] == name
                assert (shown["symbol"], shown["symbols"]) == (symbol, symbols)
            assert detail["metadata"]["symbols"] == symbols
            assert detail["metadata"]["timeframes"] == ["1d"]

    run(test)


def test_a_status_that_is_not_ours_is_refused() -> None:
    with pytest.raises(errors.InvalidArgumentError, match="418"):
        error_responses(404, 418)


# ---- an app's own routes


class OwnError(errors.ConflictError):
    """An error of a user's, derived from one of ours."""

    code = "own"


def app_raising(error: Exception, **options: Any) -> FastAPI:
    app = FastAPI()
    install_error_handlers(app, **options)

    @app.get("/word", responses=error_responses(404, 409, 422, 500, 501, 503, 504))
    async def word() -> str:
        raise error

    @app.get("/number")
    async def number(value: int) -> int:
        return value

    @app.websocket("/ws")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        raise error

    return app


ANSWERS: list[tuple[errors.KtrdrError, int]] = [
    (errors.InvalidArgumentError("x"), 422),
    (errors.NotFoundError("x"), 404),
    (errors.ConflictError("x"), 409),
    (errors.ConfigurationError("x"), 500),
    (errors.FeatureNotAvailableError("x"), 501),
    (errors.OperationCancelledError("x"), 409),
    (errors.OperationTimeoutError("x"), 504),
    (errors.OperationFailedError("x"), 500),
    (errors.ShutDownError("x"), 503),
    (errors.OutOfResourcesError("x"), 503),
    (errors.StorageError("x"), 503),
    (errors.StorageFullError("x"), 503),
    (errors.StorageSchemaError("x"), 503),
    (errors.HostServiceError("x"), 503),
    (errors.ServiceConnectionError("x"), 503),
    (errors.ServiceTimeoutError("x"), 503),
    (errors.PoolTimeoutError("x"), 503),
    (errors.PoolSaturatedError("x"), 503),
    (errors.ProtocolError("x"), 503),
    (errors.ResponseTooLargeError("x"), 503),
    (errors.StatusError("x"), 503),
    (errors.ClientClosedError("x"), 503),
    (errors.SymbolNotFoundError("x"), 404),
    (errors.NoDataError("x"), 404),
    (errors.NotEnoughDataError("x"), 422),
    (errors.StrategyError("x"), 422),
    (errors.TrainingError("x"), 500),
    (errors.InternalError("x"), 500),
    (OwnError("x"), 409),
]


def test_every_error_of_the_core_has_an_answer() -> None:
    assert {type(error) for error, _ in ANSWERS} >= set(errors.BY_CODE.values())


@pytest.mark.parametrize(("error", "expected"), ANSWERS, ids=lambda value: type(value).__name__)
def test_an_error_of_a_route_is_answered_in_the_envelope(
    error: errors.KtrdrError, expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    error.context["place"] = object()
    app = app_raising(error)
    answer = TestClient(app).get("/word")
    assert answer.status_code == expected
    body = answer.json()
    check(body, {"$ref": "#/components/schemas/ErrorAnswer"}, app.openapi())
    assert (body["error"]["code"], body["error"]["message"]) == (error.code, "x")
    told = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert bool(told) == (expected == 500)
    assert all(record.exc_info for record in told)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (7, "7"),
        (0.2, "1"),
        (1.5, "2"),
        (0, None),
        (-1, None),
        ("7", None),
        (1e12, None),
        (None, None),
    ],
)
def test_retry_after_is_sent_where_it_is_known(given: object, sent: str | None) -> None:
    error = errors.StatusError("busy", context={"status": 503, "retry_after": given})
    assert TestClient(app_raising(error)).get("/word").headers.get("retry-after") == sent
    own = errors.NotFoundError("no", context={"retry_after": given})
    assert "retry-after" not in TestClient(app_raising(own)).get("/word").headers


def test_a_request_that_does_not_fit_is_answered_in_the_envelope_or_as_fastapi_does() -> None:
    app = app_raising(errors.NotFoundError("x"))
    ours = TestClient(app).get("/number?value=x")
    assert ours.status_code == 422
    assert "query.value" in ours.json()["error"]["message"]
    for schema in (app.openapi(), app.openapi()):
        described = schema["paths"]["/number"]["get"]["responses"]["422"]
        check(ours.json(), described["content"]["application/json"]["schema"], schema)
    theirs = TestClient(app_raising(errors.NotFoundError("x"), validation=False)).get(
        "/number?value=x"
    )
    assert theirs.status_code == 422
    assert theirs.json()["detail"][0]["loc"] == ["query", "value"]


def test_a_websocket_is_closed_with_the_message() -> None:
    error = errors.NotFoundError("nobody knows " + "é" * 100)
    with TestClient(app_raising(error)).websocket_connect("/ws") as socket:
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 1011
    assert error.message.startswith(closed.value.reason)
    assert 100 < len(closed.value.reason.encode()) <= 123


@pytest.mark.parametrize("error", [HTTPException(418, "tea"), ValueError("theirs")])
def test_what_is_not_ours_is_answered_as_before(error: Exception) -> None:
    client = TestClient(app_raising(error), raise_server_exceptions=False)
    answer = client.get("/word")
    if isinstance(error, HTTPException):
        assert (answer.status_code, answer.json()) == (418, {"detail": "tea"})
    else:
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")


def test_the_router_needs_no_handlers_and_works_beside_them() -> None:
    def nobody() -> None:
        raise errors.ConflictError("not now")

    app = FastAPI()
    app.include_router(operations_router(dependencies=[Depends(nobody)]))
    client = TestClient(app, base_url="http://localhost")
    assert client.get("/operations").status_code == 409
    install_error_handlers(app)
    assert TestClient(app, base_url="http://localhost").get("/operations").status_code == 409


def test_a_service_that_asks_to_come_back_later_is_passed_on() -> None:
    app = FastAPI()
    install_error_handlers(app)
    with FaultServer(lambda _: status(503, headers="Retry-After: 7\r\n")) as host:

        @app.get("/quote")
        async def quote() -> Any:
            config = HostServiceConfig(base_url=host.url, max_retries=0)
            async with AsyncServiceAdapter("quotes", config) as adapter:
                return await adapter.call_get("/quote")

        answer = TestClient(app).get("/quote")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.json()["error"]["code"] == "status"
