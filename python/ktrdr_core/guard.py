"""What an HTTP server of this package takes: under which name it is called, from which page, and what comes along.

A server on localhost is in reach of every page that a browser on this machine opens. ``RequestGuard`` keeps such pages
out: by the name in ``Host`` (a page whose own name was made to lead here), by ``Origin``, and by the type of the body,
which a page's form cannot choose. It also ends requests whose body never comes or never stops. It asks nobody who they
are: that is what the router's ``dependencies`` are for. Pure ASGI; it needs no library.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["RefusedRequest", "RequestGuard", "RequestRules"]

#: Most bytes of a request's body.
MAX_BODY = 1 << 20
#: How long a body may take to come. Seconds.
BODY_TIMEOUT = 30.0

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(?::([0-9]{1,5}))?", re.IGNORECASE)
_NAME = re.compile(r"\*|(\*\.)?[a-z0-9._-]+|\[?[0-9a-f:.]+\]?", re.IGNORECASE)
_JSON = re.compile(r"application/([\w.+-]+\+)?json\s*(;.*)?", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
# What changes nothing, whoever asks.
_SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
_SHOWN = 100


class RefusedRequest(InvalidArgumentError):
    """A request that the rules do not let in; ``status`` is the answer's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RequestRules:
    """Which requests are let in.

    Every request must name an allowed host. One that may change something (all but GET, HEAD, OPTIONS and TRACE) must
    not come from another site's page, and what it brings must be JSON, small and in time.

    Parameters
    ----------
    allowed_hosts : iterable of str
        Names in ``Host`` beside those of this machine (``localhost``, ``*.localhost``, 127.0.0.0/8, ``::1``):
        ``api.example``, ``*.example`` for all below it, ``*`` for any. Without a port: every port is taken.
    allowed_origins : iterable of str
        Pages of other sites that may change something: ``https://app.example``; ``*`` for any. A page that the server
        itself gave is always allowed.
    max_body : int
        Most bytes of a body.
    body_timeout : float
        How long a body may take to come. Seconds.

    Raises
    ------
    InvalidArgumentError
        For what is no host name, no origin, or not positive.
    """

    def __init__(
        self,
        *,
        allowed_hosts: Iterable[str] = (),
        allowed_origins: Iterable[str] = (),
        max_body: int = MAX_BODY,
        body_timeout: float = BODY_TIMEOUT,
    ) -> None:
        self._hosts = frozenset(map(_allowed_host, _each("allowed_hosts", allowed_hosts)))
        self._origins = frozenset(map(_allowed_origin, _each("allowed_origins", allowed_origins)))
        if not max_body > 0:
            raise InvalidArgumentError(f"max_body must be more than 0 bytes, not {max_body}")
        if not body_timeout > 0:
            raise InvalidArgumentError(
                f"body_timeout must be more than 0 seconds, not {body_timeout}"
            )
        self._max_body = max_body
        self._body_timeout = body_timeout

    async def admit(self, scope: Scope, receive: Receive) -> Receive:
        """Look at a request before anything else does; what it brings is read here.

        Returns
        -------
        callable
            In place of ``receive``: it gives the body again.

        Raises
        ------
        RefusedRequest
            Status 403 for a host or an origin that is not allowed, 415 for a body that is not JSON, 413 for one that is
            too large, 408 for one that does not come.
        """
        host = self._check_host(_values(scope, b"host"))
        if scope["type"] == "http" and scope["method"] in _SAFE:
            return receive
        for origin in _values(scope, b"origin"):
            self._check_origin(origin, host)
        if scope["type"] != "http":
            return receive
        types, lengths = _values(scope, b"content-type"), _values(scope, b"content-length")
        told = any(length != "0" for length in lengths) or _values(scope, b"transfer-encoding")
        if told or types:
            self._check_type(types)
        if any(length.isdecimal() and int(length[:20]) > self._max_body for length in lengths):
            raise self._too_large()
        first = await self._body(receive)
        if first.get("body"):
            self._check_type(types)
        return _again(first, receive)

    def _check_type(self, types: list[str]) -> None:
        if len(types) == 1 and _JSON.fullmatch(types[0]):
            return
        said = " and ".join(map(_shown, types)) or "without a Content-Type"
        raise RefusedRequest(
            415, f"a body is JSON here, not {said}: send it as Content-Type: application/json"
        )

    def _check_host(self, hosts: list[str]) -> str:
        host = hosts[0] if len(hosts) == 1 else ""
        name = _host_name(host)
        if not name or not (_is_loopback(name) or _is_below(name, self._hosts)):
            said = " and ".join(map(_shown, hosts)) or "missing"
            # The allowed names are not told: the page that asks may be one that was led here.
            raise RefusedRequest(
                403,
                f"the Host of the request is {said}: call this server by localhost or a name that it allows "
                "(allowed_hosts)",
            )
        return host

    def _check_origin(self, origin: str, host: str) -> None:
        known = _origin(origin)
        if "*" in self._origins or (known or origin) in self._origins:
            return
        if known is None or known[1:] != _place(host, known[0]):
            raise RefusedRequest(
                403,
                f"a page of {_shown(origin)} may change nothing here: let the server allow that origin "
                "(allowed_origins), or ask without a browser",
            )

    def _too_large(self) -> RefusedRequest:
        return RefusedRequest(413, f"a body may have {self._max_body} bytes here: send less")

    async def _body(self, receive: Receive) -> Message:
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_timeout):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return message
                    body += message.get("body", b"")
                    if len(body) > self._max_body:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return {"type": "http.request", "body": bytes(body), "more_body": False}
        except TimeoutError:
            raise RefusedRequest(
                408, f"the body did not come within {self._body_timeout:g} s: send it at once"
            ) from None


