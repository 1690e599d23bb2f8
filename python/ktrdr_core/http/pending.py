"""Requests that are made ready and not sent yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._bridge.foreign import watched
from .._bridge.replies import Pending, Unsent, reply, wait_for_reply
from .responses import Response, StreamedResponse

if TYPE_CHECKING:
    from .. import _core
    from .._bridge.foreign import ForeignToken


class PendingResponse(Pending[Response]):
    """A request that is sent when it is awaited, or waited for with ``result()``; each time anew.

    Python takes it where it takes a coroutine: ``create_task``, ``TaskGroup``, ``asyncio.run``. One that is dropped unsent
    warns, as a coroutine does that was never awaited.
    """

    def __init__(
        self,
        native: _core.HttpCalls,
        request: _core.HttpRequest,
        token: _core.CancellationToken | None,
        foreign: ForeignToken | None,
        shown: tuple[str, str],
    ) -> None:
        self._native = native
        self._request = request
        self._token = token
        self._foreign = foreign
        self._shown = shown

    def _send(self, mailbox: _core.Mailbox, key: int) -> _core.CancellationToken:
        return self._native.send(self._request, self._token, mailbox, key)

    def _read(self, value: _core.HttpResponse) -> Response:
        return Response(value, *self._shown)


class PendingStream(Unsent):
    """What ``Client.stream`` gives: enter it, with ``async with`` or ``with``, and the request is sent."""

    _open: _core.HttpStream | None = None

    def __init__(
        self,
        native: _core.HttpCalls,
        request: _core.HttpRequest,
        token: _core.CancellationToken | None,
        foreign: ForeignToken | None,
        shown: tuple[str, str],
    ) -> None:
        self._foreign = foreign
        self._shown = shown
        self._send = watched(
            lambda mailbox, key: native.stream(request, token, mailbox, key), foreign
        )

    def _opened(self, native: _core.HttpStream) -> StreamedResponse:
        self._open = native
        return StreamedResponse(native, *self._shown, self._foreign)

    async def __aenter__(self) -> StreamedResponse:
        self._begun = True
        return self._opened(await reply(self._send))

    def __enter__(self) -> StreamedResponse:
        self._begun = True
        return self._opened(wait_for_reply(self._send))

    def __exit__(self, *_: object) -> None:
        if self._open is not None:
            self._open.close()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()
