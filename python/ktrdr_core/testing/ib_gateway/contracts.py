"""What is traded at a simulated gateway: contracts, when they trade, and how a request names them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ...calendars import get_calendar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Session:
    """One stretch of trading.

    Parameters
    ----------
    day : date
        The date that it counts for, and under which its daily bar stands.
    start, end : int
        Seconds since 1970, UTC; half-open.
    midnight : int
        The exchange's midnight before its start: bars are cut from there on.
    """

    day: date
    start: int
    end: int
    midnight: int


@dataclass(frozen=True)
class Hours:
    """When something trades, by its exchange's clock.

    Parameters
    ----------
    weekdays : mapping
        For each weekday that has a session (Monday is 0) its opening and its closing hour. An opening that is not before
        its close lies on the day before.
    zone : str
        The name of the clock, as in the IANA database.
    holidays : set of date
        Days without a session.
    early_closes : mapping
        Other closing hours of single days.
    calendar : str
        The session calendar whose holidays and half days hold, too (``get_calendar``), for the dates that it has; empty for
        none.
    after : timedelta
        How long trading goes on behind the calendar's close.
    """

    weekdays: Mapping[int, tuple[time, time]]
    zone: str
    holidays: frozenset[date] = frozenset()
    early_closes: Mapping[date, time] = field(default_factory=dict)
    calendar: str = ""
    after: timedelta = timedelta(0)

    @cached_property
    def clock(self) -> ZoneInfo:
        """The exchange's clock."""
        return ZoneInfo(self.zone)

    def on(self, day: date) -> Session | None:
        """Give the session that counts for a day."""
        if day not in self._known:
            self._known[day] = self._on(day)
        return self._known[day]

    @cached_property
    def _known(self) -> dict[date, Session | None]:
        return {}

    @cached_property
    def _table(self) -> dict[date, datetime | None]:
        """The calendar's sessions, and when those close that do so early: plain dates, which hold nothing of the core."""
        if not self.calendar:
            return {}
        sessions = get_calendar(self.calendar).sessions()
        return {each.date: each.close if each.early_close else None for each in sessions}

    @cached_property
    def _last(self) -> date:
        return max(self._table, default=date.min)

    def _on(self, day: date) -> Session | None:
        hours = self.weekdays.get(day.weekday())
        if hours is None or day in self.holidays:
            return None
        opens, closes = hours
        if self._table and next(iter(self._table)) <= day <= self._last:
            if day not in self._table:
                return None
            early = self._table[day]
            if early is not None:
                closes = (early + self.after).astimezone(self.clock).time()
        # A close at midnight is that of the day's end.
        first = day if opens < closes or closes == time(0) else day - _DAY
        closes = self.early_closes.get(day, closes)
        last = day + _DAY if closes == time(0) else day
        edges = (self._at(first, opens), self._at(last, closes), self._at(first, time(0)))
        return Session(day, *edges)

    def _at(self, day: date, hour: time) -> int:
        return int(datetime.combine(day, hour, self.clock).timestamp())

    def between(self, start: int, end: int) -> Iterator[Session]:
        """Give the sessions that touch ``[start, end)``, in order. Seconds since 1970."""
        day = datetime.fromtimestamp(start, UTC).date() - 2 * _DAY
        last = datetime.fromtimestamp(end, UTC).date() + 2 * _DAY
        while day <= last:
            session = self.on(day)
            if session is not None and session.start < end and session.end > start:
                yield session
            day += _DAY

    def text(self, today: date, days: int) -> str:
        """Write the hours of some days as contract details have them."""
        parts = []
        for number in range(days):
            day = today + number * _DAY
            session = self.on(day)
            if session is None:
                parts.append(f"{day:%Y%m%d}:CLOSED")
                continue
            start, end = (
                datetime.fromtimestamp(moment, self.clock)
                for moment in (session.start, session.end)
            )
            parts.append(f"{start:%Y%m%d:%H%M}-{end:%Y%m%d:%H%M}")
        return ";".join(parts)


def _week(
    opens: time, closes: time, days: Sequence[int] = range(5)
) -> dict[int, tuple[time, time]]:
    return dict.fromkeys(days, (opens, closes))


#: The regular hours of stocks in New York, and those before and after them too.
REGULAR_US = Hours(_week(time(9, 30), time(16)), "America/New_York", calendar="XNYS")
EXTENDED_US = Hours(
    _week(time(4), time(20)), "America/New_York", calendar="XNYS", after=timedelta(hours=4)
)
#: Forex from 17:15 to 17:00, futures in Chicago from 17:00 to 16:00, coins around the clock.
FOREX = Hours(_week(time(17, 15), time(17)), "America/New_York")
FUTURES = Hours(_week(time(17), time(16)), "America/Chicago")
ALWAYS = Hours(_week(time(0), time(0), range(7)), "UTC")

