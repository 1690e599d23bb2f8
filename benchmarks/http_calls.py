"""What a call costs beyond 16 at a time from asyncio: in C++, one at a time, in batches, queued, cancelled, by TLS, streamed.

Every line is held against a peer or a limit of the same run. Contenders are processes of their own against `http_peer` or,
for TLS and files, nginx.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess  # nosec B404
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .build import ROOT, build
from .http_asyncio import build_peer, open_client, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

_PEERS = ("pyreqwest", "aiohttp", "httpx")
_FILE_BYTES = 64 * 1024 * 1024


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick : bool
        Short rounds: does it run at all?
    """
    share = 0.02 if quick else 1
    native = build("bench-core", "http_client", torch=False) / "cpp" / "http" / "http_client"
    peer = build_peer()
    with serving(peer) as port:
        return [
            *_rates(native, peer, port, share),
            *_one_at_a_time(peer, port, share),
            *_queued(port, share),
            *_cancels(port, share),
            *_memory(native, port),
            *_creation(port, share),
            *_tls(share),
            *_streams(share),
        ]


def _line(
    case: str, value: float, unit: str, ratio: float = 0, against: str = ""
) -> dict[str, Any]:
    line: dict[str, Any] = {"case": case, "value": value, "unit": unit}
    if against:
        line |= {"ratio": ratio, "against": against}
    return line


