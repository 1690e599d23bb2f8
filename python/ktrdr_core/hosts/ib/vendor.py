"""What the IB host service asks: any source of bars, under the limits of the service."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ... import _core, errors
from ...calendars import BarGrid
from ...data import (
    BarSource,
    Contract,
    CsvSource,
    IbGatewaySource,
    ReplaySource,
    SourceCalls,
    SourceLimits,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Unpack

    from ...bars import Bars
    from ...data import SeriesWords
    from .replay import Replay

_log = logging.getLogger("ktrdr_core.hosts.ib")

# Names of symbols that are remembered.
_MOST_NAMES = 10_000
# Answers of more rows are made on a thread: the loop has others to serve. Rows.
_MANY = 2_000


# What is traded, in IB's words.
_OF_IB = {
    "stock": "STK",
    "etf": "STK",
    "index": "IND",
    "forex": "CASH",
    "crypto": "CRYPTO",
    "future": "FUT",
    "option": "OPT",
}


@dataclass(frozen=True, slots=True)
class HostLimits:
    """What one service takes on.

    Parameters
    ----------
    max_requests : int
        Requests for bars that are worked on at once; as many others may wait.
    max_parts : int
        Into how many ranges of the source's longest a request may be cut.
    """

    max_requests: int = 32
    max_parts: int = 100


class RecordedBars(BarSource):
    """A ``Replay`` as a source."""

    provider = "replay"

    def __init__(self, replay: Replay) -> None:
        self._replay = replay

    def describe(self, timeframe: str) -> SourceLimits:
        """Give all at once: it is there."""
        return SourceLimits(timedelta(days=36_500), 64)

    async def validate_symbol(self, symbol: str, timeframe: str) -> None:
        """Know what was recorded."""
        if not self._replay.knows(symbol):
            has = ", ".join(self._replay.series)
            raise errors.SymbolNotFoundError(f"this replay has {has}")

    async def first_timestamp(self, symbol: str, timeframe: str) -> datetime | None:
        """Give the oldest bar's start."""
        return self._replay.first_timestamp(symbol, timeframe)

    async def fetch(
        self, symbol: str, timeframe: str, start: datetime, end: datetime
    ) -> dict[str, list[Any]]:
        """Give what was recorded."""
        try:
            bars = self._replay.between(symbol, timeframe, start, end)
        except KeyError:
            has = ", ".join(self._replay.timeframes(symbol))
            raise errors.ConfigurationError(
                f"unsupported timeframe {timeframe!r} for {symbol}: this replay has {has}"
            ) from None
        names = ("open", "high", "low", "close", "volume")
        columns = {name: [getattr(bar, name) for bar in bars] for name in names}
        return {"timestamp": [bar.time for bar in bars], **columns}


def words_of(instrument_type: str | None) -> SeriesWords:
    """Give what a client says of an instrument, where it is one of our words: others never meant anything here."""
    return {"instrument_type": instrument_type} if instrument_type in _OF_IB else {}


def code_of(error: errors.KtrdrError) -> dict[str, str]:
    """Give what an answer says of an error beside its words: its class and, of a time-out, the phase."""
    phase = error.context.get("phase")
    return {"error_code": error.code} | ({"error_phase": phase} if isinstance(phase, str) else {})


class Refused(Exception):
    """A request that is answered by words; they are what clients show."""


