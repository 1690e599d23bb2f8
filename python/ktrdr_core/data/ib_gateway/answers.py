"""Columns of a gateway's answer: in order, each bar once, under the stamps that are stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...calendars import BarGrid, get_calendar
from .stamps import is_date, seconds_of, zone_of

if TYPE_CHECKING:
    from .contracts import Found

_CALENDARS = {
    ("stock", "USD"): "XNYS",
    ("etf", "USD"): "XNYS",
    ("crypto", ""): "CRYPTO",
    ("forex", ""): "FOREX",
}


def columns_of(
    bars: list[Any], timeframe: str, found: Found, start: datetime, end: datetime
) -> dict[str, Any] | list[Any]:
    """Make columns of an answer: in order, each bar once, closed, inside the range, under the stamps that are stored."""
    import numpy as np

    grid = BarGrid(timeframe, _calendar(found))
    seconds = np.array(
        _seconds(bars, found, grid if timeframe in ("1w", "1M") else None), dtype=np.int64
    )
    # Where a bar came twice, the last holds.
    order = np.argsort(seconds, kind="stable")
    seconds = seconds[order]
    last = np.r_[seconds[1:] != seconds[:-1], True]
    inside = (seconds >= start.timestamp()) & (seconds < end.timestamp())
    kept = last & inside
    stamps = seconds[kept].astype("datetime64[s]").astype("datetime64[ns]")
    rows = order[kept]
    if len(stamps):
        now = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "ns")
        closed = grid.ends_of(stamps) <= now
        stamps, rows = stamps[closed], rows[closed]
    if not len(stamps):
        return []
    given = [bars[row] for row in rows.tolist()]
    return {
        "timestamp": stamps,
        "open": np.array([bar.open for bar in given], dtype=np.float64),
        "high": np.array([bar.high for bar in given], dtype=np.float64),
        "low": np.array([bar.low for bar in given], dtype=np.float64),
        "close": np.array([bar.close for bar in given], dtype=np.float64),
        "volume": np.array([bar.volume for bar in given], dtype=np.float64),
    }


def _seconds(bars: list[Any], found: Found, grid: BarGrid | None) -> list[int]:
    texts = [bar.date for bar in bars]
    if grid is not None:
        days = (datetime.fromtimestamp(seconds_of(text), UTC) for text in texts)
        return [int(grid.stored_stamp(day).timestamp()) for day in days]
    if texts and texts[0].isdigit() and not is_date(texts[0]):
        return [
            int(text) if len(text) > 8 and text.isdigit() else seconds_of(text) for text in texts
        ]
    usual = None if all(map(is_date, texts)) else zone_of(found.zone)
    return [seconds_of(text, usual) for text in texts]


def _calendar(found: Found) -> Any:
    names = ((found.asset_class, found.contract.currency), (found.asset_class, ""))
    name = next((_CALENDARS[each] for each in names if each in _CALENDARS), None)
    return None if name is None else get_calendar(name)
