"""What to ask for, so that a range is covered: durations are rounded up, for the gateway rounds nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

#: The gateway's bar sizes by our timeframes, and their lengths.
SIZES = {
    "1m": ("1 min", timedelta(minutes=1)),
    "2m": ("2 mins", timedelta(minutes=2)),
    "3m": ("3 mins", timedelta(minutes=3)),
    "5m": ("5 mins", timedelta(minutes=5)),
    "10m": ("10 mins", timedelta(minutes=10)),
    "15m": ("15 mins", timedelta(minutes=15)),
    "20m": ("20 mins", timedelta(minutes=20)),
    "30m": ("30 mins", timedelta(minutes=30)),
    "1h": ("1 hour", timedelta(hours=1)),
    "2h": ("2 hours", timedelta(hours=2)),
    "3h": ("3 hours", timedelta(hours=3)),
    "4h": ("4 hours", timedelta(hours=4)),
    "8h": ("8 hours", timedelta(hours=8)),
    "1d": ("1 day", timedelta(days=1)),
    "1w": ("1W", timedelta(weeks=1)),
    "1M": ("1M", timedelta(days=31)),
}
#: The longest range of one request.
SPANS = {
    "1m": timedelta(days=7),
    "2m": timedelta(days=14),
    "3m": timedelta(days=14),
    "5m": timedelta(days=30),
    "10m": timedelta(days=30),
    "15m": timedelta(days=60),
    "20m": timedelta(days=60),
    "30m": timedelta(days=120),
    "1h": timedelta(days=180),
    "2h": timedelta(days=180),
    "3h": timedelta(days=180),
    "4h": timedelta(days=365),
    "8h": timedelta(days=365),
    "1d": timedelta(days=730),
    "1w": timedelta(days=3650),
    "1M": timedelta(days=3650),
}
_DAY = timedelta(days=1)
# No zone's clock is apart from UTC's by less than that.
_BY_THE_CLOCK = timedelta(minutes=15)


class Asked(NamedTuple):
    """The three fields that say which bars are asked for."""

    end: str
    duration: str
    size: str


def smaller_spans(timeframe: str, span: timedelta) -> list[timedelta]:
    """Give the spans in which a load asks for a range that is not answered: a quarter of it, and a quarter of that."""
    shortest = min(SPANS[timeframe], max(_DAY, 10 * SIZES[timeframe][1]))
    spans = (max(span / part, shortest) for part in (4, 16))
    return [each for each in dict.fromkeys(spans) if each < span]


def asked_for(
    timeframe: str, start: datetime, end: datetime, now: datetime, *, up_to_now: bool = False
) -> Asked:
    """Say how to ask for all bars that start in ``[start, end)``, the last one whole.

    Parameters
    ----------
    start, end, now : datetime
        Aware. What lies after now is not asked for.
    up_to_now : bool
        Whether the gateway takes no end, as for adjusted prices: what lies behind the range comes, too.
    """
    size, length = SIZES[timeframe]
    # A bar of a day is stamped with its session's date: it may begin the evening before, and end the day after.
    before = _DAY if length >= _DAY else timedelta(0)
    # Short bars end by the clock, whatever the zone, so that nothing reaches over such an end: a day stays one.
    aligned = length <= _BY_THE_CLOCK and end.timestamp() % length.total_seconds() == 0
    after = timedelta(0) if aligned else length + before
    last = now if up_to_now else min(end + after, now)
    # A week's or month's bar is whole only where its first session is asked for.
    first = start - before - (length if length > _DAY else timedelta(0))
    text = "" if up_to_now else f"{last.astimezone(UTC):%Y%m%d-%H:%M:%S}"
    return Asked(text, duration_of(last - first, length), size)


def duration_of(span: timedelta, length: timedelta) -> str:
    """Give the shortest duration that covers a span, in the unit that takes it.

    Days are counted in sessions, of which there are never more than days; a month may have 28 days, a year 365.
    """
    seconds = max(-(-int(span.total_seconds()) // 60) * 60, 60)
    if seconds <= 86_400 and length < _DAY:
        return f"{seconds} S"
    days = -(-seconds // 86_400)
    if days <= 365:
        # A session may begin before the day that it is of.
        return f"{min(days + 1, 365)} D" if days < 365 else "2 Y"
    return f"{-(-days // 365)} Y"
