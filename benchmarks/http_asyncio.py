"""Requests from asyncio, 16 at a time, against other clients and a raw epoll loop in one run.

Every contender is a process of its own against one server process; CPU is that of the contender's
whole process, all its threads. Rounds take turns, and the best round of each counts.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess  # nosec B404
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
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
    _build()
    requests, rounds = (1_000, 1) if quick else (20_000, 3)
    best: dict[tuple[str, str], tuple[float, float]] = {}
    command = [str(_PEER), "server"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:  # nosec B603
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("the benchmark's server has no pipes")
        port = server.stdout.readline().strip()
        for _ in range(rounds):
            for contender in (("raw epoll", ""), *_CONTENDERS):
                measured = _measure(contender, port, requests)
                before = best.get(contender, measured)
                best[contender] = (min(before[0], measured[0]), min(before[1], measured[1]))
        server.stdin.close()
    return _lines(best)


def _lines(best: dict[tuple[str, str], tuple[float, float]]) -> list[dict[str, Any]]:
    raw_wall, raw_cpu = best["raw epoll", ""]
    lines = []
    for (name, loop), (wall, cpu) in best.items():
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


def _build() -> None:
    _PEER.parent.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).with_name("http_peer.cpp")
    command = ["g++", "-std=c++20", "-O2", "-o", str(_PEER), str(source)]
    subprocess.run(command, check=True)  # nosec B603


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


async def _client(name: str, url: str, stack: AsyncExitStack) -> Get:
    """Open a client of that library and return what sends one request and decodes its answer."""
    if name == "ktrdr_core":
        from ktrdr_core import AsyncServiceAdapter, HostServiceConfig

        adapter = await stack.enter_async_context(
            AsyncServiceAdapter(
                "benchmark",
                HostServiceConfig(base_url=url, connection_pool_limit=_CONCURRENT),
            )
        )
        return lambda: adapter.call_get("/bars")
    if name == "aiohttp":
        import aiohttp

        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def get_aiohttp() -> Any:
            async with session.get(url + "/bars") as response:
                return await response.json()

        return get_aiohttp
    if name == "httpx":
        import httpx

        limits = httpx.Limits(max_connections=_CONCURRENT)
        client = await stack.enter_async_context(httpx.AsyncClient(limits=limits))

        async def get_httpx() -> Any:
            return (await client.get(url + "/bars")).json()

        return get_httpx
    from pyreqwest.client import ClientBuilder

    reqwest = await stack.enter_async_context(ClientBuilder().build())

    async def get_reqwest() -> Any:
        response = await reqwest.get(url + "/bars").build().send()
        return await response.json()

    return get_reqwest


async def _contend(name: str, url: str, requests: int) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        get = await _client(name, url, stack)
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