class RequestGuard:
    """The rules as ASGI middleware, for a whole app; ``operations_router`` needs none, it has its own.

    A refusal is answered as ``{"detail": …}``, as FastAPI does.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    rules : RequestRules, optional
        By default those for a server that is reached from this machine.

    Examples
    --------
    >>> from fastapi import FastAPI
    >>> from ktrdr_core.guard import RequestGuard, RequestRules
    >>> app = FastAPI()
    >>> app.add_middleware(RequestGuard, rules=RequestRules(allowed_hosts=["words.example"]))
    """

    def __init__(self, app: App, rules: RequestRules | None = None) -> None:
        self._app = app
        self._rules = rules or RequestRules()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            receive = await self._rules.admit(scope, receive)
        except RefusedRequest as refused:
            await _refuse(refused, scope, send)
            return
        await self._app(scope, receive, send)


async def _refuse(refused: RefusedRequest, scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        # Before it is accepted, this is an HTTP 403.
        await send({"type": "websocket.close", "code": 1008})
        return
    body = json.dumps({"detail": refused.message}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _again(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def give() -> Message:
        return waiting.pop() if waiting else await receive()

    return give


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for key, value in scope["headers"] if key == name]


def _each(field: str, given: Iterable[str]) -> list[str]:
    if isinstance(given, str):
        raise InvalidArgumentError(f"{field} is a list of names, not one text: [{given!r}]")
    return list(given)


def _allowed_host(name: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidArgumentError(
            f"allowed_hosts has {name!r}: write a name without scheme and port, api.example or *.example"
        )
    return name.lower().strip("[]").rstrip(".")


def _allowed_origin(origin: str) -> tuple[str, str, int] | str:
    if origin in ("*", "null"):
        return origin
    known = _origin(origin) if isinstance(origin, str) else None
    if known is None:
        raise InvalidArgumentError(
            f"allowed_origins has {origin!r}: write scheme and host, https://app.example or http://localhost:3000"
        )
    return known


def _origin(text: str) -> tuple[str, str, int] | None:
    """Take an origin apart: scheme, name, port; None for what is none."""
    scheme, separator, rest = text.partition("://")
    place = _place(rest, scheme.lower()) if separator and scheme.isalnum() else None
    return None if place is None else (scheme.lower(), *place)


def _place(host: str, scheme: str) -> tuple[str, int] | None:
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    return _plain(found[1]), int(found[2] or _PORTS.get(scheme, 0))


def _host_name(host: str) -> str:
    found = _HOST.fullmatch(host)
    return "" if found is None else _plain(found[1])


def _plain(name: str) -> str:
    return name.lower().strip("[]").rstrip(".")


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_below(name: str, allowed: frozenset[str]) -> bool:
    if "*" in allowed or name in allowed:
        return True
    return any(one.startswith("*.") and name.endswith(one[1:]) for one in allowed)


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
