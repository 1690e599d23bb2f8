"""Server-sent events: every one once and in order, over any number of broken connections."""

from __future__ import annotations

import asyncio
import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import soak
from ktrdr_core import CancellationToken, errors
from ktrdr_core.http import Client, RetryPolicy, Timeouts
from ktrdr_core.testing import (
    CLOSE,
    CUT,
    HOLD,
    RESET,
    Action,
    Domain,
    FaultRequest,
    FaultServer,
    ok,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from http_service import Service

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\nretry: 1\n\n"
OVER = b"HTTP/1.1 204 No Content\r\n\r\n"
ONCE = RetryPolicy(attempts=1)


def counting(total: int, cuts: list[Action], chance: random.Random) -> Any:
    """Serve events 1 to ``total``, and cut the connection now and then, in the middle of an event too."""

    def handler(request: FaultRequest) -> list[Action]:
        first = int(request.headers.get("last-event-id", "0")) + 1
        if first > total:
            return [OVER]
        last = min(total, first + chance.randrange(40))
        events = [
            f"id: {n}\nevent: step\ndata: {n}\ndata: ü\n\n".encode() for n in range(first, last + 1)
        ]
        half = events[-1][: chance.randrange(len(events[-1]))] if last < total else events[-1]
        return [HEAD, b": ping\n\n", *events[:-1], half, chance.choice(cuts)]

    return handler


def test_random_cancels_of_a_reader_lose_no_event(service: Service) -> None:
    chance = random.Random(9)

    async def main(client: Client) -> list[int]:
        seen: list[int] = []
        events = client.events("/events")
        while True:
            wait = asyncio.ensure_future(anext(events, None))
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
            wait.cancel()
            try:
                event = await wait
            except asyncio.CancelledError:
                continue
            if event is None:
                return seen
            seen.append(int(event.id))

    handler = counting(400, [CLOSE, CUT, RESET], random.Random(4))
    with service.serve(handler) as server, Client(server.url, tls=service.trust) as client:
        assert asyncio.run(main(client)) == list(range(1, 401))


def test_every_event_comes_once_and_in_order_however_often_the_stream_breaks(
    service: Service,
) -> None:
    breaks = soak.count(20, 200)
    total = breaks * 20

    async def main(client: Client) -> list[int]:
        seen = []
        async for event in client.events("/events"):
            assert (event.event, event.data) == ("step", f"{event.id}\nü")
            seen.append(int(event.id))
        return seen

    handler = counting(total, [CLOSE, CUT, RESET], random.Random(4))
    with service.serve(handler) as server, Client(server.url, tls=service.trust) as client:
        assert asyncio.run(main(client)) == list(range(1, total + 1))
        assert len(server.requests) > breaks
        assert {request.headers["accept"] for request in server.requests} == {"text/event-stream"}


def test_the_same_without_asyncio_and_from_the_middle() -> None:
    with (
        FaultServer(counting(30, [CLOSE], random.Random(1))) as server,
        Client(server.url) as client,
        client.events("/events", last_event_id="20") as events,
    ):
        assert [int(event.id) for event in events] == list(range(21, 31))


def test_silence_is_a_broken_connection_and_a_heartbeat_is_none() -> None:
    answers: Iterator[list[Action]] = iter(
        [
            [HEAD, b"id: 1\ndata: a\n\n", HOLD],
            [HEAD, b"id: 2\ndata: b\n\n", CLOSE],
            [OVER],
        ]
    )
    with (
        FaultServer(lambda _: next(answers)) as server,
        Client(server.url, timeouts=Timeouts(between_bytes=0.05)) as client,
    ):
        assert [event.data for event in client.events("/events")] == ["a", "b"]
        assert [request.headers.get("last-event-id") for request in server.requests] == [
            None,
            "1",
            "2",
        ]


def test_the_service_says_how_long_to_wait() -> None:
    slow = HEAD.replace(b"retry: 1\n", b"retry: 120\n")
    answers: Iterator[list[Action]] = iter(
        [[slow, b"data: a\n\n", CLOSE], [slow, b"data: b\n\n", CLOSE], [OVER]]
    )

    async def main(client: Client) -> None:
        loop = asyncio.get_running_loop()
        events = client.events("/events")
        assert (await anext(events)).data == "a"
        began = loop.time()
        assert (await anext(events)).data == "b"
        assert loop.time() - began > 0.11

    with FaultServer(lambda _: next(answers)) as server, Client(server.url) as client:
        asyncio.run(main(client))


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (status(404), errors.StatusError, "answered 404 and no events"),
        (status(401), errors.StatusError, "401"),
        (ok("{}", "Content-Type: application/json\r\n"), errors.ProtocolError, "text/event-stream"),
        (HEAD + b"data: " + b"x" * 1_100_000, errors.ResponseTooLargeError, "line over the limit"),
    ],
    ids=["404", "401", "json", "endless line"],
)
def test_what_is_no_stream_of_events_is_an_error(
    answer: bytes, error: type[Exception], words: str
) -> None:
    with FaultServer(answer) as server, Client(server.url, retry=ONCE) as client:
        with pytest.raises(error, match=words):
            next(client.events("/events?token=secret"))
        assert len(server.requests) == 1


