"""What an HTTP request brings: a response, one that is read as it comes, or events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from .._bridge.replies import reply, wait_for_reply
from .._core import ServerEvent
from ..errors import InvalidArgumentError
from .charsets import charset_of
from .lines import Lines

if TYPE_CHECKING:
    from typing import Self

    from .. import _core
    from .._bridge.foreign import ForeignToken

T = TypeVar("T")


class Headers(Mapping[str, str]):
    """Header fields; names compare without case. Of a name that came twice the values are joined by ``", "``."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def get_list(self, name: str) -> list[str]:
        """Give every value of a name, in the order in which they came."""
        wanted = name.lower()
        return [value for key, value in self._fields if key.lower() == wanted]

    def multi_items(self) -> list[tuple[str, str]]:
        """Give every field as it came."""
        return list(self._fields)

    def __getitem__(self, name: str) -> str:
        values = self.get_list(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key.lower() for key, _ in self._fields))

    def __len__(self) -> int:
        return len({key.lower() for key, _ in self._fields})

    def __repr__(self) -> str:
        # Values may be secrets: cookies, tokens.
        return f"<Headers {', '.join(self)}>"


class _Head:
    """What a response and a stream have in common: the head, and what was asked."""

    _headers: Headers | None = None

    def __init__(self, native: _core.HttpResponse, method: str, url: str) -> None:
        self._native = native
        self.method = method
        self._asked_url = url
        self.status_code = native.status_code

    @property
    def url(self) -> str:
        return self._native.url or self._asked_url.partition("#")[0]

    @property
    def redirects(self) -> list[str]:
        return self._native.redirects

    @property
    def headers(self) -> Headers:
        if self._headers is None:
            self._headers = Headers(self._native.headers)
        return self._headers

    @property
    def elapsed(self) -> float:
        return self._native.elapsed

    @property
    def attempts(self) -> list[dict[str, Any]]:
        return self._native.attempts

    @property
    def is_success(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status_code <= 299

    def raise_for_status(self) -> Self:
        """Give the response itself, for a chain of calls.

        Raises
        ------
        StatusError
            For 4xx and 5xx, with the service's own reason and the first 4 KiB of the body (of a stream without them).
        """
        self._native.raise_for_status(*self._asked())
        return self

    def _asked(self) -> tuple[str, str, str]:
        url = self.url.partition("?")[0]
        return urlsplit(url).netloc, self.method, url

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status_code} of {self.method} {self.url.partition('?')[0]}>"


class Response(_Head):
    """A response, whole.

    Attributes
    ----------
    status_code : int
        Any status; only ``raise_for_status`` makes an error of it.
    headers : Headers
    content : bytes
        The body.
    method, url : str
        What was asked; after redirects the address that answered.
    redirects : list of str
        The addresses that led to another, in their order.
    elapsed : float
        Seconds from the start of the call, all attempts together.
    attempts : list of dict
        Those that did not succeed: ``attempt``, ``phase``, ``request_sent``, ``elapsed_ms``, ``status`` or ``error``,
        ``pause_ms`` or ``stopped_by``.
    """

    @property
    def content(self) -> bytes:
        return self._native.content

    @property
    def text(self) -> str:
        """The body as text: in the charset of ``Content-Type``, else UTF-8; what does not fit is shown as U+FFFD."""
        return self.content.decode(charset_of(self.headers), "replace")

    def json(self) -> Any:
        """Decode the body. Floats are those of ``json.loads``; an integer beyond 64 bits comes as a float.

        Raises
        ------
        ProtocolError
            For a body that is not JSON, with its beginning.
        """
        return self._native.json(*self._asked())


