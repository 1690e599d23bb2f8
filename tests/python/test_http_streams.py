"""Answers that are read as they come: in pieces, with backpressure, broken off by either side."""

from __future__ import annotations

import asyncio
import hashlib
import random
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import CancellationToken, errors
from ktrdr_core.http import Client, PoolOptions, RetryPolicy, Timeouts
from ktrdr_core.testing import CLOSE, HOLD, RESET, FaultRequest, FaultServer, Step, ok, status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_service import Service

ONCE = RetryPolicy(attempts=1)
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_pieces_are_there_when_they_are_sent(service: Service) -> None:
    async def main(server: FaultServer, client: Client) -> None:
        async with client.stream("GET", "/x") as response:
            assert response.status_code == 200
            assert response.headers["x-kind"] == "test"
            pieces = response.aiter_bytes()
            assert await anext(pieces) == b"first"
            server.release()
            assert b"".join([piece async for piece in pieces]) == b" second third"
        assert "StreamedResponse 200 of GET" in repr(response)

    head = HEAD.replace(b"\r\n\r\n", b"\r\nX-Kind: test\r\n\r\n")
    steps = [head + chunk(b"first"), HOLD, chunk(b" second"), chunk(b" third") + END]
    with service.serve(steps) as server, Client(server.url, tls=service.trust) as client:
        asyncio.run(main(server, client))


def test_a_large_body_comes_whole_and_the_connection_is_used_again(service: Service) -> None:
    data = random.Random(1).randbytes(8_000_000)

    async def main(client: Client) -> None:
        for _ in range(2):
            digest = hashlib.sha256()
            async with client.stream("GET", "/x") as response:
                async for piece in response.aiter_bytes():
                    digest.update(piece)
            assert digest.digest() == hashlib.sha256(data).digest()

    with service.serve(ok(data)) as server, Client(server.url, tls=service.trust) as client:
        asyncio.run(main(client))
        assert server.accepted == 1
        with client.stream("GET", "/x") as response:
            # Several pieces come at once; none is lost by who takes one of them.
            assert next(response.iter_bytes()) + response.read() == data


def test_a_slow_reader_holds_up_the_service_and_not_our_memory(service: Service) -> None:
    sent = 0

    def endless(_: FaultRequest) -> Iterator[Step]:
        nonlocal sent
        yield HEAD
        for _number in range(1_000):
            yield chunk(bytes(100_000))
            sent += 100_000

    limits = Timeouts(between_bytes=0.1)

    async def main(client: Client) -> None:
        async with client.stream("GET", "/x") as response:
            pieces = response.aiter_bytes()
            first = await anext(pieces)
            # Far longer than a silent service would be given.
            await asyncio.sleep(0.4)
            held = sent
            assert held < 20_000_000, "nobody holds the service up"
            assert len(await anext(pieces)) <= 200_000
            assert first

    with (
        service.serve(endless) as server,
        Client(server.url, tls=service.trust, timeouts=limits) as client,
    ):
        asyncio.run(main(client))
        server.wait_until(lambda it: it.open_connections == 0)


def test_a_reader_that_gives_up_waiting_misses_nothing(service: Service) -> None:
    async def main(server: FaultServer, client: Client) -> None:
        async with client.stream("GET", "/x") as response:
            pieces = response.aiter_bytes()
            assert await anext(pieces) == b"first"
            for wait in (anext(pieces), anext(response.aiter_bytes()), response.aread()):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(wait, 0.01)
            server.release()
            assert await anext(pieces) == b" second"
            assert await anext(pieces, b"over") == b"over"

    steps = [b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nfirst", HOLD, b" second"]
    with service.serve(steps) as server, Client(server.url, tls=service.trust) as client:
        asyncio.run(main(server, client))


def test_random_cancels_of_a_reader_lose_no_byte(service: Service) -> None:
    data = random.Random(7).randbytes(3_000_000)
    chance = random.Random(8)

    def answer(_: FaultRequest) -> Iterator[Step]:
        yield HEAD
        at = 0
        while at < len(data):
            size = chance.choice([1, 500, 30_000, 200_000])
            yield chunk(data[at : at + size])
            at += size
        yield END

    async def main(client: Client) -> None:
        got = b""
        given_up = 0
        async with client.stream("GET", "/x") as response:
            pieces = response.aiter_bytes()
            while True:
                wait = asyncio.ensure_future(anext(pieces, b""))
                for _ in range(chance.randrange(6)):
                    await asyncio.sleep(0)
                wait.cancel()
                try:
                    piece = await wait
                except asyncio.CancelledError:
                    given_up += 1
                    continue
                if not piece:
                    break
                got += piece
        assert got == data
        assert given_up > 10

    with service.serve(answer) as server, Client(server.url, tls=service.trust) as client:
        asyncio.run(main(client))


def test_what_unpacks_to_a_thousandfold_comes_little_by_little(service: Service) -> None:
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(bytes(1 << 24)) for _ in range(4)) + packer.flush()
    with (
        service.serve(ok(packed, "Content-Encoding: gzip\r\n")) as server,
        Client(server.url, tls=service.trust) as client,
        client.stream("GET", "/x") as response,
    ):
        sizes = [len(piece) for piece in response.iter_bytes()]
    assert sum(sizes) == 4 << 24
    assert max(sizes) < 20 << 20, "a record of TLS is up to 16 KiB"


