"""An HTTP server on loopback that answers with whatever bytes a test wants, and breaks off where it wants."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = [
    "CLOSE",
    "CUT",
    "HOLD",
    "RESET",
    "Action",
    "FaultRequest",
    "FaultServer",
    "Step",
    "ok",
    "status",
]


class _Fault:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


#: Close the connection: what was sent arrives, then its end.
CLOSE = _Fault("CLOSE")
#: The same, and under TLS without its goodbye: the client cannot tell whether that was all.
CUT = _Fault("CUT")
#: Reset the connection: what was sent may be lost.
RESET = _Fault("RESET")
#: Say nothing more until ``release`` or until the client goes.
HOLD = _Fault("HOLD")

#: What the server does: send bytes, or one of the actions.
Action = bytes | _Fault
#: The older name.
Step = Action


@dataclass(frozen=True)
class FaultRequest:
    """A request as it came.

    Attributes
    ----------
    connection : int
        From 0, in the order in which they were accepted.
    method, target : str
    headers : dict of str to str
        Names in lower case.
    body : bytes
    fields : tuple of (str, str)
        The same header fields, each as it came: one that came twice is there twice.
    """

    connection: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    fields: tuple[tuple[str, str], ...] = ()


def ok(body: bytes | str = b"", headers: str = "") -> bytes:
    """Make an answer 200 with a length; ``headers`` are further lines, each ending with CR LF."""
    return status(200, body, headers)


def status(code: int, body: bytes | str = b"", headers: str = "") -> bytes:
    """Make an answer with a length; ``headers`` are further lines, each ending with CR LF."""
    content = body.encode() if isinstance(body, str) else body
    return (
        f"HTTP/1.1 {code} Status\r\nContent-Length: {len(content)}\r\n{headers}\r\n".encode()
        + content
    )


Handler = Callable[[FaultRequest], "bytes | Iterable[Action]"]


class FaultServer:
    """Serves on a free port of loopback until it is closed; one thread for each connection.

    Parameters
    ----------
    handler : callable or bytes or iterable of bytes and actions
        What to do with a request: a function of it, or the same for all. Bytes are sent as they are, one call of
        ``send`` each. After the last step the connection waits for the next request.
    read : bool
        False accepts connections and reads nothing.
    read_bytes : int, optional
        Read so many bytes of a connection, and do the steps then: in the middle of a request.
    tls : ssl.SSLContext, optional
        Speak TLS, as this context says.
    host : str
        The address to listen at; ``::1`` for IPv6.
    port : int
        Where to listen; 0 for any free port.

    Attributes
    ----------
    url : str
        ``http://127.0.0.1:port``, or ``https://``.
    requests : list of FaultRequest
        Those that came whole, in order.

    Examples
    --------
    >>> from ktrdr_core.http import Client, RetryPolicy
    >>> from ktrdr_core.testing import RESET, FaultServer, ok
    >>> with FaultServer([ok("half")[:-2], RESET]) as server, Client(retry=RetryPolicy(attempts=1)) as client:
    ...     client.get(server.url).result()
    Traceback (most recent call last):
    ...
    ktrdr_core.errors.ServiceConnectionError: ...
    """

    def __init__(
        self,
        handler: Handler | Action | Iterable[Action] = b"",
        *,
        read: bool = True,
        read_bytes: int | None = None,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.handler = handler
        self.requests: list[FaultRequest] = []
        self._read = read
        self._read_bytes = read_bytes
        self._tls = tls
        self._lock = threading.Condition()
        self._open: dict[int, socket.socket] = {}
        self._accepted = 0
        # Readable once released: shut down at its other end.
        self._released, self._release = socket.socketpair()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=128)
        scheme = "http" if tls is None else "https"
        shown = f"[{host}]" if family == socket.AF_INET6 else host
        self.url = f"{scheme}://{shown}:{self._listener.getsockname()[1]}"
        self._threads: deque[threading.Thread] = deque()
        self._start(self._accept)

    @property
    def accepted(self) -> int:
        """How many connections have been accepted."""
        with self._lock:
            return self._accepted

    @property
    def open_connections(self) -> int:
        """How many connections neither side has closed."""
        with self._lock:
            return len(self._open)

    def wait_until(self, condition: Callable[[FaultServer], bool], timeout: float = 20) -> None:
        """Block until the condition holds; it is looked at whenever a request comes or a connection ends.

        Raises
        ------
        TimeoutError
            When it does not within ``timeout`` seconds.
        """
        with self._lock:
            if not self._lock.wait_for(lambda: condition(self), timeout):
                raise TimeoutError(
                    f"not within {timeout} s: {len(self.requests)} requests, {len(self._open)} open"
                )

    def release(self) -> None:
        """Let everything that a ``HOLD`` keeps go on."""
        with contextlib.suppress(OSError):
            self._release.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening and cut every connection."""
        self.release()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._open.values())
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        while self._threads:
            self._threads.popleft().join()
        for left in (*connections, self._released, self._release):
            left.close()

    def __enter__(self) -> FaultServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                number = self._accepted
                self._accepted += 1
                self._open[number] = connection
                self._lock.notify_all()
            if self._read:
                self._start(self._serve, number, connection)

    def _serve(self, number: int, connection: socket.socket) -> None:
        pending = bytearray()
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                # The one before has no descriptor any more.
                with self._lock:
                    self._open[number] = connection
            if self._read_bytes is not None:
                while len(pending) < self._read_bytes and _receive(connection, pending, 1):
                    pass
                self._answer(connection, FaultRequest(number, "", "", {}, bytes(pending)))
                return
            while (request := _read_request(number, connection, pending)) is not None:
                with self._lock:
                    self.requests.append(request)
                    self._lock.notify_all()
                if not self._answer(connection, request):
                    break
        except OSError:
            pass
        finally:
            with self._lock:
                del self._open[number]
                connection.close()
                self._lock.notify_all()

    def _answer(self, connection: socket.socket, request: FaultRequest) -> bool:
        answer = self.handler(request) if callable(self.handler) else self.handler
        steps = [answer] if isinstance(answer, bytes | _Fault) else answer
        for step in steps:
            if isinstance(step, bytes):
                connection.sendall(step)
            elif step is HOLD:
                self._hold(connection)
            else:
                if step is CLOSE and isinstance(connection, ssl.SSLSocket):
                    with contextlib.suppress(OSError):
                        connection.unwrap()
                if step is RESET:
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                return False
        return True

    def _hold(self, connection: socket.socket) -> None:
        watched = [connection, self._released]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if self._released in ready:
                return
            # Of the socket itself, under TLS too.
            if not socket.socket.recv(connection, 1, socket.MSG_PEEK):
                raise ConnectionResetError
            # The next request waits already; what is left to wait for is the release.
            watched = [self._released]


def _read_request(
    number: int, connection: socket.socket, pending: bytearray
) -> FaultRequest | None:
    while (end := pending.find(b"\r\n\r\n")) < 0:
        if not _receive(connection, pending):
            return None
    first, *lines = bytes(pending[:end]).decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    parts = [line.partition(":") for line in lines]
    fields = tuple((name, value.strip()) for name, _, value in parts)
    headers = {name.lower(): value for name, value in fields}
    length = int(headers.get("content-length", "0"))
    del pending[: end + 4]
    while len(pending) < length:
        if not _receive(connection, pending):
            return None
    body = bytes(pending[:length])
    del pending[:length]
    return FaultRequest(number, method, target, headers, body, fields)


def _receive(connection: socket.socket, pending: bytearray, size: int = 65536) -> bool:
    piece = connection.recv(size)
    pending += piece
    return bool(piece)