@dataclass(slots=True)
class Found:
    """Bars that have come so far."""

    parts: list[Bars]
    #: Why there may be more; empty where this is all.
    partial: str = ""
    #: Of what ended it (``code_of``); empty where nothing did, or what is no error of ours.
    code: dict[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many bars."""
        return sum(len(part) for part in self.parts)


class Vendor:
    """A source, asked for a service. Confined to the service's loop.

    Parameters
    ----------
    source : BarSource or Replay
        Where the bars are.
    limits : HostLimits
        What is refused.
    """

    def __init__(self, source: BarSource | Replay, limits: HostLimits) -> None:
        self._replay = None if isinstance(source, BarSource) else source
        self.source = source if isinstance(source, BarSource) else RecordedBars(source)
        self._calls: SourceCalls | None = None
        self._limits = limits
        #: As the source spells them, and what they stand for, by how they were asked for.
        self._names: OrderedDict[tuple[str, str | None], tuple[str, Contract]] = OrderedDict()
        #: Whether the source could be reached when it was asked last.
        self._reached = True

    @property
    def calls(self) -> SourceCalls:
        """The source as it is asked; its threads begin with the first question."""
        if self._calls is None:
            self._calls = SourceCalls(self.source)
        return self._calls

    @property
    def note(self) -> str:
        """Where the bars come from, in words."""
        return self._replay.note if self._replay is not None else repr(self.source)

    def timeframes(self, symbol: str) -> list[str]:
        """Name the timeframes that are asked about where a client names none."""
        if self._replay is not None:
            return self._replay.timeframes(symbol)
        if isinstance(self.source, ReplaySource):
            return [timeframe for name, timeframe in self.source.series if name == symbol]
        # A file is looked for quickly; other vendors are spared sixteen questions.
        return self._offered() if isinstance(self.source, CsvSource) else self._offered()[:1]

    def _offered(self) -> list[str]:
        """Name the timeframes that the source does not refuse, days first."""
        offered = []
        for timeframe in sorted(_core.timeframes(), key=lambda name: name != "1d"):
            with suppress(errors.KtrdrError):
                self.calls.describe(timeframe)
                offered.append(timeframe)
        return offered or ["1d"]

    async def spelt(
        self, symbol: str, *asked: str, **series: Unpack[SeriesWords]
    ) -> tuple[str, Contract]:
        """Give the symbol as the source knows it, in one of the timeframes: as it is, else in capital letters.

        Raises
        ------
        Refused
            For a symbol that it does not know, in IB's words.
        """
        _check_symbol(symbol)
        symbol = symbol.strip()
        key = (symbol, series.get("instrument_type"))
        if key in self._names:
            return self._names[key]
        wrong = ""
        offered = self._offered()
        usable = [timeframe for timeframe in asked if timeframe in offered]
        if isinstance(self.source, CsvSource):
            usable += offered
        for name in dict.fromkeys((symbol, symbol.upper())):
            for timeframe in usable or offered[:1]:
                try:
                    contract = await self.ask(self.calls.validate_symbol(name, timeframe, **series))
                except errors.SymbolNotFoundError as error:
                    wrong = wrong or error.message
                else:
                    self._names[key] = (name, contract)
                    if len(self._names) > _MOST_NAMES:
                        self._names.popitem(last=False)
                    return self._names[key]
        raise Refused(
            f"No security definition has been found for the request: {symbol!r} ({wrong})"
        )

    async def first(
        self, symbol: str, timeframe: str, **series: Unpack[SeriesWords]
    ) -> datetime | None:
        """Give the start of the oldest bar; None where the source cannot say, or does not have the timeframe."""
        if timeframe not in _core.timeframes():
            return None
        try:
            asking = self.calls.first_timestamp(symbol, timeframe, **series)
            first: datetime | None = await self.ask(asking)
        except (errors.SymbolNotFoundError, errors.ConfigurationError):
            return None
        return first

    async def first_if_told(
        self, symbol: str, timeframe: str, **series: Unpack[SeriesWords]
    ) -> datetime | None:
        """Give the same; None also where a source that is there fails to say: a symbol is no less a symbol for that."""
        try:
            return await self.first(symbol, timeframe, **series)
        except errors.ServiceConnectionError:
            raise
        except (errors.HostServiceError, errors.ProtocolError) as error:
            _log.warning("hosts.ib: no first timestamp: symbol=%s: %s", symbol, error)
            return None

    def parts(
        self, timeframe: str, start: datetime, end: datetime
    ) -> list[tuple[datetime, datetime]]:
        """Cut a range into those that the source gives at once, up to the last closed bar.

        Raises
        ------
        Refused
            For an unknown timeframe, and a range that is too long.
        """
        if timeframe not in _core.timeframes():
            known = ", ".join(_core.timeframes())
            raise Refused(f"unsupported timeframe {timeframe!r}: use {known}")
        end = min(end, BarGrid(timeframe).closed_end())
        if start >= end:
            return []
        span = self.calls.describe(timeframe).max_span
        most = self._limits.max_parts
        if (end - start) / span > most:
            raise Refused(
                f"a range of {(end - start).days} days is too long for {timeframe}: "
                f"ask for at most {(span * most).days} days at once"
            )
        edges = [start]
        while edges[-1] < end:
            edges.append(min(edges[-1] + span, end))
        return list(zip(edges, edges[1:], strict=False))

    async def fetch(
        self,
        symbol: str,
        timeframe: str,
        parts: list[tuple[datetime, datetime]],
        found: Found,
        told: Callable[[int, int], None],
        turn: Callable[[], AbstractAsyncContextManager[None]],
        **series: Unpack[SeriesWords],
    ) -> None:
        """Ask for one part after the other, ``turn`` before each; ``found`` has what came, also where this is cancelled or raises."""
        missing = []
        for number, (start, end) in enumerate(parts):
            async with turn():
                answer = await self.ask(self.calls.fetch(symbol, timeframe, start, end, **series))
            bars: Any = answer.bars
            if len(bars):
                found.parts.append(bars)
            if answer.partial:
                missing.append(answer.partial)
            missing += [f"{row.start:%Y-%m-%dT%H:%M:%SZ} {row.why}" for row in answer.dropped[:20]]
            told(number + 1, found.rows)
        found.partial = "; ".join(missing[:20])

    @property
    def connection(self) -> dict[str, Any]:
        """How the connection to a gateway is; nothing of a source that has none."""
        if not isinstance(self.source, IbGatewaySource):
            return {}
        health = self.source.health
        return {
            "gateway": self.source.address,
            "state": health.state,
            "since": None if health.since is None else text_of(health.since),
            "waiting": health.waiting,
            "paced": health.paced,
            "waits_for": list(health.waits_for),
            "client_id": health.client_id,
            "server_version": health.version,
            "connections": health.connections,
            "last_error": health.last_error,
            "notices": {str(code): count for code, count in health.notices},
            "pacing_violations": health.pacing_violations,
        }

    @property
    def room(self) -> int:
        """How many questions for bars it answers at once without one that waits for another."""
        if isinstance(self.source, IbGatewaySource):
            return self.source.at_once
        return self._limits.max_requests

    @property
    def connected(self) -> bool:
        """Whether the provider can be reached, as far as is known."""
        if isinstance(self.source, IbGatewaySource) and self.source.health.state != "idle":
            return self.source.health.state == "ready"
        return self._reached

    async def contract_info(
        self, symbol: str, contract: Contract, heads: Mapping[str, str | None], now: float
    ) -> dict[str, Any]:
        """Describe a symbol; a source that has ``contract_info(symbol)`` says what it knows better."""
        known: dict[str, Any] = {
            "asset_type": _OF_IB.get(contract.asset_class, contract.asset_class) or "STK",
            "exchange": contract.exchange or "SMART",
            "currency": contract.currency or "USD",
            "description": self.note,
            "trading_hours": None,
        }
        better = getattr(self.source, "contract_info", None)
        if callable(better):
            try:
                given = (
                    await better(symbol)
                    if inspect.iscoroutinefunction(better)
                    else await asyncio.to_thread(better, symbol)
                )
                known |= {name: str(given[name]) for name in known if name in given}
                hours = given.get("trading_hours")
                known["trading_hours"] = dict(hours) if hours else None
            except Exception:  # noqa: BLE001 - what a source raises is unknown
                _log.exception("hosts.ib: contract_info of the source raised: symbol=%s", symbol)
        record = {
            "symbol": symbol,
            "secType": known["asset_type"],
            "exchange": known["exchange"],
            "currency": known["currency"],
        }
        return {
            "symbol": symbol,
            "contract": record,
            **known,
            "validated_at": now,
            "head_timestamps": dict(heads),
        }

    async def ask(self, question: Any) -> Any:
        """Await a question, and take note of whether the source could be reached."""
        try:
            value = await question
        except (errors.ServiceConnectionError, errors.ServiceTimeoutError):
            self._reached = False
            raise
        except errors.KtrdrError:
            self._reached = True
            raise
        self._reached = True
        return value


async def table(found: Found) -> str:
    """Write bars as the contract has them: JSON of stamps and bars."""
    if found.rows <= _MANY:
        return _table(found)
    return await asyncio.to_thread(_table, found)


def _table(found: Found) -> str:
    import numpy

    names = ("open", "high", "low", "close", "volume")
    rows: dict[str, dict[str, float]] = {}
    for bars in found.parts:
        stamps = numpy.datetime_as_string(bars.time, unit="ms").tolist()
        columns = [getattr(bars, name).tolist() for name in names]
        for stamp, *values in zip(stamps, *columns, strict=True):
            rows[f"{stamp}Z"] = dict(zip(names, values, strict=True))
    return json.dumps(rows)


def _check_symbol(symbol: str) -> None:
    """Refuse what is a symbol nowhere, so that no vendor is asked for it.

    Raises
    ------
    Refused
        For control characters, what is too long, and nothing.
    """
    try:
        asked = _core.LoadRequest(symbol=symbol, timeframe="1d", mode="local")
        _core.check_load(asked, None, {})
    except errors.InvalidArgumentError as error:
        raise Refused(
            f"No security definition has been found for the request: {error.message}"
        ) from None


def time_of(name: str, text: str) -> datetime:
    """Read ISO 8601, without an offset UTC.

    Raises
    ------
    Refused
        For anything else.
    """
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{name} {text!r} is no ISO 8601 time") from None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise Refused(f"{name} {text!r} lies outside of all calendars") from None


def text_of(moment: datetime) -> str:
    """Write a time as the contract has it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
