"""Bars that are there already, as the provider behind a replay host service."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..._extras import needed_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bokeh_sampledata.stocks import StockData


@dataclass(frozen=True, slots=True)
class Bar:
    """One price bar; ``time`` is its start, with an offset."""

    time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True)
class Replay:
    """Recorded bars by symbol and timeframe, each series oldest first.

    Parameters
    ----------
    series : mapping
        ``{"AAPL": {"1d": [Bar, …]}}``.
    note : str
        Where the bars come from, in words.
    """

    series: Mapping[str, Mapping[str, Sequence[Bar]]]
    note: str = "recorded bars"
    _times: dict[tuple[str, str], list[datetime]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        times = {
            (symbol, timeframe): [bar.time for bar in bars]
            for symbol, frames in self.series.items()
            for timeframe, bars in frames.items()
        }
        object.__setattr__(self, "_times", times)

    def knows(self, symbol: str) -> bool:
        """Say whether there are any bars of the symbol."""
        return symbol in self.series

    def timeframes(self, symbol: str) -> list[str]:
        """List the timeframes the symbol is recorded in."""
        return list(self.series.get(symbol, {}))

    def first_timestamp(self, symbol: str, timeframe: str) -> datetime | None:
        """Find the oldest bar's start; None when there is no such series."""
        times = self._times.get((symbol, timeframe))
        return times[0] if times else None

    def between(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Sequence[Bar]:
        """Take the bars that start in ``[start, end)``.

        Raises
        ------
        KeyError
            When there is no such series.
        """
        times = self._times[symbol, timeframe]
        return self.series[symbol][timeframe][bisect_left(times, start) : bisect_left(times, end)]


def sampledata() -> Replay:
    """Read the daily bars of AAPL and MSFT that the package ``bokeh_sampledata`` ships.

    Its open, high, low and close are as traded; a broker's bars are adjusted for splits and dividends. So each is
    multiplied by the day's own ratio ``adj_close / close``. The volume stays as traded.

    Raises
    ------
    FeatureNotAvailableError
        When the package is not installed; the message has the command that installs it.
    """
    with needed_by("the replay of daily bars"):
        from bokeh_sampledata import stocks
    series = {
        symbol: {"1d": _adjusted(columns)}
        for symbol, columns in (("AAPL", stocks.AAPL), ("MSFT", stocks.MSFT))
    }
    return Replay(
        series, "daily bars of bokeh_sampledata, prices multiplied by its adj_close / close"
    )


def _adjusted(columns: StockData) -> list[Bar]:
    bars = []
    for day, opening, high, low, close, volume, adjusted in zip(
        columns["date"],
        columns["open"],
        columns["high"],
        columns["low"],
        columns["close"],
        columns["volume"],
        columns["adj_close"],
        strict=True,
    ):
        ratio = adjusted / close
        # One product for all four, the close too: rounding then keeps low <= open, close <= high.
        prices = (opening * ratio, high * ratio, low * ratio, close * ratio)
        bars.append(Bar(datetime.fromisoformat(day).replace(tzinfo=UTC), *prices, volume))
    return bars
