"""One connection of a simulated gateway."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from . import messages, texts
from .faults import INSTEAD, OF_BARS, changed, place_of
from .frames import BrokenFrame, FrameReader, fields_of, framed, overlong, payload_of, versions_of
from .market import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from .faults import Fault
    from .frames import Field
    from .gateway import Gateway
    from .market import Range
    from .messages import Answers, HistoryRequest
    from .recorded import Row

_READ = 65_536


class Session:
    """Reads requests, and answers each from a task of its own; confined to the simulator's loop."""

    def __init__(
        self,
        gateway: Gateway,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._gateway = gateway
        self._reader, self._writer = reader, writer
        self._tasks: set[asyncio.Task[None]] = set()
        # Requests for bars that have no answer yet.
        self._open: dict[int, asyncio.Task[None]] = {}
        self._sent: deque[float] = deque()
        self._writing = asyncio.Lock()
        self._silent = False
        self._answers: Answers | None = None
        self.number = number
        self.client_id: int | None = None

    @property
    def under_way(self) -> int:
        """How many requests for bars have no answer yet."""
        return len(self._open)

    @property
    def ready(self) -> bool:
        """Whether it has begun: notices go to it from then on."""
        return self.client_id is not None

    async def run(self) -> None:
        """Serve until either side closes."""
        frames = FrameReader()
        greeted = False
        try:
            while data := await self._reader.read(_READ):
                for payload in frames.feed(data):
                    if not greeted:
                        greeted = True
                        self._greet(payload)
                    elif payload:
                        self._take(fields_of(payload))
        except (BrokenFrame, messages.BadMessage) as error:
            self._gateway.broken(self, str(error))
        except (ConnectionError, OSError):
            pass
        finally:
            self.abandon()

    def abandon(self, *, reset: bool = False) -> None:
        """Close the connection, and answer nothing more."""
        for task in [*self._tasks]:
            task.cancel()
        self._gateway.gone(self)
        handle: socket.socket | None = self._writer.get_extra_info("socket")
        if reset and handle is not None:
            with suppress(OSError):
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        self._writer.close()

    def forget(self) -> None:
        """Never answer the requests for bars that are under way."""
        for task in [*self._open.values()]:
            task.cancel()
        self._open.clear()

    # ---- what comes

    def _greet(self, payload: bytes) -> None:
        lowest, highest = versions_of(payload)
        version = min(highest, self._gateway.version)
        if lowest > version or highest < messages.OLDEST:
            raise BrokenFrame(f"no version between {lowest} and {highest} is spoken here")
        self._answers = messages.Answers(version)
        self._go(self._answer("connect", self._gateway.greeting(version)))

    def _take(self, fields: list[str]) -> None:
        now = self._gateway.now()
        count = self._gateway.pacing.message(self._sent, now)
        if count:
            self._say(-1, 100, texts.notice(100, count=count))
            return
        try:
            number = int(fields[0])
            handler = _HANDLERS.get(number)
            self._gateway.saw(self, number, fields)
            if handler is None:
                self._say(-1, 505, f"Fatal Error: Unknown message id. {number}")
            elif self.ready or number == messages.START_API:
                handler(self, fields[1:])
        except (ValueError, IndexError, messages.BadMessage) as error:
            self._say(-1, 320, f"Error reading request. {error}")

    def _start(self, fields: list[str]) -> None:
        wanted = int(fields[1])
        if not self._gateway.takes(self, wanted):
            self._say(-1, 326, texts.notice(326))
            self._go(self._leave())
            return
        self.client_id = wanted
        self._go(self._begin())

    async def _begin(self) -> None:
        for payload in (payload_of(15, 1, self._gateway.account), payload_of(9, 1, 1)):
            await self._write(payload)
        for code in (2104, 2106, 2158):
            self._say(-1, code, texts.notice(code))

    async def _leave(self) -> None:
        async with self._writing:
            with suppress(ConnectionError):
                await self._writer.drain()
        self.abandon()

    def _time(self, _fields: list[str]) -> None:
        self._go(self._answer("time", payload_of(49, 1, int(self._gateway.now()))))

    def _ids(self, _fields: list[str]) -> None:
        self._go(self._write(payload_of(9, 1, 1)))

    def _accounts(self, _fields: list[str]) -> None:
        self._go(self._write(payload_of(15, 1, self._gateway.account)))

    def _nothing(self, *end: Field) -> None:
        self._go(self._write(payload_of(*end)))

    def _contracts(self, fields: list[str]) -> None:
        request, wanted = messages.contract_request(fields)
        if self._gateway.line_is_down:
            # As gateways do while they cannot ask.
            self._say(request, 200, texts.notice(200))
            return
        found = self._gateway.market.found(wanted)
        if not found:
            self._go(self._refuse("contract", request, Refusal(200, texts.notice(200))))
            return
        today = self._gateway.today()
        parts = [self._answers_now.contract(request, each, today) for each in found]
        self._go(self._answer("contract", *parts, payload_of(52, 1, request), request=request))

    def _samples(self, fields: list[str]) -> None:
        found = self._gateway.market.matching(fields[1])
        self._go(self._write(self._answers_now.samples(int(fields[0]), found)))

    def _head(self, fields: list[str]) -> None:
        request = messages.head_request(fields)
        try:
            first = self._gateway.market.head(request)
        except Refusal as refusal:
            self._go(self._refuse("head", request.id, refusal))
            return
        payload = self._answers_now.head(request.id, first, request.format)
        self._go(self._answer("head", payload, request=request.id))

    def _history(self, fields: list[str]) -> None:
        request = messages.history_request(fields)
        if request.id in self._open:
            words = "Error processing request.-'bR' : cause - Duplicate ticker id"
            self._say(request.id, 322, words)
            return
        gateway = self._gateway
        rule = gateway.pacing.history(request, gateway.under_way, gateway.now())
        task = self._go(self._bars(request, rule))
        self._open[request.id] = task
        task.add_done_callback(lambda _: self._ended(request.id, task))

    def _ended(self, number: int, task: asyncio.Task[None]) -> None:
        """Forget a request, unless its number stands for another one by now."""
        if self._open.get(number) is task:
            del self._open[number]

    async def _bars(self, request: HistoryRequest, rule: str) -> None:
        gateway = self._gateway
        try:
            if rule:
                raise gateway.market.pacing()
            found = gateway.market.range_of(request, gateway.now())
            if found.zoneless:
                self._say(-1, 2174, texts.notice(2174))
            await gateway.line()
            if request.show == "SCHEDULE":
                await asyncio.sleep(gateway.answer_seconds(0))
                await self._answer(
                    "history", self._schedule(request, found.start, found.end), request=request.id
                )
                return
            rows = await self._rows(request, found)
        except Refusal as refusal:
            await self._refuse("history", request.id, refusal)
            return
        faults = gateway.faults.of("history")
        rows = changed(rows, [each for each in faults if each.kind in OF_BARS])
        odd = [each.text for each in faults if each.kind == "zone"]
        clock = found.contract.hours(regular=request.regular).clock
        zone = odd[0] if odd else found.contract.zone_id
        stamps = messages.stamps_of(rows, 1 if odd else request.format, clock, zone)
        edges = gateway.edges(found, clock, zone)
        payload = self._answers_now.bars(request.id, rows, stamps, edges)
        gateway.answered(request.id, len(rows))
        await self._send([payload], faults, request.id, bars=True)

    async def _rows(self, request: HistoryRequest, found: Range) -> list[Row]:
        """Make the bars of an answer; what there is not takes as long as no bars."""
        gateway = self._gateway
        try:
            rows = gateway.market.rows(request, found)
        except Refusal:
            await asyncio.sleep(gateway.answer_seconds(0))
            raise
        await asyncio.sleep(gateway.answer_seconds(len(rows)))
        return rows

    def _schedule(self, request: HistoryRequest, start: int, end: int) -> bytes:
        contract = self._gateway.market.the(request.wanted)
        hours = contract.hours(regular=request.regular)
        sessions = list(hours.between(start, end))
        return self._answers_now.schedule(request.id, sessions, hours.clock, contract.zone_id)

    def _cancel_history(self, fields: list[str]) -> None:
        number = int(fields[1])
        task = self._open.pop(number, None)
        if task is None:
            self._say(number, 366, texts.notice(366, id=number))
            return
        task.cancel()
        refusal = self._gateway.market.cancelled(number)
        self._say(number, refusal.code, refusal.text)

    # ---- what goes

    @property
    def _answers_now(self) -> Answers:
        if self._answers is None:
            raise messages.BadMessage("a request before the versions")
        return self._answers

    def _say(self, request: int, code: int, text: str) -> None:
        self._go(self._write(self._answers_now.error(request, code, text)))

    def notice(self, code: int, text: str) -> None:
        """Send a notice."""
        self._say(-1, code, text)

    async def _refuse(self, answer: str, request: int, refusal: Refusal) -> None:
        payload = self._answers_now.error(request, refusal.code, refusal.text)
        await self._answer(answer, payload, request=request)

    async def _answer(self, answer: str, *payloads: bytes, request: int = -1) -> None:
        await self._send(payloads, self._gateway.faults.of(answer), request)

    async def _send(
        self,
        payloads: Sequence[bytes],
        faults: Sequence[Fault],
        request: int,
        *,
        bars: bool = False,
    ) -> None:
        """Send the parts of one answer, with what goes wrong of it."""
        for fault in faults:
            if fault.kind == "notice" and fault.at == "start":
                self._say(-1, fault.code, fault.text or texts.notice(fault.code))
            elif fault.kind == "delay" and fault.at == "start":
                await asyncio.sleep(fault.seconds)
            elif fault.kind in INSTEAD:
                await self._send_instead(fault, request)
                return
        places = [fault for fault in faults if fault.kind not in OF_BARS]
        for number, payload in enumerate(payloads):
            last = number == len(payloads) - 1
            await self._write(payload, places if last or bars else (), bars=bars)

    async def _send_instead(self, fault: Fault, request: int) -> None:
        if fault.kind == "error":
            text = fault.text or self._gateway.market.usual(fault.code)
            await self._write(self._answers_now.error(request, fault.code, text))
        elif fault.kind == "garbage":
            await self._write(b"\xff\xfe garbage \x00\x81\x00not a number\x00")
        elif fault.kind == "overlong":
            async with self._writing:
                self._writer.write(overlong() + b"x" * 1000)

    async def _write(
        self, payload: bytes, faults: Sequence[Fault] = (), *, bars: bool = False
    ) -> None:
        async with self._writing:
            frame = framed(payload)
            done = 0
            for fault in sorted(faults, key=lambda each: place_of(payload, each.at, bars=bars)):
                place = place_of(payload, fault.at, bars=bars)
                place = place and len(frame) - len(payload) + place
                if place > done:
                    self._put(frame[done:place])
                    done = place
                if await self._goes_wrong(fault, frame[done:]):
                    return
            self._put(frame[done:])
            with suppress(ConnectionError):
                await self._writer.drain()

    async def _goes_wrong(self, fault: Fault, rest: bytes) -> bool:
        """Do what goes wrong at this place; whether the rest is no matter any more."""
        if fault.kind in ("fin", "rst"):
            with suppress(ConnectionError):
                await self._writer.drain()
            asyncio.get_running_loop().call_soon(lambda: self.abandon(reset=fault.kind == "rst"))
        elif fault.kind == "mute":
            self._silent = True
        elif fault.kind == "stall" or (fault.kind == "delay" and fault.at != "start"):
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "notice" and fault.at != "start":
            # It cannot come inside a frame.
            self._say(-1, fault.code, fault.text or texts.notice(fault.code))
        elif fault.kind == "drip":
            for number in range(len(rest)):
                self._put(rest[number : number + 1])
                await asyncio.sleep(0)
            return True
        return fault.kind in ("fin", "rst", "mute")

    def _put(self, data: bytes) -> None:
        if not self._silent and not self._writer.is_closing():
            self._writer.write(data)

    def _go(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


_HANDLERS: dict[int, Callable[[Session, list[str]], None]] = {
    messages.START_API: Session._start,
    messages.CURRENT_TIME: Session._time,
    messages.CONTRACT_DATA: Session._contracts,
    messages.HISTORICAL_DATA: Session._history,
    messages.CANCEL_HISTORICAL_DATA: Session._cancel_history,
    messages.HEAD_TIMESTAMP: Session._head,
    messages.CANCEL_HEAD_TIMESTAMP: lambda _session, _fields: None,
    messages.MATCHING_SYMBOLS: Session._samples,
    messages.IDS: Session._ids,
    messages.MANAGED_ACCOUNTS: Session._accounts,
    messages.AUTO_OPEN_ORDERS: lambda _session, _fields: None,
    messages.POSITIONS: lambda session, _: session._nothing(62, 1),
    messages.OPEN_ORDERS: lambda session, _: session._nothing(53, 1),
    messages.COMPLETED_ORDERS: lambda session, _: session._nothing(102),
    messages.ACCOUNT_UPDATES: lambda session, fields: session._nothing(54, 1, fields[2]),
    messages.ACCOUNT_UPDATES_MULTI: lambda session, fields: session._nothing(74, 1, fields[1]),
    messages.EXECUTIONS: lambda session, fields: session._nothing(55, 1, fields[1]),
}
