"""A host service that has a bar for every day, and remembers what it was asked for."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from threaded_server import Handler, answering

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def price(day: datetime) -> float:
    """Give the open of a day's bar: which day it is since 1970."""
    return float((day - EPOCH).days)


@dataclass
class DaysHost:
    """Where it is, and what it was asked for."""

    url: str = ""
    #: Symbol, start and end of each request for bars, oldest first.
    asked: list[tuple[str, datetime, datetime]] = field(default_factory=list)
    #: After how many bars an answer to a range that begins then stops, and waits for its client to go.
    hold: dict[datetime, int] = field(default_factory=dict)
    held: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    #: What every price is times what `price` says: another one after a split.
    basis: float = 1.0

    def bars(self, start: datetime, end: datetime) -> dict[str, dict[str, float]]:
        """Give the bars of a half-open range as the contract has them."""
        first = EPOCH + -((EPOCH - start) // DAY) * DAY
        days = (first + n * DAY for n in range(max(0, -((first - end) // DAY))))
        return {
            day.isoformat(timespec="milliseconds").replace("+00:00", "Z"): {
                "open": price(day) * self.basis,
                "high": (price(day) + 1) * self.basis,
                "low": (price(day) - 1) * self.basis,
                "close": (price(day) + 0.5) * self.basis,
                "volume": 1000,
            }
            for day in days
        }


def end_of_bar(content: bytes, count: int) -> int:
    """Say where so many bars of an answer end."""
    at = content.index(b"{", 1)
    for _ in range(count):
        at = content.index(b"}", at) + 1
    return at


@contextmanager
def days_host() -> Iterator[DaysHost]:
    """Serve on a free port of this machine until the end of the body."""
    host = DaysHost()

    class Days(Handler):
        def do_GET(self) -> None:
            self.reply({"success": True, "timestamp": "1900-01-01T00:00:00Z", "error": None})

        def do_POST(self) -> None:
            asked = self.asked()
            if self.path == "/data/validate":
                known = {"is_valid": True, "error_message": None, "contract_info": None}
                self.reply({"success": True, **known, "head_timestamps": {}, "error": None})
                return
            start, end = (datetime.fromisoformat(asked[name]) for name in ("start", "end"))
            with host.lock:
                host.asked.append((asked["symbol"], start, end))
            bars = host.bars(start, end)
            answer = {"success": True, "data": json.dumps(bars), "rows": len(bars), "error": None}
            hold = host.hold.get(start)
            if hold is None:
                self.reply(answer)
                return
            self.head(content := json.dumps(answer).encode())
            self.wfile.write(content[: end_of_bar(content, hold)])
            host.held.set()
            # Nothing but its end is to be read of a client that waits.
            with suppress(ConnectionError):
                self.connection.recv(1)
            self.close_connection = True
            host.left.set()

    with answering(Days) as host.url:
        yield host
