"""The messages of the gateway's text protocol, server versions 157 to 178: requests as they come, answers as they go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from .contracts import Wanted
from .frames import payload_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from .contracts import Session, SimulatedContract
    from .frames import Field
    from .recorded import Row

#: The versions that can be spoken.
OLDEST, NEWEST = 157, 178

# Requests that are answered, by number.
START_API = 71
CURRENT_TIME = 49
CONTRACT_DATA = 9
HISTORICAL_DATA = 20
CANCEL_HISTORICAL_DATA = 25
HEAD_TIMESTAMP = 87
CANCEL_HEAD_TIMESTAMP = 90
MATCHING_SYMBOLS = 81
IDS = 8
MANAGED_ACCOUNTS = 17
# What clients ask for as they connect. There are no orders, positions or accounts here: each is answered by its end.
POSITIONS = 61
OPEN_ORDERS = 5
AUTO_OPEN_ORDERS = 15
COMPLETED_ORDERS = 99
ACCOUNT_UPDATES = 6
ACCOUNT_UPDATES_MULTI = 76
EXECUTIONS = 7


class BadMessage(Exception):
    """A message that is no request."""


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """A request for bars."""

    id: int
    wanted: Wanted
    end: str
    size: str
    duration: str
    regular: bool
    show: str
    format: int
    live: bool

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two requests the same."""
        return (self.wanted, self.end, self.size, self.duration, self.regular, self.show)


@dataclass(frozen=True, slots=True)
class HeadRequest:
    """A request for the first timestamp."""

    id: int
    wanted: Wanted
    regular: bool
    show: str
    format: int


def wanted_of(fields: Sequence[str]) -> Wanted:
    """Read the twelve fields of a contract."""
    number, symbol, kind, expiry, _strike, _right, multiplier, exchange, *rest = fields
    primary, currency, local, trading = rest
    names = (symbol, kind, expiry, multiplier, exchange, primary, currency, local, trading)
    return Wanted(int(number or 0), *names)


def history_request(fields: list[str]) -> HistoryRequest:
    """Read the fields after the message's number.

    Raises
    ------
    BadMessage
        Where some are missing or are no numbers.
    """
    try:
        wanted = wanted_of(fields[1:13])
        _expired, end, size, duration, regular, show, form, live = fields[14 - 1 : 22 - 1]
        return HistoryRequest(
            int(fields[0]),
            wanted,
            end,
            size,
            duration,
            regular == "1",
            show,
            int(form or 1),
            live == "1",
        )
    except (ValueError, IndexError, TypeError) as error:
        raise BadMessage(f"a request for bars: {error}") from None


def head_request(fields: list[str]) -> HeadRequest:
    """Read the fields after the message's number.

    Raises
    ------
    BadMessage
        Where some are missing or are no numbers.
    """
    try:
        _expired, regular, show, form = fields[13:17]
        wanted = wanted_of(fields[1:13])
        return HeadRequest(int(fields[0]), wanted, regular == "1", show, int(form or 1))
    except (ValueError, IndexError, TypeError) as error:
        raise BadMessage(f"a request for the first timestamp: {error}") from None


def contract_request(fields: list[str]) -> tuple[int, Wanted]:
    """Read the fields after the message's number.

    Raises
    ------
    BadMessage
        Where some are missing or are no numbers.
    """
    try:
        return int(fields[1]), wanted_of(fields[2:14])
    except (ValueError, IndexError, TypeError) as error:
        raise BadMessage(f"a request for contracts: {error}") from None


