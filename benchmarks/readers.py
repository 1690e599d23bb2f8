"""A thousand readers of an operation that runs in another process: how long a ping of the same server takes meanwhile.

The server is this process, and looks at the file of the operation's process; the readers are a third one.
"""

from __future__ import annotations

import contextlib
import resource
import statistics
import subprocess  # nosec B404
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from fastapi import FastAPI

from ktrdr_core import OperationsService
from ktrdr_core.fastapi import operations_router

from .serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORK = """
import asyncio, sys
from ktrdr_core import OperationsService, current_operation
from ktrdr_core.testing import Domain
async def work():
    print("started", flush=True)
    while True:
        current_operation().add_metric({"told": True})
        await asyncio.sleep(0.1)
async def main():
    store = OperationsService(sys.argv[1])
    await Domain().start_operation("Elsewhere", "elsewhere", work, operation_id="elsewhere-1")
asyncio.run(main())
"""

_READERS = """
import resource, selectors, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
port, count = int(sys.argv[1]), int(sys.argv[2])
selector, told = selectors.DefaultSelector(), set()
for _ in range(count):
    reader = socket.create_connection(("127.0.0.1", port))
    reader.sendall(b"GET /operations/elsewhere-1/events HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    selector.register(reader, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if b"event: metric" in key.fileobj.recv(65536) and len(told) < count:
            told.add(key.fd)
            if len(told) == count:
                print("all are told", flush=True)
"""


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure how long a route of the same server takes that does nothing.

    Parameters
    ----------
    quick
        Fewer readers, and shorter.
    """
    readers, pings = (20, 20) if quick else (1000, 500)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "operations.db"
        with _process(_WORK, str(store)), serving(_app(OperationsService(store))) as port:
            alone = _ping(port, pings)
            with _process(_READERS, str(port), str(readers)):
                among = _ping(port, pings)
    return [
        {
            "case": f"a ping beside {readers:,} readers, {name}",
            "value": among_them,
            "unit": "ms",
            "ratio": among_them / by_itself,
            "against": f"without readers, {name}",
        }
        for name, among_them, by_itself in zip(("p50", "p99", "longest"), among, alone, strict=True)
    ]


def _ping(port: int, count: int) -> tuple[float, float, float]:
    times = []
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        for _ in range(count):
            began = time.perf_counter()
            client.get("/ping").raise_for_status()
            times.append((time.perf_counter() - began) * 1e3)
            time.sleep(0.01)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99)], times[-1]


@contextlib.contextmanager
def _process(code: str, *arguments: str) -> Iterator[None]:
    """Run it until the end of the body, from its first line on."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # nosec B603
        try:
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError("a process of the benchmark has ended")
            yield
        finally:
            process.kill()


def _app(operations: OperationsService) -> FastAPI:
    app = FastAPI()
    app.include_router(operations_router(operations))

    @app.get("/ping")
    async def ping() -> str:
        return "pong"

    return app
