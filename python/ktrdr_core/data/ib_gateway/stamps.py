"""When bars begin, as gateways write it: seconds, a date, or a time in a zone that they name in their own language."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from ...errors import ProtocolError

_DASHED = re.compile(r"(\d{8})-(\d{2}:\d{2}:\d{2})(?:\.\d+)?")
_SPACED = re.compile(r"(\d{8})\s+(\d{2}:\d{2}(?::\d{2})?)(?:\s+(\S.*?))?\s*")
_DATE = re.compile(r"\d{8}")

#: The first and the last second of the years 1 to 9999, since 1970: what lies outside is counted in something else.
FIRST, LAST = -62_135_596_800, 253_402_300_799

# Names of zones as Java's and Windows' clocks spell them in the languages that gateways speak. Abbreviations stand for the
# place whose market uses them; those that mean several zones to traders are not here.
_ZONES = {
    "America/New_York": (
        "EST EDT ET EST5EDT",
        "Eastern Standard Time",
        "Eastern Daylight Time",
        "Hora del Este",
        "Hora estándar oriental",
        "Nordamerikanische Ostküstenzeit",
        "Östliche Normalzeit",
        "heure de l'Est",
        "heure normale de l'Est",
        "北美东部标准时间",
        "美国东部时间",
        "东部标准时间",
        "アメリカ東部標準時",
    ),
    "America/Chicago": (
        "CDT CST6CDT",
        "Central Standard Time",
        "Central Daylight Time",
        "Hora central",
        "Nordamerikanische Zentralzeit",
        "北美中部标准时间",
    ),
    "America/Los_Angeles": ("PST PDT PST8PDT", "Pacific Standard Time", "Pacific Daylight Time"),
    "Europe/Berlin": (
        "CET CEST MEZ MESZ HEC HEEC",
        "Central European Standard Time",
        "Central European Time",
        "Central European Summer Time",
        "W. Europe Standard Time",
        "Mitteleuropäische Zeit",
        "Mitteleuropäische Normalzeit",
        "Mitteleuropäische Sommerzeit",
        "Hora de Europa central",
        "hora estándar de Europa central",
        "heure d'Europe centrale",
        "heure normale d'Europe centrale",
        "中欧标准时间",
    ),
    "Europe/London": ("BST WEZ", "GMT Standard Time", "British Summer Time", "Greenwich Mean Time"),
    "Asia/Tokyo": (
        "JST",
        "Japan Standard Time",
        "Tokyo Standard Time",
        "日本標準時",
        "日本标准时间",
    ),
    "Asia/Hong_Kong": (
        "HKT",
        "Hong Kong Standard Time",
        "Hong Kong Time",
        "香港标准时间",
        "香港時間",
    ),
    "Asia/Shanghai": ("China Standard Time", "中国标准时间", "中國標準時間"),
    "Asia/Kolkata": ("India Standard Time",),
    "Asia/Singapore": ("SGT", "Singapore Standard Time"),
    "Australia/Sydney": ("AEST AEDT", "AUS Eastern Standard Time"),
    "UTC": ("UTC GMT Z", "Coordinated Universal Time"),
}


def _names() -> dict[str, str]:
    found = {}
    for zone, (short, *names) in _ZONES.items():
        known = [*short.split(), *names] if short.isascii() and short.isupper() else [short, *names]
        for name in known:
            found[_plain(name)] = zone
    return found


def _plain(name: str) -> str:
    return " ".join(name.replace("\u2019", "'").casefold().split())


_BY_NAME = _names()


def zone_of(name: str) -> ZoneInfo:
    """Give the clock that a gateway names.

    Raises
    ------
    ProtocolError
        For a name that nobody knows: a guess would shift every bar.
    """
    known = _BY_NAME.get(_plain(name))
    try:
        return ZoneInfo(known or name)
    except (KeyError, ValueError, OSError):
        raise ProtocolError(
            f"the gateway names the time zone {name[:80]!r}, which is unknown: set the gateway's language to English, "
            "or its time zone to UTC"
        ) from None


def is_date(text: str) -> bool:
    """Say whether it is a date without a time: of a day's, week's or month's bar."""
    return _DATE.fullmatch(text) is not None


def seconds_of(text: str, usual: tzinfo | None = None) -> int:
    """Read when a bar begins, in seconds since 1970; of a date its 00:00 UTC.

    Parameters
    ----------
    usual : tzinfo, optional
        The clock of a time that names none: that of the contract's exchange, never the machine's.

    Raises
    ------
    ProtocolError
        For what is none, and for a zone that nobody knows.
    """
    try:
        if is_date(text):
            return int(datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).timestamp())
        if text.isascii() and text.lstrip("-").isdigit() and FIRST <= int(text) <= LAST:
            return int(text)
        dashed = _DASHED.fullmatch(text)
        if dashed:
            return _seconds(dashed[1], dashed[2], UTC)
        spaced = _SPACED.fullmatch(text)
        if spaced:
            zone = usual if spaced[3] is None else zone_of(spaced[3])
            if zone is not None:
                return _seconds(spaced[1], spaced[2], zone)
    except (ValueError, OverflowError):
        pass
    raise ProtocolError(f"the gateway stamps a bar with {text[:80]!r}, which is no time")


def _seconds(day: str, hour: str, zone: tzinfo) -> int:
    form = "%Y%m%d%H:%M:%S" if hour.count(":") == 2 else "%Y%m%d%H:%M"
    return int(datetime.strptime(day + hour, form).replace(tzinfo=zone).timestamp())
