"""Calls to a host service, one at a time and by the hundred, and what an adapter knows of its service."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import (
    AsyncServiceAdapter,
    CancellationToken,
    HostServiceConfig,
    OperationsService,
    ServiceCall,
    ServiceOrchestrator,
    errors,
)
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.http import Client
from ktrdr_core.testing import CLOSE, HOLD, FaultRequest, FaultServer, Step, ok, status

if TYPE_CHECKING:
    from collections.abc import Iterable


def config(url: str, **figures: Any) -> HostServiceConfig:
    return HostServiceConfig(base_url=url, **figures)


@pytest.fixture(scope="module")
def host() -> Any:
    with HostProcess(delay=0) as service:
        yield service


def test_many_calls_at_once_get_each_their_own_answer(host: HostProcess) -> None:
    async def main() -> None:
        few = config(host.url, max_connections=4)
        async with AsyncServiceAdapter("IB host service", few) as adapter:
            symbols = ["AAPL", "MSFT"] * 50
            answers = await asyncio.gather(
                *(adapter.call_post("/data/validate", {"symbol": symbol}) for symbol in symbols)
            )
            assert [a["contract_info"]["symbol"] for a in answers] == symbols
            assert adapter.pool_stats()["open"] <= 4

    asyncio.run(main())


def test_parameters_are_encoded(host: HostProcess) -> None:
    async def main() -> Any:
        async with AsyncServiceAdapter("IB host service", host.url) as adapter:
            query = {"symbol": "AAPL", "timeframe": "1d"}
            return await adapter.call_get("/data/head-timestamp", query)

    assert asyncio.run(main())["timestamp"].startswith("2000-")


def test_parameters_go_behind_a_query_that_is_there_already() -> None:
    with (
        FaultServer(lambda request: ok(json.dumps(request.target))) as server,
        AsyncServiceAdapter("echo", server.url) as adapter,
    ):
        assert adapter.call_get("/x?a=b%20c", {"d": "e f"}).result() == "/x?a=b%20c&d=e+f"
        batch = [ServiceCall("/x?a=1", params={"b": [2, 3]}), ServiceCall("/x", params={})]
        assert adapter.call_batch(batch).result() == ["/x?a=1&b=2&b=3", "/x"]


def test_large_answers_come_whole_beside_small_ones() -> None:
    numbers = list(range(100_000))

    def answer(request: FaultRequest) -> bytes:
        return ok(json.dumps(numbers if request.target == "/large" else request.target))

    async def main() -> None:
        async with AsyncServiceAdapter("echo", config(server.url, timeout=60)) as adapter:
            endpoints = ["/large", "/a", "/b", "/large", "/c"] * 4
            answers = await asyncio.gather(*map(adapter.call_get, endpoints))
            batch = await adapter.call_batch([ServiceCall(it) for it in endpoints])
            for got in (answers, batch):
                assert got == [numbers if it == "/large" else it for it in endpoints]

    with FaultServer(answer) as server:
        asyncio.run(main())


def test_a_call_can_be_waited_for_without_asyncio() -> None:
    def answer(request: FaultRequest) -> bytes:
        return ok(json.dumps({"method": request.method, "body": request.body.decode()}))

    with FaultServer(answer) as server, AsyncServiceAdapter("echo", server.url) as adapter:
        assert adapter.call_get("/x").result() == {"method": "GET", "body": ""}
        assert adapter.call_post("/x", [1, None]).result() == {"method": "POST", "body": "[1,null]"}
        assert adapter.call_post("/x").result()["body"] == "{}"


def test_an_answer_may_be_as_deep_as_what_is_sent() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    with (
        FaultServer(lambda request: ok(request.body)) as server,
        AsyncServiceAdapter("echo", server.url) as adapter,
        Client(server.url) as client,
    ):
        assert adapter.call_post("/x", deep).result() == deep
        assert client.post("/x", json=deep).result().json() == deep
        with pytest.raises(errors.InvalidArgumentError, match="deeper than 100"):
            adapter.call_post("/x", [deep]).result()


def test_integers_of_64_bits_come_back_as_they_were_sent() -> None:
    numbers = [0, True, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 0.1, 1e308]
    with (
        FaultServer(lambda request: ok(request.body)) as server,
        AsyncServiceAdapter("echo", server.url) as adapter,
    ):
        assert repr(adapter.call_post("/x", numbers).result()) == repr(numbers)


def test_a_status_carries_its_number_and_body() -> None:
    with (
        FaultServer(status(404, "not here")) as server,
        AsyncServiceAdapter("test service", server.url) as adapter,
    ):
        with pytest.raises(errors.StatusError, match="test service") as caught:
            adapter.call_get("/x?secret=1").result()
        assert caught.value.context["status"] == 404
        assert caught.value.context["body"] == "not here"
        assert caught.value.__cause__ is None
        assert "secret" not in str(caught.value) + repr(caught.value.context)


@pytest.mark.parametrize("place", ["itself", "error", "detail"])
def test_the_services_own_error_is_the_cause(place: str) -> None:
    record = {"code": "symbol_unknown", "message": "no XYZ here", "details": {"symbol": "XYZ"}}
    body = json.dumps(record if place == "itself" else {"success": False, place: record})
    with (
        FaultServer(status(422, body)) as server,
        AsyncServiceAdapter("test service", server.url) as adapter,
    ):
        with pytest.raises(errors.StatusError, match=r"422.*no XYZ here") as caught:
            adapter.call_get("/x").result()
        cause = caught.value.__cause__
        assert isinstance(cause, errors.SymbolNotFoundError)
        assert cause.message == "no XYZ here"
        assert cause.context == {"symbol": "XYZ"}


@pytest.mark.parametrize(
    "body", ["{}", '{"detail": "x"}', '{"error": {"code": 7}}', '{"message": 5}', '"text"', "["]
)
def test_a_body_without_a_record_is_no_cause(body: str) -> None:
    with FaultServer(status(500, body)) as server, AsyncServiceAdapter("s", server.url) as adapter:
        with pytest.raises(errors.StatusError) as caught:
            adapter.call_get("/x").result()
        assert caught.value.__cause__ is None
        assert "cause" not in caught.value.context


def test_no_service_says_how_to_get_one() -> None:
    adapter = AsyncServiceAdapter(
        "quotes", config("http://127.0.0.1:9", max_retries=0), start_hint="run `quotes serve`"
    )
    with adapter, pytest.raises(errors.ServiceConnectionError, match="run `quotes serve`"):
        adapter.call_get("/x").result()


def test_a_cancelled_task_closes_its_socket() -> None:
    async def main(server: FaultServer) -> None:
        async with AsyncServiceAdapter("test service", server.url) as adapter:
            task = asyncio.ensure_future(adapter.call_get("/x"))
            await asyncio.to_thread(server.wait_until, lambda it: bool(it.requests))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(server.wait_until, lambda it: it.open_connections == 0)

    with FaultServer(HOLD) as server:
        asyncio.run(main(server))


def test_a_token_stops_a_call() -> None:
    async def main(server: FaultServer) -> None:
        async with AsyncServiceAdapter("test service", server.url) as adapter:
            token = CancellationToken()
            task = asyncio.ensure_future(adapter.call_get("/x", cancellation_token=token))
            await asyncio.to_thread(server.wait_until, lambda it: len(it.requests) > 0)
            token.cancel("enough")
            with pytest.raises(errors.OperationCancelledError, match="enough"):
                await task

    with FaultServer(HOLD) as server:
        asyncio.run(main(server))


# ---- limits of time


def test_the_time_left_is_told_and_shrinks_with_each_attempt() -> None:
    answers: list[Iterable[Any]] = [[CLOSE], [ok("{}")]]
    with (
        FaultServer(lambda _: answers.pop(0)) as server,
        AsyncServiceAdapter("test service", config(server.url, timeout=20)) as adapter,
    ):
        adapter.call_get("/x", timeout=10).result()
        first, second = (int(request.headers["x-deadline-ms"]) for request in server.requests)
        assert 10_000 >= first >= second > 0


def test_a_deadline_that_has_passed_sends_nothing() -> None:
    with FaultServer(ok("{}")) as server, AsyncServiceAdapter("s", server.url) as adapter:
        with pytest.raises(errors.ServiceTimeoutError, match="deadline") as caught:
            adapter.call_get("/x", deadline=time.monotonic() - 1).result()
        assert caught.value.context["request_sent"] == "no"
        assert server.requests == []
        assert adapter.call_get("/x", deadline=time.monotonic() + 60).result() == {}


def test_the_earlier_of_timeout_deadline_and_config_holds() -> None:
    with (
        FaultServer(HOLD) as server,
        AsyncServiceAdapter("s", config(server.url, timeout=0.3, max_retries=0)) as brief,
        AsyncServiceAdapter("s", config(server.url, max_retries=0)) as patient,
    ):
        soon = time.monotonic() + 1.2
        for call in (
            brief.call_get("/x", timeout=30),
            patient.call_get("/x", timeout=0.3),
            patient.call_get("/x", deadline=soon),
            patient.call_get("/x", timeout=0.3, deadline=soon + 60),
        ):
            with pytest.raises(errors.ServiceTimeoutError):
                call.result()


# ---- under an operation


class Quotes(ServiceOrchestrator):
    """A service of its own, over the adapter."""

    def __init__(self, url: str) -> None:
        super().__init__(use_host_service=True, host_service_url=url, env={})

    def _get_service_name(self) -> str:
        return "quotes"

    def _get_env_var_prefix(self) -> str:
        return "QUOTES"


def test_an_operations_calls_carry_its_id_and_tell_its_log_of_retries() -> None:
    answers = [status(503, "busy", "Retry-After: 0\r\n"), ok('{"price": 5}')]

    async def main(url: str) -> tuple[str, Any]:
        service = Quotes(url)

        async def work() -> Any:
            return await service.adapter.call_get("/last", {"symbol": "AAPL"})

        operation = service.start_operation("quote", "quote", work)
        return operation.id, await operation

    with FaultServer(lambda _: answers.pop(0)) as server:
        operation_id, price = asyncio.run(main(server.url))
        assert price == {"price": 5}
        assert [r.headers["x-operation-id"] for r in server.requests] == [operation_id] * 2
    logged = [e for e in OperationsService().events(operation_id) if e.kind == "log"]
    assert len(logged) == 1
    assert logged[0].data["message"].startswith("quotes: GET /last: attempt 1: was answered 503")
    assert logged[0].data["status"] == 503
    assert "AAPL" not in json.dumps(logged[0].data)


def test_an_operations_cancel_stops_its_call_and_errors_name_it() -> None:
    async def main(server: FaultServer) -> None:
        service = Quotes(server.url)
        calls: list[asyncio.Future[Any]] = []

        async def work() -> Any:
            # The operation's task is cancelled, and this is not: it hears of the cancel by the operation's token.
            calls.append(asyncio.ensure_future(service.adapter.call_get("/slow")))
            return await asyncio.shield(calls[0])

        operation = service.start_operation("quote", "quote", work)
        await asyncio.to_thread(server.wait_until, lambda it: len(it.requests) > 0)
        operation.cancel("enough")
        with pytest.raises(errors.OperationCancelledError):
            await operation
        with pytest.raises(errors.OperationCancelledError) as caught:
            await calls[0]
        assert caught.value.context["operation_id"] == operation.id
        await asyncio.to_thread(server.wait_until, lambda it: it.open_connections == 0)

    with FaultServer(HOLD) as server:
        asyncio.run(main(server))


# ---- batches


def test_a_batch_answers_in_order_over_its_few_connections() -> None:
    def answer(request: FaultRequest) -> bytes:
        return ok(json.dumps([request.method, request.target, request.body.decode()]))

    calls = [ServiceCall("/get", params={"i": i}) for i in range(150)]
    calls += [ServiceCall("/post", i) for i in range(150)]
    with (
        FaultServer(answer) as server,
        AsyncServiceAdapter("echo", config(server.url, max_connections=3)) as adapter,
    ):
        answers = asyncio.run(_awaited(adapter.call_batch(calls)))
        assert answers[:150] == [["GET", f"/get?i={i}", ""] for i in range(150)]
        assert answers[150:] == [["POST", "/post", str(i)] for i in range(150)]
        assert server.accepted <= 3
        assert adapter.call_batch([]).result() == []
        assert adapter.call_batch(iter(calls[:2])).result() == answers[:2]


def test_a_batch_keeps_errors_in_their_places() -> None:
    def answer(request: FaultRequest) -> bytes:
        return status(404, "gone") if request.target.endswith("7") else ok(b"1")

    # More than come in one part.
    calls = [ServiceCall(f"/{i}") for i in range(500)]
    failed = list(range(7, 500, 10))
    with FaultServer(answer) as server, AsyncServiceAdapter("s", server.url) as adapter:
        batch = adapter.call_batch(calls, return_exceptions=True)
        for answers in (batch.result(), asyncio.run(_awaited(batch))):
            assert [i for i, a in enumerate(answers) if isinstance(a, errors.StatusError)] == failed
            assert answers.count(1) == 450


def test_the_first_failure_of_a_batch_stops_the_others_and_is_raised() -> None:
    def answer(request: FaultRequest) -> Any:
        return status(404, "gone") if request.target == "/3" else [HOLD]

    calls = [ServiceCall(f"/{i}") for i in range(100)]
    with (
        FaultServer(answer) as server,
        AsyncServiceAdapter("s", config(server.url, max_connections=5)) as adapter,
    ):
        with pytest.raises(errors.StatusError, match="gone"):
            adapter.call_batch(calls).result()
        assert len(server.requests) <= 6
        server.wait_until(lambda it: it.open_connections <= 1)


def test_a_cancelled_batch_ends_all_of_its_calls() -> None:
    async def main(server: FaultServer) -> None:
        async with AsyncServiceAdapter("s", server.url) as adapter:
            task = asyncio.ensure_future(
                adapter.call_batch([ServiceCall(f"/{i}") for i in range(500)])
            )
            await asyncio.to_thread(server.wait_until, lambda it: len(it.requests) == 20)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(server.wait_until, lambda it: it.open_connections == 0)
            assert len(server.requests) == 20

    with FaultServer(HOLD) as server:
        asyncio.run(main(server))


# ---- events


def test_events_of_an_endpoint_go_on_after_the_last_one() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    parts = [b"id: 6\ndata: six\nretry: 1\n\n", b"id: 7\ndata: seven\n\n"]

    async def main(url: str) -> list[str]:
        async with AsyncServiceAdapter("s", url, headers={"X-Key": "k"}) as adapter:
            events = adapter.events("/events", {"of": "all"}, last_event_id="5")
            return [event.data async for event in events]

    def answer(request: FaultRequest) -> Iterable[Any]:
        return [head, parts.pop(0), CLOSE] if parts else [status(204)]

    with FaultServer(answer) as server:
        assert asyncio.run(main(server.url)) == ["six", "seven"]
        assert [r.headers["last-event-id"] for r in server.requests] == ["5", "6", "7"]
        assert {r.headers["accept"] for r in server.requests} == {"text/event-stream"}
        assert {r.headers["x-key"] for r in server.requests} == {"k"}
        assert {r.target for r in server.requests} == {"/events?of=all"}


def test_events_outlive_a_restart_for_as_long_as_their_operation_has_time() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1\n\n"
    answers: list[Any] = [
        [head + b"id: 1\ndata: a\n\n", CLOSE],
        [status(503)],
        [status(502)],
        [head + b"id: 2\ndata: b\n\n", CLOSE],
        [status(204)],
    ]

    async def main(url: str, timeout: float | None) -> list[str]:
        config = HostServiceConfig(base_url=url, max_retries=0)

        async def follow() -> list[str]:
            async with AsyncServiceAdapter("s", config) as adapter:
                return [event.data async for event in adapter.events("/events")]

        return await Quotes(url).start_operation("follow", "follow", follow, timeout=timeout)

    with FaultServer(lambda _: answers.pop(0)) as server:
        assert asyncio.run(main(server.url, 60)) == ["a", "b"]
    answers[:] = [[head + b"id: 1\ndata: a\n\n", CLOSE], [status(503)]]
    with (
        FaultServer(lambda _: answers.pop(0)) as server,
        pytest.raises(errors.StatusError, match="503"),
    ):
        asyncio.run(main(server.url, None))


# ---- health


def test_health_is_kept_for_a_while() -> None:
    answers = [ok('{"healthy": true, "version": 1}'), ok('{"healthy": false}'), ok('{"up": 1}')]
    with (
        FaultServer(lambda _: answers.pop(0)) as server,
        AsyncServiceAdapter("s", server.url, health_endpoint="/up") as adapter,
    ):
        first = adapter.check_health().result()
        assert first["healthy"]
        assert first["detail"] == {"healthy": True, "version": 1}
        assert not first["cached"]
        assert first["checked_at"].endswith("Z")
        again = adapter.check_health(cache_ttl=60).result()
        assert again == {**first, "cached": True}
        assert not adapter.check_health(cache_ttl=0).result()["healthy"]
        assert adapter.check_health(cache_ttl=0).result()["healthy"]
        assert [request.target for request in server.requests] == ["/up"] * 3


def test_a_service_that_does_not_answer_is_not_healthy_within_its_own_timeout() -> None:
    with FaultServer(HOLD) as server, AsyncServiceAdapter("s", server.url) as adapter:
        found = adapter.check_health(timeout=0.3).result()
        assert not found["healthy"]
        assert found["error"]["code"] == "service_timeout"
    with AsyncServiceAdapter("s", config("http://127.0.0.1:9", max_retries=0)) as adapter:
        assert adapter.check_health().result()["error"]["code"] == "service_connection"
    with FaultServer(ok("[]")) as server, AsyncServiceAdapter("s", server.url) as adapter:
        assert adapter.check_health().result()["error"]["code"] == "protocol"
        with pytest.raises(errors.InvalidArgumentError, match="timeout"):
            adapter.check_health(timeout=0)


def test_health_passes_calls_that_wait_for_a_connection() -> None:
    async def main(server: FaultServer) -> None:
        async with AsyncServiceAdapter("s", config(server.url, max_connections=1)) as adapter:
            waiting = [asyncio.ensure_future(adapter.call_get(f"/{i}")) for i in range(3)]
            await asyncio.to_thread(server.wait_until, lambda it: len(it.requests) > 0)
            assert (await adapter.check_health())["healthy"]
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def answer(request: FaultRequest) -> list[Step]:
        return [ok("{}") if request.target == "/health" else HOLD]

    with FaultServer(answer) as server:
        asyncio.run(main(server))


def test_an_orchestrator_shows_its_adapters_health() -> None:
    with FaultServer(ok('{"healthy": false}')) as server:
        found = asyncio.run(Quotes(server.url).health_check())
        assert found["status"] == "unhealthy"
        assert found["mode"] == "host_service"
    with FaultServer(ok('{"healthy": true}')) as server:
        assert asyncio.run(Quotes(server.url).health_check())["status"] == "healthy"


# ---- what it has done


def test_statistics_and_metrics_tell_what_was_done() -> None:
    answers: list[list[Step]] = [[CLOSE], [status(503, "", "Retry-After: 0\r\n")]]
    answers += [[ok("{}")] for _ in range(8)]
    answers.append([status(404)])
    with (
        FaultServer(lambda _: answers.pop(0)) as server,
        AsyncServiceAdapter("quotes", server.url, service_type="data") as adapter,
    ):
        for _ in range(8):
            adapter.call_get("/x").result()
        with pytest.raises(errors.StatusError):
            adapter.call_get("/x").result()
        server.close()
        with pytest.raises(errors.ServiceConnectionError):
            adapter.call_post("/x").result()
        statistics = adapter.get_statistics()
        assert statistics["service_name"] == "quotes"
        assert statistics["service_type"] == "data"
        assert statistics["base_url"] == server.url
        assert statistics["requests"] == 10
        assert statistics["failures"] == 1
        metrics = adapter.get_detailed_metrics()
        assert metrics["http.client.responses"] == {"2xx": 8, "4xx": 1}
        assert metrics["http.client.errors"] == {"service_connection": 1}
        assert metrics["retry.attempts"]["503"] == 1
        assert metrics["retry.attempts"]["service_connection"] >= 1
        duration = metrics["http.client.request.duration"]
        assert duration["count"] == 10
        assert 0 < duration["p50"] <= duration["p90"] <= duration["p99"] <= duration["max"]
        assert duration["sum"] >= duration["max"]
        assert metrics["pool.wait_time"]["count"] >= 9
        open_now = sum(metrics["http.client.open_connections"].values())
        closed = sum(metrics["pool.connections_closed"].values())
        assert metrics["pool.connections_created"] == open_now + closed
        assert "quotes" in repr(adapter)
        assert "10 requests" in repr(adapter)


async def _awaited(pending: Any) -> Any:
    return await pending
