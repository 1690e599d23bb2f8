"""Requests from asyncio, 16 at a time, against other clients and a raw epoll loop in one run.

Every contender is a process of its own against one server process; CPU is that of the contender's
whole process, all its threads. Rounds take turns, and the best round of each counts.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess  # nosec B404
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

_ROOT = Path(__file__).parents[1]
_PEER = _ROOT / "build" / "bench" / "http_peer"
_CONCURRENT = 16
_CONTENDERS = (
    ("ktrdr_core", "asyncio"),
    ("ktrdr_core", "uvloop"),
    ("pyreqwest", "asyncio"),
    ("pyreqwest", "uvloop"),
    ("aiohttp", "asyncio"),
    ("aiohttp", "uvloop"),
    ("httpx", "asyncio"),
)
# httpx takes about 100 times as long for a request; it gets fewer of them.
_SHARE = {"httpx": 0.05}

Get = Callable[[], Awaitable[Any]]


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure all contenders.

    Parameters
    ----------
    quick : bool
        A short round: does it run at all?

    Returns
    -------
    list of dict
        Requests per second and CPU microseconds per request, with ratios to the raw loop.
    """
    requests, rounds = (1_000, 1) if quick else (20_000, 7)
    contenders = (("raw epoll", ""), *_CONTENDERS)
    found: dict[tuple[str, str], list[tuple[float, float]]] = {one: [] for one in contenders}
    with serving(build_peer()) as port:
        # One round after the other, so that a slow minute of the machine is everybody's.
        for _ in range(rounds):
            for contender in contenders:
                found[contender].append(_measure(contender, str(port), requests))
    return _lines(
        {
            contender: (median(wall for wall, _ in all_of), median(cpu for _, cpu in all_of))
            for contender, all_of in found.items()
        }
    )


@contextmanager
def serving(peer: Path) -> Iterator[int]:
    """Run the server of `http_peer`; its port."""
    pipe = subprocess.PIPE
    command = [str(peer), "server"]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:  # nosec B603
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("the benchmark's server has no pipes")
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()


def _lines(medians: dict[tuple[str, str], tuple[float, float]]) -> list[dict[str, Any]]:
    raw_wall, raw_cpu = medians["raw epoll", ""]
    lines = []
    for (name, loop), (wall, cpu) in medians.items():
        case = f"{name} ({loop})" if loop else name
        lines.append(
            {
                "case": case,
                "value": round(cpu * 1e6, 1),
                "unit": "us CPU/request",
                "ratio": cpu / raw_cpu,
                "against": "raw epoll",
                "requests/s": round(1 / wall),
                "rate against raw": f"{raw_wall / wall:.2f}x",
            }
        )
    return lines


def build_peer() -> Path:
    """Compile the two bare ends; the program."""
    _PEER.parent.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).with_name("http_peer.cpp")
    command = ["g++", "-std=c++20", "-O2", "-o", str(_PEER), str(source)]
    subprocess.run(command, check=True)  # nosec B603
    return _PEER


def _measure(contender: tuple[str, str], port: str, requests: int) -> tuple[float, float]:
    """Wall and CPU seconds per request of one round."""
    name, loop = contender
    requests = int(requests * _SHARE.get(name, 1))
    if loop:
        command = [sys.executable, "-m", "benchmarks.http_asyncio", name, loop, port, str(requests)]
    else:
        command = [str(_PEER), "client", port, str(_CONCURRENT), str(requests)]
    done = subprocess.run(  # nosec B603
        command, capture_output=True, text=True, check=True, cwd=_ROOT
    )
    seconds = json.loads(done.stdout)
    return seconds["wall"] / requests, seconds["cpu"] / requests


def _content(file: str) -> bytes:
    return Path(file).read_bytes()


async def open_client(name: str, url: str, stack: AsyncExitStack, ca_file: str = "") -> Get:
    """Open a client of that library and return what sends one request and decodes its answer."""
    if name == "ktrdr_core":
        from ktrdr_core import AsyncServiceAdapter, HostServiceConfig
        from ktrdr_core.http import TlsOptions

        adapter = await stack.enter_async_context(
            AsyncServiceAdapter(
                "benchmark",
                HostServiceConfig(
                    base_url=url,
                    max_connections=_CONCURRENT,
                    tls=TlsOptions(ca_file=ca_file),
                ),
            )
        )
        return lambda: adapter.call_get("/bars")
    if name == "aiohttp":
        import aiohttp

        trusted = ssl.create_default_context(cafile=ca_file) if ca_file else True
        connector = aiohttp.TCPConnector(ssl=trusted)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))

        async def get_aiohttp() -> Any:
            async with session.get(url + "/bars") as response:
                return await response.json()

        return get_aiohttp
    if name == "httpx":
        import httpx

        limits = httpx.Limits(max_connections=_CONCURRENT)
        verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
        client = await stack.enter_async_context(httpx.AsyncClient(limits=limits, verify=verify))

        async def get_httpx() -> Any:
            return (await client.get(url + "/bars")).json()

        return get_httpx
    from pyreqwest.client import ClientBuilder

    builder = ClientBuilder()
    if ca_file:
        builder = builder.add_root_certificate_pem(_content(ca_file))
    reqwest = await stack.enter_async_context(builder.build())

    async def get_reqwest() -> Any:
        response = await reqwest.get(url + "/bars").build().send()
        return await response.json()

    return get_reqwest


async def _contend(name: str, url: str, requests: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        get = await open_client(name, url, stack)
        left = iter(range(requests))

        async def work() -> None:
            for _ in left:
                if not (await get())["success"]:
                    raise RuntimeError(f"{name} was answered something else")

        await asyncio.gather(*(get() for _ in range(_CONCURRENT)))
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(_CONCURRENT)))
        return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def main(name: str, loop: str, port: str, requests: str) -> None:
    """Run one round as one contender and print its seconds."""
    work = _contend(name, f"http://127.0.0.1:{port}", int(requests))
    if loop == "uvloop":
        import uvloop

        print(json.dumps(uvloop.run(work)))
    else:
        print(json.dumps(asyncio.run(work)))
    sys.stdout.flush()
    # Threads of pyreqwest abort an interpreter's exit now and then; the figures are out by then.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
