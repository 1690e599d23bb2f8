"""Runs a host service until a signal comes or its parent goes."""

from __future__ import annotations

import asyncio
import select
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._extras import needed_by
from ..cancellation import CancellationSystem

with needed_by("a host service"):
    import uvicorn

    from .patience import PatientProtocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator

    from fastapi import FastAPI

    from .traffic import Traffic

# How long a request under way may hold up the end. Seconds.
_GRACE = 1


def serve(
    app: FastAPI,
    listener: socket.socket,
    *,
    announce: Callable[[str], None],
    until_stdin_closes: bool = False,
) -> None:
    """Serve ``app`` on a bound socket; return after SIGINT or SIGTERM, which cancel the operations of this process.

    A request that stops half-way is ended (``PatientProtocol``).

    Parameters
    ----------
    app : FastAPI
        Made by ``create_app``; its ``state.stopping``, if it has one, is called when the end begins.
    listener : socket
        Bound; its port is the announced one.
    announce : callable
        Called once with the service's URL, when it can be reached.
    until_stdin_closes : bool
        Also return when standard input closes: a parent that holds its other end need not live to end this process.
    """
    config = uvicorn.Config(
        app,
        http=_counted(app.state.traffic),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE,
    )
    stopping = getattr(app.state, "stopping", None)
    server = _Server(config, lambda: announce(_url(listener)), stopping)
    asyncio.run(_run(server, listener, until_stdin_closes))


async def _run(server: _Server, listener: socket.socket, until_stdin_closes: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    if until_stdin_closes and not _is_watchable(sys.stdin.fileno()):
        # A file, or /dev/null: no parent holds the other end of it.
        server.stop()
    elif until_stdin_closes:
        await loop.connect_read_pipe(lambda: _Parent(server), sys.stdin)
    await server.serve(sockets=[listener])


def _is_watchable(descriptor: int) -> bool:
    with select.epoll() as poll:
        try:
            poll.register(descriptor)
        except PermissionError:
            return False
    return True


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], stopping: Callable[[], None] | None
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping

    def stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
        if self._stopping is not None:
            self._stopping()
        CancellationSystem().cancel_all("the service was asked to end", code="shutdown")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # uvicorn's own raises the signal again at the end; here a signal is an ordinary end.
        yield


class _Parent(asyncio.Protocol):
    def __init__(self, server: _Server) -> None:
        self._server = server

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.stop()


def _counted(traffic: Traffic) -> type[PatientProtocol]:
    class Counted(PatientProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            traffic.closed(self.client)
            super().connection_lost(exc)

    return Counted


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
