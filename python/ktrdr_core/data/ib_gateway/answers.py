"""Columns of a gateway's answer: in order, each bar once, under the stamps that are stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ...calendars import BarGrid, get_calendar
from ...errors import ProtocolError
from .stamps import FIRST, LAST, is_date, seconds_of, zone_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from .client import AnsweredBars
    from .contracts import Found

_CALENDARS = {
    ("stock", "USD"): "XNYS",
    ("etf", "USD"): "XNYS",
    ("crypto", ""): "CRYPTO",
    ("forex", ""): "FOREX",
}


class Span(NamedTuple):
    """Which bars of an answer are taken: those that start in ``[start, end)`` and have ended."""

    start: datetime
    end: datetime
    now: datetime
    """What time it is, by the gateway's clock where that is known."""


def columns_of(
    bars: AnsweredBars, timeframe: str, found: Found, span: Span, *, regular: bool
) -> dict[str, Any] | list[Any]:
    """Make columns of an answer: in order, each bar once, closed, inside the range, under the stamps that are stored."""
    calendar = _calendar(found)
    extended = calendar is not None and found.regular and not regular
    grid = BarGrid(timeframe, calendar, session="extended" if extended else "regular")
    stamps = _seconds(bars.stamps, found, grid if timeframe in ("1w", "1M") else None)
    return _columns(bars, stamps, span, grid.ends_of)


def small_columns_of(
    bars: AnsweredBars, seconds: int, found: Found, span: Span
) -> dict[str, Any] | list[Any]:
    """Make the same of bars that last so many seconds."""
    import numpy as np

    length = np.timedelta64(seconds, "s")
    stamps = _seconds(bars.stamps, found, None)
    return _columns(bars, stamps, span, lambda begun: begun + length)


def joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the columns of several answers one behind the other."""
    import numpy as np

    if parts:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    empty: dict[str, Any] = {"timestamp": np.empty(0, dtype="datetime64[ns]")}
    return empty | {name: np.empty(0) for name in ("open", "high", "low", "close", "volume")}


def _columns(
    bars: AnsweredBars,
    seconds: NDArray[np.int64],
    span: Span,
    ends_of: Callable[[Any], Any],
) -> dict[str, Any] | list[Any]:
    import numpy as np

    # Where a bar came twice, the last holds.
    order = np.argsort(seconds, kind="stable")
    seconds = seconds[order]
    last = np.r_[seconds[1:] != seconds[:-1], True]
    inside = (seconds >= span.start.timestamp()) & (seconds < span.end.timestamp())
    kept = last & inside
    stamps = seconds[kept].astype("datetime64[s]").astype("datetime64[ns]")
    rows = order[kept]
    if len(stamps):
        now = np.datetime64(span.now.astimezone(UTC).replace(tzinfo=None), "ns")
        closed = ends_of(stamps) <= now
        stamps, rows = stamps[closed], rows[closed]
    if not len(stamps):
        return []
    return {"timestamp": stamps} | {
        name: _numbers(getattr(bars, name))[rows]
        for name in ("open", "high", "low", "close", "volume")
    }


def _numbers(texts: list[str]) -> NDArray[np.float64]:
    import numpy as np

    try:
        return np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError as error:
        raise ProtocolError(f"the gateway sent a bar with what is no number: {error}") from None


def _seconds(texts: list[str], found: Found, grid: BarGrid | None) -> NDArray[np.int64]:
    import numpy as np

    if grid is not None:
        days = (datetime.fromtimestamp(seconds_of(text), UTC) for text in texts)
        return np.array([int(grid.stored_stamp(day).timestamp()) for day in days], dtype=np.int64)
    if texts and texts[0].isdigit() and not is_date(texts[0]):
        return _epochs(texts)
    usual = None if all(map(is_date, texts)) else zone_of(found.zone)
    return np.array([seconds_of(text, usual) for text in texts], dtype=np.int64)


def _epochs(texts: list[str]) -> NDArray[np.int64]:
    """Read seconds since 1970; eight digits are a date."""
    import numpy as np

    try:
        seconds = np.fromiter(map(int, texts), np.int64, len(texts))
    except (ValueError, OverflowError):
        seconds = None
    sound = seconds is not None and seconds.min() >= FIRST and seconds.max() <= LAST
    if seconds is None or not sound or min(map(len, texts)) <= 8:
        return np.array([seconds_of(text) for text in texts], dtype=np.int64)
    return seconds


def _calendar(found: Found) -> Any:
    names = ((found.asset_class, found.contract.currency), (found.asset_class, ""))
    name = next((_CALENDARS[each] for each in names if each in _CALENDARS), None)
    return None if name is None else get_calendar(name)
