"""Bars of Interactive Brokers by TWS or IB Gateway, with no service between."""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ... import _bridge
from ..._bridge.arguments import checked_environment
from ..._frames import native_bars
from ...bars import Bars
from ...errors import (
    ConfigurationError,
    InvalidArgumentError,
    ServiceConnectionError,
    ServiceTimeoutError,
    SymbolNotFoundError,
)
from ..place import default_data_dir
from ..sources import BarSource, Contract, SourceAnswer, SourceLimits
from ..telling import warn
from .answers import Span, columns_of, joined, small_columns_of
from .contracts import candidates, the_one
from .durations import SPANS, asked_for, smaller_spans
from .options import GatewayHealth, GatewayOptions
from .refusals import CLOSED, NothingThere, NotTraded
from .small_bars import SmallBarPacer, asked_for_small, counting_of, parts_of
from .stamps import seconds_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Coroutine, Mapping

    from ... import _core
    from ..sources import Answer
    from .client import AnsweredBars, GatewayClient
    from .contracts import Found
    from .durations import Asked

T = TypeVar("T")

# A symbol's contract is asked for again after so long: exchanges rename things. Seconds.
_REMEMBERED = 86_400
# What small bars may show.
_SHOWS = ("TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK")


class IbGatewaySource(BarSource):
    """Bars of a running TWS or IB Gateway: stocks, funds, indices, currency pairs, futures and coins.

    One connection serves every question. A thread of its own pumps it all the time, so a busy event loop costs it
    nothing; it is made at the first question and kept. A gateway that is silent for 10 s is asked for the time, one that is
    silent for 15 s is connected to anew, and what was asked is asked again; while the gateway restarts, or has lost IB,
    questions wait.

    Symbols: ``AAPL``, ``BRK.B``; ``EUR.USD``, ``EURUSD`` and ``EUR/USD`` are one pair; ``BTC/USD`` is a coin; ``$VIX`` an index;
    ``ESM6`` a future by its local symbol. Stocks and indices are asked for in regular hours, all else in every hour;
    pairs by the midpoint of their quotes, which has no volume (-1), coins by their aggregated trades, all else by trades.

    Parameters
    ----------
    host, port : str, int, optional
        Where it is; else ``IB_GATEWAY_HOST`` and ``IB_GATEWAY_PORT``, else 127.0.0.1 and 4002.
    client_id : int, optional
        The first id to connect with, else ``IB_GATEWAY_CLIENT_ID``, else 1; where one is taken, the next one is tried.
    contracts : mapping, optional
        Contracts of ``ib_async`` by symbol, for what a symbol alone does not say.
    currency : str
        In which stocks and indices are looked for.
    options : GatewayOptions, optional
        All of this and the limits of the connection; ``host``, ``port`` and ``client_id`` are changed in it where they are given.
    answer_limit : float
        How long one request may go unanswered while others are. Seconds.
    pacing_pause : float
        How long to wait after the gateway said that it was asked too much; twice as long each time, up to 64 times. Seconds.
    data_dir : path, optional
        The folder of the database in which requests for small bars are counted, so that all programs of an account keep
        its rules together; else ``KTRDR_DATA_DIR``, else ``~/.ktrdr/data``. Nothing is made there before ``small_bars`` is used.
    env : mapping, optional
        Read in place of ``os.environ``.

    Raises
    ------
    FeatureNotAvailableError
        Where ``ib_async`` is not installed, naming the extra ``ib``.
    ConfigurationError
        For a port or client id that is none. From a load, for what the account may not see.
    SymbolNotFoundError
        From a load, for what nobody trades, and for what may mean several contracts, naming them.
    ServiceConnectionError
        From a load, when the gateway cannot be reached.

    Examples
    --------
    >>> from ktrdr_core import DataManager
    >>> from ktrdr_core.data import IbGatewaySource
    >>> from ktrdr_core.testing import IbGatewaySimulator
    >>> days = {"timestamp": ["2024-01-02", "2024-01-03"], "open": [1, 2], "high": [2, 3], "low": [1, 1], "close": [2, 2]}
    >>> with IbGatewaySimulator({("ACME", "1 day"): days}) as gateway, IbGatewaySource(port=gateway.port) as source:
    ...     with DataManager("bars", source=source, env={}) as data:
    ...         data.load_data("ACME", "1d", "2024-01-01", "2024-01-05", mode="full").result()
    <Bars ACME 1d: 2 from 2024-01-02T00:00:00Z to 2024-01-03T00:00:00Z>
    """

    provider = "IB"
    # The source's own limits end a question.
    answer_within = None

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        client_id: int | None = None,
        *,
        contracts: Mapping[str, Any] | None = None,
        currency: str = "USD",
        options: GatewayOptions | None = None,
        answer_limit: float = 18.0,
        pacing_pause: float = 2.0,
        data_dir: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        # These bring ib_async, and say at once where it is missing.
        from .asking import Asking
        from .connection import Connection
        from .owner import OwnerThread

        given = checked_environment(env)
        self._options = _options(options or GatewayOptions(), host, port, client_id, given)
        self._contracts = dict(contracts or {})
        self._currency = currency
        self._found: dict[tuple[str, str | None], tuple[float, Found]] = {}
        self._connection = Connection(self._options)
        self._pacer = SmallBarPacer(_database(data_dir, given))
        self._asking = Asking(self._connection, answer_limit, pacing_pause)
        name = f"ktrdr_core ib gateway {self._options.host}:{self._options.port}"
        self._owner = OwnerThread(name)
        # Its questions run where the connection lives, whatever loop runs here.
        object.__setattr__(self, "_made_on", weakref.ref(self._owner.loop))
        self._finalizer = weakref.finalize(self, self._owner.stop, self._connection.close)

    # ---- its life

    def close(self) -> None:
        """End the connection; a question that comes later is refused."""
        self._finalizer()
        self._pacer.close()
        # Its loop is closed: what is asked now is refused on another.
        object.__setattr__(self, "_made_on", None)

    def __enter__(self) -> IbGatewaySource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<IbGatewaySource {self.address} {self.health.state}>"

    @property
    def address(self) -> str:
        """Where the gateway is, as host and port."""
        return f"{self._options.host}:{self._options.port}"

    @property
    def health(self) -> GatewayHealth:
        """How the connection is, from any thread."""
        return replace(
            self._connection.health,
            waiting=self._connection.waiting,
            paced=self._pacer.waiting,
            pacing_violations=self.pacing_violations,
            requests=self._asking.requests,
        )

    @property
    def pacing_violations(self) -> int:
        """How often the gateway said that it was asked too much."""
        return self._asking.pacing_violations

    @property
    def at_once(self) -> int:
        """How many requests for bars are under way at most: as many as the gateway answers fast. From any thread."""
        return self._asking.gate.allowed

    def _opened(self) -> _core.BarSource:
        _bridge.start()
        return super()._opened()

    def _asked_here(self) -> None:
        """Nothing runs on the loop of whoever asks."""

    # ---- what a load asks

    def describe(self, timeframe: str) -> SourceLimits:
        """Give the spans that gateways answer in one go."""
        return SourceLimits(SPANS[timeframe], 8)

    async def validate_symbol(
        self, symbol: str, timeframe: str, instrument_type: str | None = None
    ) -> Contract:
        """Ask which contract a symbol stands for."""
        return (await self._carry_out(lambda: self._contract(symbol, instrument_type))).known

    async def first_timestamp(
        self, symbol: str, timeframe: str, instrument_type: str | None = None
    ) -> datetime | None:
        """Ask for the head timestamp of what is asked for where nobody says more."""
        return await self._carry_out(lambda: self._first(symbol, instrument_type))

    async def fetch(
        self,
        symbol: str,
        timeframe: str,
        start: datetime,
        end: datetime,
        *,
        instrument_type: str | None = None,
        what_to_show: str | None = None,
        session: str | None = None,
    ) -> Answer:
        """Ask for a range's bars, of trades and regular hours where nobody says more; the table in the guide has the rest."""
        series = (instrument_type, what_to_show, session)
        return await self._carry_out(lambda: self._bars(symbol, timeframe, start, end, series))

    async def small_bars(
        self,
        symbol: str,
        seconds: int,
        start: datetime,
        end: datetime,
        *,
        what_to_show: str | None = None,
    ) -> Bars:
        """Ask for closed bars of up to 30 s that start in ``[start, end)``, oldest first; they are not stored.

        IB takes 60 requests for such bars in ten minutes, fewer than six for one contract within two seconds, and none twice
        within 15 s. These rules are kept with every process whose sources have the same ``data_dir``: a request waits until it
        may be made, so a long range takes long: a day of bars of 1 s is 44 requests. The rules are the account's: what other
        programs ask is not known here, and a violation that they bring about is waited for as any other.

        Parameters
        ----------
        symbol : str
            As in a load.
        seconds : int
            How long a bar is: 1, 5, 10, 15 or 30.
        start, end : datetime
            Without an offset UTC. IB keeps half a year of such bars.
        what_to_show : str, optional
            TRADES, MIDPOINT, BID, ASK or BID_ASK, which counts twice; by default as in a load.

        Returns
        -------
        Bars
            Stamped at their start, UTC. Where nothing was traded there is no bar.

        Raises
        ------
        InvalidArgumentError
            For another length, an empty range, and one that begins before what IB keeps.
        SymbolNotFoundError, ServiceConnectionError, ServiceTimeoutError, HostServiceError, ConfigurationError
            As from a load.
        StorageError
            When the database cannot be used: without it nobody knows what others ask.

        Examples
        --------
        >>> import asyncio
        >>> from datetime import UTC, datetime, timedelta
        >>> from ktrdr_core.data import IbGatewaySource
        >>> from ktrdr_core.testing import IbGatewaySimulator
        >>> now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        >>> start = now - timedelta(days=(now.weekday() - 2) % 7 + 7)  # noon of last week's Wednesday: markets are open
        >>> stamps = [start + timedelta(seconds=5 * number) for number in range(12)]
        >>> price = [1.0] * 12
        >>> bars = {"timestamp": stamps, "open": price, "high": price, "low": price, "close": price, "volume": price}
        >>> with IbGatewaySimulator({("EUR.USD", "5 secs"): bars}) as gateway:
        ...     with IbGatewaySource(port=gateway.port, data_dir="bars") as source:
        ...         len(asyncio.run(source.small_bars("EUR.USD", 5, start, start + timedelta(minutes=1))))
        12
        """
        first, last = (
            each.replace(tzinfo=UTC) if each.tzinfo is None else each for each in (start, end)
        )
        show = _show(what_to_show)
        parts = parts_of(seconds, first, last, datetime.now(UTC))
        _bridge.start()
        columns = await self._carry_out(lambda: self._small(symbol, seconds, parts, show))
        return Bars(native_bars(columns)[0])

    async def _carry_out(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if not self._finalizer.alive:
            raise ServiceConnectionError(CLOSED)
        try:
            return await self._owner.carry_out(work)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._finalizer.alive or task is None or task.cancelling():
                raise
            # It was the end of its loop.
            raise ServiceConnectionError(CLOSED) from None

    # ---- on the connection's loop

    async def _contract(self, symbol: str, instrument_type: str | None = None) -> Found:
        now = self._owner.loop.time()
        key = (symbol, instrument_type)
        remembered = self._found.get(key)
        if remembered is not None and now - remembered[0] < _REMEMBERED:
            return remembered[1]
        given = self._contracts.get(symbol)
        tried = (
            [_fields(given)]
            if given is not None
            else candidates(symbol, self._currency, instrument_type)
        )
        words = ""
        for fields in tried:
            try:
                details = await self._details(symbol, fields)
            except NotTraded as error:
                words = str(error)
                continue
            if details:
                found = the_one(symbol, details)
                self._found[key] = (now, found)
                return found
        kinds = ", ".join(str(fields.get("secType", "contract")) for fields in tried)
        raise SymbolNotFoundError(
            f"the gateway knows no contract {symbol} (asked for {kinds}): {words}",
            context={"symbol": symbol},
        )

    async def _details(self, symbol: str, fields: dict[str, Any]) -> list[Any]:
        what = f"the contract of {symbol}"
        return await self._asking.ask(what, lambda client: client.details(fields))

    def _gone(self, symbol: str, error: NotTraded) -> SymbolNotFoundError:
        """Say that what was a contract is none any more, and forget it."""
        for key in [key for key in self._found if key[0] == symbol]:
            del self._found[key]
        return SymbolNotFoundError(
            f"the gateway knows the contract of {symbol} no more: {error}",
            context={"symbol": symbol},
        )

    async def _first(self, symbol: str, instrument_type: str | None) -> datetime | None:
        found = await self._contract(symbol, instrument_type)
        try:
            text = await self._asking.ask(
                f"the first timestamp of {symbol}",
                lambda client: client.head(found.contract, found.show, found.regular),
            )
        except NothingThere:
            return None
        except NotTraded as error:
            raise self._gone(symbol, error) from None
        except ServiceTimeoutError as error:
            # A load goes on without, and what it asks then may not be answered either.
            warn(error.message)
            raise
        return datetime.fromtimestamp(seconds_of(text, UTC), UTC)

    async def _bars(
        self,
        symbol: str,
        timeframe: str,
        start: datetime,
        end: datetime,
        series: tuple[str | None, str | None, str | None],
    ) -> Answer:
        instrument_type, what_to_show, session = series
        found = await self._contract(symbol, instrument_type)
        show, regular = found.shown(what_to_show), found.in_regular_hours(session)
        now = self._connection.now()
        if start >= now:
            return []
        # Adjusted prices come up to now, whatever is asked for.
        up_to_now = show == "ADJUSTED_LAST"
        asked = asked_for(timeframe, start, end, now, up_to_now=up_to_now)
        what = f"{timeframe} bars of {symbol} from {start:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ}"

        def send(asked: Asked) -> Callable[[GatewayClient], Coroutine[Any, Any, Any]]:
            return lambda client: _timed(client, found.contract, asked, show, regular)

        last = now if up_to_now else min(end, now)
        less = [
            asked_for(timeframe, last - span, last, now, up_to_now=up_to_now)
            for span in smaller_spans(timeframe, last - start)
        ]
        try:
            bars, told = await self._asking.ask(
                what,
                send(asked),
                turn=lambda _: self._asking.gate.turn(),
                smaller=[send(each) for each in less],
            )
        except NothingThere:
            return []
        except NotTraded as error:
            raise self._gone(symbol, error) from None
        span = Span(start, end, told or datetime.now(UTC))
        columns = columns_of(bars, timeframe, found, span, regular=regular)
        return SourceAnswer(columns if isinstance(columns, dict) else None, now=told)

    async def _small(
        self, symbol: str, seconds: int, parts: list[tuple[datetime, datetime]], show: str | None
    ) -> dict[str, Any]:
        found = await self._contract(symbol)
        try:
            came = [await self._small_part(found, seconds, *part, show) for part in parts]
        except NotTraded as error:
            raise self._gone(symbol, error) from None
        return joined([each for each in came if each])

    async def _small_part(
        self, found: Found, seconds: int, start: datetime, end: datetime, show: str | None
    ) -> Any:
        asked = asked_for_small(seconds, start, end, datetime.now(UTC))
        shown = show or found.show
        counting = counting_of(found.contract, asked, shown, found.regular)
        name = found.contract.localSymbol or found.contract.symbol
        what = f"{seconds} s bars of {name} from {start:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ}"
        try:
            bars, told = await self._asking.ask(
                what,
                lambda client: _timed(client, found.contract, asked, shown, found.regular),
                turn=lambda client: self._pacer.turn(client, counting),
            )
        except NothingThere:
            return []
        span = Span(start, end, told or datetime.now(UTC))
        return small_columns_of(bars, seconds, found, span)


async def _timed(
    client: GatewayClient, contract: Any, asked: Asked, show: str, regular: bool
) -> tuple[AnsweredBars, datetime | None]:
    """Ask for bars; give them, and what the gateway's clock says then, where it says anything."""
    client.note_time()
    bars = await client.bars(contract, asked, show, regular)
    return bars, client.now


def _show(given: str | None) -> str | None:
    if given is None or given in _SHOWS:
        return given
    raise InvalidArgumentError(
        f"what_to_show must be one of {', '.join(_SHOWS)}, not {given!r}",
        context={"field": "what_to_show"},
    )


def _database(data_dir: str | os.PathLike[str] | None, env: Mapping[str, str]) -> Path:
    return (default_data_dir(env) if data_dir is None else Path(data_dir)) / "ktrdr.db"


def _options(
    options: GatewayOptions,
    host: str | None,
    port: int | None,
    client_id: int | None,
    env: Mapping[str, str],
) -> GatewayOptions:
    changes: dict[str, Any] = {}
    where = host or env.get("IB_GATEWAY_HOST")
    if where:
        changes["host"] = where
    number = _number("port", "IB_GATEWAY_PORT", port, env, 1, 65_535)
    if number is not None:
        changes["port"] = number
    first = _number("client_id", "IB_GATEWAY_CLIENT_ID", client_id, env, 0, 2**31 - 64)
    if first is not None:
        changes["client_ids"] = tuple(range(first, first + 32))
    return replace(options, **changes)


def _number(
    name: str, variable: str, given: int | None, env: Mapping[str, str], least: int, most: int
) -> int | None:
    text = env.get(variable, "") if given is None else str(given)
    if not text:
        return None
    if text.isascii() and text.isdigit() and least <= int(text) <= most:
        return int(text)
    source = name if given is not None else variable
    raise ConfigurationError(
        f"{source} must be a number from {least} to {most}, not {text!r}", context={"field": source}
    )


def _fields(contract: Any) -> dict[str, Any]:
    names = (
        "conId symbol secType lastTradeDateOrContractMonth strike right multiplier exchange primaryExchange currency "
        "localSymbol tradingClass includeExpired secIdType secId"
    )
    return {name: getattr(contract, name) for name in names.split()}