class StreamedResponse(_Head):
    """A response whose body is read as it comes.

    What is not read yet waits with us up to 1 MiB, and with the service beyond that, so a slow reader costs no memory; of
    a packed response, up to what 4 KiB of it (by TLS 16) unpack to, a thousandfold at worst. Read it once, on one task or
    thread.

    Attributes
    ----------
    status_code : int
    headers : Headers
    method, url : str
        What was asked; after redirects the address that answered.
    redirects : list of str
        The addresses that led to another, in their order.
    elapsed : float
        Seconds until the head was there.
    attempts : list of dict
        Those that did not succeed; see ``Response``.
    """

    def __init__(
        self,
        native: _core.HttpStream,
        method: str,
        url: str,
        foreign: ForeignToken | None = None,
    ) -> None:
        super().__init__(native.head, method, url)
        self._pieces = _Reading[bytes](native, foreign)
        self._read: list[bytes] = []

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Give the body piece by piece, unpacked. Who stops early, or gives up waiting, misses nothing later on.

        Raises
        ------
        HostServiceError
            When the response breaks off, or is silent for longer than ``Timeouts.between_bytes``.
        """
        return self._pieces

    async def aread(self) -> bytes:
        """Give what is left of the body; who gives up waiting can call it again."""
        async for piece in self._pieces:
            self._read.append(piece)
        return self._joined()

    def aiter_lines(self) -> AsyncIterator[str]:
        """Give the body line by line, as text in the charset of ``Content-Type``, without the lines' ends.

        A line ends with ``\\n``, ``\\r\\n`` or ``\\r``. Who stops early misses nothing later on, by the same iterator.

        Raises
        ------
        ResponseTooLargeError
            For a line of more than 16 Mi characters.
        HostServiceError
            See ``aiter_bytes``.
        """
        return Lines(self._pieces, self._pieces, charset_of(self.headers))

    def iter_lines(self) -> Iterator[str]:
        """``aiter_lines`` for a thread without a running event loop."""
        return Lines(self._pieces, self._pieces, charset_of(self.headers))

    def iter_bytes(self) -> Iterator[bytes]:
        """``aiter_bytes`` for a thread without a running event loop."""
        return self._pieces

    def read(self) -> bytes:
        """Give what is left of the body, on a thread without a running event loop."""
        self._read.extend(self._pieces)
        return self._joined()

    def _joined(self) -> bytes:
        body = b"".join(self._read)
        self._read.clear()
        return body


class _Reading(Generic[T]):
    """What comes one after the other. No generator: that would be over with a wait that was given up."""

    def __init__(
        self, native: _core.HttpStream | _core.HttpEvents, foreign: ForeignToken | None = None
    ) -> None:
        self._native = native
        self._foreign = foreign
        self._heard = 0
        self._here: Iterator[T] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        item = next(self._here, None)
        if item is None:
            item = self._hear(await reply(self._ask))
        if item is None:
            raise StopAsyncIteration
        return item

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        item = next(self._here, None)
        if item is None:
            item = self._hear(wait_for_reply(self._ask))
        if item is None:
            raise StopIteration
        return item

    def _ask(self, mailbox: _core.Mailbox, key: int) -> None:
        if self._foreign is not None:
            self._foreign.watch_reply(key)
        self._native.next(self._heard, mailbox, key)

    def _hear(self, news: Iterable[T]) -> T | None:
        self._heard += 1
        self._here = iter(news)
        return next(self._here, None)


def checked_patience(reconnect_for: float | None) -> float | None:
    if reconnect_for is not None and not reconnect_for >= 0:
        raise InvalidArgumentError(
            f"reconnect_for must be at least 0 seconds, not {reconnect_for!r}"
        )
    return reconnect_for


class EventStream(_Reading[ServerEvent]):
    """Server-sent events, for as long as the service sends them: ``async for event in client.events(url)``.

    A connection that breaks, ends or is silent for ``Timeouts.between_bytes`` is made anew, with the id of the last event,
    after the time that the service asked for (``retry:``, else a second), 0.1 s at least; longer and longer, up to 10 s,
    where connections bring no event. It ends with a response 204, and with an error when the service answers anything
    else than events, or cannot be reached again; ``reconnect_for`` says how long it may stay away before that.

    Iterate it once, on one task or thread; who gives up waiting for an event misses none later on. Leaving an ``async with``
    (or ``with``) block, or ``close()``, ends it.
    """

    def close(self) -> None:
        """Let go of the connection; whoever waits for an event hears of it."""
        self._native.close()

    async def __aenter__(self) -> EventStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
