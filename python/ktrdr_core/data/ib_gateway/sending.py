"""What is sent to a gateway: messages that wait for their turn, and cancels that must arrive."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from ib_async.client import Client

# After how long a message that was refused as one too many is sent again: the gateway counts those of a second. Seconds.
_SENT_AGAIN = 1.1
# How many of those at once: requests need their messages, too.
_AT_ONCE = 1
# How long what was taken back is remembered. Seconds.
_REMEMBERED = 60.0


class Line:
    """Messages that wait in ib_async's client for their turn: it lets 45 through, of the 50 a second that the gateway takes.

    A cancel among them would come a second late, and the gateway would work for nobody meanwhile.
    """

    # How many messages a second where one is a cancel.
    _WITH_CANCELS = 49

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def last(self) -> str | None:
        """The newest message that waits."""
        waiting: deque[str] = self._client._msgQ
        return waiting[-1] if waiting else None

    def place_of(self, message: str | None) -> int | None:
        """Say where a message waits; None where it has been sent."""
        if message is None:
            return None
        waiting: deque[str] = self._client._msgQ
        return next((place for place, each in enumerate(waiting) if each is message), None)

    def drop(self, message: str | None) -> bool:
        """Take a message out; false where it has been sent."""
        place = self.place_of(message)
        if place is None:
            return False
        del self._client._msgQ[place]
        return True

    def ahead(self, send: Callable[[], None]) -> None:
        """Send what is sent in the call before all that waits."""
        client = self._client
        waiting: deque[str] = client._msgQ
        behind = list(waiting)
        waiting.clear()
        usual, client.MaxRequests = client.MaxRequests, self._WITH_CANCELS
        try:
            send()
        finally:
            client.MaxRequests = usual
            waiting.extend(behind)


class TakenBack:
    """Requests that were taken back lately: a cancel that the gateway refuses as one message too many is sent again.

    It says of no message which one it was, and of a cancel that is none any more that it knows no such request.
    """

    def __init__(self, gone: asyncio.Future[str]) -> None:
        self._gone = gone
        self._sent: dict[int, tuple[float, Callable[[], None]]] = {}
        # Those that are sent again, one after the other.
        self._again: dict[int, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def send(
        self,
        number: int,
        send: Callable[[], None],
        ahead: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        """Take a request back, and remember how; by ``ahead``, where it is not to wait for its turn."""
        if self._gone.done():
            return
        now = asyncio.get_running_loop().time()
        for old in [each for each, (at, _) in self._sent.items() if now - at > _REMEMBERED]:
            del self._sent[old]
        self._sent[number] = now, send
        with contextlib.suppress(ConnectionError):
            if ahead is None:
                send()
            else:
                ahead(send)

    def ended(self, number: int) -> None:
        """Forget one that the gateway has let go of."""
        self._sent.pop(number, None)
        self._again.pop(number, None)

    def refused(self, within: float) -> None:
        """Send anew what may have been refused, as it was sent within so many seconds, when the gateway takes messages again."""
        loop = asyncio.get_running_loop()
        for number in [each for each, (at, _) in self._sent.items() if loop.time() - at < within]:
            self._again[number] = self._sent.pop(number)[1]
        if self._again and self._timer is None:
            self._timer = loop.call_later(_SENT_AGAIN, self._some)

    def _some(self) -> None:
        """Send the next of them."""
        self._timer = None
        for number in list(self._again)[:_AT_ONCE]:
            self.send(number, self._again.pop(number))
        if self._again and not self._gone.done():
            self._timer = asyncio.get_running_loop().call_later(_SENT_AGAIN, self._some)
