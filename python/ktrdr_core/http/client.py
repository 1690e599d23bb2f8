"""The client: requests over pools of kept connections, one pool for each service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, cast
from urllib.parse import urlencode

from .. import _bridge, _core
from .._bridge.arguments import checked_headers, described, explained, explanation
from .._bridge.awaited import gives_awaited
from .._bridge.current import token_here
from .._bridge.foreign import ForeignToken, split_token
from .._bridge.replies import reply
from .._core import PoolOptions, RetryPolicy, Timeouts, TlsOptions
from ..errors import InvalidArgumentError
from .auth import Auth, with_auth
from .pending import PendingResponse, PendingStream
from .query import with_params, without_none
from .responses import EventStream, checked_patience

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from ..protocols import CancellationToken as AnyToken
    from .multipart import Files


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
    data: Mapping[str, Any] | None
    files: Files | None
    auth: Auth | None
    cancellation_token: AnyToken | None


class Client:
    """Sends requests over pools of kept connections, one pool for each service.

    Parameters
    ----------
    base_url : str
        ``http[s]://host[:port][/prefix]``, put before URLs that begin with ``/``. Without it every URL names its host.
    headers : mapping, optional
        Sent with every request; a request's own of the same name replace them.
    auth : (user, password) or Bearer, optional
        Sent with every request as ``Authorization``; no log, error or ``repr`` shows it.
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
        auth: Auth | None = None,
        pool: PoolOptions | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        tls: TlsOptions | None = None,
    ) -> None:
        _bridge.start()
        self._native = _core.HttpCalls(
            base_url,
            list(with_auth(headers, auth).items()),
            pool or PoolOptions(),
            timeouts or Timeouts(),
            retry or RetryPolicy(),
            tls or TlsOptions(),
        )
        self._url = self._native.url

    @gives_awaited
    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        data: Mapping[str, Any] | None = None,
        files: Files | None = None,
        auth: Auth | None = None,
        cancellation_token: AnyToken | None = None,
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
            Put behind the URL as its query, encoded; a list is one pair for each of its values, None sends nothing.
        headers : mapping, optional
            Sent with this request; they win over fields that the client puts in, whatever the case of their names.
        content : bytes or str, optional
            The body as it is.
        data : mapping, optional
            The body as a form (``application/x-www-form-urlencoded``); a list is one pair for each of its values, None
            sends nothing.
        files : mapping or list of pairs, optional
            The body as a form with files (``multipart/form-data``), the fields of ``data`` before them. A file is its
            content, or ``(name, content)``, or ``(name, content, content_type)``; several of one name are a list, or
            pairs. Content is bytes, a text, a path (``pathlib.Path``), or a file that is open with ``"rb"``. Paths and
            open files are sent from their first byte, read on another thread while they are sent, so that memory does
            not grow with them; how long they are is taken when the request is made.
        auth : (user, password) or Bearer, optional
            Sent as ``Authorization``, in place of the client's own; a field of that name in ``headers`` wins.
        cancellation_token : CancellationToken or anything like one, optional
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
        StorageError
            For a file that cannot be read; when the request is sent, for one that has become longer or shorter.
        """
        given: _GetOptions = {
            "params": params,
            "headers": headers,
            "content": content,
            "data": data,
            "files": files,
            "auth": auth,
            "cancellation_token": cancellation_token,
            **options,
        }
        return self._pending(method, url, given)

    def stream(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | str | None = None,
        data: Mapping[str, Any] | None = None,
        files: Files | None = None,
        auth: Auth | None = None,
        cancellation_token: AnyToken | None = None,
        **options: Unpack[StreamOptions],
    ) -> PendingStream:
        """Make a request whose response is read as it comes: ``async with client.stream("GET", url) as response``.

        The arguments are those of ``request``; ``timeout`` holds until the head is there. Streams have connections of
        their own (``PoolOptions.max_streams``), so that long ones keep nobody waiting and none is ``urgent``. Leaving
        the block before the end closes the connection.

        Raises
        ------
        InvalidArgumentError
            For arguments that cannot be sent, naming the argument.
        StorageError
            For a file of ``files`` that cannot be read.
        """
        given: dict[str, Any] = {
            "params": params,
            "headers": headers,
            "content": content,
            "data": data,
            "files": files,
            "auth": auth,
            "cancellation_token": cancellation_token,
            **options,
        }
        made = self._checked(method, url, cast("_GetOptions", given))
        return PendingStream(self._native, *made, (method, self._whole(url)))

    @explained
    def events(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        last_event_id: str = "",
        reconnect_for: float | None = None,
        cancellation_token: AnyToken | None = None,
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
        cancellation_token : CancellationToken or anything like one, optional
            Ends it with ``OperationCancelledError``; by default that of the operation that it is made under.

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
        request, token, foreign = self._checked(
            "GET",
            url,
            {"params": params, "headers": fields, "cancellation_token": cancellation_token},
        )
        if token is None:
            token = token_here()
        patience = checked_patience(reconnect_for)
        return EventStream(self._native.events(request, token, patience), foreign)

    def _pending(self, method: str, url: str, options: _GetOptions) -> PendingResponse:
        made = self._checked(method, url, options)
        return PendingResponse(self._native, *made, (method, self._whole(url)))

    def _checked(self, method: str, url: str, options: _GetOptions) -> _Made:
        # Wrong arguments are looked for after the core has refused them: a right call pays nothing for that.
        try:
            return _made(method, url, options)
        except (TypeError, AttributeError, UnicodeEncodeError) as error:
            wrong = error
        given: dict[str, tuple[object, str]] = {"method": (method, "str"), "url": (url, "str")}
        for name, kind in _GetOptions.__annotations__.items():
            if name in options:
                # A TypedDict keeps its words in a shell.
                given[name] = (options.get(name), kind.__forward_arg__)
        raise explanation(wrong, given)

    def _whole(self, url: str) -> str:
        return f"{self._url}{url}" if url.startswith("/") else url

    @gives_awaited
    def get(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("GET", …)``."""
        return self._pending("GET", url, options)

    @gives_awaited
    def head(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("HEAD", …)``."""
        return self._pending("HEAD", url, options)

    @gives_awaited
    def post(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("POST", …)``."""
        return self._pending("POST", url, options)

    @gives_awaited
    def put(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("PUT", …)``."""
        return self._pending("PUT", url, options)

    @gives_awaited
    def patch(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("PATCH", …)``."""
        return self._pending("PATCH", url, options)

    @gives_awaited
    def delete(self, url: str, **options: Unpack[_GetOptions]) -> PendingResponse:
        """``request("DELETE", …)``."""
        return self._pending("DELETE", url, options)

    async def warm_up(self, connections: int) -> None:
        """Have this many connections to the base URL open, so that the first requests need not dial.

        Raises
        ------
        ServiceConnectionError
            When a dial failed, with how far it came.
        InvalidArgumentError
            For what is no number of connections, or a client without a base URL.
        """
        if not isinstance(connections, int) or connections < 0:
            raise InvalidArgumentError(
                f"connections must be int, at least 0, not {described(connections)}",
                context={"field": "connections"},
            )
        # So many as the core counts; more than the pool's own limit are never made.
        most = min(connections, 2**31 - 1)
        await reply(lambda mailbox, key: self._native.warm_up(most, mailbox, key))

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
        """``close``, and wait ``drain`` seconds at most for requests in flight; then they fail.

        Raises
        ------
        InvalidArgumentError
            For a ``drain`` that is negative or no number; the client stays open.
        """
        if not isinstance(drain, int | float) or not drain >= 0:
            raise InvalidArgumentError(
                f"drain must be at least 0 seconds, not {described(drain)}",
                context={"field": "drain"},
            )
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
            f"<Client {self._url or '(any service)'}: {stats['idle']} idle, {stats['active']} active, "
            f"{stats['connecting']} connecting, {stats['waiting']} waiting, {stats['requests']} requests>"
        )


#: A request that can be sent, the token that stops it, and what has to watch a token of others.
_Made = tuple[_core.HttpRequest, _core.CancellationToken | None, ForeignToken | None]


_BODIES = ("content", "data")


def _made(method: str, url: str, options: _GetOptions) -> _Made:
    given: dict[str, Any] = {"method": method, "url": url}
    if not options:
        return _core.HttpRequest(given), None, None
    given = {**options, **given}
    token, foreign = split_token(given.pop("cancellation_token", None))
    params = given.pop("params", None)
    if params:
        given["url"] = with_params(url, params)
    auth = given.pop("auth", None)
    if auth is not None:
        given["headers"] = with_auth(given.get("headers"), auth)
    bodies = [name for name in _BODIES if given.get(name) is not None]
    if given.get("json", ...) is not ...:
        bodies.append("json")
    files = given.pop("files", None)
    rows: list[Any] = []
    if files is not None:
        from .multipart import field_rows, file_rows

        rows = file_rows(files)
    if rows and bodies != ["data"]:
        bodies.append("files")
    if len(bodies) > 1:
        raise InvalidArgumentError(f"{' and '.join(bodies)} are both the body: give one of them")
    data = given.pop("data", None)
    if rows:
        # Behind the headers, which may name the boundary.
        given["files"] = field_rows(data) + rows
    elif data is not None:
        given["form"] = urlencode(without_none(data), doseq=True)
    return _core.HttpRequest(given), token, foreign