class Answers:
    """Writes what a gateway of one version says."""

    def __init__(self, version: int) -> None:
        self.version = version

    def error(self, request: int, code: int, text: str) -> bytes:
        """Write an error, or a notice where ``request`` is -1."""
        more = [""] if self.version >= 166 else []
        return payload_of(4, 2, request, code, text, *more)

    def contract(self, request: int, contract: SimulatedContract, today: date) -> bytes:
        """Write what one contract is."""
        old = self.version < 164
        fields: list[Field] = [10, *([8] if old else []), request]
        fields += [contract.symbol, contract.sec_type, contract.expiry, 0.0, ""]
        fields += [contract.exchange, contract.currency, contract.local_symbol]
        fields += [contract.trading_class, contract.trading_class, contract.con_id, 0.01]
        fields += [*([1] if old else []), contract.multiplier, "ACTIVETIM,LMT,MKT"]
        exchanges = dict.fromkeys((contract.exchange, contract.primary_exchange))
        fields += [",".join(name for name in exchanges if name), 1, 0, contract.long_name]
        fields += [contract.primary_exchange, contract.expiry[:6], "", "", "", contract.zone_id]
        fields += [contract.hours(regular=regular).text(today, 6) for regular in (False, True)]
        fields += ["", 0, 0]
        # The last are about the group, what it is an option of, the rule of its prices, and when it really ends.
        fields += [1, "", "", "26", contract.expiry, contract.stock_type]
        if self.version == 163:
            fields += [1]
        elif not old:
            fields += [1, 1, 100]
        return payload_of(*fields)

    def head(self, request: int, first: int, form: int) -> bytes:
        """Write the first timestamp."""
        text = str(first) if form == 2 else f"{datetime.fromtimestamp(first, UTC):%Y%m%d-%H:%M:%S}"
        return payload_of(88, request, text)

    def bars(
        self, request: int, rows: Sequence[Row], stamps: Sequence[str], edges: tuple[str, str]
    ) -> bytes:
        """Write bars: one message for all."""
        fields: list[Field] = [17, request, *edges, len(rows)]
        for stamp, row in zip(stamps, rows, strict=True):
            fields += [stamp, row.open, row.high, row.low, row.close]
            fields += [row.volume, row.average, row.count]
        return payload_of(*fields)

    def schedule(
        self, request: int, sessions: Sequence[Session], clock: ZoneInfo, zone: str
    ) -> bytes:
        """Write when something trades."""

        def local(moment: int) -> str:
            return f"{datetime.fromtimestamp(moment, clock):%Y%m%d-%H:%M:%S}"

        first, last = (sessions[0].start, sessions[-1].end) if sessions else (0, 0)
        fields: list[Field] = [106, request, local(first), local(last), zone, len(sessions)]
        for session in sessions:
            fields += [local(session.start), local(session.end), f"{session.day:%Y%m%d}"]
        return payload_of(*fields)

    def samples(self, request: int, contracts: Sequence[SimulatedContract]) -> bytes:
        """Write which contracts a pattern finds."""
        fields: list[Field] = [79, request, len(contracts)]
        for each in contracts:
            fields += [each.con_id, each.symbol, each.sec_type, each.primary_exchange]
            fields += [each.currency, 0]
            if self.version >= 176:
                fields += [each.long_name, ""]
        return payload_of(*fields)


def stamps_of(rows: Sequence[Row], form: int, clock: ZoneInfo, zone: str) -> list[str]:
    """Write when bars begin: a date for those of a day and longer, else seconds, or a time with its zone."""
    texts = []
    for row in rows:
        if isinstance(row.start, date):
            texts.append(f"{row.start:%Y%m%d}")
        elif form == 2:
            texts.append(str(row.start))
        else:
            texts.append(f"{datetime.fromtimestamp(row.start, clock):%Y%m%d %H:%M:%S} {zone}")
    return texts


def greeting(version: int, now: float, clock: ZoneInfo, zone: str) -> bytes:
    """Write the first message of a session: the version, and the time by the gateway's clock under its zone's name."""
    moment = datetime.fromtimestamp(int(now), UTC).astimezone(clock) + timedelta(0)
    return payload_of(version, f"{moment:%Y%m%d %H:%M:%S} {zone}")
