"""Every fault of an answer, by method, plain and by TLS: the documented error within the deadline, and ten good answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import time
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ktrdr_core import CancellationToken, errors
from ktrdr_core.http import Client, PoolOptions, RetryPolicy, Timeouts
from ktrdr_core.testing import (
    CLOSE,
    HOLD,
    RESET,
    FaultRequest,
    FaultServer,
    Step,
    ok,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from http_service import Service

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PACKED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
#: For what is held back; everything else has the time that a busy machine may take.
LIMITS = Timeouts(first_byte=0.25, between_bytes=0.25, write=0.25, total=1)
#: Small enough for faults to reach quickly.
POOL = PoolOptions(max_connections=4, max_body_bytes=200_000, max_head_bytes=16_384)


def bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    body = packer.compress(bytes(5_000_000)) + packer.flush()
    return PACKED % len(body) + body


def packed(body: bytes, behind: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    content = packer.compress(body) + packer.flush() + behind
    return PACKED % len(content) + content


def drip(data: bytes) -> Iterator[Step]:
    """Send a byte now and then: often enough for the limit between two, too seldom for the whole."""
    for byte in data:
        yield bytes([byte])
        time.sleep(0.05)


def with_length(*values: str) -> bytes:
    fields = "".join(f"Content-Length: {value}\r\n" for value in values)
    return f"HTTP/1.1 200 OK\r\n{fields}\r\nhello".encode()


class Fault(NamedTuple):
    """What the server does, and what a buffered call and a stream come to; None is an answer."""

    name: str
    steps: Callable[[], Iterable[Step]]
    buffered: type[errors.HostServiceError] | None
    phases: tuple[str, ...] = ("between_bytes", "first_byte")
    streamed: Any = ...


LOST, LATE = errors.ServiceConnectionError, errors.ServiceTimeoutError
WRONG, LARGE = errors.ProtocolError, errors.ResponseTooLargeError
FAULTS = [
    Fault("reset before the status", lambda: [RESET], LOST),
    Fault("closed before the status", lambda: [CLOSE], LOST),
    Fault("closed inside the status", lambda: [b"HTTP/1.1 2", CLOSE], WRONG),
    Fault("reset inside the status", lambda: [b"HTTP/1.1 2", RESET], LOST),
    Fault("closed inside a header", lambda: [b"HTTP/1.1 200 OK\r\nConte", CLOSE], WRONG),
    Fault("closed inside the body", lambda: [ok("hello")[:-2], CLOSE], WRONG),
    Fault("closed inside a chunk", lambda: [CHUNKED + b"5\r\nhel", CLOSE], WRONG),
    Fault("held before the status", lambda: [HOLD], LATE, ("first_byte",)),
    Fault("held inside the status", lambda: [b"HTTP/1.1 2", HOLD], LATE),
    Fault("held inside the body", lambda: [ok("hello")[:-2], HOLD], LATE),
    Fault("a byte at a time", lambda: drip(ok("hello")), LATE, ("between_bytes", "first_byte")),
    Fault("extra bytes behind the body", lambda: [ok("hello") + b"!!"], None),
    Fault("two glued answers", lambda: [ok("hello") + ok("other")], None),
    Fault("a header of 1 MB", lambda: [ok("hello", f"X: {'x' * 1_000_000}\r\n")], LARGE),
    Fault("101 headers", lambda: [ok("hello", "X: x\r\n" * 101)], LARGE),
    Fault(
        "endless chunks",
        lambda: itertools.chain([CHUNKED], itertools.repeat(b"400\r\n" + bytes(1024) + b"\r\n")),
        LARGE,
        streamed=None,
    ),
    Fault(
        "an endless body",
        lambda: itertools.chain([b"HTTP/1.1 200 OK\r\n\r\n"], itertools.repeat(bytes(9999))),
        LARGE,
        streamed=None,
    ),
    Fault("a bad chunk", lambda: [CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n"], WRONG),
    Fault("a chunk without its end", lambda: [CHUNKED + b"5\r\nhelloXX0\r\n\r\n"], WRONG),
    Fault("two lengths", lambda: [with_length("5", "6")], WRONG),
    Fault("the same length twice", lambda: [with_length("5", "5")], None),
    Fault("the same length in a list", lambda: [with_length("5, 5")], None),
    Fault("a list of lengths", lambda: [with_length("5, 6")], WRONG),
    Fault("a status line without its blank", lambda: [ok("hello").replace(b" Status", b"")], None),
    Fault(
        "blanks around a chunk's size",
        lambda: [CHUNKED + b" 5 \r\nhello\r\n0 \r\n\r\n"],
        None,
    ),
    Fault("bytes behind a packed body", lambda: [packed(b"hello", b"\0\0behind")], None),
    Fault("half a body behind a packed one", lambda: [packed(b"hello", b"\x1f\x8b\x08\0")], WRONG),
    Fault("a negative length", lambda: [with_length("-5")], WRONG),
    Fault("a length in words", lambda: [with_length("five")], WRONG),
    Fault("a length too large to hold", lambda: [with_length("9" * 30)], WRONG),
    Fault("a length beyond all memory", lambda: [with_length(str(2**62))], LARGE, streamed=LATE),
    Fault("a length over the limit", lambda: [with_length("999999999")], LARGE, streamed=LATE),
    Fault(
        "a length and chunks",
        lambda: [CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
        WRONG,
    ),
    Fault("an unknown coding", lambda: [CHUNKED.replace(b"chunked", b"gzip, chunked")], WRONG),
    Fault("204 with a body", lambda: [b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello"], None),
    Fault("100 a thousand times", lambda: [b"HTTP/1.1 100 Go on\r\n\r\n" * 1000], WRONG),
    Fault("a gzip bomb", lambda: [bomb()], LARGE, streamed=None),
    Fault("gzip cut short", lambda: [PACKED % 5 + b"\x1f\x8b\x08\x00\x00"], WRONG),
    Fault("no gzip at all", lambda: [PACKED % 5 + b"hello"], WRONG),
    Fault("another protocol", lambda: [b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], WRONG),
]


class Call(NamedTuple):
    """How it is asked for."""

    name: str
    send: Callable[[Client], Any]


def stream(client: Client) -> bytes:
    read = b""
    with client.stream("GET", "/fault") as response:
        for piece in response.iter_bytes():
            read += piece
            if len(read) > 300_000:
                break  # More than a buffered answer may have; a stream may go on for ever.
    return read


CALLS = [
    Call("GET", lambda client: client.get("/fault").result().content),
    Call("POST", lambda client: client.post("/fault", json=[1]).result().content),
    Call("stream", stream),
]


def good(request: FaultRequest) -> bytes:
    return ok(request.target)


@pytest.mark.parametrize("call", CALLS, ids=[call.name for call in CALLS])
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_the_documented_error_and_the_pool_serves_on(
    service: Service, fault: Fault, call: Call
) -> None:
    def answer(request: FaultRequest) -> Iterable[Step]:
        return fault.steps() if request.target == "/fault" else [good(request)]

    expected = fault.buffered
    if call.name == "stream" and fault.streamed is not ...:
        expected = fault.streamed
    once = RetryPolicy(attempts=1)
    limits = LIMITS if expected is LATE else Timeouts()
    with (
        service.serve(answer) as server,
        Client(server.url, retry=once, timeouts=limits, pool=POOL, tls=service.trust) as client,
    ):
        begun = time.monotonic()
        if expected is None:
            call.send(client)
        else:
            with pytest.raises(expected) as caught:
                call.send(client)
            context = caught.value.context
            assert context["phase"] in fault.phases
            assert context["request_sent"] == "whole"
            assert context["url"] == f"{server.url}/fault"
        assert time.monotonic() - begun < limits.total + 5
        for number in range(10):
            assert client.get(f"/{number}").result().text == f"/{number}"
        assert [r.method for r in server.requests if r.target == "/fault"] == [
            call.name.replace("stream", "GET")
        ]


@pytest.mark.parametrize("call", CALLS, ids=[call.name for call in CALLS])
def test_nobody_listens(service: Service, call: Call) -> None:
    with service.serve() as server:
        port = int(server.url.rsplit(":", 1)[1])
    with Client(server.url, retry=RetryPolicy(attempts=1), tls=service.trust) as client:
        with pytest.raises(
            errors.ServiceConnectionError, match=r"refused.*is the service running"
        ) as caught:
            call.send(client)
        assert caught.value.context["phase"] == "connect"
        assert caught.value.context["request_sent"] == "no"
        with service.serve(good, port=port):
            for number in range(10):
                assert client.get(f"/{number}").result().text == f"/{number}"


@pytest.mark.parametrize("call", CALLS, ids=[call.name for call in CALLS])
def test_a_full_queue_of_connections_ends_with_the_limit(call: Call) -> None:
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # Fill it, so that the kernel drops what comes next.
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        limits = Timeouts(connect=0.1)
        with Client(url, retry=RetryPolicy(attempts=1), timeouts=limits) as client:
            with pytest.raises(errors.ServiceTimeoutError) as caught:
                call.send(client)
            assert caught.value.context["phase"] == "connect"
            assert caught.value.context["request_sent"] == "no"


@pytest.mark.parametrize("read_bytes", [0, 1, 20, 200_000])
def test_a_reset_inside_the_request_says_how_much_was_sent(
    service: Service, read_bytes: int
) -> None:
    body = bytes(20_000_000)
    with service.serve([RESET], read_bytes=read_bytes) as server:
        port = int(server.url.rsplit(":", 1)[1])
        limits = Timeouts(write=5)
        with Client(server.url, timeouts=limits, tls=service.trust) as client:
            with pytest.raises(errors.ServiceConnectionError) as caught:
                client.post("/fault", content=body).result()
            sent = [attempt["request_sent"] for attempt in caught.value.context["attempts"]]
            assert sent[-1] == caught.value.context["request_sent"]
            assert server.accepted == len(sent)
            if read_bytes == 0 and sent[0] == "no":
                # The reset was there before the first byte: such a request may be sent again.
                assert set(sent[:-1]) == {"no"}
            else:
                assert sent == ["partly"], "a POST is not sent twice"
            server.close()
            with service.serve(good, port=port):
                for number in range(10):
                    assert client.get(f"/{number}").result().text == f"/{number}"


def test_a_request_that_nobody_reads_ends_with_the_limit_of_its_phase(service: Service) -> None:
    once = RetryPolicy(attempts=1)
    with (
        service.serve(read=False) as server,
        Client(
            server.url, retry=once, timeouts=Timeouts(tls=0.2, write=0.2), tls=service.trust
        ) as client,
    ):
        with pytest.raises(errors.ServiceTimeoutError) as caught:
            client.post("/fault", content=bytes(20_000_000)).result()
        plain = server.url.startswith("http:")
        assert caught.value.context["phase"] == ("write" if plain else "tls")
        assert caught.value.context["request_sent"] == ("partly" if plain else "no")


# ---- a cancel in each phase

WAITS: dict[str, dict[str, Any]] = {
    "tls": {"read": False},
    "write": {"read_bytes": 1000, "handler": [HOLD]},
    "first_byte": {"handler": [HOLD]},
    "between_bytes": {"handler": [ok("hello")[:-2], HOLD]},
}


@pytest.mark.parametrize("how", ["task", "token", "timeout"])
@pytest.mark.parametrize("phase", WAITS)
def test_a_cancel_in_each_phase_ends_the_call_and_its_socket(
    service: Service, phase: str, how: str
) -> None:
    async def main(server: FaultServer, client: Client) -> None:
        token = CancellationToken()
        timeout = 0.2 if how == "timeout" else None
        body = bytes(20_000_000) if phase == "write" else b"x"

        async def ask() -> None:
            await client.post("/fault", content=body, cancellation_token=token, timeout=timeout)

        task = asyncio.create_task(ask())
        await asyncio.to_thread(server.wait_until, lambda it: it.open_connections == 1)
        while phase != "tls" and client.stats()["active"] == 0:
            # A dial goes on without who asked for it.
            await asyncio.to_thread(os.sched_yield)
        if phase in ("first_byte", "between_bytes"):
            await asyncio.to_thread(server.wait_until, lambda it: len(it.requests) == 1)
        if how == "task":
            task.cancel()
        elif how == "token":
            token.cancel("enough")
        wanted = {
            "task": asyncio.CancelledError,
            "token": errors.OperationCancelledError,
            "timeout": errors.ServiceTimeoutError if phase != "tls" else errors.HostServiceError,
        }
        with pytest.raises(wanted[how]):
            await task
        if phase != "tls":
            # The server has not read yet what would tell it.
            server.release()
            await asyncio.to_thread(server.wait_until, lambda it: it.open_connections == 0)
        async with asyncio.timeout(20):
            while client.stats()["active"] > 0:
                # The waiting task goes on before the socket is closed behind it.
                await asyncio.to_thread(os.sched_yield)

    if phase == "tls" and service.trust is None:
        pytest.skip("there is no such phase without TLS")
    options = dict(WAITS[phase])
    with (
        service.serve(options.pop("handler", b""), **options) as server,
        Client(server.url, retry=RetryPolicy(attempts=1), tls=service.trust) as client,
    ):
        asyncio.run(main(server, client))


# ---- answers that ask for something


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(
    ("value", "attempts"),
    [
        ("0", 2),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 2),
        ("soon", 2),
        ("-1", 2),
        ("", 2),
        ("1000000000", 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 1),
    ],
)
def test_retry_after_is_honoured_within_the_deadline(code: int, value: str, attempts: int) -> None:
    answers = iter([status(code, "busy", f"Retry-After: {value}\r\n")])
    policy = RetryPolicy(attempts=2, busy_pause=0.01)
    with (
        FaultServer(lambda _: next(answers, ok("good"))) as server,
        Client(server.url, retry=policy, timeouts=Timeouts(total=5)) as client,
    ):
        answer = client.get("/x").result()
        assert len(server.requests) == attempts
        assert answer.status_code == (200 if attempts == 2 else code)
        if attempts == 1:
            assert answer.attempts[0]["stopped_by"] == "deadline"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_and_no_secret_leaves(service: Service, code: int) -> None:
    with FaultServer(good) as elsewhere:

        def answer(request: FaultRequest) -> bytes:
            where = {"/loop": "/loop", "/away": elsewhere.url}[request.target]
            return status(code, "", f"Location: {where}\r\n")

        with (
            service.serve(answer) as server,
            Client(server.url, headers={"Authorization": "secret"}, tls=service.trust) as client,
        ):
            for target in ("/loop", "/away"):
                response = client.post(target, json={}).result()
                assert response.status_code == code
                assert response.headers["location"]
            assert len(server.requests) == 2
            assert elsewhere.requests == []


def test_redirects_are_followed_where_they_are_asked_for(service: Service) -> None:
    with FaultServer(good) as elsewhere:

        def answer(request: FaultRequest) -> bytes:
            if request.target.startswith("/step"):
                number = int(request.target.removeprefix("/step"))
                return status(302, "", f"Location: /step{number + 1}\r\n")
            if request.target == "/away":
                return status(307, "", f"Location: {elsewhere.url}/there?x=1\r\n")
            return (
                status(303, "", "Location: end?y=2\r\n")
                if request.target == "/a/b"
                else good(request)
            )

        secret = {"Authorization": "secret", "X-Api-Key": "secret", "Accept": "text/plain"}
        with (
            service.serve(answer) as server,
            Client(server.url, headers=secret, tls=service.trust) as client,
        ):
            found = client.post("/a/b", json={}, max_redirects=1).result()
            assert found.text == "/a/end?y=2"
            assert found.url == f"{server.url}/a/end?y=2"
            assert found.redirects == [f"{server.url}/a/b"]
            assert [r.method for r in server.requests] == ["POST", "GET"]
            assert server.requests[1].headers["authorization"] == "secret"
            assert "content-type" not in server.requests[1].headers
            with pytest.raises(errors.ProtocolError, match="redirected more than 5 times"):
                client.get("/step1", max_redirects=5).result()
            assert len(server.requests) == 2 + 6
            with client.stream("GET", "/a/b", max_redirects=2) as response:
                assert response.read() == b"/a/end?y=2"
            if server.url.startswith("https:"):  # Not in the clear what was asked for by TLS.
                with pytest.raises(errors.ProtocolError, match="leads from https to http"):
                    client.post("/away", json={}, max_redirects=5).result()
                assert elsewhere.requests == []
            else:
                away = client.post("/away", json={}, max_redirects=5).result()
                assert away.text == "/there?x=1"
                assert elsewhere.requests[0].headers["accept"] == "text/plain"
                assert not {"authorization", "x-api-key"} & set(elsewhere.requests[0].headers)
            with pytest.raises(errors.InvalidArgumentError, match="max_redirects is 6"):
                client.get("/", max_redirects=6).result()


@pytest.mark.parametrize(
    ("location", "target"),
    [
        (b"/a b", "/a%20b"),
        (b"/a?q=[x]|{y}", "/a?q=[x]|{y}"),
        (b'/"a"<b>', "/%22a%22%3Cb%3E"),
        (b"/a|b[1]", "/a|b[1]"),
        ("/café?ü".encode(), "/caf%C3%A9?%C3%BC"),
        ("/café?ü".encode("latin-1"), "/caf%E9?%FC"),
        (b"\\a\\b", "/a/b"),
        (b"?x y", "/from?x%20y"),
        (b"../up#part", "/up"),
        (b"/100%", "/100%"),
    ],
)
def test_a_redirect_leads_where_a_browser_goes(
    service: Service, location: bytes, target: str
) -> None:
    found = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n"
    answers = iter([found])
    with (
        service.serve(lambda request: next(answers, good(request))) as server,
        Client(server.url, tls=service.trust) as client,
    ):
        answer = client.get("/from", max_redirects=1).result()
        assert answer.text == target
        assert answer.url == server.url + target


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ("", "no Location"),
        ("Location: /a\r\nLocation: /b\r\n", "two places"),
        ("Location: ftp://x/?key=secret\r\n", "'ftp://x/' cannot be asked for"),
        ("Location: http://caf\u00e9.test/\r\n", "outside ASCII"),
        ("Location: http://me:secret@x/\r\n", "carries a user name"),
        ("Location: http://x:99999/\r\n", "not a number from 1 to 65535"),
    ],
)
def test_a_redirect_that_cannot_be_followed_is_an_error(headers: str, words: str) -> None:
    answer = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n{headers}\r\n".encode()
    with FaultServer(answer) as server, Client(server.url) as client:
        assert client.get("/from").result().status_code == 302, "asked for no redirect"
        with pytest.raises(errors.ProtocolError, match="answered 302, but") as caught:
            client.get("/from?key=secret", max_redirects=3).result()
        assert words in str(caught.value)
        assert "secret" not in str(caught.value)
        assert caught.value.context["status"] == 302
        assert caught.value.context["url"] == f"{server.url}/from"
        with (
            pytest.raises(errors.ProtocolError),
            client.stream("GET", "/from", max_redirects=1),
        ):
            pass


def test_a_service_that_closes_just_when_it_is_asked_again_is_asked_once_more(
    service: Service,
) -> None:
    with (
        service.serve(lambda r: [good(r), CLOSE]) as server,
        Client(server.url, tls=service.trust) as client,
    ):
        for number in range(200):
            assert client.get(f"/{number}").result().text == f"/{number}"
        assert client.metrics()["http.client.errors"] == {}


def test_a_post_is_sent_at_most_once_whatever_happens(service: Service) -> None:
    def answer(request: FaultRequest) -> Iterable[Step]:
        if request.method == "GET":
            return [good(request)]
        return next(faults).steps()

    faults = iter(FAULTS)
    with (
        service.serve(answer) as server,
        Client(server.url, timeouts=LIMITS, pool=POOL, tls=service.trust) as client,
    ):
        for number in range(len(FAULTS)):
            # Over a connection that has been used, which is where a request would be sent again.
            assert client.get("/x").result().text == "/x"
            with contextlib.suppress(errors.HostServiceError):
                client.post(f"/{number}", json={}).result()
        sent = [request.target for request in server.requests if request.method == "POST"]
        assert sent == [f"/{number}" for number in range(len(FAULTS))]
