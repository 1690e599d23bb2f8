"""A hundred readers of an operation's event stream, ten events a second each: what the server spends on them.

The server is this process: uvicorn on a thread of its own. The readers are another process, which only reads.
"""

from __future__ import annotations

import asyncio
import subprocess  # nosec B404
import sys
import time
from typing import Any

import httpx
from fastapi import FastAPI

from ktrdr_core import current_operation
from ktrdr_core.fastapi import operations_router
from ktrdr_core.testing import Domain

from .serving import serving

_READERS = """
import selectors, socket, sys
host, port, path, count = "127.0.0.1", int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
selector, events = selectors.DefaultSelector(), 0
for _ in range(count):
    reader = socket.create_connection((host, port))
    reader.sendall(f"GET {path} HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n".encode())
    selector.register(reader, selectors.EVENT_READ)
print("reading", flush=True)
while selector.get_map():
    for key, _ in selector.select():
        text = key.fileobj.recv(65536)
        events += text.count(b"event: metric")
        if not text or b"completed" in text:
            selector.unregister(key.fileobj)
print(events, flush=True)
"""


class Telling(Domain):
    """Tells of something ten times a second."""

    async def tell(self, seconds: float, begin: asyncio.Event) -> None:
        """Tell for so long, from the moment that ``begin`` is set."""
        here = current_operation()
        await begin.wait()
        for number in range(int(seconds * 10)):
            if here is not None:
                here.add_metric({"number": number})
            await asyncio.sleep(0.1)


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure the CPU time of the whole server process.

    Parameters
    ----------
    quick
        Fewer readers, and shorter.
    """
    readers, seconds = (10, 1.0) if quick else (100, 10.0)
    with (
        serving(_app(seconds)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        operation_id = client.post("/start").json()
        path = f"/operations/{operation_id}/events"
        command = [sys.executable, "-c", _READERS, str(port), path, str(readers)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # nosec B603
            if process.stdout is None:
                raise RuntimeError("the readers have no output")
            process.stdout.readline()
            time.sleep(1)  # the streams are open and at rest
            cpu, began = time.process_time(), time.perf_counter()
            client.post("/begin")
            events = int(process.stdout.readline())
            spent, took = time.process_time() - cpu, time.perf_counter() - began
    if events != readers * int(seconds * 10):
        raise RuntimeError(f"{events} events instead of {readers * int(seconds * 10)}")
    share = spent / took * 100
    return [
        {
            "case": f"{readers} readers x 10 events/s",
            "value": share,
            "unit": "% of a core",
            "ratio": share / 5,
            "against": "5 % of a core",
            "us/event": spent / events * 1e6,
        }
    ]


def _app(seconds: float) -> FastAPI:
    app, domain, begin = FastAPI(), Telling(), asyncio.Event()
    app.include_router(operations_router())

    @app.post("/start")
    async def start() -> str:
        return domain.start_operation("Tell", "tell", domain.tell, seconds, begin).id

    @app.post("/begin")
    async def start_telling() -> None:
        begin.set()

    return app
