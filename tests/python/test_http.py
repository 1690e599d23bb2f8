"""The HTTP client as a user meets it, against a server that does what a test wants."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import ktrdr_core
from held import descriptors
from ktrdr_core import errors
from ktrdr_core.http import Client, Headers, PoolOptions, RetryPolicy, Timeouts
from ktrdr_core.testing import (
    HOLD,
    RESET,
    FaultRequest,
    FaultServer,
    ok,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ONCE = RetryPolicy(attempts=1)
# What a caller without a type checker may write.
untyped_client: Any = Client
untyped_timeouts: Any = Timeouts


def echo(request: FaultRequest) -> bytes:
    """Answer with what came."""
    return ok(
        json.dumps(
            {
                "method": request.method,
                "target": request.target,
                "headers": request.headers,
                "body": request.body.decode(),
            }
        ),
        "Content-Type: application/json\r\n",
    )


def test_a_request_goes_out_as_it_was_given() -> None:
    async def main(client: Client) -> list[Any]:
        asked = [
            client.get("/a", params={"q": "x y", "l": [1, 2]}, headers={"x-token": "2"}),
            client.get("/a?b=c", params={"d": "e"}),
            client.post("/p", json={"a": [1, None, "ü"]}),
            client.put("/p", content="text"),
            client.patch("/p", content=b"bytes"),
            client.delete("/p"),
            client.request("OPTIONS", "/p", json=None),
        ]
        return [response.raise_for_status().json() for response in await asyncio.gather(*asked)]

    with (
        FaultServer(echo) as server,
        Client(f"{server.url}/v1", headers={"X-Token": "1"}) as client,
    ):
        first, second, posted, put, patched, deleted, options = asyncio.run(main(client))
    assert first["target"] == "/v1/a?q=x+y&l=1&l=2"
    assert first["headers"]["x-token"] == "2"
    assert second["target"] == "/v1/a?b=c&d=e"
    assert second["headers"]["x-token"] == "1"
    assert json.loads(posted["body"]) == {"a": [1, None, "ü"]}
    assert posted["headers"]["content-type"] == "application/json"
    assert (put["method"], put["body"], patched["body"]) == ("PUT", "text", "bytes")
    assert (deleted["method"], deleted["body"]) == ("DELETE", "")
    assert options["body"] == "null"


def test_the_same_calls_without_asyncio() -> None:
    with FaultServer(echo) as server, Client() as client:
        pending = client.get(f"{server.url}/x")
        assert not server.requests, "nothing is sent before somebody waits"
        assert pending.result().json()["target"] == "/x"
        assert pending.result().status_code == 200
        assert len(server.requests) == 2
        assert server.accepted == 1

        async def inside() -> None:
            with pytest.raises(RuntimeError, match="await"):
                pending.result()

        asyncio.run(inside())


def test_an_answer_is_read_as_it_is() -> None:
    body = "größe".encode("latin-1")
    fields = "Content-Type: text/plain; charset=ISO-8859-1\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-N: \xe4\r\n"
    answer = status(203, body, "").replace(
        b"\r\n\r\n", b"\r\n" + fields.encode("latin-1") + b"\r\n"
    )
    with FaultServer(answer) as server, Client() as client:
        response = client.get(f"{server.url}/x?token=secret").result()
    assert (response.status_code, response.content, response.text) == (203, body, "größe")
    assert response.headers["SET-COOKIE"] == "a=1, b=2"
    assert response.headers.get_list("Set-Cookie") == ["a=1", "b=2"]
    assert response.headers["x-n"] == "ä"
    assert "x-m" not in response.headers
    assert len(response.headers) == len(list(response.headers)) == 4
    assert "secret" not in repr(response)
    assert "a=1" not in repr(response.headers)
    assert 0 < response.elapsed < 20
    assert response.is_success
    with pytest.raises(errors.ProtocolError, match="not JSON"):
        response.json()


TEXT = b"all work and no play " * 1000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("X-GZip", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:5000]) + gzip.compress(TEXT[5000:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
    ],
    ids=["gzip", "x-gzip", "two files", "zlib", "raw deflate"],
)
@pytest.mark.parametrize("piece", [1, 7, 1_000_000])
def test_a_packed_body_is_unpacked_however_it_comes(coding: str, packed: bytes, piece: int) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [packed[at : at + piece] for at in range(0, len(packed), piece)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in pieces) + b"0\r\n\r\n"
    with FaultServer([head.encode(), chunks]) as server, Client(server.url) as client:
        for _ in range(2):
            response = client.get("/x").result()
            assert response.content == TEXT
            assert response.headers["content-encoding"] == coding
        assert server.accepted == 1
        assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("coding", "body", "error", "words"),
    [
        ("gzip", gzip.compress(TEXT)[:-4], errors.ProtocolError, "ends inside its packed body"),
        ("gzip", b"no gzip at all", errors.ProtocolError, "packed body that is broken"),
        ("gzip", gzip.compress(TEXT)[:20] + b"x" * 50, errors.ProtocolError, r"broken|inside"),
        ("deflate", b"\xff" * 40, errors.ProtocolError, "broken"),
        ("gzip", gzip.compress(bytes(2_000_000)), errors.ResponseTooLargeError, "1000000 bytes"),
    ],
    ids=["cut short", "no gzip", "spoilt", "no deflate", "bomb"],
)
def test_a_body_that_does_not_unpack_is_an_error(
    coding: str, body: bytes, error: type[Exception], words: str
) -> None:
    pool = PoolOptions(max_body_bytes=1_000_000)
    answers = iter([ok(body, f"Content-Encoding: {coding}\r\n")])
    with (
        FaultServer(lambda _: next(answers, ok("good"))) as server,
        Client(server.url, pool=pool, retry=ONCE) as client,
    ):
        with pytest.raises(error, match=words):
            client.get("/x").result()
        assert client.get("/x").result().text == "good"


def test_what_is_not_to_be_unpacked_stays_as_it_came() -> None:
    twice = gzip.compress(gzip.compress(TEXT))
    with FaultServer(ok(b"\x0b\x02\x80", "Content-Encoding: br\r\n")) as server:
        with Client(server.url) as client:
            assert client.get("/x").result().content == b"\x0b\x02\x80"
            client.get("/x", headers={"Accept-Encoding": "br"}).result()
            assert server.requests[1].headers["accept-encoding"] == "br"
            server.handler = ok(twice, "Content-Encoding: gzip, gzip\r\n")
            assert client.get("/x").result().content == twice
            server.handler = ok(b"", "Content-Encoding: gzip\r\n")
            assert client.get("/x").result().content == b""
            no_body = "HTTP/1.1 {}\r\nContent-Encoding: gzip\r\n{}\r\n"
            server.handler = no_body.format("200 OK", "Content-Length: 99\r\n").encode()
            assert client.head("/x").result().status_code == 200
            server.handler = no_body.format("204 No Content", "").encode()
            assert client.get("/x").result().content == b""


def test_headers_answer_like_a_mapping() -> None:
    headers = Headers([("A", "1"), ("b", "2"), ("a", "3")])
    assert dict(headers) == {"a": "1, 3", "b": "2"}
    assert headers.multi_items() == [("A", "1"), ("b", "2"), ("a", "3")]
    with pytest.raises(KeyError):
        headers["c"]


def test_only_raise_for_status_makes_an_error_of_a_status() -> None:
    answer = status(404, '{"detail": "no such thing"}')
    with FaultServer(answer) as server, Client(server.url) as client:
        response = client.get("/thing?token=secret").result()
        assert response.status_code == 404
        with pytest.raises(errors.StatusError, match=r"404.*no such thing") as caught:
            response.raise_for_status()
    assert caught.value.context["status"] == 404
    assert caught.value.context["url"] == f"{server.url}/thing"
    assert "secret" not in str(caught.value) + str(caught.value.context)


def test_nobody_there_says_so_with_every_attempt() -> None:
    with FaultServer() as server:
        url = server.url
    with Client(url, retry=RetryPolicy(attempts=2, first_pause=0)) as client:
        with pytest.raises(errors.ServiceConnectionError, match="refused") as caught:
            client.post("/start", json={}).result()
    assert isinstance(caught.value, ConnectionError)
    first, second = caught.value.context["attempts"]
    assert (first["phase"], first["request_sent"]) == ("connect", "no")
    assert second["stopped_by"] == "attempts"


def test_a_passing_failure_is_asked_again_and_told() -> None:
    answers = iter([status(503, "", "Retry-After: 0\r\n"), status(502), ok("third")])
    policy = RetryPolicy(first_pause=0.001, busy_pause=0.001)
    with FaultServer(lambda _: next(answers)) as server, Client(server.url, retry=policy) as client:
        response = client.get("/x").result()
    assert response.text == "third"
    assert [attempt["status"] for attempt in response.attempts] == [503, 502]
    assert len(server.requests) == 3


def test_a_post_is_sent_once_unless_it_has_a_key() -> None:
    policy = RetryPolicy(first_pause=0, busy_pause=0)
    with FaultServer([RESET]) as server, Client(server.url, retry=policy) as client:
        with pytest.raises(errors.ServiceConnectionError):
            client.post("/start", json={}).result()
        assert len(server.requests) == 1
        with pytest.raises(errors.ServiceConnectionError):
            client.post("/start", json={}, idempotency_key="op_1").result()
        with pytest.raises(errors.ServiceConnectionError):
            client.post("/start", json={}, idempotent=True).result()
    keys = [request.headers.get("idempotency-key") for request in server.requests]
    assert keys == [None, "op_1", "op_1", "op_1", None, None, None]


def test_a_deadline_of_a_request_and_of_a_wait() -> None:
    with FaultServer([HOLD]) as server, Client(server.url) as client:
        with pytest.raises(errors.ServiceTimeoutError, match="50 ms in all"):
            client.get("/x", timeout=0.05).result()
        with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
            client.get("/x").result(timeout=0.05)
        server.wait_until(lambda it: it.open_connections == 0)


def test_an_urgent_request_passes_a_pool_that_is_full() -> None:
    async def main(server: FaultServer, client: Client) -> None:
        async def ask() -> str:
            return (await client.get("/long")).text

        busy = [asyncio.create_task(ask()) for _ in range(3)]
        await asyncio.to_thread(server.wait_until, lambda it: len(it.requests) == 1)
        assert (await client.post("/stop", urgent=True)).text == "stopped"
        assert client.stats()["waiting"] == 2
        server.release()
        assert await asyncio.gather(*busy) == ["long"] * 3

    def handler(request: FaultRequest) -> list[Any]:
        return [ok("stopped")] if request.target == "/stop" else [HOLD, ok("long")]

    pool = PoolOptions(max_connections=1)
    with FaultServer(handler) as server, Client(server.url, pool=pool) as client:
        asyncio.run(main(server, client))


def test_one_client_serves_loops_threads_and_services_at_once() -> None:
    count = 50

    def serve(name: str) -> Callable[[FaultRequest], bytes]:
        return lambda request: ok(f"{name} {request.target}")

    with FaultServer(serve("a")) as a, FaultServer(serve("b")) as b, Client() as client:
        urls = [a.url, b.url]

        def on_a_loop(worker: int) -> None:
            async def main() -> None:
                asked = [client.get(f"{urls[i % 2]}/{worker}/{i}") for i in range(count)]
                for i, response in enumerate(await asyncio.gather(*asked)):
                    assert response.text == f"{'ab'[i % 2]} /{worker}/{i}"

            asyncio.run(main())

        def on_a_thread(worker: int) -> None:
            for i in range(count):
                response = client.get(f"{urls[i % 2]}/{worker}/{i}").result()
                assert response.text == f"{'ab'[i % 2]} /{worker}/{i}"

        with ThreadPoolExecutor(8) as pool:
            works = [pool.submit(on_a_loop if n % 2 else on_a_thread, n) for n in range(8)]
            for work in works:
                work.result()
        stats = client.stats()
    assert stats["requests"] == 8 * count
    assert stats["open"] <= 20
    assert (stats["active"], stats["waiting"]) == (0, 0)


def test_closing_ends_at_once_or_waits_for_what_runs() -> None:
    async def main(server: FaultServer) -> None:
        client = Client(server.url)

        async def ask() -> str:
            return (await client.get("/x")).text

        task = asyncio.create_task(ask())
        await asyncio.to_thread(server.wait_until, lambda it: len(it.requests) == 1)
        closing = asyncio.create_task(client.aclose(drain=20))
        await asyncio.sleep(0)  # It has begun.
        with pytest.raises(errors.ClientClosedError):
            await client.get("/x")
        server.release()
        assert await task == "in time"
        await closing
        assert client.stats()["open"] == 0

    with FaultServer([HOLD, ok("in time")]) as server:
        asyncio.run(main(server))


def test_warming_up_opens_connections_before_they_are_needed() -> None:
    async def main(client: Client) -> None:
        await client.warm_up(3)
        assert client.stats()["idle"] == 3

    with FaultServer() as server, Client(server.url) as client:
        asyncio.run(main(client))
    with Client(server.url) as client, pytest.raises(errors.ServiceConnectionError, match="0 of 3"):
        asyncio.run(main(client))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: untyped_client(5), "base_url must be str"),
        (lambda _: untyped_client(pool=5), "pool must be PoolOptions"),
        (lambda _: untyped_client(headers=[1]), "headers must be mapping"),
        (lambda _: untyped_client(headers={"a": 1}), "headers must map str to str"),
        (lambda _: untyped_timeouts(connect="x"), "connect must be a number"),
        (lambda _: untyped_timeouts(conect=1), r"no field conect.*connect"),
        (lambda client: client.get(5), "url must be str"),
        (lambda client: client.get("/x", timeout=0), "timeout must be more than 0"),
        (lambda client: client.get("/x", timeout="x"), "timeout must be float or None"),
        (lambda client: client.get("/x", params=5), "params must be mapping"),
        (lambda client: client.get("/x", headers={"a": 5}), "headers must map str to str"),
        (lambda client: client.get("/x", json=object()), "cannot be sent as JSON"),
        (lambda client: client.get("/x", json=[2**64]), "an int of 65 bits .* at most 64"),
        (lambda client: client.get("/x", json=-(2**63) - 1), "an int of 64 bits and a sign"),
        (lambda client: client.get("/x", json=10**5000), "an int of 16610 bits"),
        (lambda client: client.get("/x", json=1, content=b"1"), "one of them"),
        (lambda client: client.get("/x", content=5), "content must be bytes or str"),
        (lambda client: client.get("/x", cancellation_token=5), "cancellation_token must be"),
        (
            lambda client: client.get("/x", headers={"a": "b\r\nc"}).result(),
            "header a holds a line break",
        ),
        (lambda client: client.get("/a b").result(), "nothing was sent"),
        (lambda client: client.get("ftp://host/").result(), "does not begin with http://"),
        (lambda client: client.get("/x").result(timeout="x"), "timeout must be float or None"),
    ],
)
def test_what_cannot_be_sent_is_named_before_anything_is(
    make: Callable[[Client], object], words: str
) -> None:
    with FaultServer() as server, Client(server.url) as client:
        with pytest.raises(errors.InvalidArgumentError, match=words):
            make(client)
        assert server.accepted == 0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Client("host:80"), "base URL"),
        (lambda: Timeouts(connect=-1), r"timeouts\.connect .* must be positive"),
        (lambda: PoolOptions(max_connections=0), "max_connections is 0"),
        (lambda: PoolOptions(server_idle_timeout=5), r"idle_timeout \(ms\) is 30000.*\(5000 ms\)"),
        (lambda: PoolOptions(max_connections=1, min_idle=2), "min_idle is 2"),
        (lambda: RetryPolicy(attempts=0), r"retry\.attempts is 0"),
    ],
)
def test_a_configuration_is_refused_when_it_is_made(make: Callable[[], object], words: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=words):
        make()


def test_options_show_what_they_are() -> None:
    assert "connect=1.5" in repr(Timeouts(connect=1.5))
    assert Timeouts().connect == 2
    with pytest.raises(AttributeError):
        Timeouts().connect = 3  # type: ignore[misc]


def test_a_client_that_nobody_holds_leaves_nothing_behind() -> None:
    with FaultServer(ok("x")) as server:
        Client(server.url).get("/").result()
        gc.collect()
        server.wait_until(lambda it: it.open_connections == 0)
        before = descriptors()
        for _ in range(20):
            Client(server.url).get("/").result()
        gc.collect()
        server.wait_until(lambda it: it.open_connections == 0)
        assert descriptors() <= before + 2


def test_the_package_offers_the_client() -> None:
    assert ktrdr_core.Client is Client
    with FaultServer(ok()) as server, Client(server.url) as client:
        assert "0 idle" in repr(client)
        client.get("/").result()
        assert "1 idle, 0 active" in repr(client)
        assert server.url in repr(client)
