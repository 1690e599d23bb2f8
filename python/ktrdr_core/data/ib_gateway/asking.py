"""What becomes of a request: asked again where that may help, else one clear error."""

from __future__ import annotations

import asyncio
import logging
import math
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ... import errors
from ..telling import warn
from .client import ConnectionLost
from .codes import Counted, Kind
from .pacing import AdaptiveGate
from .refusals import GatewayError, refused
from .smaller import Smaller

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import TypeAlias

    from .client import GatewayClient
    from .connection import Connection

    T = TypeVar("T")
    Send: TypeAlias = "Callable[[GatewayClient], Coroutine[Any, Any, T]]"
    Turn: TypeAlias = "Callable[[GatewayClient], AbstractAsyncContextManager[None]]"

_log = logging.getLogger("ktrdr_core.sources")

#: The phase of a time-out after which a smaller request is no help: smaller ones were made, and not answered either.
ANY_SIZE = "any_size"
# How often a request is made at most; each new try has its own reason.
_TRIES = 4
# How often it is made again because too much was asked. The pauses between, up to so many times the first, are ten minutes
# together where that is 2 s: the longest that anything counts.
_PACED, _LONGEST = 10, 64


class _Tries:
    """How often a request was made, and why it is made again.

    Parameters
    ----------
    pause : float
        How long the first pause is. Seconds.
    answer_within : float
        How long it may go unanswered, over all connections on which it is made. Seconds.
    """

    def __init__(self, pause: float, answer_within: float) -> None:
        self._first = self._pause = self._paced = pause
        self._failed = self._refused = 0
        self._within = answer_within
        #: When it was made first, by the loop's clock.
        self.began = asyncio.get_running_loop().time()
        #: How much longer it may go unanswered. Seconds.
        self.time_left = answer_within
        self.last = ""
        #: How often its connection was lost.
        self.lost = 0
        #: An error's text that nobody can read.
        self.unread = ""

    @property
    def left(self) -> bool:
        """Whether it may be made once more."""
        return self._failed < _TRIES and self._refused < _PACED

    @property
    def made(self) -> int:
        """How often it was made."""
        return self._failed + self._refused

    def lost_connection(self, why: str) -> None:
        """Take note that the connection ended before an answer came."""
        self.lost += 1
        self.failed(why)

    def answered(self) -> None:
        """Take note that the gateway is not mute: it may take its time again."""
        self.time_left = self._within

    def failed(self, why: str) -> float:
        """Take note of a try that came to nothing; give how long to wait."""
        self._failed += 1
        self.last = why
        self._pause *= 2
        return self._pause / 2

    def paced(self, why: str) -> float:
        """Take note that it was too much; give how long to wait."""
        self._refused += 1
        self.last = why
        pause = self._paced
        self._paced = min(2 * pause, _LONGEST * self._first)
        return pause


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
        #: Where requests for bars wait that no rule is made for.
        self.gate = AdaptiveGate()
        #: How often the gateway said that it was asked too much.
        self.pacing_violations = 0
        #: How many requests were sent.
        self.requests = 0
        # The newest of the notices, each of which may be about many requests.
        self._slowed_by = 0
        # Smaller requests are made beside one at a time. When that was done last, and when one that may be made smaller was
        # answered, by the loop's clock.
        self._beside = False
        self._less_asked = self._answered = -math.inf

    async def ask(
        self,
        what: str,
        send: Send[T],
        *,
        turn: Turn | None = None,
        smaller: Sequence[Send[Any]] = (),
    ) -> T:
        """Ask until there is an answer; ``what`` begins the words of an error, ``turn`` is waited for before each try.

        Where there is none, ``smaller`` requests find out whether less is answered; what they bring is not used.

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
        tries = _Tries(self._pacing_pause, self._answer_within)
        while tries.left:
            failed = self._connection.attempts
            client = await self._connection.ready()
            if self._connection.attempts > failed:
                # It was away, which was told, and is given its time now that it is back.
                tries.answered()
            try:
                answer = await self._once(client, what, send, turn, tries, smaller)
            except ConnectionLost as error:
                _log.info("ib gateway: %s is asked again: %s", what, error)
                tries.lost_connection(str(error))
                continue
            except GatewayError as error:
                tries.answered()
                pause = self._pause(what, error, tries)
                if tries.left:
                    await asyncio.sleep(pause)
                continue
            if tries.unread:
                self._counted.passed(tries.unread)
            return answer
        raise errors.ServiceConnectionError(
            f"{what}: no answer in {tries.made} tries, the last ended so: {tries.last}"
        )

    def _pause(self, what: str, error: GatewayError, tries: _Tries) -> float:
        """Say how long to wait before the request is made again.

        Raises
        ------
        NothingThere, NotTraded, KtrdrError
            Where that is no use.
        """
        kind = self._kind(error, first=not tries.unread)
        if kind is Kind.unknown and not tries.unread:
            tries.unread = error.text
            return tries.failed(error.text)
        if kind is Kind.pacing:
            if not error.notice or error.notice > self._slowed_by:
                self.pacing_violations += 1
                self.gate.slower()
                self._slowed_by = max(error.notice, self._slowed_by)
            warn(
                f"the gateway says that it is asked too much ({error.code}): what it refused is asked again, more slowly"
            )
            _log.warning("ib gateway: pacing: %s: %s %s", what, error.code, error.text)
            return tries.paced(error.text)
        if kind is Kind.transient:
            warn(f"the gateway says {error.code}: {error.text}: what it refused is asked again")
            return tries.failed(error.text)
        if tries.unread and _same(tries.unread, error.text):
            self._counted.stayed(error.text)
        raise refused(what, error, kind) from None

    def _kind(self, error: GatewayError, *, first: bool) -> Kind:
        kind = self._counted.kind_of(error.code, error.text)
        if error.code == 200 and self._connection.degraded:
            # Said wrongly while the farm is down.
            return Kind.transient
        if kind is Kind.unknown and error.code == 162 and first:
            return Kind.unknown
        return Kind.bad_request if kind is Kind.unknown and error.code == 162 else kind

    async def _once(
        self,
        client: GatewayClient,
        what: str,
        send: Send[T],
        turn: Turn | None,
        tries: _Tries,
        smaller: Sequence[Send[Any]],
    ) -> T:
        if turn is None:
            return await self._within(what, send(client), tries)
        async with turn(client):
            if client.gone.done():
                # The turn took its time.
                client = await self._connection.ready()
            beside = Smaller([partial(each, client) for each in smaller], self._answer_within)
            try:
                answer = await self._within(what, send(client), tries, beside)
            except GatewayError:
                self._answered = asyncio.get_running_loop().time()
                raise
            finally:
                if beside.tasks:
                    self._beside = False
                    await beside.close()
            self._answered = asyncio.get_running_loop().time()
            return answer

    async def _within(
        self, what: str, answer: Awaitable[T], tries: _Tries, beside: Smaller | None = None
    ) -> T:
        """Wait for an answer; while the gateway has no line, the time does not run, and its patience does."""
        waiting: asyncio.Future[Any] = asyncio.ensure_future(answer)
        loop = asyncio.get_running_loop()
        self.requests += 1
        patience = self._connection.options.patience
        without_line = 0.0
        try:
            while True:
                began = loop.time()
                left = patience - without_line if self._connection.degraded else tries.time_left
                if beside is not None:
                    left = min(left, self._look_beside(beside, tries))
                done, _ = await asyncio.wait({waiting}, timeout=min(1.0, max(left, 0.01)))
                passed = loop.time() - began
                if self._connection.degraded:
                    without_line += passed
                    warn(self._connection.waits)
                    if without_line >= patience and not done:
                        raise self._connection.out_of_patience()
                else:
                    without_line = 0.0
                    tries.time_left -= passed
                if done:
                    found: T = waiting.result()
                    return found
                if beside is not None and beside.answered:
                    self._answered = loop.time()
                passed = self._answer_within - tries.time_left
                if tries.time_left <= 0 or (beside is not None and beside.is_enough(passed)):
                    raise self._unanswered(what, tries)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def _look_beside(self, beside: Smaller, tries: _Tries) -> float:
        """Make the smaller requests that are due; give until when to wait at most. Seconds.

        A gateway that is mute, or has no line, is asked for no more.
        """
        passed = self._answer_within - tries.time_left
        mine = bool(beside.tasks) or not self._beside
        if (
            mine
            and not tries.lost
            and not self._connection.degraded
            and (made := beside.look(passed))
        ):
            self.requests += made
            self._beside = True
            self._less_asked = asyncio.get_running_loop().time()
        return beside.until_next(passed)

    def _unanswered(self, what: str, tries: _Tries) -> Exception:
        """Say why there is no answer: where the gateway is mute, a smaller request is no help."""
        if tries.lost:
            return errors.ServiceConnectionError(
                f"{what}: no answer within {self._answer_within:g} s, in which the connection was lost and made anew "
                f"{tries.lost} {'time' if tries.lost == 1 else 'times'}, the last because {tries.last}"
            )
        said = f"{what}: the gateway answers others and not this within {self._answer_within:g} s"
        if self._less_asked >= tries.began > self._answered:
            return errors.ServiceTimeoutError(
                f"{said}, nor a part of it: ask again later, or give IbGatewaySource a longer answer_limit",
                context={"phase": ANY_SIZE},
            )
        return errors.ServiceTimeoutError(
            f"{said}: ask for less at once, or give IbGatewaySource a longer answer_limit"
        )


def _same(first: str, second: str) -> bool:
    return first.rstrip("0123456789") == second.rstrip("0123456789")
