"""A simulated gateway on its event loop: who is connected, its line to IB, what it saw."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from . import messages, texts
from .faults import Faults
from .pacing import Pacing
from .session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from .market import Market, Range
    from .pacing import PacingRules

_NAMES = {
    messages.START_API: "start",
    messages.CURRENT_TIME: "time",
    messages.CONTRACT_DATA: "contract",
    messages.HISTORICAL_DATA: "history",
    messages.CANCEL_HISTORICAL_DATA: "cancel history",
    messages.HEAD_TIMESTAMP: "head",
    messages.CANCEL_HEAD_TIMESTAMP: "cancel head",
}


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as it came.

    Parameters
    ----------
    at : float
        When, by the simulator's clock. Seconds since 1970.
    connection : int
        From 0, in the order in which they were accepted.
    client_id : int, optional
        None before the connection has begun.
    kind : str
        start, time, contract, history, cancel history, head, cancel head; of another its number.
    fields : tuple of str
        Those behind the number, as they came.
    """

    at: float
    connection: int
    client_id: int | None
    kind: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """How a simulated gateway is set."""

    version: int
    account: str
    clock: Callable[[], float]
    zone: ZoneInfo
    zone_name: str
    answer_seconds: float | Callable[[int], float]
    linger: float


class Gateway:
    """Confined to one loop; ``seen`` is called there after everything that happens."""

    def __init__(
        self, setting: Setting, market: Market, rules: PacingRules, seen: Callable[[], None]
    ) -> None:
        self._setting = setting
        self._seen = seen
        self._listener: asyncio.Server | None = None
        self._sessions: dict[int, Session] = {}
        self._serving: set[asyncio.Task[None]] = set()
        # Client ids that are taken: by whom, or until when.
        self._taken: dict[int, Session | float] = {}
        self._line = asyncio.Event()
        self._line.set()
        self.market = market
        self.pacing = Pacing(rules)
        self.faults = Faults()
        self.requests: list[SeenRequest] = []
        self.broken_frames: list[str] = []
        self.bars_sent: dict[int, int] = {}
        self.accepted = 0
        self.most_at_once = 0

    # ---- its life

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Take connections; give where."""
        self._listener = await asyncio.start_server(self._accept, host, port, backlog=128)
        address: tuple[str, int] = self._listener.sockets[0].getsockname()[:2]
        return address

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(self, self.accepted, reader, writer)
        self.accepted += 1
        self._sessions[session.number] = session
        self.most_at_once = max(self.most_at_once, len(self._sessions))
        self._seen()
        await session.run()

    async def stop_listening(self, *, reset: bool = False) -> None:
        """Take no connection any more, and close those there are."""
        if self._listener is not None:
            self._listener.close()
        for session in [*self._sessions.values()]:
            session.abandon(reset=reset)
        if self._listener is not None:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._listener.wait_closed(), 5.0)
            self._listener = None

    # ---- what sessions ask

    @property
    def version(self) -> int:
        """The newest that it speaks."""
        return self._setting.version

    @property
    def account(self) -> str:
        """The account that is logged in."""
        return self._setting.account

    def answer_seconds(self, bars: int) -> float:
        """Say how long so many bars take."""
        takes = self._setting.answer_seconds
        return takes(bars) if callable(takes) else takes

    @property
    def under_way(self) -> int:
        """How many requests for bars have no answer yet."""
        return sum(session.under_way for session in self._sessions.values())

    def now(self) -> float:
        """Seconds since 1970, by the simulator's clock."""
        return self._setting.clock()

    def today(self) -> date:
        """The date in UTC."""
        return datetime.fromtimestamp(self.now(), UTC).date()

    def greeting(self, version: int) -> bytes:
        """Give what a connection is greeted with."""
        setting = self._setting
        return messages.greeting(version, self.now(), setting.zone, setting.zone_name)

    def edges(self, found: Range, clock: ZoneInfo, zone: str) -> tuple[str, str]:
        """Write the ends of a range."""
        first, last = (
            f"{datetime.fromtimestamp(moment, clock):%Y%m%d %H:%M:%S} {zone}"
            for moment in (found.start, found.end)
        )
        return first, last

    def takes(self, session: Session, client_id: int) -> bool:
        """Give a client id away, unless somebody has it."""
        holder = self._taken.get(client_id)
        free = holder is None or (isinstance(holder, float) and holder <= self.now())
        if free:
            self._taken[client_id] = session
        return free

    def gone(self, session: Session) -> None:
        """Forget a connection."""
        if self._sessions.pop(session.number, None) is None:
            return
        if session.client_id is not None and self._taken.get(session.client_id) is session:
            if self._setting.linger:
                self._taken[session.client_id] = self.now() + self._setting.linger
            else:
                del self._taken[session.client_id]
        self._seen()

    def saw(self, session: Session, number: int, fields: list[str]) -> None:
        """Take note of a request."""
        kind = _NAMES.get(number, str(number))
        self.requests.append(
            SeenRequest(self.now(), session.number, session.client_id, kind, tuple(fields[1:]))
        )
        self._seen()

    def answered(self, request: int, rows: int) -> None:
        """Take note of an answer with bars."""
        self.bars_sent[request] = rows

    def broken(self, session: Session, why: str) -> None:
        """Take note of bytes that no client sends."""
        self.broken_frames.append(f"connection {session.number}: {why}")
        self._seen()

    # ---- who is here

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._sessions)

    @property
    def client_ids(self) -> list[int]:
        """Which client ids are connected, in order."""
        ids = (session.client_id for session in self._sessions.values())
        return sorted(each for each in ids if each is not None)

    def hold_client_id(self, client_id: int) -> None:
        """Let somebody else have it."""
        self._taken[client_id] = float("inf")

    def free_client_id(self, client_id: int) -> None:
        """Let it be free."""
        self._taken.pop(client_id, None)

    def drop(self, *, reset: bool) -> None:
        """Close every connection."""
        for session in [*self._sessions.values()]:
            session.abandon(reset=reset)

    # ---- its line

    @property
    def line_is_down(self) -> bool:
        """Whether it cannot ask IB."""
        return not self._line.is_set()

    async def line(self) -> None:
        """Wait until IB can be asked."""
        await self._line.wait()

    def notice(self, code: int, text: str = "") -> None:
        """Tell everybody; the line's codes take the line down and up."""
        if code in (1100, 2105, 2157, 2110):
            self._line.clear()
        elif code in (1101, 1102, 2106, 2107, 2158):
            if code == 1101:
                # What was asked is lost.
                for session in self._sessions.values():
                    session.forget()
            self._line.set()
        for session in self._sessions.values():
            if session.ready:
                session.notice(code, text or texts.notice(code))
