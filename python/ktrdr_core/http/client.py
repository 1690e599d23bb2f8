"""The client: requests over pools of kept connections, one pool for each service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

from .. import _bridge, _core
from .._bridge.arguments import checked_headers, described, explained
from .._bridge.replies import Pending, Send, reply, wait_for_reply
from .._core import PoolOptions, RetryPolicy, Timeouts, TlsOptions
from ..errors import InvalidArgumentError
from .query import with_params
from .responses import EventStream, Response, StreamedResponse, checked_patience

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack


class StreamOptions(TypedDict, total=False):
    """What a request carries into the core as it is; see ``Client.request``."""

    json: Any
    timeout: float | None
    idempotent: bool
    idempotency_key: str
    max_redirects: int


class RequestOptions(StreamOptions, total=False):
    """The same for one whose response comes whole."""

    urgent: bool


class _GetOptions(RequestOptions, total=False):
    """Every keyword of ``Client.request``."""

    params: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    content: bytes | str | None
    cancellation_token: _core.CancellationToken | None


def _shown(pending: object, shown: tuple[str, str]) -> str:
    method, url = shown
    return f"<{type(pending).__name__} {method} {url.partition('?')[0]}>"


class PendingResponse(Pending[Response]):
    """A request that is sent when it is awaited, or waited for with ``result()``; each time anew."""

    def __init__(self, send: Send, shown: tuple[str, str]) -> None:
        super().__init__(send, lambda native: Response(native, *shown))
        self._shown = shown

    def __repr__(self) -> str:
        return _shown(self, self._shown)


class _PendingStream:
    """What ``Client.stream`` gives: enter it, with ``async with`` or ``with``, and the request is sent."""

    _open: _core.HttpStream | None = None

    def __init__(self, send: Send, shown: tuple[str, str]) -> None:
        self._send = send
        self._shown = shown

    def __repr__(self) -> str:
        return _shown(self, self._shown)

    def _opened(self, native: _core.HttpStream) -> StreamedResponse:
        self._open = native
        return StreamedResponse(native, *self._shown)

    async def __aenter__(self) -> StreamedResponse:
        return self._opened(await reply(self._send))

    def __enter__(self) -> StreamedResponse:
        return self._opened(wait_for_reply(self._send))

    def __exit__(self, *_: object) -> None:
        if self._open is not None:
            self._open.close()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


class Client:
    """Sends requests over pools of kept connections, one pool for each service.

    Parameters
    ----------
    base_url : str
        ``http[s]://host[:port][/prefix]``, put before URLs that begin with ``/``. Without it every URL names its host.
    headers : mapping, optional
        Sent with every request; a request's own of the same name replace them.
    pool : PoolOptions, optional
        Of each service.
    timeouts : Timeouts, optional
    retry : RetryPolicy, optional
    tls : TlsOptions, optional
        Whom ``https://`` trusts, and the client's own certificate.

    Raises
    ------
    ConfigurationError
        For a base URL that cannot be used, or a certificate file that cannot be read.

    Notes
    -----
    Thread safety: every member from any thread; ``await`` on any event loop, many at once.

    A request, stream or event stream goes on when nobody holds the client any more, until the client is closed.

    Any status is a response: ``raise_for_status`` makes an error of it. No redirect is followed unless a request asks for
    it, no proxy is taken from the environment, no cookie is kept.

    Examples
    --------
    >>> import asyncio
    >>> from ktrdr_core.http import Client
    >>> from ktrdr_core.testing import FaultServer, ok
    >>> async def main(url):
    ...     async with Client(url) as client:
    ...         response = await client.get("/health")
    ...         return response.raise_for_status().json()
    >>> with FaultServer(ok('{"healthy": true}')) as service:
    ...     asyncio.run(main(service.url))
    {'healthy': True}
    """

    @explained
    def __init__(
        self,
        base_url: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        pool: PoolOptions | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        tls: TlsOptions | None = None,
    ) -> None:
        _bridge.start()
        self._headers = checked_headers(headers)
        self._native = _core.HttpCalls(
            base_url,
            pool or PoolOptions(),
            timeouts or Timeouts(),
            retry or RetryPolicy(),
            tls or TlsOptions(),
        )

    @partial(explained, options=RequestOptions)
    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        cancellation_token: _core.CancellationToken | None = None,
        **options: Unpack[RequestOptions],
    ) -> PendingResponse:
        """Make a request; it is sent when it is awaited, or by ``result()``.

        Parameters
        ----------
        method : str
            GET, POST, …
        url : str
            ``http[s]://host[:port]/path?query``, or a path below the base URL, beginning with ``/``; already encoded.
        params : mapping, optional
            Put behind the URL as its query, encoded; a list is one pair for each of its values.
        headers : mapping, optional
            Sent with this request.
        content : bytes or str, optional
            The body as it is.
        cancellation_token : CancellationToken, optional
            Stops the request; it ends with ``OperationCancelledError`` then.

        Other Parameters
        ----------------
        json : optional
            The body as JSON; any plain value, ``None`` too.
        timeout : float, optional
            Seconds for the whole call, all attempts together; never more than ``Timeouts.total``.
        idempotent : bool
            Twice is as good as once, whatever the method says: it may be sent again.
        idempotency_key : str, optional
            Sent as ``Idempotency-Key``: the service knows by it that a request came twice, so it may be sent again.
        max_redirects : int
            Follow so many redirects, 5 at most: 303, and 301 and 302 of a POST, as GET; never from https to http; to
            another service without headers that may be secrets. Without it a redirect is a response like another.
        urgent : bool
            Goes before others that wait for a connection, over one that is kept for this: for calls that stop work.

        Raises
        ------
        InvalidArgumentError
            For arguments that cannot be sent, naming the argument.
        """
        request, shown = self._made(
            method, url, params, headers, content, cancellation_token, options
        )
        return PendingResponse(
            lambda mailbox, key: self._native.send(request, cancellation_token, mailbox, key), shown
        )

    @partial(explained, options=StreamOptions)
    def stream(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        cancellation_token: _core.CancellationToken | None = None,
        **options: Unpack[StreamOptions],
    ) -> _PendingStream:
        """Make a request whose response is read as it comes: ``async with client.stream("GET", url) as response``.

        The arguments are those of ``request``; ``timeout`` holds until the head is there. Streams have connections of
        their own (``PoolOptions.max_streams``), so that long ones keep nobody waiting and none is ``urgent``. Leaving
        the block before the end closes the connection.

        Raises
        ------
        InvalidArgumentError
            For arguments that cannot be sent, naming the argument.
        """
        request, shown = self._made(
            method, url, params, headers, content, cancellation_token, options
        )
        return _PendingStream(
            lambda mailbox, key: self._native.stream(request, cancellation_token, mailbox, key),
            shown,
        )

    @explained
    def events(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        last_event_id: str = "",
        reconnect_for: float | None = None,
        cancellation_token: _core.CancellationToken | None = None,
    ) -> EventStream:
        """Follow the server-sent events of a URL; nothing is sent before somebody waits for the first.

        Parameters
        ----------
        url : str
            See ``request``.
        params, headers : mapping, optional
            See ``request``.
        last_event_id : str, optional
            Go on after this event.
        reconnect_for : float, optional
            Seconds that the service may stay away once its events have begun: refused, broken off, 502 to 504.
            ``math.inf`` for as long as it takes. Without it until the token's deadline, where it has one; else as
            ``RetryPolicy`` says.
        cancellation_token : CancellationToken, optional
            Ends it with ``OperationCancelledError``.

        Raises
        ------
        InvalidArgumentError
            For arguments that cannot be sent, naming the argument.
        """
        fields = checked_headers(headers)
        if not isinstance(last_event_id, str):
            raise InvalidArgumentError(f"last_event_id must be str, not {described(last_event_id)}")
        if last_event_id:
            fields["Last-Event-ID"] = last_event_id
        request, _ = self._made("GET", url, params, fields, None, cancellation_token, {})
        return EventStream(
            self._native.events(request, cancellation_token, checked_patience(reconnect_for))
        )

    def _made(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        content: bytes | str | None,
        cancellation_token: _core.CancellationToken | None,
        options: StreamOptions,
    ) -> tuple[_core.HttpRequest, tuple[str, str]]:
        """Check the arguments of a request; the request, and its method and URL as they are shown."""
        if content is not None and options.get("json", ...) is not ...:
            raise InvalidArgumentError("content and json are both the body: give one of them")
        timeout = options.get("timeout")
        if timeout is not None and not timeout > 0:
            raise InvalidArgumentError(f"timeout must be more than 0 seconds, not {timeout!r}")
        if not isinstance(content, bytes | str | None):
            raise InvalidArgumentError(f"content must be bytes or str, not {described(content)}")
        if not isinstance(cancellation_token, _core.CancellationToken | None):
            raise InvalidArgumentError(
                f"cancellation_token must be a CancellationToken, not {described(cancellation_token)}"
            )
        url = with_params(url, params)
        request = _core.HttpRequest(
            method=method,
            url=url,
            headers=list(self._merged(headers).items()),
            content=content.encode() if isinstance(content, str) else content,
            **options,
        )
        shown = f"{self._native.url}{url}" if url.startswith("/") else url
        return request, (method, shown)

    def _merged(self, headers: Mapping[str, str] | None) -> Mapping[str, str]:
        if not headers:
            return self._headers
        headers = checked_headers(headers)
        own = {name.lower() for name in headers}
        return {
            **{name: value for name, value in self._headers.items() if name.lower() not in own},
            **headers,
        }

    def get(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("GET", …)``."""
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("HEAD", …)``."""
        return self.request("HEAD", url, **options)

    def post(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("POST", …)``."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("PUT", …)``."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("PATCH", …)``."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("DELETE", …)``."""
        return self.request("DELETE", url, **options)

    async def warm_up(self, connections: int) -> None:
        """Have this many connections to the base URL open, so that the first requests need not dial.

        Raises
        ------
        ServiceConnectionError
            When a dial failed, with how far it came.
        """
        await reply(lambda mailbox, key: self._native.warm_up(connections, mailbox, key))

    def stats(self) -> dict[str, int]:
        """Count connections and requests, of all services together."""
        return self._native.stats()

    def metrics(self) -> dict[str, Any]:
        """Give times, errors and reasons so far; see ``AsyncServiceAdapter.get_detailed_metrics``."""
        return self._native.metrics()

    def close(self) -> None:
        """Refuse further requests and close the idle connections; requests in flight end by themselves."""
        self._native.close()

    async def aclose(self, drain: float = 5.0) -> None:
        """``close``, and wait ``drain`` seconds at most for requests in flight; then they fail."""
        await reply(lambda mailbox, key: self._native.drain(drain, mailbox, key))

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        stats = self.stats()
        return (
            f"<Client {self._native.url or '(any service)'}: {stats['idle']} idle, {stats['active']} active, "
            f"{stats['connecting']} connecting, {stats['waiting']} waiting, {stats['requests']} requests>"
        )
