"""What may go wrong at a simulated gateway, by name, for those who start it from a terminal."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import texts
from .faults import ANSWERS, PLACES, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from .simulator import IbGatewaySimulator

    Work = Callable[[IbGatewaySimulator, threading.Event, float], None]

_WRITTEN = re.compile(
    r"(?P<name>[a-z0-9-]+)(?:=(?P<seconds>\d+(?:\.\d+)?))?(?:@(?P<on>[a-z]+)(?::(?P<at>[a-z ]+))?)?(?:\*(?P<times>\d+|always))?"
)
# How long what lasts does, where nobody says. Seconds.
_LASTS = 5.0
# How long anything may. Seconds.
_LONGEST = 86_400.0
_FACTS = {"what": "AAPL@SMART Trades", "id": 7, "exchange": "NASDAQ", "type": "STK"}


@dataclass(frozen=True)
class Trouble:
    """One of them.

    Parameters
    ----------
    about : str
        What happens, for a person.
    kind, on, at, code, text
        Of the ``Fault`` that it is; a text in braces is that kind of a text of 162, in the gateway's language.
    lasts : bool
        Whether it takes a number of seconds.
    work : callable, optional
        What is done in place of a fault, once bars are asked for; it gets what ends it, and the seconds.
    """

    about: str
    kind: str = ""
    on: str = "history"
    at: str = "start"
    code: int = 0
    text: str = ""
    lasts: bool = False
    work: Work | None = None


def _line(lost: int, back: int) -> Work:
    def work(gateway: IbGatewaySimulator, ended: threading.Event, seconds: float) -> None:
        gateway.notice(lost)
        ended.wait(seconds)
        gateway.notice(back)

    return work


def _restart(gateway: IbGatewaySimulator, ended: threading.Event, seconds: float) -> None:
    gateway.stop_listening()
    ended.wait(seconds)
    gateway.listen_again()


def _said(code: int, about: str, text: str = "") -> Trouble:
    return Trouble(f"error {code}: {about}", "error", code=code, text=text)


#: By name.
TROUBLES = {
    "delay": Trouble("an answer comes late", "delay", lasts=True),
    "stall": Trouble("a connection says nothing for a while, then everything", "stall", lasts=True),
    "mute": Trouble("a connection says nothing any more", "mute"),
    "half-frame": Trouble("half an answer, then nothing", "mute", at="middle"),
    "silence": Trouble("an answer never comes; others do", "silence"),
    "fin": Trouble("a connection is closed", "fin", at="middle"),
    "rst": Trouble("a connection is reset", "rst", at="middle"),
    "drip": Trouble("an answer comes one byte at a time", "drip"),
    "garbage": Trouble("bytes that are no message", "garbage"),
    "overlong": Trouble("the length of a frame that nobody may take", "overlong"),
    "unordered": Trouble("bars are shuffled", "unordered"),
    "repeated": Trouble("each bar comes twice", "repeated"),
    "revised": Trouble("each bar comes twice, first with other prices", "revised"),
    "zone": Trouble("stamps are text, in a zone in Spanish", "zone", text="Hora del Este"),
    "zone-unknown": Trouble(
        "stamps are text, in a zone of nobody", "zone", text="Tiempo de Atlantis"
    ),
    "pacing": _said(162, "asked too much", "{pacing}"),
    "empty": _said(162, "no data", "{empty}"),
    "permission": _said(162, "no market data permissions", "{permission}"),
    "cancelled": _said(162, "query cancelled", "{cancelled}"),
    "unreadable": _said(162, "in words of no language here", "Kyselyitä on liikaa 7"),
    "no-contract": _said(200, "no security definition"),
    "bad-request": _said(321, "the request is invalid"),
    "bad-end": _said(10314, "the end or its zone is invalid"),
    "duplicate": _said(322, "the request's number is taken"),
    "not-subscribed": _said(354, "market data is not subscribed"),
    "competing": _said(10197, "another session has the data"),
    "too-many-messages": Trouble("notice 100: a message too many", "notice", code=100),
    "id-taken": Trouble(
        "error 326: the first client id is somebody else's",
        work=lambda gateway, _ended, _seconds: gateway.hold_client_id(1),
    ),
    "line-lost": Trouble("1100, and 1102 after a while", lasts=True, work=_line(1100, 1102)),
    "line-lost-data": Trouble(
        "1100, and 1101 after a while: what was asked is lost", lasts=True, work=_line(1100, 1101)
    ),
    "farm-lost": Trouble("2105, and 2106 after a while", lasts=True, work=_line(2105, 2106)),
    "contracts-lost": Trouble("2157, and 2158 after a while", lasts=True, work=_line(2157, 2158)),
    "restart": Trouble("it goes, and comes back after a while", lasts=True, work=_restart),
}


@dataclass(frozen=True)
class Written:
    """A trouble as it was asked for: ``NAME[=SECONDS][@ANSWER[:PLACE]][*TIMES]``.

    Raises
    ------
    ValueError
        For another text, saying what may stand there.
    """

    text: str

    def __post_init__(self) -> None:
        self._parts()
        if TROUBLES[self.name].work is None:
            self.fault("en")

    def _parts(self) -> dict[str, str | None]:
        match = _WRITTEN.fullmatch(self.text)
        if match is None:
            raise ValueError(
                f"a fault is NAME[=SECONDS][@ANSWER[:PLACE]][*TIMES], not {self.text!r}"
            )
        parts = match.groupdict()
        name = str(parts["name"])
        if name not in TROUBLES:
            raise ValueError(f"there is no fault {name!r}: --list-faults names them")
        trouble = TROUBLES[name]
        if parts["seconds"] is not None and not trouble.lasts:
            raise ValueError(f"the fault {name} takes no seconds: leave ={parts['seconds']} out")
        if parts["seconds"] is not None and float(parts["seconds"]) > _LONGEST:
            raise ValueError(
                f"the fault {name} lasts {_LONGEST:g} seconds at most, not {parts['seconds']}"
            )
        if trouble.work is not None and (parts["on"] or parts["times"]):
            raise ValueError(
                f"the fault {name} happens once, when bars are asked for: leave @ and * out"
            )
        for part, known in (("on", ANSWERS), ("at", PLACES)):
            value = parts[part]
            if value is not None and value not in known:
                raise ValueError(f"{value!r} of the fault {name} must be one of {', '.join(known)}")
        return parts

    @property
    def name(self) -> str:
        """Which of them."""
        return str(self._parts()["name"])

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        said = self._parts()["seconds"]
        return _LASTS if said is None else float(said)

    def fault(self, language: str) -> Fault:
        """Make the fault that it is, of those that are faults of an answer."""
        trouble, parts = TROUBLES[self.name], self._parts()
        text = trouble.text
        if text.startswith("{"):
            text = texts.history(language, text.strip("{}"), **_FACTS)
        times = parts["times"]
        return Fault(
            trouble.kind,
            on=parts["on"] or trouble.on,
            at=parts["at"] or trouble.at,
            seconds=self.seconds,
            code=trouble.code,
            text=text,
            times=None if times == "always" else int(times or 1),
        )

    def happens(self, gateway: IbGatewaySimulator, language: str, ended: threading.Event) -> None:
        """Let it happen: to an answer, or, of those that are none's, once bars are asked for."""
        trouble = TROUBLES[self.name]
        if trouble.work is None:
            gateway.fault(self.fault(language))
        elif self.name == "id-taken":
            trouble.work(gateway, ended, self.seconds)
        else:
            thread = threading.Thread(
                target=self._once_asked, args=(gateway, trouble.work, ended), daemon=True
            )
            thread.start()

    def _once_asked(self, gateway: IbGatewaySimulator, work: Work, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                gateway.wait_until(lambda one: one.count("history") > 0, 1.0)
            except TimeoutError:
                continue
            work(gateway, ended, self.seconds)
            return
