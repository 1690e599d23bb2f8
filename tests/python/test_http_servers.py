"""The HTTP client against servers of the trade: what is idempotent succeeds, whatever they do to their connections."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

import soak
from ktrdr_core import errors
from ktrdr_core.http import Client, PoolOptions, RetryPolicy, Timeouts, TlsOptions
from ktrdr_core.testing import FaultRequest, FaultServer, ok
from real_servers import free_port, haproxy, nginx, uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from http_service import Authority

APP = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for piece in (scope["path"].encode(), b" ", body):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
"""


async def hammer(
    client: Client,
    url: str,
    rounds: int,
    expected: Callable[[int], str],
    meanwhile: Callable[[int], Awaitable[None]] | None = None,
) -> None:
    """Send requests from eight tasks with pauses around the server's idle limit; each gets its own answer."""
    chance = random.Random(7)
    numbers = iter(range(rounds))

    async def work() -> None:
        for number in numbers:
            answer = await client.get(f"{url}{number}")
            assert answer.raise_for_status().text == expected(number)
            if number % 10 == 0:
                # Sockets that lie idle are closed by the server at about this time.
                await asyncio.sleep(chance.uniform(0.98, 1.02))
            if meanwhile is not None and number % 50 == 49:
                await meanwhile(number)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(work())


def test_nginx_that_closes_early_and_often_is_never_seen_to(tmp_path: Path) -> None:
    server = (
        '; keepalive_timeout 1s; keepalive_requests 10; location / { return 200 "$request_uri"; }'
    )
    with nginx(tmp_path, server) as (port, _), Client() as client:
        count = soak.count(240, 4000)
        asyncio.run(hammer(client, f"http://127.0.0.1:{port}/", count, lambda n: f"/{n}"))
        metrics = client.metrics()
        assert metrics["pool.connections_created"] >= count / 10
        assert metrics["http.client.errors"] == {}


def test_nginx_that_reloads_and_stands_still_is_waited_for(tmp_path: Path) -> None:
    async def disturb(number: int) -> None:
        if number % 100 == 99:
            os.kill(group, signal.SIGHUP)
            return
        os.killpg(group, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(0.2, os.killpg, group, signal.SIGCONT)

    server = '; keepalive_timeout 1s; location / { return 200 "$request_uri"; }'
    with nginx(tmp_path, server) as (port, group), Client() as client:
        asyncio.run(
            hammer(client, f"http://127.0.0.1:{port}/", 400, lambda n: f"/{n}", meanwhile=disturb)
        )
        assert client.metrics()["http.client.errors"] == {}


def test_nginx_packs_and_cuts_into_chunks(tmp_path: Path) -> None:
    text = "\n".join(f"2024-01-{day:02},101.5,102,99,100.25" for day in range(1, 29)) * 300
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "bars.csv").write_text(text)
    server = (
        f"; root {tmp_path}/files; gzip on; gzip_min_length 1; gzip_types *; gzip_comp_level 9;"
    )
    with nginx(tmp_path, server) as (port, _), Client(f"http://127.0.0.1:{port}") as client:
        packed = client.get("/bars.csv").result()
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["transfer-encoding"] == "chunked"
        assert packed.text == text
        plain = client.get("/bars.csv", headers={"Accept-Encoding": "identity"}).result()
        assert plain.text == text
        assert client.head("/bars.csv").result().content == b""
        assert client.get("/missing").result().status_code == 404
        assert client.post("/bars.csv", content=b"x").result().status_code == 405
        with client.stream("GET", "/bars.csv") as response:
            assert b"".join(response.iter_bytes()) == text.encode()
        assert client.stats()["connections_created"] == 2  # One of them for streams.


def test_nginx_that_says_nothing_is_one_clear_error(tmp_path: Path) -> None:
    with nginx(tmp_path, "; location / { return 444; }") as (port, _), Client() as client:
        with pytest.raises(errors.ServiceConnectionError, match="without a response") as caught:
            client.get(f"http://127.0.0.1:{port}/").result()
        assert caught.value.context["request_sent"] == "whole"
        assert len(caught.value.context["attempts"]) == 3
        with pytest.raises(errors.ServiceConnectionError) as caught:
            client.post(f"http://127.0.0.1:{port}/", json={}).result()
        assert caught.value.context["attempts"][0]["stopped_by"] == "not idempotent"