@pytest.mark.parametrize(
    ("steps", "error", "words"),
    [
        ([HEAD + chunk(b"first"), CLOSE], errors.ProtocolError, "ends inside its body"),
        ([HEAD + chunk(b"first"), RESET], errors.ServiceConnectionError, "broke"),
        (
            [HEAD + chunk(b"first"), HOLD],
            errors.ServiceTimeoutError,
            "nothing more of the response",
        ),
        ([HEAD + chunk(b"first"), b"zz\r\n"], errors.ProtocolError, "not HTTP/1.1"),
    ],
    ids=["closed", "reset", "silent", "bad chunk"],
)
def test_what_came_before_a_fault_is_read_first(
    service: Service, steps: list[Step], error: type[errors.KtrdrError], words: str
) -> None:
    limits = Timeouts(between_bytes=0.05)

    got = b""

    async def read(client: Client) -> None:
        nonlocal got
        async with client.stream("GET", "/x") as response:
            async for piece in response.aiter_bytes():
                got += piece

    async def main(client: Client) -> None:
        with pytest.raises(error, match=words) as caught:
            await read(client)
        assert got in {b"first", b""} if steps[-1] is RESET else got == b"first"
        assert caught.value.context["method"] == "GET"
        assert len(caught.value.context["attempts"]) == 0, "nothing is tried again in the middle"

    with (
        service.serve(steps) as server,
        Client(server.url, tls=service.trust, timeouts=limits) as client,
    ):
        asyncio.run(main(client))
        assert len(server.requests) == 1
        server.handler = ok("good")
        for _ in range(10):
            assert client.get("/x").result().text == "good"


def test_leaving_early_closes_the_connection(service: Service) -> None:
    async def main(server: FaultServer, client: Client) -> None:
        async with client.stream("GET", "/x") as response:
            async for piece in response.aiter_bytes():
                assert piece == b"first"
                break
        await asyncio.to_thread(server.wait_until, lambda it: it.open_connections == 0)

        async def read() -> bytes:
            async with client.stream("GET", "/x") as response:
                return await response.aread()

        task = asyncio.create_task(read())
        await asyncio.to_thread(server.wait_until, lambda it: len(it.requests) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(server.wait_until, lambda it: it.open_connections == 0)

    with (
        service.serve([HEAD + chunk(b"first"), HOLD]) as server,
        Client(server.url, tls=service.trust) as client,
    ):
        asyncio.run(main(server, client))
        assert client.stats()["active"] == 0


def test_a_token_ends_a_stream_in_the_middle(service: Service) -> None:
    async def read(client: Client, token: CancellationToken) -> None:
        async with client.stream("GET", "/x", cancellation_token=token) as response:
            async for _ in response.aiter_bytes():
                token.cancel("enough")

    async def main(client: Client) -> None:
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            await read(client, CancellationToken())

    with (
        service.serve([HEAD + chunk(b"first"), HOLD]) as server,
        Client(server.url, tls=service.trust) as client,
    ):
        asyncio.run(main(client))
        server.wait_until(lambda it: it.open_connections == 0)


def test_before_its_head_a_stream_is_tried_again_like_any_request() -> None:
    answers: Iterator[list[Step]] = iter([[RESET], [status(503, "busy")]])
    policy = RetryPolicy(first_pause=0.001, busy_pause=0.001)
    with (
        FaultServer(lambda _: next(answers, [ok("third")])) as server,
        Client(server.url, retry=policy) as client,
        client.stream("GET", "/x") as response,
    ):
        assert response.read() == b"third"
        assert [attempt.get("status", "lost") for attempt in response.attempts] == ["lost", 503]


def test_a_packed_stream_is_unpacked_and_has_no_limit_of_its_own() -> None:
    data = b"all work and no play " * 100_000
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(data) + packer.flush()
    steps = [HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")]
    steps += [chunk(packed[at : at + 100]) for at in range(0, len(packed), 100)]
    pool = PoolOptions(max_body_bytes=1000)
    with (
        FaultServer([*steps, END]) as server,
        Client(server.url, pool=pool) as client,
        client.stream("GET", "/x") as response,
    ):
        assert response.read() == data


def test_streams_have_connections_of_their_own_and_not_without_end() -> None:
    def handler(request: FaultRequest) -> list[Step]:
        return [HEAD + chunk(b"x"), HOLD] if request.target == "/events" else [ok("quick")]

    async def main(client: Client) -> None:
        async with client.stream("GET", "/events"), client.stream("GET", "/events"):
            assert (await client.get("/x")).text == "quick"
            with pytest.raises(errors.PoolTimeoutError, match="none of 2 connections"):
                async with client.stream("GET", "/events"):
                    pass

    pool = PoolOptions(max_connections=1, max_streams=2)
    with (
        FaultServer(handler) as server,
        Client(server.url, pool=pool, timeouts=Timeouts(pool=0.1), retry=ONCE) as client,
    ):
        asyncio.run(main(client))


def test_a_status_is_an_answer_here_too() -> None:
    with FaultServer(status(404, "no")) as server, Client(server.url) as client:
        with client.stream("GET", "/x") as response:
            assert response.read() == b"no"
            with pytest.raises(errors.StatusError, match="404"):
                response.raise_for_status()
        wrong: Any = client.stream
        with pytest.raises(errors.InvalidArgumentError, match="url must be str"):
            wrong("GET", 5)
