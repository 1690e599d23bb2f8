"""Which contracts a symbol may stand for, in the order in which the gateway is asked, and how their bars are asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import SymbolNotFoundError
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
# Candidates that an error lists.
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Found:
    """What a symbol stands for."""

    #: As ib_async has it, with its number.
    contract: Any
    asset_class: str
    #: What is asked for, and whether in regular hours alone.
    show: str
    regular: bool
    #: The exchange's clock, as the gateway names it.
    zone: str

    @property
    def known(self) -> Contract:
        """The same for a load."""
        exchange = self.contract.primaryExchange or self.contract.exchange
        return Contract(self.asset_class, exchange, self.contract.currency)


def candidates(symbol: str, currency: str) -> list[dict[str, Any]]:
    """Give what a symbol may mean, as fields of a contract, in the order in which to ask.

    ``EUR.USD``, ``EURUSD`` and ``EUR/USD`` are one pair; what is traded against a currency and is none is a coin
    (``BTC/USD``); ``$SPX`` and ``^SPX`` are indices. Anything else is a stock or fund, else an index, else a future by its
    local symbol (``ESM4``).
    """
    name = symbol.strip()
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