_HOURS = {
    "STK": (REGULAR_US, EXTENDED_US),
    "IND": (REGULAR_US, REGULAR_US),
    "CASH": (FOREX, FOREX),
    "FUT": (FUTURES, FUTURES),
    "CRYPTO": (ALWAYS, ALWAYS),
}
_EXCHANGE = {"STK": "SMART", "IND": "CBOE", "CASH": "IDEALPRO", "FUT": "CME", "CRYPTO": "PAXOS"}


@dataclass(frozen=True)
class SimulatedContract:
    """Something that is traded.

    Parameters
    ----------
    symbol : str
        ``AAPL``; of a currency pair the first currency; of a future the underlying.
    sec_type : str
        STK, IND, CASH, FUT or CRYPTO.
    con_id : int, optional
        Its number; by default one is made of the other fields.
    exchange, primary_exchange, currency, local_symbol, trading_class, expiry, multiplier : str
        As IB has them; an empty exchange is the usual one of its kind.
    stock_type : str
        COMMON, ETF, …
    zone_id : str, optional
        The name of its clock in contract details; by default that of its hours.
    regular, extended : Hours, optional
        By default the usual ones of its kind.
    permitted : bool
        False: a request for its bars is answered by the lack of a subscription.

    Examples
    --------
    >>> from ktrdr_core.testing import SimulatedContract
    >>> SimulatedContract("EUR", "CASH", currency="USD").pair
    'EUR.USD'
    """

    symbol: str
    sec_type: str = "STK"
    con_id: int = 0
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = "USD"
    local_symbol: str = ""
    trading_class: str = ""
    expiry: str = ""
    multiplier: str = ""
    long_name: str = ""
    stock_type: str = ""
    zone_id: str = ""
    regular: Hours | None = None
    extended: Hours | None = None
    permitted: bool = True

    def __post_init__(self) -> None:
        if self.sec_type not in _HOURS:
            raise ValueError(f"sec_type must be one of {', '.join(_HOURS)}, not {self.sec_type!r}")
        usual = {
            "exchange": _EXCHANGE[self.sec_type],
            "local_symbol": self.pair if self.sec_type in ("CASH", "CRYPTO") else self.symbol,
            "trading_class": self.pair if self.sec_type == "CASH" else self.symbol,
            "long_name": f"{self.symbol} {self.sec_type}",
            "stock_type": "COMMON" if self.sec_type == "STK" else "",
            "primary_exchange": "NASDAQ" if self.sec_type == "STK" else "",
            "zone_id": self.hours(regular=True).zone,
        }
        for name, value in usual.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)
        if not self.con_id:
            words = f"{self.symbol} {self.sec_type} {self.exchange} {self.currency} {self.local_symbol} {self.expiry}"
            object.__setattr__(self, "con_id", 1_000_000 + _number_of(words))

    @property
    def pair(self) -> str:
        """Both currencies."""
        return f"{self.symbol}.{self.currency}"

    def hours(self, *, regular: bool) -> Hours:
        """Give the hours of a session type."""
        usual = _HOURS[self.sec_type][0 if regular else 1]
        given = self.regular if regular else self.extended or self.regular
        return given or usual

    @property
    def shows(self) -> frozenset[str]:
        """Which kinds of prices there are of it."""
        quotes = {"MIDPOINT", "BID", "ASK", "BID_ASK"}
        volatility = {"HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY"}
        more = {
            "STK": quotes | volatility | {"TRADES", "ADJUSTED_LAST", "SCHEDULE"},
            "IND": volatility | {"TRADES", "SCHEDULE"},
            "CASH": quotes,
            "CRYPTO": quotes | {"TRADES", "AGGTRADES", "SCHEDULE"},
        }
        return frozenset(more.get(self.sec_type, quotes | {"TRADES", "SCHEDULE"}))


def _number_of(words: str) -> int:
    number = 0
    for letter in words.encode():
        number = (number * 131 + letter) % 800_000_011
    return number


@dataclass(frozen=True, slots=True)
class Wanted:
    """A contract as a request names it; empty fields leave open what they would say."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""
    expiry: str = ""
    multiplier: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""

    def fits(self, contract: SimulatedContract) -> bool:
        """Say whether it may mean this one."""
        if self.con_id:
            return self.con_id == contract.con_id and self.exchange in ("", contract.exchange)
        if not (self.symbol or self.local_symbol):
            return False
        exact = (
            (self.symbol, contract.symbol),
            (self.sec_type, contract.sec_type),
            (self.currency, contract.currency),
            (self.local_symbol, contract.local_symbol),
            (self.trading_class, contract.trading_class),
            (self.multiplier, contract.multiplier),
            (self.primary_exchange, contract.primary_exchange),
        )
        exchanges = {"", contract.exchange, contract.primary_exchange}
        return (
            all(wanted in ("", has) for wanted, has in exact)
            and contract.expiry.startswith(self.expiry)
            and self.exchange in exchanges
        )
