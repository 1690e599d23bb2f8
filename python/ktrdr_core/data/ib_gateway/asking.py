"""What becomes of a request: asked again where that may help, else one clear error."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from ... import errors
from .client import ConnectionLost
from .codes import Counted, Kind
from .pacing import AdaptiveGate
from .refusals import GatewayError, refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .client import GatewayClient
    from .connection import Connection

T = TypeVar("T")

_log = logging.getLogger("ktrdr_core.sources")

# How often a request is made at most; each new try has its own reason.
_TRIES = 4


class Asking:
    """Makes requests over one connection; confined to its loop.

    Parameters
    ----------
    answer_within : float
        How long an answer may take while the gateway has its line. Seconds.
    pacing_pause : float
        How long to wait after a pacing violation; doubled each time. Seconds.
    """

    def __init__(self, connection: Connection, answer_within: float, pacing_pause: float) -> None:
        self._connection = connection
        self._answer_within = answer_within
        self._pacing_pause = pacing_pause
        self._counted = Counted()
        self._gate = AdaptiveGate()
        #: How often the gateway said that it was asked too much.
        self.pacing_violations = 0

    async def ask(
        self, what: str, send: Callable[[GatewayClient], Awaitable[T]], *, bars: bool = False
    ) -> T:
        """Ask until there is an answer; ``what`` begins the words of an error.

        Raises
        ------
        NothingThere, NotTraded
            As the gateway says.
        HostServiceError
            For an error that stays; the range is asked for again by the next load.
        ServiceConnectionError
            When the gateway is not reached.
        ServiceTimeoutError
            When it does not answer this.
        ConfigurationError
            For what the account may not see, and for a request that cannot be.
        """
        pause = self._pacing_pause
        unread = ""
        lost = ""
        for _ in range(_TRIES):
            client = await self._connection.ready()
            try:
                answer = await self._once(client, what, send, bars)
            except ConnectionLost as error:
                _log.info("ib gateway: %s is asked again: %s", what, error)
                lost = str(error)
                continue
            except GatewayError as error:
                kind = self._kind(error, first=not unread)
                if kind is Kind.unknown and not unread:
                    unread = error.text
                elif kind is not Kind.pacing and kind is not Kind.transient:
                    if unread and _same(unread, error.text):
                        self._counted.stayed(error.text)
                    raise refused(what, error, kind) from None
                else:
                    lost = error.text
                    self._too_much(what, error, kind)
                await asyncio.sleep(pause)
                pause *= 2
                continue
            if unread:
                self._counted.passed(unread)
            return answer
        raise errors.ServiceConnectionError(
            f"{what}: no answer in {_TRIES} tries, the last ended so: {lost or unread}"
        )

    def _kind(self, error: GatewayError, *, first: bool) -> Kind:
        kind = self._counted.kind_of(error.code, error.text)
        if error.code == 200 and self._connection.degraded:
            # Said wrongly while the farm is down.
            return Kind.transient
        if kind is Kind.unknown and error.code == 162 and first:
            return Kind.unknown
        return Kind.bad_request if kind is Kind.unknown and error.code == 162 else kind

    def _too_much(self, what: str, error: GatewayError, kind: Kind) -> None:
        if kind is Kind.pacing:
            self.pacing_violations += 1
            self._gate.slower()
            _log.warning("ib gateway: pacing: %s: %s %s", what, error.code, error.text)

    async def _once(
        self,
        client: GatewayClient,
        what: str,
        send: Callable[[GatewayClient], Awaitable[T]],
        bars: bool,
    ) -> T:
        if not bars:
            return await self._within(what, send(client))
        async with self._gate.turn():
            return await self._within(what, send(client))

    async def _within(self, what: str, answer: Awaitable[T]) -> T:
        """Wait for an answer; while the gateway has no line, the time does not run."""
        waiting: asyncio.Future[Any] = asyncio.ensure_future(answer)
        left = self._answer_within
        step = min(1.0, left)
        try:
            while True:
                done, _ = await asyncio.wait({waiting}, timeout=min(step, left))
                if done:
                    found: T = waiting.result()
                    return found
                if not self._connection.degraded:
                    left -= step
                if left <= 0:
                    raise errors.ServiceTimeoutError(
                        f"{what}: the gateway answers others and not this within {self._answer_within:g} s: "
                        "ask for less at once, or give IbGatewaySource a longer answer_limit"
                    )
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


def _same(first: str, second: str) -> bool:
    return first.rstrip("0123456789") == second.rstrip("0123456789")
