"""How far back a request for bars reaches, and when it ends."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from .contracts import Hours

_DURATION = re.compile(r"(\d{1,9}) ([SDWMY])")
_DASHED = re.compile(r"(\d{8})-(\d{2}:\d{2}:\d{2})")
_SPACED = re.compile(r"(\d{8})\s+(\d{2}:\d{2}:\d{2})(?: (.+))?")
# The longest that can be asked for in a unit; more is asked for in the next.
_MOST = {"S": 86_400, "D": 365, "W": 52, "M": 12, "Y": 100}

# Ends are taken between these: the longest duration before the one, and a few days behind the other, are dates still.
_FIRST_YEAR, _LAST_YEAR = 1900, 9998


class BadDuration(ValueError):
    """A duration that there is none; its words are the cause in error 321."""


class BadEnd(ValueError):
    """An end that cannot be read: error 10314."""


def start_of(duration: str, end: int, hours: Hours) -> int:
    """Give where a duration that ends at ``end`` begins; days are counted in sessions. Seconds since 1970.

    Raises
    ------
    BadDuration
        For one that there is none.
    """
    match = _DURATION.fullmatch(duration)
    if match is None or int(match[1]) == 0:
        raise BadDuration(
            "Historical data query end date/time string or duration is invalid. Format is: integer{SPACE}unit (S|D|W|M|Y)."
        )
    count, unit = int(match[1]), match[2]
    if count > _MOST[unit]:
        words = {"S": "86400 seconds must be made in days", "D": "365 days must be made in years"}
        raise BadDuration(
            f"Historical data requests for durations longer than {words.get(unit, f'{_MOST[unit]} {unit} cannot be made')}."
        )
    if unit == "S":
        return end - count
    if unit == "D":
        # No market is closed for so long.
        sessions = list(hours.between(end - (3 * count + 30) * 86_400, end))
        return sessions[-min(count, len(sessions))].start if sessions else end
    moment = datetime.fromtimestamp(end, UTC)
    if unit == "W":
        return int((moment - timedelta(weeks=count)).timestamp())
    return int(_months_before(moment, count * (12 if unit == "Y" else 1)).timestamp())


def _months_before(moment: datetime, count: int) -> datetime:
    months = moment.year * 12 + moment.month - 1 - count
    for day in range(moment.day, 27, -1):
        try:
            return moment.replace(year=months // 12, month=months % 12 + 1, day=day)
        except ValueError:
            continue
    return moment.replace(year=months // 12, month=months % 12 + 1, day=min(moment.day, 28))


def end_of(text: str, now: float, zone: ZoneInfo) -> tuple[int, bool]:
    """Read where a request ends, and whether its zone was left out; the gateway's own is taken then.

    Raises
    ------
    BadEnd
        For what is no time, one before 1900, and for a zone that the gateway does not take.
    """
    if not text:
        return int(now), False
    dashed = _DASHED.fullmatch(text)
    match = dashed or _SPACED.fullmatch(text)
    if match is None:
        raise BadEnd(text)
    try:
        moment = datetime.strptime(match[1] + match[2], "%Y%m%d%H:%M:%S")
    except ValueError:
        raise BadEnd(text) from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise BadEnd(text)
    if dashed:
        return int(moment.replace(tzinfo=UTC).timestamp()), False
    named = match[3]
    if named is None:
        return int(moment.replace(tzinfo=zone).timestamp()), True
    return int(moment.replace(tzinfo=_zone(named)).timestamp()), False


def _zone(name: str) -> ZoneInfo:
    # UTC is taken, GMT is not.
    if name == "UTC" or "/" in name:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            pass
    raise BadEnd(name)
