"""Bars of up to 30 s: how they are asked for, and the provider's rules for them, kept by all processes together."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import _bridge, _core
from ...errors import InvalidArgumentError, StorageError
from .durations import Asked
from .refusals import GatewayError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from .client import GatewayClient

_log = logging.getLogger("ktrdr_core.sources")

#: The longest range of one request, by the seconds of a bar: 2,000 bars.
SMALL_SPANS = {seconds: timedelta(seconds=2000 * seconds) for seconds in (1, 5, 10, 15, 30)}
# They are kept for half a year; a provider's half year may be a few days longer.
_KEPT = timedelta(days=186)
# So many wait for their turn in the order of the rules, which lets through who can be; others wait behind them.
_LANES = 8


class Counting(NamedTuple):
    """As what a request counts."""

    request: str
    """Equal for equal requests."""
    series: str
    """Equal for those of one contract, exchange and kind of price."""
    weight: int


class SmallBarPacer:
    """Lets requests for small bars through as the account's rules allow; confined to one loop.

    What was sent stands in the database, where every process that uses it counts it (``_core.SentRequests``).

    Parameters
    ----------
    file : path
        The database.
    speed : float
        How many times as fast as time the rules' clock goes.
    """

    def __init__(self, file: Path, speed: float = 1.0) -> None:
        self._file = file
        self._speed = speed
        self._storage: _core.Storage | None = None
        self._accounts: dict[str, _core.SentRequests] = {}
        self._lanes = asyncio.Semaphore(_LANES)
        self._window = asyncio.Lock()
        self._opening = asyncio.Lock()
        # Nobody else holds them.
        self._noting: set[asyncio.Future[None]] = set()
        #: How many wait for their turn.
        self.waiting = 0

    @asynccontextmanager
    async def turn(self, client: GatewayClient, counting: Counting) -> AsyncIterator[None]:
        """Wait until a request may be sent, and note when it has reached the gateway.

        Raises
        ------
        StorageError
            When the database cannot be used: without it nobody knows what others ask.
        """
        self.waiting += 1
        try:
            await self._lanes.acquire()
        except BaseException:
            self.waiting -= 1
            raise
        try:
            try:
                sent = await self._of(client.account)
                ticket = await self._enter(sent, counting)
            finally:
                self.waiting -= 1
            try:
                yield
            except GatewayError:
                await _note(sent, ticket)
                raise
            except BaseException:
                self._given_up(sent, ticket, client)
                raise
            await _note(sent, ticket)
        finally:
            self._lanes.release()

    def _given_up(self, sent: _core.SentRequests, ticket: int, client: GatewayClient) -> None:
        """Let a request that nobody waits for count as open no longer than the gateway has it.

        Where the connection is lost it may still be on its way, and counts as one that is, as those of the dead do.
        """
        if client.gone.done():
            return

        async def note() -> None:
            if await client.passed():
                await _note(sent, ticket)

        noting = asyncio.ensure_future(note())
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)

    def close(self) -> None:
        """Let go of the database."""
        self._accounts.clear()
        self._storage = None

    async def _of(self, account: str) -> _core.SentRequests:
        async with self._opening:
            if account not in self._accounts:
                self._accounts[account] = await asyncio.to_thread(self._open, account)
            return self._accounts[account]

    def _open(self, account: str) -> _core.SentRequests:
        _bridge.start()
        if self._storage is None:
            self._storage = _core.Storage(self._file, False, dict(os.environ))
        return _core.SentRequests(self._storage, account, self._speed)

    async def _enter(self, sent: _core.SentRequests, counting: Counting) -> int:
        while True:
            # What all wait for one waits for, so that who came first goes first.
            async with self._window:
                for_all = True
                while for_all:
                    ticket, wait, for_all = await _once(sent, counting)
                    if ticket:
                        return ticket
                    if for_all:
                        await asyncio.sleep(wait)
            await asyncio.sleep(wait)


async def _note(sent: _core.SentRequests, ticket: int) -> None:
    """Note that a request has arrived. Where that fails it counts for longer, and its answer is as good as any."""
    try:
        await asyncio.to_thread(sent.arrived, ticket)
    except StorageError as error:
        _log.warning("ib gateway: a request counts as open for longer: %s", error)


async def _once(sent: _core.SentRequests, counting: Counting) -> tuple[int, float, bool]:
    """Ask for a turn on another thread: the disk is waited for. A task that is cancelled gives the turn back."""
    asking = asyncio.ensure_future(asyncio.to_thread(sent.enter, *counting))
    try:
        return await asyncio.shield(asking)
    except asyncio.CancelledError:
        ticket, _, _ = await asking
        if ticket:
            await asyncio.to_thread(sent.not_sent, ticket)
        raise


def parts_of(
    seconds: int, start: datetime, end: datetime, now: datetime
) -> list[tuple[datetime, datetime]]:
    """Cut a range into those of one request each, oldest first, up to now.

    Raises
    ------
    InvalidArgumentError
        For a length that no small bar has, an empty range, and one that begins before the oldest that are kept.
    """
    span = SMALL_SPANS.get(seconds)
    if span is None:
        known = ", ".join(map(str, SMALL_SPANS))
        raise InvalidArgumentError(
            f"seconds must be one of {known}, not {seconds!r}; longer bars are timeframes of load_data",
            context={"field": "seconds"},
        )
    if start >= end:
        raise InvalidArgumentError(
            f"start {start.isoformat()} is not before end {end.isoformat()}",
            context={"field": "start"},
        )
    if start < now - _KEPT:
        raise InvalidArgumentError(
            f"IB keeps bars of {seconds} s for half a year: start {start.isoformat()} is before "
            f"{(now - _KEPT).isoformat(timespec='minutes')}",
            context={"field": "start"},
        )
    edges = [start]
    last = min(end, now)
    while edges[-1] < last:
        edges.append(min(edges[-1] + span, last))
    return list(zip(edges, edges[1:], strict=False))


def asked_for_small(seconds: int, start: datetime, end: datetime, now: datetime) -> Asked:
    """Say how to ask for the bars that start in ``[start, end)``, the last one whole; what lies after now is not."""
    length = timedelta(seconds=seconds)
    last = min(end + length, now).astimezone(UTC).replace(microsecond=0)
    # A gateway's shortest duration.
    duration = max(-int((start - last).total_seconds() // 1), 30)
    return Asked(f"{last:%Y%m%d-%H:%M:%S}", f"{duration} S", f"{seconds} secs")


def counting_of(contract: Any, asked: Asked, show: str, regular: bool) -> Counting:
    """Say as what a request counts."""
    series = f"{contract.conId} {contract.exchange} {show}"
    return Counting(
        f"{series} {asked.end} {asked.size} {asked.duration} {regular}",
        series,
        2 if show == "BID_ASK" else 1,
    )
