"""A proxy between a client and a service that cuts connections where a test wants."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable


class CuttingProxy:
    """Passes bytes on. ``cut`` is given the first bytes of a connection's first request, and says after how many bytes of
    what is answered both ends are closed; None for never.
    """

    def __init__(self, url: str, cut: Callable[[bytes], int | None]) -> None:
        parts = urlsplit(url)
        self._target = (str(parts.hostname), int(parts.port or 0))
        self._cut = cut
        self.cuts = 0
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,))
            with self._lock:
                self._threads.append(thread)
                self._sockets.append(client)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        try:
            first = client.recv(65536)
            service = socket.create_connection(self._target)
            with self._lock:
                self._sockets.append(service)
            service.sendall(first)
            back = threading.Thread(target=self._pass_on, args=(client, service))
            back.start()
            self._answer(service, client, self._cut(first))
            back.join()
        except OSError:
            pass
        finally:
            client.close()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        _shut(target)

    def _answer(self, service: socket.socket, client: socket.socket, limit: int | None) -> None:
        passed = 0
        try:
            while data := service.recv(65536 if limit is None else max(1, limit - passed)):
                passed += len(data)
                if limit is not None and passed >= limit:
                    self.cuts += 1
                    break
                client.sendall(data)
        except OSError:
            pass
        _shut(service)
        _shut(client)

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        _shut(self._listener)
        self._listener.close()
        with self._lock:
            sockets, threads = list(self._sockets), list(self._threads)
        for one in sockets:
            _shut(one)
        for thread in threads:
            thread.join()
        for one in sockets:
            one.close()


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
