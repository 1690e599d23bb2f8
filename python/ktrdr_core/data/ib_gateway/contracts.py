"""Which contracts a symbol may stand for, in the order in which the gateway is asked, and how their bars are asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import InvalidArgumentError, SymbolNotFoundError
from ..sources import Contract

if TYPE_CHECKING:
    from collections.abc import Sequence

# The currencies that are traded against each other.
_CURRENCY = re.compile(
    "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|SEK|NOK|DKK|HKD|SGD|CNH|MXN|ZAR|PLN|CZK|HUF|ILS|KRW|TRY|RUB|INR|THB|TWD|SAR|AED|RON"
)
_PAIR = re.compile(r"([A-Z0-9]{2,6})[./]([A-Z]{3})|([A-Z]{3})([A-Z]{3})")
_FUTURE = re.compile(r"[A-Z0-9]{1,4}[FGHJKMNQUVXZ]\d{1,2}|[A-Z0-9]{1,4}\s+[A-Z]{3}\s+\d{2}")

_CLASSES = {"IND": "index", "CASH": "forex", "FUT": "future", "CRYPTO": "crypto", "OPT": "option"}
_SHOWS = {"CASH": "MIDPOINT", "CRYPTO": "AGGTRADES"}
# What trades in regular hours and outside of them; of others every hour is asked for.
_REGULAR = frozenset({"STK", "IND", "OPT"})
_QUOTES = ("MIDPOINT", "BID", "ASK", "BID_ASK")
_VOLATILITY = ("HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY")
# What there is of each; of what is not named here the gateway knows.
_HAS = {
    "STK": ("TRADES", *_QUOTES, "ADJUSTED_LAST", *_VOLATILITY),
    "IND": ("TRADES", *_VOLATILITY),
    "CASH": _QUOTES,
    "CRYPTO": ("TRADES", *_QUOTES),
    "FUT": ("TRADES", *_QUOTES),
    "OPT": ("TRADES", *_QUOTES),
}
# As what each word of a load is looked for.
_KINDS = {
    "stock": "STK",
    "etf": "STK",
    "index": "IND",
    "forex": "CASH",
    "crypto": "CRYPTO",
    "future": "FUT",
    "option": "OPT",
}
# Candidates that an error lists.
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Found:
    """What a symbol stands for."""

    #: As ib_async has it, with its number.
    contract: Any
    asset_class: str
    #: What is asked for where nobody says more, and whether in regular hours alone.
    show: str
    regular: bool
    #: The exchange's clock, as the gateway names it.
    zone: str

    @property
    def known(self) -> Contract:
        """The same for a load."""
        exchange = self.contract.primaryExchange or self.contract.exchange
        return Contract(self.asset_class, exchange, self.contract.currency)

    def shown(self, what_to_show: str | None) -> str:
        """Give what is asked for where a load says what; as of every provider, its trades are what it has of those.

        Raises
        ------
        InvalidArgumentError
            For what there is not, naming what there is.
        """
        if what_to_show in (None, "TRADES"):
            return self.show
        has = _HAS.get(self.contract.secType)
        if has is not None and what_to_show not in has:
            name = self.contract.localSymbol or self.contract.symbol
            raise InvalidArgumentError(
                f"what_to_show {what_to_show!r} is nothing that {name} has, of the class {self.asset_class}: "
                f"use one of {', '.join(has)}",
                context={"field": "what_to_show", "value": what_to_show},
            )
        return str(what_to_show)

    def in_regular_hours(self, session: str | None) -> bool:
        """Say whether bars of regular hours alone are asked for."""
        return self.regular and session != "extended"


def candidates(
    symbol: str, currency: str, instrument_type: str | None = None
) -> list[dict[str, Any]]:
    """Give what a symbol may mean, as fields of a contract, in the order in which to ask.

    Where it is said what it is to be, that alone; a symbol that cannot be that is asked for as what it looks like.

    ``EUR.USD``, ``EURUSD`` and ``EUR/USD`` are one pair; what is traded against a currency and is none is a coin
    (``BTC/USD``); ``$SPX`` and ``^SPX`` are indices. Anything else is a stock or fund, else an index, else a future by its
    local symbol (``ESM4``).
    """
    may_be = _candidates(symbol.strip(), currency)
    kind = _KINDS.get(instrument_type or "")
    if kind == "OPT":
        return [{"secType": "OPT", "localSymbol": symbol.strip()}]
    return [each for each in may_be if each["secType"] == kind] or may_be


def _candidates(name: str, currency: str) -> list[dict[str, Any]]:
    pair = _PAIR.fullmatch(name)
    if pair:
        first, second = pair[1] or pair[3], pair[2] or pair[4]
        if _CURRENCY.fullmatch(first) and _CURRENCY.fullmatch(second):
            return [
                {"secType": "CASH", "symbol": first, "currency": second, "exchange": "IDEALPRO"}
            ]
        if pair[1] and _CURRENCY.fullmatch(second):
            return [{"secType": "CRYPTO", "symbol": first, "currency": second, "exchange": "PAXOS"}]
    if name[:1] in "$^" and len(name) > 1:
        return [{"secType": "IND", "symbol": name[1:], "currency": currency}]
    # IB writes BRK B where others write BRK.B.
    stock = {
        "secType": "STK",
        "symbol": name.replace(".", " "),
        "currency": currency,
        "exchange": "SMART",
    }
    index = {"secType": "IND", "symbol": name, "currency": currency}
    future = {"secType": "FUT", "localSymbol": name, "includeExpired": True}
    if _FUTURE.fullmatch(name):
        return [future, stock]
    return [stock, index, future]


def the_one(symbol: str, details: Sequence[Any]) -> Found:
    """Give the contract that the gateway found.

    Raises
    ------
    SymbolNotFoundError
        Where there are several: which, and how to say which is meant.
    """
    unique = {each.contract.conId: each for each in details}
    if len(unique) > 1:
        shown = [_shown(each.contract) for each in unique.values()]
        more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
        raise SymbolNotFoundError(
            f"{symbol} may mean {len(shown)} contracts: {'; '.join(shown[:_LISTED])}{more}; say which by its number, "
            f"IbGatewaySource(contracts={{{symbol!r}: …}})",
            context={"symbol": symbol, "candidates": shown[:_LISTED]},
        )
    (found,) = unique.values()
    kind = found.contract.secType
    funds = {"ETF", "ETN", "ETC", "FUND"}
    asset = (
        ("etf" if found.stockType in funds else "stock")
        if kind == "STK"
        else _CLASSES.get(kind, "")
    )
    return Found(
        found.contract, asset, _SHOWS.get(kind, "TRADES"), kind in _REGULAR, found.timeZoneId
    )


def _shown(contract: Any) -> str:
    where = contract.primaryExchange or contract.exchange
    name = contract.localSymbol or contract.symbol
    return f"{name} {contract.secType} {where} {contract.currency} ({contract.conId})"
