"""Which of a symbol's series is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from .. import _core

if TYPE_CHECKING:
    from ..calendars import SessionCalendar


class SeriesWords(TypedDict, total=False):
    """Words that say which series of a symbol and timeframe is meant; where there is one only, none is needed.

    Every method of ``DataManager`` that names a series takes them as keywords. A word that is left out means whatever is
    stored; of several stored ones the usual one (trades, of forex midpoints, of regular hours). Where that does not say
    it, ``InvalidArgumentError`` lists the candidates.

    Examples
    --------
    >>> from ktrdr_core import DataManager
    >>> bar = {"date": ["2024-01-02"], "open": [1.1], "high": [1.1], "low": [1.1], "close": [1.1]}
    >>> with DataManager(data_dir="bars", env={}) as data:
    ...     for side in ("BID", "ASK"):
    ...         _ = data.store("EURUSD", "1d", bar, instrument_type="forex", what_to_show=side).result()
    ...     data.get_data("EURUSD", "1d", what_to_show="ASK")
    <Bars EURUSD 1d: 1 from 2024-01-02T00:00:00Z to 2024-01-02T00:00:00Z>
    """

    instrument_type: str | None
    """stock, etf, index, future, option, forex or crypto."""
    what_to_show: str | None
    """TRADES, MIDPOINT, BID, ASK, BID_ASK, ADJUSTED_LAST, HISTORICAL_VOLATILITY or OPTION_IMPLIED_VOLATILITY."""
    session: str | None
    """regular or extended: bars before and after the sessions' hours, too."""
    exchange: str | None
    """As the provider names it."""
    currency: str | None
    """As the provider names it."""


def named_calendar(native: _core.DataManager, name: str) -> SessionCalendar:
    """Give the calendar of a name: the user's own, or as the user has changed it, before any other.

    Raises
    ------
    InvalidArgumentError
        When there is none of that name.
    """
    from ..calendars import SessionCalendar, get_calendar

    own = _core.own_calendar(native, name)
    return get_calendar(name) if own is None else SessionCalendar(own)
