"""What a gateway's error codes mean: decided by the code, and by the text for 162 alone."""

from __future__ import annotations

import re
from enum import Enum


class Kind(Enum):
    """What to do about an error or a notice."""

    notice = "nothing: it is no error"
    empty = "there are no bars in the range"
    cancelled = "it was taken back"
    pacing = "wait, and ask again"
    permission = "a subscription is missing"
    contract = "nothing is traded by that name"
    bad_request = "the request cannot be"
    transient = "ask again when the line is back"
    lost = "close the connection, and make another"
    id_taken = "take another client id"
    unknown = "ask once more, then give up"


# Codes that say of the line to IB, or of a farm of its data, that it is down or up again.
LINE_DOWN = frozenset({1100, 2103, 2105, 2110, 2157})
LINE_UP = frozenset({1101, 1102, 2104, 2106, 2107, 2108, 2158})
# Those without which bars or contracts do not come. A farm that is inactive (2107) opens when it is asked.
_LINE = {1100: False, 2110: False, 1101: True, 1102: True}
_FARMS = {2105: False, 2106: True, 2107: True, 2157: False, 2158: True}
_KINDS = {
    2105: "its history farms",
    2106: "its history farms",
    2107: "its history farms",
    2157: "its contract farms",
    2158: "its contract farms",
}
_FARM = re.compile(r"(\w+)\W*$")
#: What was asked before is lost.
DATA_LOST = 1101
#: More messages within a second than the gateway takes; one of them is lost.
TOO_MANY_MESSAGES = 100
#: The gateway listens at another port from now on; its text names it.
MOVED = 1300
_PORT = re.compile(r"(\d+)\D*$")


class Line:
    """What a gateway has lost, as its notices say: the line to IB, or every farm of a kind."""

    def __init__(self) -> None:
        self._up = True
        self._farms: dict[str, dict[str, bool]] = {}

    def told(self, code: int, text: str) -> None:
        """Take note of a notice."""
        if code in _LINE:
            self._up = _LINE[code]
            if self._up:
                # Which farms there are is told anew.
                self._farms.clear()
        elif code in _FARMS:
            farm = _FARM.search(text)
            farms = self._farms.setdefault(_KINDS[code], {})
            farms[farm[1] if farm else ""] = _FARMS[code]

    @property
    def lost(self) -> tuple[str, ...]:
        """What is lost; a kind of farms is where none of those that are known is up."""
        dark = [kind for kind, farms in sorted(self._farms.items()) if not any(farms.values())]
        return tuple(dark if self._up else ["IB", *dark])


_BY_CODE = {
    TOO_MANY_MESSAGES: Kind.pacing,
    165: Kind.notice,
    200: Kind.contract,
    320: Kind.bad_request,
    321: Kind.bad_request,
    322: Kind.bad_request,
    326: Kind.id_taken,
    354: Kind.permission,
    366: Kind.cancelled,
    420: Kind.pacing,
    502: Kind.lost,
    504: Kind.lost,
    507: Kind.lost,
    MOVED: Kind.lost,
    10089: Kind.permission,
    10090: Kind.permission,
    10167: Kind.notice,
    10168: Kind.permission,
    10182: Kind.transient,
    10186: Kind.permission,
    10197: Kind.transient,
    10225: Kind.transient,
    10314: Kind.bad_request,
}

# Words of 162 in the languages that gateways speak; the order is that of the looks.
_TEXTS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(words, re.IGNORECASE))
    for kind, words in (
        (
            Kind.pacing,
            r"pacing|ritmo|cadencia|anfragefrequenz|anforderungsrate|fr[ée]quence|频率|頻度|ペーシング|frequenza",
        ),
        (
            Kind.permission,
            r"no market data permission|not allowed|sin permisos|no tiene permisos|marktdatenberechtigung"
            r"|autorisation|权限|権限|autorizzazion|permess",
        ),
        (
            Kind.empty,
            r"no data|no ha devuelto datos|sin datos|keine daten|aucune donn[ée]e|未返回数据|没有数据|データがありません|nessun dato",
        ),
        (
            Kind.cancelled,
            r"query cancel|cancelad|storniert|annul[ée]|已取消|キャンセル|annullat",
        ),
        (Kind.bad_request, r"invalid step|time length exceed|no historical market data for"),
    )
)


def kind_of(code: int, text: str) -> Kind:
    """Say what an error means, as far as it tells by itself."""
    if 2100 <= code < 2200 or code in LINE_DOWN or code in LINE_UP:
        return Kind.notice
    if code != 162:
        return _BY_CODE.get(code, Kind.unknown)
    for kind, words in _TEXTS:
        if words.search(text):
            return kind
    return Kind.unknown


def port_of(text: str) -> int | None:
    """Read the port that a gateway says it has moved to; None where it does not say one that can be."""
    found = _PORT.search(text)
    return int(found[1]) if found and 1 <= int(found[1][-9:]) <= 65_535 else None


class Counted:
    """What texts of 162 turned out to mean that nobody can read: told by what came of asking again."""

    # Texts that are remembered.
    _MOST = 200

    def __init__(self) -> None:
        self._known: dict[str, Kind] = {}

    def kind_of(self, code: int, text: str) -> Kind:
        """Say what an error means, by its words or by what such an error meant before."""
        kind = kind_of(code, text)
        return self._known.get(_bare(text), kind) if kind is Kind.unknown else kind

    def passed(self, text: str) -> None:
        """Take note that the same request was answered when it was made again: it was asked too much."""
        self._note(text, Kind.pacing)

    def stayed(self, text: str) -> None:
        """Take note that it came again: asking once more is no use."""
        self._note(text, Kind.bad_request)

    def _note(self, text: str, kind: Kind) -> None:
        if len(self._known) >= self._MOST:
            self._known.pop(next(iter(self._known)))
        self._known[_bare(text)] = kind


def _bare(text: str) -> str:
    """Take out of a text what differs from one request to the next: numbers, and names in capitals."""
    return re.sub(r"\d+|\b[A-Z0-9.@/]{2,}\b", "", text)[:500]