def _program(*command: object) -> dict[str, float]:
    done = subprocess.run(  # nosec B603
        [str(part) for part in command], capture_output=True, text=True, check=True, cwd=ROOT
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _child(part: str, *arguments: object) -> dict[str, float]:
    """Run a part of this module in a process of its own."""
    return _program(sys.executable, "-m", "benchmarks.http_calls", part, *arguments)


def _figure(key: str, part: str, *arguments: object) -> float:
    return _child(part, *arguments)[key]


def _rounds(share: float, whole: int) -> int:
    return 1 if share < 1 else whole


def _in_turn(rounds: int, contenders: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Give the median of each; one round after the other, so that a slow minute of the machine is everybody's."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            found[name].append(measure())
    return {name: statistics.median(values) for name, values in found.items()}


# ---- rates


def _rates(native: Path, peer: Path, port: int, share: float) -> Iterator[dict[str, Any]]:
    requests = int(200_000 * share)
    batches = int(100 * share) or 1
    rate = _in_turn(
        _rounds(share, 7),
        {
            "raw epoll": lambda: requests / _program(peer, "client", port, 16, requests)["wall"],
            "C++ HttpClient": lambda: requests
            / _program(native, "rate", port, 16, requests)["wall"],
            "batch": lambda: 1000 * batches / _child("batch", port, batches)["wall"],
        },
    )
    for case, name, against in (
        ("raw epoll, 16 at a time", "raw epoll", "raw epoll"),
        ("C++ HttpClient, 16 at a time", "C++ HttpClient", "raw epoll"),
        ("call_batch of 1,000 from asyncio", "batch", "C++ HttpClient"),
    ):
        yield _line(case, rate[name], "requests/s", rate[name] / rate[against], against)


async def _batch(port: str, rounds: str) -> dict[str, float]:
    from ktrdr_core import AsyncServiceAdapter, HostServiceConfig, ServiceCall

    calls = [ServiceCall("/bars")] * 1000
    config = HostServiceConfig(base_url=f"http://127.0.0.1:{port}", max_connections=16)
    async with AsyncServiceAdapter("benchmark", config) as adapter:
        await adapter.call_batch(calls)
        began = time.perf_counter()
        for _ in range(int(rounds)):
            await adapter.call_batch(calls)
        return {"wall": time.perf_counter() - began}


# ---- one at a time


def _one_at_a_time(peer: Path, port: int, share: float) -> Iterator[dict[str, Any]]:
    requests = int(4_000 * share)
    contenders = {"raw epoll": lambda: _program(peer, "client", port, 1, requests)["p50"]}
    for name in ("ktrdr_core", "ktrdr_core .result()", "pycurl", *_PEERS):
        count = requests // (10 if name == "httpx" else 1)
        contenders[name] = partial(_figure, "p50", "single", port, name, count)
    median = _in_turn(_rounds(share, 7), contenders)
    for name, found in median.items():
        ratio = found / median["raw epoll"]
        yield _line(f"{name}, one at a time, p50", found * 1e6, "us", ratio, "raw epoll")


async def _single(port: str, name: str, requests: str) -> dict[str, float]:
    url = f"http://127.0.0.1:{port}"
    times = []
    async with contextlib.AsyncExitStack() as stack:
        get = _blocking(name, url) or await open_client(name, url, stack)
        for _ in range(int(requests) + 50):
            began = time.perf_counter()
            found = get()
            if found is not None:
                await found
            times.append(time.perf_counter() - began)
    return {"p50": sorted(times[50:])[len(times[50:]) // 2]}


def _blocking(name: str, url: str) -> Callable[[], None] | None:
    """Give a client that blocks; it runs beside no event loop of its own, so in another thread's stead here."""
    if name == "pycurl":
        import io

        import pycurl  # type: ignore[import-untyped]

        handle = pycurl.Curl()
        handle.setopt(pycurl.URL, f"{url}/bars")

        def ask() -> None:
            body = io.BytesIO()
            handle.setopt(pycurl.WRITEDATA, body)
            handle.perform()
            json.loads(body.getvalue())

        return ask
    return None


def _sync_single(port: str, requests: str) -> dict[str, float]:
    from ktrdr_core import AsyncServiceAdapter

    times = []
    with AsyncServiceAdapter("benchmark", f"http://127.0.0.1:{port}") as adapter:
        for _ in range(int(requests) + 50):
            began = time.perf_counter()
            adapter.call_get("/bars").result()
            times.append(time.perf_counter() - began)
    return {"p50": sorted(times[50:])[len(times[50:]) // 2]}


# ---- a queue


def _queued(port: int, share: float) -> Iterator[dict[str, Any]]:
    contenders = {}
    for queued in (100, 5_000, 20_000):
        count = max(queued, int(40_000 * share))
        contenders[f"{queued:,} at once"] = partial(_figure, "cpu", "queue", port, queued, count)
    median = _in_turn(_rounds(share, 5), contenders)
    for name, cpu in median.items():
        ratio = cpu / median["100 at once"]
        case = f"{name} over 100 connections"
        yield _line(case, cpu * 1e6, "us CPU/request", ratio, "100 at once")


async def _queue(port: str, queued: str, count: str) -> dict[str, float]:
    from ktrdr_core import AsyncServiceAdapter, HostServiceConfig

    config = HostServiceConfig(base_url=f"http://127.0.0.1:{port}", max_connections=100)
    async with AsyncServiceAdapter("benchmark", config) as adapter:

        async def ask() -> None:
            await adapter.call_get("/bars")

        await asyncio.gather(*(ask() for _ in range(100)))
        rounds = int(count) // int(queued)
        cpu = time.process_time()
        for _ in range(rounds):
            await asyncio.gather(*(ask() for _ in range(int(queued))))
        return {"cpu": (time.process_time() - cpu) / (rounds * int(queued))}


# ---- cancels


def _cancels(port: int, share: float) -> Iterator[dict[str, Any]]:
    found = _child("cancel", port, int(2000 * share) or 20)
    for what, limit in (("released", 1.0), ("closed", 5.0)):
        words = (
            "awaiting task released" if what == "released" else "socket closed, seen by the server"
        )
        for rank in ("p50", "p99"):
            value = found[f"{what} {rank}"] * 1000
            yield _line(f"cancel to {words}, {rank}", value, "ms", value / limit, f"{limit:g} ms")


async def _cancel(_port: str, count: str) -> dict[str, float]:
    """Cancel calls in flight; the server here is this loop's own, so that both ends read one clock."""
    from ktrdr_core.http import Client

    arrived: asyncio.Queue[asyncio.Event] = asyncio.Queue()
    closed_at: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = asyncio.Event()
        await reader.readuntil(b"\r\n\r\n")
        arrived.put_nowait(gone)
        with contextlib.suppress(OSError):
            await reader.read()
        closed_at.append(time.perf_counter())
        gone.set()
        writer.close()

    released, closed = [], []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:

        async def ask() -> None:
            await client.get("/slow")

        for _ in range(int(count)):
            task = asyncio.create_task(ask())
            gone = await arrived.get()
            began = time.perf_counter()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            released.append(time.perf_counter() - began)
            await gone.wait()
            closed.append(closed_at[-1] - began)
    found: dict[str, float] = {}
    for name, times in (("released", sorted(released)), ("closed", sorted(closed))):
        found |= {
            f"{name} p50": times[len(times) // 2],
            f"{name} p99": times[len(times) * 99 // 100],
        }
    return found


# ---- memory and creation


def _memory(native: Path, port: int) -> Iterator[dict[str, Any]]:
    found = _program(native, "memory", port, 400)
    yield _line("heap of an idle connection", found["idle"], "bytes", found["idle"] / 8192, "8 KiB")
    more = found["in flight"]
    yield _line("heap of a request in flight, beyond that", more, "bytes", more / 4096, "4 KiB")


def _creation(port: int, share: float) -> Iterator[dict[str, Any]]:
    made = _child("create", port, int(500 * share) or 5)
    yield _line("a client made and closed", made["ours"] * 1000, "ms", made["ours"] * 1000, "1 ms")
    new = made["httpx per request"]
    yield _line("httpx, a new client per request", new * 1e6, "us", 1, "httpx, a new client")
    kept = made["pooled"]
    yield _line(
        "ktrdr_core, pooled, 16 at a time", kept * 1e6, "us", kept / new, "httpx, a new client"
    )


async def _create(port: str, rounds: str) -> dict[str, float]:
    import httpx

    from ktrdr_core import AsyncServiceAdapter
    from ktrdr_core.http import Client

    url = f"http://127.0.0.1:{port}"
    Client(url).close()
    count = int(rounds)
    began = time.perf_counter()
    for _ in range(count):
        Client(url).close()
    ours = (time.perf_counter() - began) / count
    began = time.perf_counter()
    for _ in range(min(count, 100)):
        async with httpx.AsyncClient() as client:
            (await client.get(f"{url}/bars")).json()
    new = (time.perf_counter() - began) / min(count, 100)
    left = iter(range(count * 20))
    async with AsyncServiceAdapter("benchmark", url) as adapter:

        async def work() -> None:
            for _ in left:
                await adapter.call_get("/bars")

        await asyncio.gather(*(work() for _ in range(16)))
        left = iter(range(count * 20))
        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(16)))
    return {
        "ours": ours,
        "httpx per request": new,
        "pooled": (time.perf_counter() - began) / (count * 20),
    }


# ---- nginx: TLS and a large file


@contextlib.contextmanager
def _nginx(server: str, folder: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    user = "user root;" if os.geteuid() == 0 else ""
    paths = " ".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log; events {{}}"
        f" http {{ access_log off; keepalive_requests 1000000; default_type application/json; {paths}"
        f" server {{ listen 127.0.0.1:{port} {server} }} }}"
    )
    program = shutil.which("nginx", path=os.environ["PATH"] + os.pathsep + "/usr/sbin") or "nginx"
    command = [program, "-e", str(folder / "log"), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:  # nosec B603
        try:
            while not _listens(port):
                if process.poll() is not None:
                    raise RuntimeError(f"nginx does not start: {(folder / 'log').read_text()}")
                time.sleep(0.01)
            yield port
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _tls(share: float) -> Iterator[dict[str, Any]]:
    import trustme

    requests = int(20_000 * share)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        issued = authority.issue_cert("localhost", "127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        pem = folder / "server.pem"
        answer = '{"success":true,"symbol":"AAPL","timeframe":"1h","rows":7,"close":185.64}'
        server = f"ssl; ssl_certificate {pem}; ssl_certificate_key {pem}; location / {{ return 200 '{answer}'; }}"
        with _nginx(server, folder) as port:
            contenders = {}
            for name in ("ktrdr_core", *_PEERS):
                count = requests // 20 if name == "httpx" else requests
                contenders[name] = partial(
                    _figure, "cpu", "tls", port, name, count, folder / "ca.pem"
                )
            median = _in_turn(_rounds(share, 5), contenders)
            for name, cpu in median.items():
                ratio = cpu / median["ktrdr_core"]
                case = f"{name}, TLS, 16 at a time"
                yield _line(case, cpu * 1e6, "us CPU/request", ratio, "ktrdr_core, TLS")


async def _tls_round(port: str, name: str, count: str, ca_file: str) -> dict[str, float]:
    url = f"https://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as stack:
        get = await open_client(name, url, stack, ca_file)
        left = iter(range(int(count)))

        async def work() -> None:
            for _ in left:
                if not (await get())["success"]:
                    raise RuntimeError(f"{name} was answered something else")

        await asyncio.gather(*(get() for _ in range(16)))
        cpu = time.process_time()
        await asyncio.gather(*(work() for _ in range(16)))
        return {"cpu": (time.process_time() - cpu) / int(count)}


def _streams(share: float) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "large").write_bytes(os.urandom(1024 * 1024) * (_FILE_BYTES // 1024 // 1024))
        with _nginx(f"; root {folder};", folder) as port:
            contenders = {
                "libcurl (pycurl)": partial(_figure, "cpu", "stream", port, "pycurl"),
                "ktrdr_core": partial(_figure, "cpu", "stream", port, "ktrdr_core"),
            }
            median = _in_turn(_rounds(share, 21), contenders)
            for name, cpu in median.items():
                ratio = cpu / median["libcurl (pycurl)"]
                yield _line(f"{name}, 64 MiB streamed", cpu * 1000, "ms CPU", ratio, "libcurl")
            taken = _figure("memory", "stream", port, "ktrdr_core")
            yield _line("memory it takes", taken / 1024, "KiB", taken / _FILE_BYTES, "64 MiB")


def _peak_kib() -> float:
    # getrusage's figure may be that of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0])


def _stream(port: str, name: str) -> dict[str, float]:
    url = f"http://127.0.0.1:{port}/large"
    got = 0

    def take(piece: bytes) -> None:
        nonlocal got
        got += len(piece)

    if name == "pycurl":
        import pycurl

        handle = pycurl.Curl()
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.WRITEFUNCTION, take)
        cpu, before = time.process_time(), _peak_kib()
        handle.perform()
    else:
        from ktrdr_core.http import Client

        with Client() as client:
            cpu, before = time.process_time(), _peak_kib()
            with client.stream("GET", url) as response:
                for piece in response.iter_bytes():
                    take(piece)
    spent = time.process_time() - cpu
    if got != _FILE_BYTES:
        raise RuntimeError(f"{name} read {got} bytes")
    return {
        "cpu": spent,
        "memory": (_peak_kib() - before) * 1024.0,
    }


_PARTS: dict[str, Callable[..., Awaitable[dict[str, float]]]] = {
    "batch": _batch,
    "queue": _queue,
    "cancel": _cancel,
    "create": _create,
    "tls": _tls_round,
}


def main(part: str, *arguments: str) -> None:
    """Run one part as a child and print what it measured."""
    if part == "single" and arguments[1] == "ktrdr_core .result()":
        found = _sync_single(arguments[0], arguments[2])
    elif part == "stream":
        found = _stream(*arguments)
    else:
        found = asyncio.run({**_PARTS, "single": _single}[part](*arguments))  # type: ignore[arg-type]
    print(json.dumps(found), flush=True)
    # Threads of pyreqwest abort an interpreter's exit now and then; the figures are out by then.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
