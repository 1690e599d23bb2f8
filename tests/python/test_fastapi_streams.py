"""Events of operations over HTTP from real servers: streams that are cut off, readers that do not read, servers that end."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

import soak
from child import child
from held import resident
from ktrdr_core import current_operation
from ktrdr_core.fastapi import operations_router
from ktrdr_core.testing import Domain
from over_http import data_of, parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an app with uvicorn on a thread of its own; the URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    # Small, so that a reader who does not read is felt at once; the kernel would take megabytes.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join()
        listener.close()


def streaming_app(prefix: str) -> FastAPI:
    """An app in which ``POST /start`` starts work of so many steps."""
    app = FastAPI()
    domain = Stream(env={})
    app.include_router(operations_router(ping=0.05), prefix=prefix)

    @app.post("/start")
    async def start(steps: int) -> str:
        return domain.start_operation("Stream", "stream", domain.steps, steps).id

    return app


class Stream(Domain):
    """Steps that leave the loop to others now and then."""

    async def steps(self, count: int) -> dict[str, Any]:
        here = current_operation()
        assert here is not None
        for step in range(1, count + 1):
            here.add_metric({"step": step})
            if step % 10 == 0:
                self.update_operation_progress(step)
                await asyncio.sleep(0.001)
        return {"count": count}


@pytest.mark.parametrize("prefix", ["/api/v1", "/mounted/elsewhere"])
def test_a_reader_that_is_cut_off_gets_every_event_once_and_in_order(prefix: str) -> None:
    cuts = soak.count(40, 200)
    total = cuts * 8  # Less than the log keeps, however slow the reader is.
    chance = random.Random(3)
    connections = 0

    async def read(url: str) -> list[tuple[int, str, dict[str, Any]]]:
        nonlocal connections
        seen: list[tuple[int, str, dict[str, Any]]] = []
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            operation_id = (await client.post("/start", params={"steps": total})).json()
            for _ in range(cuts * 3):
                connections += 1
                last = {"Last-Event-ID": str(seen[-1][0])} if seen else {}
                path = f"{prefix}/operations/{operation_id}/events"
                async with client.stream("GET", path, headers=last) as response:
                    if response.status_code == 204:
                        return seen
                    assert response.headers["content-type"].startswith("text/event-stream")
                    await take(response, seen, chance.randrange(1, 14))
        raise AssertionError("the stream did not end")

    async def take(
        response: httpx.Response, seen: list[tuple[int, str, dict[str, Any]]], count: int
    ) -> None:
        async for block in blocks(response):
            seen.append(parse(block))
            count -= 1
            if count == 0:
                return

    with serving(streaming_app(prefix)) as url:
        events = asyncio.run(read(url))
    assert connections >= cuts
    numbers = [number for number, _, _ in events]
    assert numbers == sorted(set(numbers))
    assert [data["step"] for _, kind, data in events if kind == "metric"] == list(
        range(1, total + 1)
    )
    states = [data["status"] for _, kind, data in events if kind == "state"]
    assert states == ["pending", "running", "completed"]
    assert events[-1][1] == "state"


async def blocks(response: httpx.Response) -> AsyncIterator[str]:
    """The events of a stream, without its comments."""
    buffer = ""
    async for text in response.aiter_text():
        buffer += text
        *whole, buffer = buffer.split("\r\n\r\n")
        for block in whole:
            if not block.startswith(":"):
                yield block


def test_a_reader_that_goes_away_cancels_nothing() -> None:
    async def read(url: str) -> str:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            operation_id = (await client.post("/start", params={"steps": 2000})).json()
            path = f"/api/v1/operations/{operation_id}"
            async with client.stream("GET", f"{path}/events") as response:
                async for _ in blocks(response):
                    break
            async with client.stream("GET", f"{path}/events") as response:
                last = [parse(block) async for block in blocks(response)][-1]
            assert last[2]["status"] == "completed"
            status: str = data_of(await client.get(path))["status"]
            return status

    with serving(streaming_app("/api/v1")) as url:
        assert asyncio.run(read(url)) == "completed"


def test_readers_that_do_not_read_hold_up_nothing_and_keep_no_memory() -> None:
    def slow_reader(url: str, path: str) -> socket.socket:
        host, port = url.removeprefix("http://").split(":")
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        return connection

    count = soak.count(5_000, 20_000)
    with serving(streaming_app("/api/v1")) as url, httpx.Client(base_url=url, timeout=60) as client:
        operation_id = client.post("/start", params={"steps": count}).json()
        path = f"/api/v1/operations/{operation_id}"
        readers = [slow_reader(url, f"{path}/events") for _ in range(100)]
        before = resident()
        # The work ends although nobody reads; a reader that does read gets all of it.
        with client.stream("GET", f"{path}/events") as response:
            last = [line for line in response.iter_lines() if line.startswith("data")][-1]
        assert json.loads(last.removeprefix("data: "))["status"] == "completed"
        # A page of 1000 events, or what one socket takes, for each reader: not the whole log.
        assert resident() - before < 100 * (1 << 20)
        for reader in readers:
            reader.close()
        assert data_of(client.get(path))["status"] == "completed"


# ---- shutdown

SERVER = """
import asyncio, sys
import uvicorn
from fastapi import FastAPI
from ktrdr_core import ServiceOrchestrator
from ktrdr_core.fastapi import operations_router
from ktrdr_core.testing import until_running
class Domain(ServiceOrchestrator):
    def _get_service_name(self): return "Domain"
    def _get_env_var_prefix(self): return "DOMAIN"
app = FastAPI()
app.include_router(operations_router())
domain = Domain()
@app.post("/start")
async def start():
    return domain.start_operation("Endless", "endless", asyncio.Event().wait, operation_id="endless").id
uvicorn.run(app, fd=int(sys.argv[1]), log_level="warning")
"""


def test_a_server_that_ends_closes_its_streams(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with child(
        [sys.executable, "-W", "error", "-c", SERVER, str(listener.fileno())],
        pass_fds=[listener.fileno()],
        stderr=subprocess.PIPE,
    ) as process:
        with httpx.Client(base_url=url, timeout=30) as client:
            client.post("/start")
            with client.stream("GET", "/operations/endless/events") as response:
                lines = response.iter_lines()
                assert next(lines).startswith("id: 1-")
                process.send_signal(signal.SIGTERM)
                # The body ends as it should: httpx raises for one that is cut off.
                rest = list(lines)
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(30) in {0, -signal.SIGTERM}
    listener.close()
    assert "Traceback" not in said, said
    assert any("running" in line for line in rest)
