"""What a simulated gateway knows: contracts and their bars, and what it answers to requests for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import texts
from .durations import BadDuration, BadEnd, end_of, start_of
from .recorded import BAR_SIZES, Recorded, bar_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from ...bars import Bars
    from .contracts import SimulatedContract, Wanted
    from .messages import HeadRequest, HistoryRequest
    from .recorded import Row

_QUOTES = frozenset({"MIDPOINT", "BID", "ASK", "BID_ASK"})
_SHOWS = (
    _QUOTES
    | frozenset({"TRADES", "ADJUSTED_LAST", "AGGTRADES", "SCHEDULE", "FEE_RATE"})
    | frozenset({"HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY"})
)
_WITHOUT_VOLUME = _QUOTES | {"HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY"}
# Bars of up to so many seconds are kept for half a year.
_SMALL, _KEPT = 30, 183 * 86_400


@dataclass
class Refusal(Exception):
    """A request that is answered by an error."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """What a request for bars comes down to."""

    contract: SimulatedContract
    start: int
    end: int
    #: Whether its end had no zone: notice 2174.
    zoneless: bool


class Market:
    """The contracts and their bars; confined to the simulator's loop once that runs."""

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self._language = language
        self._zone = zone
        self._series: dict[int, list[Recorded]] = {}
        self.contracts: list[SimulatedContract] = []

    def add(self, contract: SimulatedContract) -> None:
        """Let a contract be traded."""
        if contract not in self.contracts:
            self.contracts.append(contract)

    def give(self, contract: SimulatedContract, size: str, bars: Bars) -> None:
        """Give a contract its bars of one size, in place of those it had.

        Raises
        ------
        ValueError
            For a size that there is none.
        """
        self.add(contract)
        length = bar_size(size)
        kept = [each for each in self._series.get(contract.con_id, []) if each.size != length]
        self._series[contract.con_id] = [*kept, Recorded(length, bars)]

    def found(self, wanted: Wanted) -> list[SimulatedContract]:
        """Give the contracts that a request may mean."""
        return [each for each in self.contracts if wanted.fits(each)]

    def matching(self, pattern: str) -> list[SimulatedContract]:
        """Give the contracts whose symbol or name begins with a pattern."""
        low = pattern.lower()
        return [
            each
            for each in self.contracts
            if each.symbol.lower().startswith(low) or each.long_name.lower().startswith(low)
        ][:16]

    def the(self, wanted: Wanted) -> SimulatedContract:
        """Give the one contract that a request means.

        Raises
        ------
        Refusal
            Where there is none, or more than one.
        """
        found = self.found(wanted)
        if len(found) == 1:
            return found[0]
        if not found:
            raise Refusal(200, texts.notice(200))
        raise Refusal(
            200, "The contract description specified for " + wanted.symbol + " is ambiguous."
        )

    def head(self, request: HeadRequest) -> int:
        """Give the stamp of the oldest bar.

        Raises
        ------
        Refusal
            Where there is none to give.
        """
        contract = self.the(request.wanted)
        self._may(contract, request.show)
        firsts = [each.first() for each in self._series.get(contract.con_id, [])]
        known = [first for first in firsts if first is not None]
        if not known:
            raise Refusal(162, self._text("empty", what=f"{contract.symbol} head timestamp"))
        return min(known)

    def range_of(self, request: HistoryRequest, now: float) -> Range:
        """Say what a request for bars comes down to.

        Raises
        ------
        Refusal
            For one that cannot be.
        """
        size = BAR_SIZES.get(request.size)
        if size is None:
            words = f"Historical data bar size setting is invalid. Legal ones are: {texts.BAR_SIZES_TEXT}"
            raise Refusal(321, texts.invalid(words))
        if request.format not in (1, 2):
            raise Refusal(
                321, texts.invalid("Historical data request must have a format date of 1 or 2.")
            )
        if request.show not in _SHOWS:
            raise Refusal(
                321, texts.invalid(f"What to show field is invalid: {request.show or 'empty'}.")
            )
        if request.live:
            raise Refusal(
                321, texts.invalid("This simulated gateway does not keep bars up to date.")
            )
        if request.show == "ADJUSTED_LAST" and request.end:
            raise Refusal(321, texts.invalid("End Date not supported with adjusted last"))
        contract = self.the(request.wanted)
        self._may(contract, request.show)
        try:
            end, zoneless = end_of(request.end, now, self._zone)
            hours = contract.hours(regular=request.regular)
            start = start_of(request.duration, end, hours)
        except BadEnd:
            raise Refusal(10314, texts.notice(10314)) from None
        except BadDuration as error:
            raise Refusal(321, texts.invalid(str(error))) from None
        if size.seconds <= _SMALL:
            start = max(start, int(now) - _KEPT)
        return Range(contract, start, min(end, int(now) + 1), zoneless)

    def rows(self, request: HistoryRequest, found: Range) -> list[Row]:
        """Make the bars of an answer.

        Raises
        ------
        Refusal
            Where there is none.
        """
        size = BAR_SIZES[request.size]
        hours = found.contract.hours(regular=request.regular)
        made = [each for each in self._series.get(found.contract.con_id, []) if each.makes(size)]
        rows: Sequence[Row] = []
        if made:
            coarsest = max(made, key=lambda each: each.size.seconds)
            rows = coarsest.rows(
                size, hours, found.start, found.end, quotes=request.show in _WITHOUT_VOLUME
            )
        if not rows:
            what = f"{found.contract.symbol}@{found.contract.exchange} {request.show.title()}"
            raise Refusal(162, self._text("empty", what=what))
        return list(rows)

    def pacing(self) -> Refusal:
        """Say that too much was asked."""
        return Refusal(162, self._text("pacing"))

    def cancelled(self, request: int) -> Refusal:
        """Say that a request was taken back."""
        return Refusal(162, self._text("cancelled", id=request))

    def usual(self, code: int) -> str:
        """Give the usual text of a code."""
        return self._text("pacing") if code == 162 else texts.notice(code)

    def _may(self, contract: SimulatedContract, show: str) -> None:
        if not contract.permitted:
            facts = {"exchange": contract.primary_exchange, "type": contract.sec_type}
            raise Refusal(162, self._text("permission", **facts))
        if show not in contract.shows:
            words = f"No historical market data for {contract.symbol}/{contract.sec_type}@{contract.exchange} {show.title()}"
            raise Refusal(162, texts.HISTORY[self._language]["service"] + words)

    def _text(self, kind: str, **facts: object) -> str:
        return texts.history(self._language, kind, **facts)