def test_an_event_may_be_one_line_of_a_mebibyte(service: Service) -> None:
    large = "x" * 1024 * 1024
    answers = iter([[HEAD, f"id: 1\ndata: {large}\n\n".encode(), CLOSE]])
    with (
        service.serve(lambda _: next(answers, [OVER])) as server,
        Client(server.url, tls=service.trust) as client,
    ):
        assert [event.data == large for event in client.events("/events")] == [True]


class Restarted:
    """A service that is gone after its first event, and comes back with what follows."""

    def __init__(self, *answers: bytes | list[Action]) -> None:
        self.first = FaultServer([HEAD, b"id: 1\ndata: a\n\n", HOLD])
        self.url = self.first.url
        self.second: FaultServer | None = None
        self.answers = iter(answers)

    def go(self) -> None:
        self.first.close()

    def come_back(self) -> None:
        port = int(self.url.rpartition(":")[2])
        last: list[Action] = [HEAD, b"id: 2\ndata: b\n\n", HOLD]
        self.second = FaultServer(lambda _: next(self.answers, last), port=port)

    def __enter__(self) -> Restarted:
        return self

    def __exit__(self, *_: object) -> None:
        self.first.close()
        if self.second is not None:
            self.second.close()


def wait_until(done: Callable[[], bool]) -> None:
    while not done():
        time.sleep(0.005)


@pytest.mark.parametrize("how", ["asked for", "by a deadline", "by its operation's"])
def test_a_stream_outlives_a_restart_of_its_service(how: str) -> None:
    async def main(service: Restarted, client: Client) -> None:
        token = CancellationToken().child(60) if how == "by a deadline" else None
        patience = 60.0 if how == "asked for" else None
        events = client.events("/events", reconnect_for=patience, cancellation_token=token)
        assert (await anext(events)).data == "a"
        following = asyncio.ensure_future(anext(events))
        await asyncio.to_thread(service.go)
        await asyncio.to_thread(wait_until, lambda: client.stats()["dials_failed"] >= 2)
        assert not following.done(), "nobody is there, and that is no error yet"
        await asyncio.to_thread(service.come_back)
        assert (await following).data == "b"
        events.close()
        assert service.second is not None
        assert [r.headers.get("last-event-id") for r in service.second.requests] == ["1"] * 4

    starting: list[Any] = [status(502), status(503), [CLOSE]]
    with (
        Restarted(*starting) as service,
        Client(service.url, retry=ONCE, timeouts=Timeouts(between_bytes=60)) as client,
    ):
        if how == "by its operation's":
            follow = partial(main, service, client)
            Domain().run_sync_operation("Following", "following", follow, timeout=60)
        else:
            asyncio.run(main(service, client))


def test_a_stream_ends_with_the_operation_that_it_was_made_under() -> None:
    made: list[Any] = []
    begun = asyncio.Event()

    async def follow(client: Client) -> None:
        events = client.events("/events")
        made.append(events)
        assert (await anext(events)).data == "a"
        begun.set()

    async def main() -> None:
        with FaultServer([HEAD, b"data: a\n\n", HOLD]) as server, Client(server.url) as client:
            domain = Domain()

            async def waiting() -> None:
                await follow(client)
                await anext(made[0])

            operation = domain.start_operation("Following", "following", waiting)
            await begun.wait()
            operation.cancel("enough")
            with pytest.raises(errors.OperationCancelledError, match="enough"):
                await operation
            with pytest.raises((errors.OperationCancelledError, StopAsyncIteration)):
                await anext(made[0])
            # Under one that has ended nothing runs any more: its token is nobody's.
            made.clear()
            await follow(client)
            made[0].close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_service_that_stays_away_longer_than_it_may_is_an_error() -> None:
    with Restarted() as service, Client(service.url, retry=ONCE) as client:
        events = client.events("/events", reconnect_for=0.3)
        assert next(events).data == "a"
        service.go()
        with pytest.raises(errors.ServiceConnectionError, match="refused"):
            next(events)


