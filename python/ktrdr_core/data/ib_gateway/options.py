"""Where a gateway is, how long it is waited for, and how a connection to it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """Where a gateway is, and how long it is waited for.

    Parameters
    ----------
    host, port : str, int
        4001 and 4002 are those of IB Gateway, live and paper; 7496 and 7497 those of TWS.
    client_ids : sequence of int
        Ids to connect with; the next one where one is taken (326).
    connect_within : float
        How long a connection may take until it is ready. Seconds, as all below.
    probe_after : float
        After how much silence the gateway is asked for the time.
    dead_after : float
        After how much silence it is given up, and connected to anew. More than ``probe_after``.
    first_pause, longest_pause : float
        Between two attempts to connect: the first, doubling up to the longest, each somewhat shorter by chance.
    patience : float
        How long a question waits for a gateway that was reached before, as through its nightly restart.

    Raises
    ------
    ConfigurationError
        For a port, a client id or a time that cannot be, and a ``dead_after`` that lets no time for an answer.
    """

    host: str = "127.0.0.1"
    port: int = 4002
    client_ids: Sequence[int] = tuple(range(1, 33))
    connect_within: float = 10.0
    probe_after: float = 10.0
    dead_after: float = 15.0
    first_pause: float = 0.5
    longest_pause: float = 15.0
    patience: float = 300.0

    def __post_init__(self) -> None:
        _check(self, "port", 1 <= self.port <= 65_535, "a number from 1 to 65535")
        ids = tuple(self.client_ids)
        _check(self, "client_ids", bool(ids) and min(ids) >= 0, "one number or more, none below 0")
        for name in ("connect_within", "probe_after"):
            _check(self, name, getattr(self, name) > 0, "more than 0 seconds")
        for name in ("first_pause", "longest_pause", "patience"):
            _check(self, name, getattr(self, name) >= 0, "0 seconds or more")
        more = f"more than probe_after, which is {self.probe_after:g} s"
        _check(self, "dead_after", self.dead_after > self.probe_after, more)


def _check(options: GatewayOptions, name: str, is_right: bool, rule: str) -> None:
    if not is_right:
        raise ConfigurationError(
            f"{name} of GatewayOptions must be {rule}, not {getattr(options, name)!r}",
            context={"field": name},
        )


@dataclass(frozen=True, slots=True)
class GatewayHealth:
    """How a connection to a gateway is.

    Parameters
    ----------
    state : str
        ``idle`` before the first question, ``connecting``, ``ready``, ``degraded`` (the gateway has lost IB or a farm),
        ``waiting`` (until the next attempt) or ``closed``.
    since : datetime, optional
        When that began, aware, UTC; None while idle.
    waits_for : tuple of str
        What is lost while degraded.
    client_id, version : int, optional
        Of the connection.
    connections : int
        How many there have been.
    last_error : str
        Why the last one ended, or could not be made.
    notices : tuple of (int, int)
        Codes that the gateway has said about no request, and how often.
    waiting : int
        How many questions wait for the gateway: until it is connected to, or has its line again.
    paced : int
        How many requests for small bars wait for their turn in the order of IB's rules.
    pacing_violations : int
        How often the gateway said that it was asked too much.
    requests : int
        How many questions were sent to it: for contracts, first timestamps and bars, each time that one was.
    """

    state: str = "idle"
    since: datetime | None = None
    waits_for: tuple[str, ...] = ()
    client_id: int | None = None
    version: int | None = None
    connections: int = 0
    last_error: str = ""
    notices: tuple[tuple[int, int], ...] = ()
    waiting: int = 0
    paced: int = 0
    pacing_violations: int = 0
    requests: int = 0
