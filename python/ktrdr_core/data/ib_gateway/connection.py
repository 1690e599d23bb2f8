"""The one connection to a gateway, owned by one task: connecting, watching, and connecting again."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from ...errors import ServiceConnectionError
from ..telling import warn
from .back_off import BackOff
from .client import ClientIdTaken, ConnectionLost, GatewayClient
from .codes import DATA_LOST, LINE_DOWN, LINE_UP, Line
from .options import GatewayHealth, GatewayOptions
from .refusals import CLOSED

_log = logging.getLogger("ktrdr_core.sources")


class Connection:
    """Keeps one connection; confined to its loop.

    ``ready`` gives the client to those who ask; nobody else connects, so there are never two.
    """

    def __init__(self, options: GatewayOptions, back_off: BackOff | None = None) -> None:
        self.options = options
        self._back_off = back_off or BackOff(options.first_pause, options.longest_pause)
        self._port = options.port
        self._owner: asyncio.Task[None] | None = None
        self._client: GatewayClient | None = None
        self._changed = asyncio.Condition()
        self._line = Line()
        self._notices: Counter[int] = Counter()
        self._next_id = 0
        self._attempts = 0
        self._reached = False
        self._closed = False
        self._waiting = 0
        # Since when questions wait, where they do.
        self._down_since: datetime | None = None
        self.health = GatewayHealth()

    # ---- for those who ask

    async def ready(self) -> GatewayClient:
        """Give a connection that can be asked, waiting for it.

        Raises
        ------
        ServiceConnectionError
            When the gateway cannot be reached: at once where it never was, else after the options' patience.
        """
        if self._owner is None and not self._closed:
            self._owner = asyncio.get_running_loop().create_task(self._own())
        failed = self._attempts
        if self._usable is not None:
            return self._usable
        self._waiting += 1
        try:
            async with asyncio.timeout(self.options.patience):
                async with self._changed:
                    while True:
                        if self._closed:
                            raise ServiceConnectionError(CLOSED)
                        if self._usable is not None:
                            return self._usable
                        if self._reached:
                            warn(self.waits)
                        if not self._reached and self._attempts > failed:
                            raise self._error(self.health.last_error)
                        await self._changed.wait()
        except TimeoutError:
            raise self.out_of_patience() from None
        finally:
            self._waiting -= 1

    @property
    def _usable(self) -> GatewayClient | None:
        client = self._client
        if self._closed or client is None or client.gone.done() or self._line.lost:
            return None
        return client

    @property
    def waits(self) -> str:
        """For what questions wait, in words that stay the same as long as that lasts."""
        lost = self._line.lost
        why = f"which has lost {' and '.join(lost)}" if lost else "to which the connection is lost"
        self._down_since = self._down_since or datetime.now(UTC)
        since = f"{self._down_since:%Y-%m-%dT%H:%M:%SZ}"
        return f"waits for the gateway at {self._at}, {why}, since {since}"

    def out_of_patience(self) -> ServiceConnectionError:
        """Make the error of a question that has waited as long as one may."""
        within = f"not within {self.options.patience:g} s"
        lost = self._line.lost
        if lost and self._client is not None:
            return ServiceConnectionError(
                f"TWS or IB Gateway at {self._at} has lost {' and '.join(lost)}, and it did not come back: {within}; "
                "does the gateway itself show that it is connected?",
                context={"host": self.options.host, "port": self._port},
            )
        return self._error(f"{within}: {self.health.last_error}")

    @property
    def attempts(self) -> int:
        """How often it could not be made."""
        return self._attempts

    def now(self) -> datetime:
        """Give the time, by the gateway's clock where it has told it, else by this machine's."""
        known = None if self._client is None else self._client.now
        return known or datetime.now(UTC)

    @property
    def waiting(self) -> int:
        """How many questions wait for the gateway."""
        return self._waiting

    @property
    def degraded(self) -> bool:
        """Whether the gateway has lost what it needs to answer."""
        return bool(self._line.lost)

    async def close(self) -> None:
        """End the connection, for good."""
        self._closed = True
        if self._owner is not None:
            self._owner.cancel()
            await asyncio.gather(self._owner, return_exceptions=True)
        await self._tell(state="closed", client_id=None)

    def _error(self, why: str) -> ServiceConnectionError:
        return ServiceConnectionError(
            f"no connection to TWS or IB Gateway at {self._at}: {why}; is it running and logged in, is its API enabled "
            "(Configure, API, Settings: Enable ActiveX and Socket Clients), and is this its port?",
            context={"host": self.options.host, "port": self._port},
        )

    @property
    def _at(self) -> str:
        return f"{self.options.host}:{self._port}"

    # ---- the owner

    async def _own(self) -> None:
        while True:
            await self._tell(state="connecting", client_id=None, version=None)
            try:
                self._client = await self._connect()
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits has to hear of it
                unforeseen = None if isinstance(error, ConnectionLost) else error
                _log.warning("ib gateway: cannot connect: %s", error, exc_info=unforeseen)
                self._attempts += 1
                await self._tell(state="waiting", last_error=str(error))
                # Where it said that it has moved and is not there, it may be where it was.
                self._port = self.options.port
                await asyncio.sleep(self._back_off.pause())
                continue
            self._reached = True
            client = self._client
            began = asyncio.get_running_loop().time()
            client.note_time()
            why = "the source was closed"
            _log.info(
                "ib gateway: connected: client_id=%s version=%s",
                self.health.client_id,
                client.version,
            )
            try:
                count = self.health.connections + 1
                await self._tell(version=client.version, connections=count, last_error="")
                # What was said while it connected counts.
                await self._told()
                why = await self._watch(client)
            except Exception as error:  # noqa: BLE001 - nobody else connects
                why = f"{type(error).__name__}: {error}"
                _log.warning("ib gateway: gives a connection up: %s", why, exc_info=error)
            finally:
                self._client = None
                self._line = Line()
                # Before the next one is begun: the gateway would count two.
                await asyncio.shield(client.close(why))
            _log.warning("ib gateway: connection lost: %s", why)
            self._port = client.moved_to or self._port
            lasted = asyncio.get_running_loop().time() - began
            if client.has_answered or lasted > self.options.longest_pause:
                self._back_off.reset()
            await self._tell(state="waiting", client_id=None, last_error=why, waits_for=())
            # One that greets and goes is no reason to come back at once, either.
            await asyncio.sleep(self._back_off.pause())

    async def _connect(self) -> GatewayClient:
        """Try the client ids in turn, beginning with the last that was good."""
        ids = self.options.client_ids
        taken = ""
        for _ in ids:
            number = ids[self._next_id % len(ids)]
            options = self.options
            try:
                client = await GatewayClient.connect(
                    options.host, self._port, number, options.connect_within, self._notice
                )
            except ClientIdTaken as error:
                taken = str(error)
                self._next_id += 1
                continue
            self.health = replace(self.health, client_id=number)
            return client
        raise ConnectionLost(f"every client id of {list(ids)} is taken: {taken}")

    async def _watch(self, client: GatewayClient) -> str:
        """Wait until the connection is over; ask for the time where it is silent."""
        options = self.options
        probing: asyncio.Task[int] | None = None
        try:
            while not client.gone.done():
                silent = client.silent_for
                if silent >= options.dead_after:
                    return f"the gateway has said nothing for {silent:.0f} s"
                if silent >= options.probe_after and (probing is None or probing.done()):
                    probing = asyncio.ensure_future(client.current_time())
                    probing.add_done_callback(lambda done: done.cancelled() or done.exception())
                until = (
                    options.dead_after if probing and not probing.done() else options.probe_after
                )
                await asyncio.wait({client.gone}, timeout=max(until - silent, 0.01))
            return client.gone.result()
        finally:
            if probing is not None:
                probing.cancel()

    def _notice(self, code: int, text: str) -> None:
        """Take note of what the gateway says about no request."""
        self._notices[code] += 1
        if code in LINE_DOWN or code in LINE_UP:
            _log.log(
                logging.WARNING if code in LINE_DOWN else logging.INFO,
                "ib gateway: %s: %s",
                code,
                text,
            )
        self._line.told(code, text)
        if code == DATA_LOST and self._client is not None:
            self._client.ask_again("IB lost what was asked (1101)")
        asyncio.ensure_future(self._told())  # noqa: RUF006 - it ends at once

    async def _told(self) -> None:
        notices = tuple(sorted(self._notices.items()))
        if self._client is None:
            await self._tell(notices=notices)
        else:
            lost = self._line.lost
            state = "degraded" if lost else "ready"
            await self._tell(state=state, waits_for=lost, notices=notices)

    async def _tell(self, **changes: object) -> None:
        now = datetime.now(UTC)
        if changes.get("state", self.health.state) != self.health.state:
            changes["since"] = now
        self.health = replace(self.health, **changes)  # type: ignore[arg-type]
        if self.health.state == "ready":
            self._down_since = None
        elif self._down_since is None:
            self._down_since = now
        async with self._changed:
            self._changed.notify_all()