def test_a_service_that_says_no_is_an_error_however_patient_one_is() -> None:
    answers: Iterator[list[Action]] = iter([[HEAD, b"id: 1\ndata: a\n\n", CLOSE]])
    with (
        FaultServer(lambda _: next(answers, [status(404)])) as server,
        Client(server.url) as client,
    ):
        events = client.events("/events", reconnect_for=60)
        assert next(events).data == "a"
        with pytest.raises(errors.StatusError, match="404"):
            next(events)
        assert len(server.requests) == 2


def test_a_service_that_never_was_there_is_an_error_at_once() -> None:
    with FaultServer(status(502)) as server, Client(server.url, retry=ONCE) as client:
        with pytest.raises(errors.StatusError, match="502"):
            next(client.events("/events", reconnect_for=60))
        with pytest.raises(errors.InvalidArgumentError, match="reconnect_for must be at least 0"):
            client.events("/events", reconnect_for=-1)


def test_a_service_that_asks_for_no_pause_is_not_asked_without_one() -> None:
    eager = HEAD.replace(b"retry: 1\n", b"retry: 0\n") + b"data: a\n\n"

    async def main(client: Client) -> float:
        loop = asyncio.get_running_loop()
        events = client.events("/events")
        began = loop.time()
        for _ in range(5):
            await anext(events)
        events.close()
        return loop.time() - began

    with FaultServer([eager, CLOSE]) as server, Client(server.url) as client:
        assert asyncio.run(main(client)) > 0.39, "four pauses of 0.1 s"


def test_a_service_that_does_not_come_back_is_an_error() -> None:
    with FaultServer([HEAD, b"id: 1\ndata: a\n\n", CLOSE]) as server:
        client = Client(server.url, retry=RetryPolicy(attempts=2, first_pause=0.001))
        events = client.events("/events")
        assert next(events).data == "a"
    with pytest.raises(errors.ServiceConnectionError):
        next(events)
    client.close()


@pytest.mark.parametrize("moment", ["connecting", "silent", "pausing"])
@pytest.mark.parametrize("how", ["task", "token", "close"])
def test_it_ends_at_once_whatever_it_waits_for(how: str, moment: str) -> None:
    pausing = HEAD.replace(b"retry: 1\n", b"retry: 60000\n") + b"data: a\n\n"
    every: dict[str, list[Action]] = {
        "connecting": [HOLD],
        "silent": [HEAD + b"data: a\n\n", HOLD],
        "pausing": [pausing, CLOSE],
    }

    async def main(server: FaultServer, client: Client) -> None:
        token = CancellationToken()
        events = client.events("/events", cancellation_token=token)
        if moment != "connecting":
            assert (await anext(events)).data == "a"

        async def follow() -> None:
            await anext(events)

        task = asyncio.create_task(follow())
        await asyncio.to_thread(server.wait_until, lambda it: len(it.requests) == 1)
        await asyncio.to_thread(
            server.wait_until, lambda it: it.open_connections == (0 if moment == "pausing" else 1)
        )
        if how == "task":
            task.cancel()
        elif how == "token":
            token.cancel("enough")
        else:
            events.close()
        with pytest.raises(
            (asyncio.CancelledError, errors.OperationCancelledError, errors.ClientClosedError)
        ):
            await task
        events.close()
        await asyncio.to_thread(server.wait_until, lambda it: it.open_connections == 0)

    with FaultServer(every[moment]) as server, Client(server.url) as client:
        asyncio.run(main(server, client))
        assert client.stats()["active"] == 0


def test_what_cannot_be_asked_is_named() -> None:
    with Client("http://127.0.0.1:9") as client:
        untyped: Any = client.events
        with pytest.raises(errors.InvalidArgumentError, match="url must be str"):
            untyped(5)
        with pytest.raises(errors.InvalidArgumentError, match="last_event_id must be str"):
            untyped("/x", last_event_id=5)
