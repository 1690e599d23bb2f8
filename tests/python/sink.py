"""For tests of what is sent: a raw server that keeps no body and stops in the middle of one, and the parts of a form."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ktrdr_core.testing import ok

if TYPE_CHECKING:
    from collections.abc import Callable

    from ktrdr_core.testing import FaultRequest

READ = 256 * 1024


@dataclass
class Received:
    """A request as far as it came."""

    head: str
    length: int
    count: int = 0
    digest: str = ""
    #: The last bytes.
    tail: bytes = b""

    @property
    def whole(self) -> bool:
        return self.count == self.length


@dataclass
class Sink:
    """Reads requests one connection after the other, and answers those that come whole.

    ``middle`` is called once, when a body's first bytes are there and before more of it is read; False closes the
    connection then.
    """

    middle: Callable[[], bool] = lambda: True
    answers: list[bytes] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> Sink:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        pending = bytearray()
        buffer = bytearray(READ)
        while True:
            while (end := pending.find(b"\r\n\r\n")) < 0:
                size = connection.recv_into(buffer)
                if not size:
                    return
                pending += buffer[:size]
            head = bytes(pending[:end]).decode("latin-1")
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
            got = Received(head, int(fields.get("content-length", "0")))
            self.received.append(got)
            digest = hashlib.sha256()
            piece: bytes | memoryview = bytes(pending[end + 4 :])
            pending.clear()
            asked = False
            while True:
                digest.update(piece)
                got.count += len(piece)
                got.tail = (got.tail + bytes(piece[-200:]))[-200:]
                got.digest = digest.hexdigest()
                if got.whole:
                    break
                if got.count and not asked:
                    asked = True
                    if not self.middle():
                        return
                size = connection.recv_into(buffer)
                if not size:
                    return
                piece = memoryview(buffer)[:size]
            connection.sendall(self.answers.pop(0) if self.answers else ok(b"{}"))


def parts_of(request: FaultRequest) -> list[tuple[str, bytes]]:
    """Cut at the boundary and nothing else: each part's head, and its content."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    first, *parts = (b"\r\n" + request.body).split(b"\r\n--" + boundary)
    assert (first, parts.pop()) == (b"", b"--\r\n")
    cut = [part.removeprefix(b"\r\n").partition(b"\r\n\r\n") for part in parts]
    return [(head.decode(), content) for head, _, content in cut]
