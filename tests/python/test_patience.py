"""Requests that stop half-way are ended; what is whole, or waits for the app, is left alone."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from ktrdr_core.hosts.patience import PatientProtocol
from ktrdr_core.hosts.serve import _counted
from ktrdr_core.hosts.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


class Hasty(PatientProtocol):
    request_timeout = 0.05


class Calm(PatientProtocol):
    """For what must not be ended, on a machine that does other things too."""

    request_timeout = 1.0


class App:
    """Answers with the length of the body; below ``/held`` not before ``go``, and the body is not looked at until then."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.held = threading.Event()
        self.gone = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/held":
            self.held.set()
            await asyncio.to_thread(self.go.wait, 30)
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                return
            length += len(message["body"])
            more = message["more_body"]
        body = str(length).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(app: Any, protocol: type[PatientProtocol] = Calm) -> Iterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def rest_of(connection: socket.socket) -> bytes:
    """Read to the end."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def answer_of(connection: socket.socket) -> bytes:
    """Read one short answer."""
    got = b""
    while b"\r\n\r\n" not in got or got.endswith(b"\r\n\r\n"):
        chunk = connection.recv(65_536)
        assert chunk, got
        got += chunk
    return got


def half_one_is_ended(address: tuple[str, int]) -> None:
    """More than a server's patience passes."""
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(b"GET ")
        assert rest_of(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"G",
        b"GET / HT",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ",
        GET[:-2],
        POST + b"Content-Length: 5\r\n\r\n",
        POST + b"Content-Length: 5\r\n\r\n1234",
        POST + b"Transfer-Encoding: chunked\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n",
    ],
)
def test_half_a_request_is_ended_with_408(half: bytes) -> None:
    with (
        serving(App(), Hasty) as address,
        socket.create_connection(address, timeout=30) as connection,
    ):
        connection.sendall(half)
        answer = rest_of(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b"\r\n\r\nthe request did not come whole")


@pytest.mark.parametrize(
    "half", [b"GET / HTTP/1.1\r\nX-A: ", POST + b"Content-Length: 9999\r\n\r\n"]
)
def test_a_byte_now_and_then_gains_no_time(half: bytes) -> None:
    with (
        serving(App(), Hasty) as address,
        socket.create_connection(address, timeout=30) as connection,
    ):
        connection.sendall(half)
        while not select.select([connection], [], [], 0.005)[0]:
            connection.sendall(b"x")
        assert connection.recv(12) == b"HTTP/1.1 408"


def test_the_second_request_of_a_connection_is_no_other() -> None:
    with serving(App()) as address, socket.create_connection(address, timeout=30) as connection:
        connection.sendall(GET)
        assert answer_of(connection).endswith(b"\r\n\r\n0")
        connection.sendall(GET[:20])
        assert rest_of(connection).startswith(b"HTTP/1.1 408 ")


def test_one_that_came_behind_a_whole_one_is_no_other() -> None:
    with serving(App()) as address, socket.create_connection(address, timeout=30) as connection:
        connection.sendall(GET + GET[:20])
        answers = rest_of(connection)
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert b"\r\n\r\n0HTTP/1.1 408 " in answers


def test_the_app_hears_that_a_half_body_will_not_come() -> None:
    app = App()
    with (
        serving(app, Hasty) as address,
        socket.create_connection(address, timeout=30) as connection,
    ):
        connection.sendall(POST + b"Content-Length: 5\r\n\r\n123")
        rest_of(connection)
        assert app.gone.wait(30)


def test_a_whole_request_whose_answer_takes_long_is_left_alone() -> None:
    app = App()
    with serving(app) as address, socket.create_connection(address, timeout=30) as connection:
        connection.sendall(GET.replace(b"/ ", b"/held "))
        assert app.held.wait(30)
        half_one_is_ended(address)
        app.go.set()
        assert answer_of(connection).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_the_app_does_not_take_is_left_alone() -> None:
    app, size = App(), 8_000_000
    with serving(app) as address, socket.create_connection(address, timeout=30) as connection:
        connection.sendall(
            POST.replace(b"/ ", b"/held ") + f"Content-Length: {size}\r\n\r\n".encode()
        )
        sender = threading.Thread(target=connection.sendall, args=[b"x" * size])
        sender.start()
        assert app.held.wait(30)
        half_one_is_ended(address)
        app.go.set()
        assert answer_of(connection).endswith(f"\r\n\r\n{size}".encode())
        sender.join()


def test_a_connection_that_rests_between_requests_is_left_alone() -> None:
    with serving(App()) as address, socket.create_connection(address, timeout=30) as connection:
        for _ in range(2):
            connection.sendall(GET)
            assert answer_of(connection).endswith(b"\r\n\r\n0")
            half_one_is_ended(address)


def test_a_request_in_pieces_that_is_whole_in_time_is_served() -> None:
    with serving(App()) as address, socket.create_connection(address, timeout=30) as connection:
        for byte in POST + b"Content-Length: 2\r\n\r\nab":
            connection.sendall(bytes([byte]))
        assert answer_of(connection).endswith(b"\r\n\r\n2")


def test_the_host_services_are_served_by_it() -> None:
    protocol = _counted(Traffic())
    assert issubclass(protocol, PatientProtocol)
    assert protocol.request_timeout == PatientProtocol.request_timeout
