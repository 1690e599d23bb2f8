"""What is under way keeps what it needs: nobody has to hold the client, the adapter or the manager that began it."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import AsyncServiceAdapter, DataManager, OperationsService, errors
from ktrdr_core.adapter import ServiceCall
from ktrdr_core.http import Client, PoolOptions, RetryPolicy
from ktrdr_core.testing import HOLD, FaultRequest, FaultServer, Step, ok, status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[[str], Callable[[], object]]

WEEK: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-01-05", "mode": "full"}
BAR = {"open": 1, "high": 1, "low": 1, "close": 1, "volume": 1}
ANSWERS: dict[str, dict[str, Any]] = {
    "/data/validate": {"success": True, "is_valid": True},
    "/data/head-timestamp": {"success": True, "timestamp": "2000-01-03T00:00:00Z"},
    "/data/historical": {"success": True, "data": json.dumps({"2024-01-02T00:00:00Z": BAR})},
}
EVENTS = ok(b"data: one\n\ndata: two\n\n", "Content-Type: text/event-stream\r\n")


def answer(request: FaultRequest) -> bytes:
    path = request.target.partition("?")[0]
    if path == "/events":
        return EVENTS
    if path == "/moved":
        return status(307, headers="Location: /there\r\n")
    return ok(json.dumps(ANSWERS.get(path, {"path": path})))


def closed(server: FaultServer) -> bool:
    return server.open_connections == 0


def streamed(url: str) -> Callable[[], object]:
    stream = Client(url).stream("GET", "/x")

    def read() -> object:
        with stream as response:
            return json.loads(response.read())

    return read


def first_events(events: Any) -> Callable[[], object]:
    """Give what reads over two connections: the second is made when the maker of the stream has long gone."""

    def read() -> object:
        with events:
            return [next(events).data for _ in range(3)]

    return read


def waits(
    pending: Any, read: Callable[[Any], object] = lambda value: value
) -> Callable[[], object]:
    return lambda: read(pending.result(30))


def json_of(response: Any) -> object:
    return response.json()


def adapter(url: str) -> AsyncServiceAdapter:
    return AsyncServiceAdapter("x", url)


HERE = {"path": "/x"}
CALLS = [ServiceCall("/x")] * 40
STARTS: dict[str, tuple[Start, object]] = {
    "get": (lambda url: waits(Client(url).get("/x"), json_of), HERE),
    "post": (lambda url: waits(Client(url).post("/x", content=b"1"), json_of), HERE),
    "redirect": (
        lambda url: waits(Client(url).get("/moved", max_redirects=2), json_of),
        {"path": "/there"},
    ),
    "stream": (streamed, HERE),
    "events": (lambda url: first_events(Client(url).events("/events")), ["one", "two", "one"]),
    "call_get": (lambda url: waits(adapter(url).call_get("/x")), HERE),
    "call_post": (lambda url: waits(adapter(url).call_post("/x")), HERE),
    "call_batch": (lambda url: waits(adapter(url).call_batch(CALLS)), [HERE] * 40),
    "adapter events": (
        lambda url: first_events(adapter(url).events("/events")),
        ["one", "two", "one"],
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_call_outlives_who_made_it(name: str) -> None:
    start, expected = STARTS[name]
    with FaultServer(answer) as server:
        end = start(server.url)
        gc.collect()
        assert end() == expected
        del end
        gc.collect()
        # Nobody needs them any more.
        server.wait_until(closed)


@pytest.mark.parametrize("name", [name for name in STARTS if name != "stream"])
def test_a_call_outlives_its_maker_on_a_loop(name: str) -> None:
    """``await Client(url).get(...)``: the client is nobody's before a byte was sent."""

    async def main() -> None:
        start, expected = STARTS[name]
        end = await asyncio.to_thread(start, server.url)
        assert await asyncio.to_thread(end) == expected

    with FaultServer(answer) as server:
        asyncio.run(main())
        gc.collect()
        server.wait_until(closed)


def test_calls_that_wait_for_a_connection_are_made_when_the_client_is_gone() -> None:
    def held_at_first(request: FaultRequest) -> list[Step]:
        return [HOLD, answer(request)] if request.target == "/first" else [answer(request)]

    async def main() -> None:
        client = Client(server.url, pool=PoolOptions(max_connections=1))
        tasks = [
            asyncio.ensure_future(began(client.get(path)))
            for path in ("/first", "/second", "/third")
        ]
        await asyncio.to_thread(server.wait_until, lambda server: server.requests != [])
        del client
        gc.collect()
        server.release()
        read = [response.json() for response in await asyncio.gather(*tasks)]
        assert read == [{"path": path} for path in ("/first", "/second", "/third")]

    async def began(pending: Any) -> Any:
        return await pending

    with FaultServer(held_at_first) as server:
        asyncio.run(main())
        gc.collect()
        server.wait_until(closed)


def test_a_request_is_sent_again_when_the_client_is_gone() -> None:
    def busy_at_first(request: FaultRequest) -> bytes:
        return answer(request) if len(server.requests) > 2 else status(503)

    with FaultServer(busy_at_first) as server:
        quick = RetryPolicy(first_pause=0.01, busy_pause=0.01)
        pending = Client(server.url, retry=quick).get("/x")
        gc.collect()
        assert pending.result(30).json() == HERE


@pytest.mark.parametrize("mode", ["full", "local"])
def test_a_load_outlives_its_manager(tmp_path: Path, mode: str) -> None:
    asked = {**WEEK, "mode": mode}
    with FaultServer(answer) as server:
        bars = DataManager(tmp_path, server.url, env={}).load_data("AAPL", "1d", **asked).result(30)
        assert len(bars) == (1 if mode == "full" else 0)

        async def main() -> int:
            manager = DataManager(tmp_path, server.url, env={})
            return len(await manager.load_data("MSFT", "1d", **asked))

        assert asyncio.run(main()) == len(bars)
        gc.collect()
        server.wait_until(closed)


def test_closing_still_refuses_what_comes_after() -> None:
    with FaultServer(answer) as server:
        client, service = Client(server.url), adapter(server.url)
        events = (client.events("/events"), service.events("/events"))
        client.close()
        service.close()
        for pending in (client.get("/x"), service.call_get("/x")):
            with pytest.raises(errors.ClientClosedError):
                pending.result(30)
        for stream in events:
            with pytest.raises(errors.ClientClosedError), stream:
                next(stream)


def test_reads_of_what_is_stored_leave_no_record_unless_they_have_a_name(tmp_path: Path) -> None:
    with FaultServer(answer) as server, DataManager(tmp_path, server.url, env={}) as data:
        loaded = data.load_data("AAPL", "1d", **WEEK)
        assert len(loaded.result(30)) == 1
        for _ in range(50):
            read = data.load_data("AAPL", "1d")
            assert len(read.result(30)) == 1
        named = data.load_data("AAPL", "1d", operation_id="mine")
        assert len(named.result(30)) == 1
        kept = OperationsService(data.database_path, default=False).list(operation_type="data_load")
        assert read.id in [record.id for record in kept.records]
        stored = stored_operations(data.database_path)
        assert set(stored) == {loaded.id, "mine"}


def stored_operations(file: Path) -> list[str]:
    import sqlite3

    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT id FROM operation").fetchall()
    connection.close()
    return [row[0] for row in rows]
