"""Servers that misbehave in one stated way, on a loopback port of their own."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class BadServer:
    """Answers every request with ``answer`` and closes; ``None`` reads and never answers.

    ``closed`` is set when a client has closed a connection that was never answered.
    """

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self.asked = threading.Event()
        self.closed = threading.Event()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self._clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.recv(65536)
            self.asked.set()
            if self._answer is None:
                while client.recv(65536):
                    pass
                self.closed.set()
            else:
                client.sendall(self._answer)
        except OSError:
            self.closed.set()
        finally:
            client.close()

    def __enter__(self) -> BadServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for client in self._clients:
            client.close()


def answer(body: str, status: str = "200 OK") -> bytes:
    """Bytes of a whole HTTP answer."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    ).encode()