def test_nginx_asks_for_a_certificate(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.files("127.0.0.1")
    server = f"""ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_verify_client on;
        ssl_client_certificate {authority.folder}/ca.pem; keepalive_timeout 1s; keepalive_requests 10;
        location / {{ return 200 "$request_uri"; }}"""
    mine, my_key = authority.files("client.example")
    trust = TlsOptions(ca_file=authority.folder / "ca.pem", certificate_file=mine, key_file=my_key)
    with nginx(tmp_path, server) as (port, _):
        url = f"https://127.0.0.1:{port}/"
        with Client(tls=trust) as client:
            asyncio.run(hammer(client, url, soak.count(200, 2000), lambda n: f"/{n}"))
            assert client.metrics()["http.client.errors"] == {}
        with Client(tls=authority.trust) as stranger:
            assert stranger.get(url).result().status_code == 400
        with Client() as unknowing, pytest.raises(errors.ServiceConnectionError, match="certif"):
            unknowing.get(url).result()


def test_haproxy_before_backends_that_flap(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    stop = threading.Event()

    def answer(request: FaultRequest) -> bytes:
        return ok(request.target)

    def flap() -> None:
        """Restart one after the other; the one that is up has all the load."""
        turn = 0
        servers = [FaultServer(answer, port=port) for port in ports]
        while not stop.wait(0.15):
            servers[turn].close()
            stop.wait(0.15)
            servers[turn] = FaultServer(answer, port=ports[turn])
            turn = 1 - turn
        for server in servers:
            server.close()

    flapping = threading.Thread(target=flap)
    flapping.start()
    try:
        # Eight requests may be cut off at once, again and again: more than outages cost on the whole.
        retry = RetryPolicy(attempts=8, busy_pause=0.2, budget=1)
        with haproxy(tmp_path, ports) as port, Client(retry=retry) as client:
            count = soak.count(240, 4000)
            asyncio.run(hammer(client, f"http://127.0.0.1:{port}/", count, lambda n: f"/{n}"))
            assert client.metrics()["http.client.errors"] == {}
    finally:
        stop.set()
        flapping.join()


def test_uvicorn_with_a_short_patience(tmp_path: Path) -> None:
    with uvicorn(tmp_path, APP, "--timeout-keep-alive", "1") as (port, _), Client() as client:
        url = f"http://127.0.0.1:{port}/"
        count = soak.count(240, 3000)
        asyncio.run(hammer(client, url, count, lambda n: f"/{n} "))
        assert client.metrics()["http.client.errors"] == {}
        body = os.urandom(200_000).hex()
        assert client.post(f"{url}x", content=body).result().text == f"/x {body}"


def test_a_server_that_stands_still_ends_calls_at_their_limit_and_serves_on(tmp_path: Path) -> None:
    async def main(url: str, group: int) -> None:
        limits = Timeouts(first_byte=0.3)
        async with Client(
            url, timeouts=limits, retry=RetryPolicy(attempts=1), pool=PoolOptions(max_connections=4)
        ) as client:
            await asyncio.gather(*(client.get(f"/{n}") for n in range(20)))
            os.killpg(group, signal.SIGSTOP)
            calls: list[Any] = await asyncio.gather(
                *(client.get(f"/{n}") for n in range(4)), return_exceptions=True
            )
            assert [type(call) for call in calls] == [errors.ServiceTimeoutError] * 4
            assert {call.context["phase"] for call in calls} == {"first_byte"}
            os.killpg(group, signal.SIGCONT)
            for n in range(10):
                assert (await client.get(f"/{n}")).text == f"/{n} "

    with uvicorn(tmp_path, APP) as (port, group):
        asyncio.run(main(f"http://127.0.0.1:{port}", group))
