"""How long a server waits for a request that has begun to come: ``PatientProtocol`` for uvicorn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._extras import needed_by

with needed_by("PatientProtocol"):
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 30\r\nConnection: close\r\n\r\n"
    b"the request did not come whole"
)


class PatientProtocol(H11Protocol):
    """HTTP/1.1 of uvicorn that ends a connection whose request stops half-way.

    By itself uvicorn waits for ever for the rest of a request, so that a few thousand half ones take all of a server's
    sockets. Here the first request of a connection must be whole ``request_timeout`` seconds after the connection was
    made, and every other one as long after its first byte; time in which the app does not take the body does not
    count. Who is too slow gets 408.

    Examples
    --------
    >>> import uvicorn
    >>> from ktrdr_core.hosts.patience import PatientProtocol
    >>> config = uvicorn.Config("words:app", http=PatientProtocol)
    """

    #: How long a request may take to come. Seconds.
    request_timeout = 20.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Go on waiting while a part of a request is there."""
        if self.transport.is_closing() or not self._is_half():
            self._rest()
        elif self._patience is None:
            self._wait()

    def _is_half(self) -> bool:
        state = self.conn.their_state
        return state is h11.SEND_BODY or (state is h11.IDLE and bool(self.conn.trailing_data[0]))

    def _wait(self) -> None:
        self._patience = self.loop.call_later(self.request_timeout, self._give_up)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            # The app has not taken what came; it is not the client that is slow.
            self._wait()
            return
        # Nothing is said behind an answer to a request whose body is still coming.
        if self.conn.their_state is h11.IDLE or not self.cycle.response_started:
            self.transport.write(_TOO_SLOW)
        self.transport.close()
