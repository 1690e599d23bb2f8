"""One connection to a gateway, by ib_async's client: each request ends with its answer or its error, whichever comes first.

ib_async's own ``IB`` waits out a timeout where an error event has ended a request (321) or a connection (326), and takes what
cannot be read as no answer. Here every event ends what it is about at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
import weakref
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ..._extras import needed_by
from .codes import MOVED, TOO_MANY_MESSAGES, Kind, kind_of, port_of
from .refusals import GatewayError
from .sending import Line, TakenBack

with needed_by("IbGatewaySource"):
    import ib_async
    from ib_async.client import Client
    from ib_async.decoder import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from ib_async.wrapper import Wrapper

    from .durations import Asked

# Where ib_async's client writes: nothing above DEBUG, however its own logger is set.
_THEIR_LOG = logging.getLogger("ktrdr_core.sources.ib_async")
_THEIR_LOG.addFilter(lambda record: record.levelno <= logging.DEBUG)
# No gateway sends a longer message. Bytes.
_LONGEST = 0xFFFFFF
# The message of bars, and how many fields a bar has.
_HISTORICAL_DATA, _OF_A_BAR = 17, 8
# Within how long ib_async's client lets its 45 messages through. It counts when they are sent and the gateway, which takes 50 a
# second, when they come: those of one second may come late, and the next ones at once. Seconds.
_INTERVAL = 1.25
# Numbers what gateways say of several requests at once.
_NOTICES = count(1)
# How long ago a message was sent at most that the gateway refuses as one too many. Seconds.
_REFUSED_LATE = 2.0
# How long the end of a connection may take before it is cut. Seconds.
_CLOSING = 1.0
# How old what the gateway's clock said may be. Seconds.
_TIME_KEPT = 5.0


class ConnectionLost(Exception):
    """The connection ended before the answer came; why."""


class ClientIdTaken(Exception):
    """Somebody else has the client id."""


class AnsweredBars(NamedTuple):
    """The columns of an answer, as text."""

    stamps: list[str]
    open: list[str]
    high: list[str]
    low: list[str]
    close: list[str]
    volume: list[str]


@dataclass
class _Request:
    """A request that has no answer yet."""

    answer: asyncio.Future[Any]
    #: By the loop's clock.
    made: float
    parts: list[Any] = field(default_factory=list)
    #: What waited in ib_async's line when it was made; None where it was sent at once.
    waited: str | None = None
    #: The gateway may work on it, though it has ended here.
    left_open: bool = False


class _Events:
    """What ib_async's client tells: the methods of IB's EWrapper that matter here."""

    def __init__(self, notice: Callable[[int, str], None]) -> None:
        self.requests: dict[int, _Request] = {}
        self.times: list[asyncio.Future[int]] = []
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        #: When something came last, by the loop's clock.
        self.heard = asyncio.get_running_loop().time()
        #: What waits to be sent, and what was taken back. Weak: they hold the client, which holds this.
        self.line: weakref.ref[Line] | None = None
        self.taken_back: weakref.ref[TakenBack] | None = None
        #: Whether requests can be made.
        self.ready = False
        #: Whether a question was answered.
        self.answered = False
        #: What the gateway's clock said, in seconds since 1970, and when by the loop's.
        self.told: tuple[int, float] | None = None
        #: Where it says that it listens from now on.
        self.moved_to: int | None = None
        self._notice = notice

    def lose(self, why: str) -> None:
        """Let the connection be over."""
        if not self.gone.done():
            self.gone.set_result(why)
        for request in self.requests.values():
            if not request.answer.done():
                request.answer.set_exception(ConnectionLost(why))
        for waiting in self.times:
            if not waiting.done():
                waiting.set_exception(ConnectionLost(why))
        self.times.clear()

    def _end(self, number: int, value: Any) -> None:
        request = self.requests.get(number)
        if request is not None and not request.answer.done():
            self.answered = True
            request.answer.set_result(value)

    # ---- by the names that the client calls

    def tcpDataArrived(self) -> None:  # noqa: N802 - the client's name for it
        self.heard = asyncio.get_running_loop().time()

    def connectAck(self) -> None:  # noqa: N802
        """Nothing: the start follows by itself."""

    def nextValidId(self, number: int) -> None:  # noqa: N802
        """Nothing: the client keeps it."""

    def managedAccounts(self, accounts: str) -> None:  # noqa: N802
        """Nothing: the client keeps them."""

    def setEventsDone(self) -> None:  # noqa: N802
        self.lose("the gateway closed the connection")

    def connectionClosed(self) -> None:  # noqa: N802
        self.lose("the gateway closed the connection")

    def error(self, number: int, code: int, text: str, _json: str = "") -> None:
        kind = kind_of(code, text)
        if code == 326 and self.ready:
            # Somebody else has it now: so says the gateway where it is asked for again.
            kind = Kind.lost
        elif code == 326:
            if not self.gone.done():
                self.gone.set_exception(ClientIdTaken(text))
            return
        request = self.requests.get(number)
        taken_back = None if self.taken_back is None else self.taken_back()
        if request is None and code == TOO_MANY_MESSAGES:
            self._refuse_late(code, text)
            if taken_back is not None:
                taken_back.refused(_REFUSED_LATE)
        if request is None and taken_back is not None:
            taken_back.ended(number)
        if request is None or kind is Kind.notice or kind is Kind.lost:
            self._notice(code, text)
        if kind is Kind.lost:
            self.moved_to = port_of(text) if code == MOVED else None
            self.lose(f"the gateway says {code}: {text}")
        elif request is not None and kind is not Kind.notice and not request.answer.done():
            self.answered = True
            request.answer.set_exception(GatewayError(code, text))

    def _refuse_late(self, code: int, text: str) -> None:
        """Let what was sent lately be made again: the gateway does not say which message it has not taken.

        When a message was sent that had to wait nobody knows; one that still waits is sent in its turn.
        """
        since = asyncio.get_running_loop().time() - _REFUSED_LATE
        told = next(_NOTICES)
        line = None if self.line is None else self.line()
        for request in self.requests.values():
            late = request.made >= since or request.waited is not None
            waits = line is not None and line.place_of(request.waited) is not None
            if late and not waits and not request.answer.done():
                # All but one of these were taken.
                request.left_open = True
                request.answer.set_exception(GatewayError(code, text, told))

    def bars(self, number: int, bars: AnsweredBars) -> None:
        self._end(number, bars)

    def contractDetails(self, number: int, details: Any) -> None:  # noqa: N802
        request = self.requests.get(number)
        if request is not None:
            request.parts.append(details)

    def bondContractDetails(self, number: int, details: Any) -> None:  # noqa: N802
        self.contractDetails(number, details)

    def contractDetailsEnd(self, number: int) -> None:  # noqa: N802
        request = self.requests.get(number)
        if request is not None:
            self._end(number, request.parts)

    def headTimestamp(self, number: int, text: str) -> None:  # noqa: N802
        self._end(number, text)

    def currentTime(self, seconds: int) -> None:  # noqa: N802
        self.told = seconds, asyncio.get_running_loop().time()
        waiting, self.times = self.times, []
        for each in waiting:
            if not each.done():
                each.set_result(seconds)


class _Strict(Decoder):
    """Tells of what cannot be read: whose answer it was is not known, so the connection is no use any more.

    Bars are read column by column; one object for each would take most of the time.
    """

    def __init__(self, events: _Events) -> None:
        super().__init__(cast("Wrapper", events), 0)
        self._events = events
        self.handlers[_HISTORICAL_DATA] = self._bars

    def _bars(self, fields: list[str]) -> None:
        count = int(fields[4])
        if count < 0 or len(fields) != 5 + _OF_A_BAR * count:
            raise ValueError(f"{len(fields)} fields for {count} bars")
        columns = [fields[place::_OF_A_BAR] for place in range(5, 11)] if count else [[]] * 6
        self._events.bars(int(fields[1]), AnsweredBars(*columns))

    def interpret(self, fields: list[str]) -> None:
        try:
            handler = self.handlers.get(int(fields[0]))
            if handler is not None:
                handler(fields)
        except Exception as error:  # noqa: BLE001 - bytes of others
            self._events.lose(
                f"the gateway sent what is no message: {type(error).__name__} at {str(fields[:2])[:80]}"
            )


class _Lengths:
    """Looks at the lengths of frames as they come: the client takes any."""

    def __init__(self, events: _Events) -> None:
        self._events = events
        self._head = b""
        self._left = 0

    def look(self, data: bytes) -> None:
        """Go over what came."""
        place = 0
        while place < len(data):
            if self._left:
                step = min(self._left, len(data) - place)
                self._left -= step
                place += step
                continue
            step = min(4 - len(self._head), len(data) - place)
            self._head += data[place : place + step]
            place += step
            if len(self._head) == 4:
                (self._left,) = struct.unpack(">I", self._head)
                self._head = b""
                if self._left > _LONGEST:
                    self._events.lose(f"the gateway sent a message of {self._left} bytes")
                    return


class GatewayClient:
    """A connection that is ready, until ``gone`` is done; confined to one loop."""

    def __init__(self, notice: Callable[[int, str], None]) -> None:
        self._events = _Events(notice)
        self._client = Client(self._events)
        self._client.RequestsInterval = _INTERVAL  # type: ignore[assignment]  # 1 by default
        # What it would write of lost connections, as an error each time, is told here.
        self._client._logger = _THEIR_LOG
        self._line = Line(self._client)
        self._events.line = weakref.ref(self._line)
        self._taken_back = TakenBack(self._events.gone)
        self._events.taken_back = weakref.ref(self._taken_back)
        self._client.decoder = _Strict(self._events)
        # The event holds whom it tells weakly.
        self._lengths = _Lengths(self._events)
        self._client.conn.hasData += self._lengths.look
        self._account = ""
        # When the gateway's time is asked for again, by the loop's clock.
        self._time_due = 0.0

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        client_id: int,
        limit: float,
        notice: Callable[[int, str], None],
    ) -> GatewayClient:
        """Connect, and wait until requests can be made.

        Raises
        ------
        ClientIdTaken
            When somebody else has the id.
        ConnectionLost
            When the gateway closes the connection, cannot be reached, or is not ready within ``limit`` seconds.
        """
        self = cls(notice)
        connecting = asyncio.ensure_future(
            self._client.connectAsync(host, port, client_id, timeout=limit)
        )
        try:
            await asyncio.wait({connecting, self.gone}, return_when=asyncio.FIRST_COMPLETED)
            # Its own timeout closes the connection, and that is not what the gateway did.
            if connecting.done() and isinstance(connecting.exception(), TimeoutError):
                await connecting
            if self.gone.done():
                raise ConnectionLost(self.gone.result())
            await connecting
            self._account = ",".join(sorted(self._client.getAccounts()))
            self._events.ready = True
        except (OSError, TimeoutError) as error:
            await self.close()
            raise ConnectionLost(
                f"not ready within {limit:g} s" if isinstance(error, TimeoutError) else str(error)
            ) from error
        except BaseException:
            await self.close()
            raise
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
        return self

    @property
    def gone(self) -> asyncio.Future[str]:
        """Done when the connection is over: why."""
        return self._events.gone

    @property
    def version(self) -> int:
        """Which version of the protocol is spoken."""
        version: int = self._client.serverVersion()
        return version

    @property
    def account(self) -> str:
        """Whose rules of pacing hold: the accounts that are logged in, in order, between commas."""
        return self._account

    @property
    def silent_for(self) -> float:
        """How long nothing came. Seconds."""
        return asyncio.get_running_loop().time() - self._events.heard

    @property
    def has_answered(self) -> bool:
        """Whether it has answered a question."""
        return self._events.answered

    @property
    def moved_to(self) -> int | None:
        """At which port the gateway says that it listens from now on."""
        return self._events.moved_to

    @property
    def now(self) -> datetime | None:
        """What time it is by the gateway's clock, as far as it has told; never later. Aware, UTC."""
        told = self._events.told
        if told is None:
            return None
        passed = asyncio.get_running_loop().time() - told[1]
        return datetime.fromtimestamp(told[0], UTC) + timedelta(seconds=passed)

    def note_time(self) -> None:
        """Ask for the time where it was not told lately; nobody waits for the answer."""
        now = asyncio.get_running_loop().time()
        if now < self._time_due or self.gone.done():
            return
        self._time_due = now + _TIME_KEPT
        with contextlib.suppress(ConnectionError):
            self._client.reqCurrentTime()

    def ask_again(self, why: str) -> None:
        """Let every request that is open be made anew."""
        for request in self._events.requests.values():
            if not request.answer.done():
                request.answer.set_exception(ConnectionLost(why))

    async def close(self, why: str = "the connection was closed here") -> None:
        """End the connection, and wait until it has ended; ``why`` is told to those who wait for an answer."""
        self._events.lose(why)
        self._events.gone.exception()
        transport = self._client.conn.transport
        with contextlib.suppress(OSError, RuntimeError):
            self._client.disconnect()
        deadline = asyncio.get_running_loop().time() + _CLOSING
        while self._client.conn.transport is not None:
            if asyncio.get_running_loop().time() > deadline:
                # What waits to be sent is waited for no longer.
                if transport is not None:
                    transport.abort()
                deadline += _CLOSING
            await asyncio.sleep(0.005)

    # ---- requests

    def _check(self) -> None:
        if self.gone.done():
            raise ConnectionLost("the connection is over")

    async def current_time(self) -> int:
        """Ask for the time: a real round trip. Seconds since 1970.

        Raises
        ------
        ConnectionLost
            When the connection ends before the answer comes.
        """
        self._check()
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._events.times.append(answer)
        self._client.reqCurrentTime()
        return await answer

    async def passed(self) -> bool:
        """Wait until the gateway has taken all that was sent before; false where the connection ends first."""
        try:
            await self.current_time()
        except ConnectionLost:
            return False
        return True

    async def details(self, fields: dict[str, Any]) -> list[Any]:
        """Ask which contracts there are.

        Raises
        ------
        GatewayError, ConnectionLost
            As the gateway answers.
        """
        contract = ib_async.Contract(**fields)
        found: list[Any] = await self._ask(
            lambda number: self._client.reqContractDetails(number, contract), None
        )
        return found

    async def head(self, contract: Any, show: str, regular: bool) -> str:
        """Ask for the first timestamp.

        Raises
        ------
        GatewayError, ConnectionLost
            As the gateway answers.
        """

        def send(number: int) -> None:
            self._client.reqHeadTimeStamp(number, contract, show, regular, 2)

        # One that is not taken back counts as open for ever.
        text: str = await self._ask(send, self._client.cancelHeadTimeStamp, always=True)
        return text

    async def bars(self, contract: Any, asked: Asked, show: str, regular: bool) -> AnsweredBars:
        """Ask for bars; a task that is cancelled takes the request back.

        Raises
        ------
        GatewayError, ConnectionLost
            As the gateway answers.
        """

        def send(number: int) -> None:
            self._client.reqHistoricalData(
                number, contract, asked.end, asked.duration, asked.size, show, regular, 2, False, []
            )

        found: AnsweredBars = await self._ask(send, self._client.cancelHistoricalData)
        return found

    async def _ask(
        self,
        send: Callable[[int], None],
        take_back: Callable[[int], None] | None,
        *,
        always: bool = False,
    ) -> Any:
        self._check()
        number = self._client.getReqId()
        loop = asyncio.get_running_loop()
        request = _Request(loop.create_future(), loop.time())
        self._events.requests[number] = request
        try:
            send(number)
            # Where anything waits, this is the last of it.
            request.waited = self._line.last
            return await request.answer
        finally:
            open_still = not request.answer.done() or request.answer.cancelled()
            self._events.requests.pop(number, None)
            was_sent = not self._line.drop(request.waited)
            if take_back is not None and (open_still or request.left_open or always) and was_sent:
                # Where too much was sent, what is taken back waits for its turn.
                ahead = self._line.ahead if open_still else None
                self._taken_back.send(number, partial(take_back, number), ahead)
