"""A gateway of Interactive Brokers that is none: the face of the simulator, for any thread."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from ..._frames import native_bars
from ...bars import Bars
from .contracts import SimulatedContract
from .gateway import Gateway, SeenRequest, Setting
from .market import Market
from .messages import NEWEST, OLDEST
from .pacing import PacingRules
from .texts import HISTORY

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Coroutine, Mapping

    from ..._frames import Frame
    from .faults import Fault

T = TypeVar("T")

# How long its thread may take for what is asked of it. Seconds.
_LIMIT = 30.0


class IbGatewaySimulator:
    """Speaks the text protocol of TWS and IB Gateway on loopback, from bars that it is given, until it is closed.

    It needs no account and no program of IB, and goes wrong on purpose: see ``Fault``. Any client of the protocol can
    talk to it, whatever it is written in.

    Thread safety: every member from any thread; it runs on a thread of its own.

    Parameters
    ----------
    bars : mapping, optional
        ``{(contract, size): frame}``. A contract is a ``SimulatedContract``, or text: ``AAPL`` is a stock, ``EUR.USD`` a
        currency pair. A size is IB's (``1 min``, ``5 secs``) or ours (``1m``); longer bars are made of shorter ones,
        session by session. A frame is anything that ``DataManager.store`` takes: stamps are bars' starts in UTC, those of
        days 00:00 of the session's date.
    host, port : str, int
        Where it listens; 0 for any free port.
    version : int
        The newest version of the protocol that it speaks, 157 to 178.
    pacing : PacingRules, optional
        How often it may be asked.
    language : str
        Of error texts: en, es, de or zh.
    zone, zone_name : str
        The clock of the gateway's machine, and under which name it greets; by default that of the zone.
    clock : callable
        Gives the time, seconds since 1970.
    answer_seconds : float or callable
        How long each request for bars takes; a callable is told how many bars its answer has.
    linger : float
        How long a client id stays taken when its connection has ended. Seconds.
    account : str
        The account that is logged in.

    Raises
    ------
    ValueError
        For a version, size, language or zone that there is none, and a port or a time that cannot be.
    OSError
        When it cannot listen there.

    Examples
    --------
    >>> from ktrdr_core.testing import IbGatewaySimulator
    >>> days = {"timestamp": ["2024-01-02", "2024-01-03"], "open": [1, 2], "high": [2, 3], "low": [1, 1], "close": [2, 2]}
    >>> with IbGatewaySimulator({("ACME", "1 day"): days}) as gateway:
    ...     print(gateway.connections)
    0
    """

    def __init__(
        self,
        bars: (
            Mapping[tuple[str, str], Frame]
            | Mapping[tuple[SimulatedContract, str], Frame]
            | Mapping[tuple[SimulatedContract | str, str], Frame]
            | None
        ) = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        version: int = NEWEST,
        pacing: PacingRules | None = None,
        language: str = "en",
        zone: str = "America/New_York",
        zone_name: str = "",
        clock: Callable[[], float] = time.time,
        answer_seconds: float | Callable[[int], float] = 0.0,
        linger: float = 0.0,
        account: str = "DU0000001",
    ) -> None:
        if not OLDEST <= version <= NEWEST:
            raise ValueError(f"version must be {OLDEST} to {NEWEST}, not {version}")
        if language not in HISTORY:
            raise ValueError(f"language must be one of {', '.join(HISTORY)}, not {language!r}")
        if not 0 <= port <= 65_535:
            raise ValueError(f"port must be 0 to 65535, not {port}")
        for name, seconds in (("answer_seconds", answer_seconds), ("linger", linger)):
            if not callable(seconds) and not seconds >= 0:
                raise ValueError(f"{name} must be 0 or more, not {seconds}")
        clock_of_machine = _zone(zone)
        market = Market(language, clock_of_machine)
        given: Any = (bars or {}).items()
        for (contract, size), frame in given:
            market.give(_contract(contract), size, Bars(native_bars(frame)[0]))
        setting = Setting(
            version,
            account,
            clock,
            clock_of_machine,
            zone_name or zone,
            answer_seconds,
            linger,
        )
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._gateway = Gateway(setting, market, pacing or PacingRules(), self._notify)
        self._thread = threading.Thread(
            target=self._run, name="ktrdr_core ib simulator", daemon=True
        )
        self._thread.start()
        try:
            self.host, self.port = self._wait(self._gateway.listen(host, port))
        except BaseException:
            self._end()
            raise

    # ---- its life

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_LIMIT)

    def _ask(self, question: Callable[[], T]) -> T:
        """Ask on its loop."""
        if not self._thread.is_alive():
            return question()

        async def asked() -> T:
            return question()

        return self._wait(asked())

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def close(self) -> None:
        """Close every connection and end."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._gateway.stop_listening(), self._loop).result(
                _LIMIT
            )
            self._end()

    def __enter__(self) -> IbGatewaySimulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<IbGatewaySimulator {self.host}:{self.port}>"

    # ---- what it has

    def give(self, contract: SimulatedContract | str, size: str, frame: Frame) -> None:
        """Give a contract its bars of one size, in place of those it had.

        Raises
        ------
        ValueError
            For a size that there is none.
        """
        bars = Bars(native_bars(frame)[0])
        self._ask(lambda: self._gateway.market.give(_contract(contract), size, bars))

    def add(self, contract: SimulatedContract) -> None:
        """Let a contract be known that has no bars."""
        self._ask(lambda: self._gateway.market.add(contract))

    # ---- what goes wrong

    def fault(self, fault: Fault) -> None:
        """Let something go wrong with the next answer that it fits."""
        self._ask(lambda: self._gateway.faults.add(fault))

    def recover(self) -> None:
        """Let nothing go wrong any more with answers to come."""
        self._ask(self._gateway.faults.clear)

    def notice(self, code: int, text: str = "") -> None:
        """Tell every client; 1100, 2105, 2110 and 2157 take the line to IB down, 1101, 1102, 2106, 2107 and 2158 up.

        While the line is down no bars come, and contracts are unknown (200); after 1101 what was asked before is lost.
        """
        self._ask(lambda: self._gateway.notice(code, text))

    def drop(self, *, reset: bool = False) -> None:
        """Close every connection, by a reset if so wanted; who connects again is let in."""
        self._ask(lambda: self._gateway.drop(reset=reset))

    def stop_listening(self, *, reset: bool = False) -> None:
        """Go, as for the nightly restart: close every connection, and let nobody in until ``listen_again``."""
        self._wait(self._gateway.stop_listening(reset=reset))

    def listen_again(self) -> None:
        """Come back, at the same port.

        Raises
        ------
        OSError
            When somebody else listens there now.
        """
        self._wait(self._gateway.listen(self.host, self.port))

    def hold_client_id(self, client_id: int) -> None:
        """Let somebody else have a client id: who asks for it gets 326."""
        self._ask(lambda: self._gateway.hold_client_id(client_id))

    def free_client_id(self, client_id: int) -> None:
        """Let a client id be free."""
        self._ask(lambda: self._gateway.free_client_id(client_id))

    # ---- what it saw

    @property
    def requests(self) -> list[SeenRequest]:
        """What was asked, in order."""
        return self._ask(lambda: list(self._gateway.requests))

    @property
    def violations(self) -> Counter[str]:
        """How often a pacing rule was broken, by its name: same_again, burst, window, open, messages."""
        return self._ask(lambda: self._gateway.pacing.violations.copy())

    @property
    def broken_frames(self) -> list[str]:
        """What came and is no frame of the protocol."""
        return self._ask(lambda: list(self._gateway.broken_frames))

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._ask(lambda: self._gateway.connections)

    @property
    def accepted(self) -> int:
        """How many connections have been accepted."""
        return self._ask(lambda: self._gateway.accepted)

    @property
    def most_at_once(self) -> int:
        """The most connections that were open at once."""
        return self._ask(lambda: self._gateway.most_at_once)

    @property
    def client_ids(self) -> list[int]:
        """The client ids that are connected, in order."""
        return self._ask(lambda: self._gateway.client_ids)

    @property
    def under_way(self) -> int:
        """How many requests for bars have no answer yet."""
        return self._ask(lambda: self._gateway.under_way)

    def count(self, kind: str) -> int:
        """How many requests of a kind came: start, time, contract, history, cancel history, head, cancel head."""
        return sum(request.kind == kind for request in self.requests)

    def wait_until(
        self, condition: Callable[[IbGatewaySimulator], bool], timeout: float = 20.0
    ) -> None:
        """Block until the condition holds; it is looked at whenever a request comes, or a connection comes or goes.

        Raises
        ------
        TimeoutError
            When it does not within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while not condition(self):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(
                    f"not within {timeout} s: {len(self.requests)} requests, {self.connections} connections"
                )
            # What happened since the look wakes nobody: it is looked at again soon.
            with self._changed:
                self._changed.wait(min(left, 0.05))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"zone {name!r} is not in the IANA database") from None


def _contract(given: SimulatedContract | str) -> SimulatedContract:
    if isinstance(given, SimulatedContract):
        return given
    first, dot, second = given.partition(".")
    if dot and len(first) == 3 and len(second) == 3:
        return SimulatedContract(first, "CASH", currency=second)
    return SimulatedContract(given)
