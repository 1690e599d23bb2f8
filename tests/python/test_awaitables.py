"""Requests, calls and handles where Python takes coroutines; one that is dropped unsent warns as a coroutine does."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import uvloop
from starlette.background import BackgroundTask, BackgroundTasks

from ktrdr_core import AsyncServiceAdapter, CancellationToken, ServiceCall, _core, errors
from ktrdr_core.http import Client
from ktrdr_core.testing import HOLD, Domain, FaultServer, ok, until_running
from test_bridge import WithoutReaders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANSWER = ok('{"price": 101.5}')


class Made:
    """One of each kind of thing that is awaited, and the server that they ask."""

    def __init__(self) -> None:
        self.server = FaultServer(ANSWER)
        self.client = Client(self.server.url)
        self.adapter = AsyncServiceAdapter("quotes", self.server.url)
        self.domain = Domain()

    def of(self, kind: str) -> Any:
        if kind == "operation":
            return self.domain.start_operation("W", "w", asyncio.sleep, 0.001, 7)
        makers: dict[str, Callable[[], Any]] = {
            "request": lambda: self.client.get("/x"),
            "call": lambda: self.adapter.call_get("/x"),
            "post": lambda: self.adapter.call_post("/x", {}),
            "batch": lambda: self.adapter.call_batch([ServiceCall("/x")]),
            "health": lambda: self.adapter.check_health(cache_ttl=0),
        }
        return makers[kind]()

    def close(self) -> None:
        self.client.close()
        self.adapter.close()
        self.server.close()


@pytest.fixture
def made() -> Iterator[Made]:
    one = Made()
    yield one
    one.close()


SENT = ["request", "call", "post", "batch", "health"]
KINDS = [*SENT, "operation"]
kinds = pytest.mark.parametrize("kind", KINDS)
sent = pytest.mark.parametrize("kind", SENT)


async def by_create_task(make: Callable[[], Any]) -> Any:
    task = asyncio.create_task(make(), name="mine")
    assert type(make()).__name__ in repr(task)
    return await task


async def by_task_group(make: Callable[[], Any]) -> Any:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(make())
    return task.result()


async def by_wait(make: Callable[[], Any]) -> Any:
    done, _ = await asyncio.wait([asyncio.ensure_future(make()), asyncio.create_task(make())])
    return next(task.result() for task in done)


async def by_gather(make: Callable[[], Any]) -> Any:
    first, _ = await asyncio.gather(make(), make())
    return first


async def by_as_completed(make: Callable[[], Any]) -> Any:
    values = [await each for each in asyncio.as_completed([make(), make()])]
    return values[0]


async def by_shield_and_wait_for(make: Callable[[], Any]) -> Any:
    return await asyncio.wait_for(asyncio.shield(make()), 20)


async def by_threadsafe(make: Callable[[], Any]) -> Any:
    loop = asyncio.get_running_loop()
    one = make()
    return await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(one, loop).result(20))


async def by_anyio(make: Callable[[], Any]) -> Any:
    heard = []

    async def run() -> None:
        heard.append(await make())

    async with anyio.create_task_group() as group:
        group.start_soon(make)
        group.start_soon(run)
    return heard[0]


WAYS = [
    by_create_task,
    by_task_group,
    by_wait,
    by_gather,
    by_as_completed,
    by_shield_and_wait_for,
    by_threadsafe,
    by_anyio,
]


@pytest.mark.filterwarnings("ignore:.*never awaited")
@pytest.mark.parametrize("way", WAYS)
@kinds
def test_it_is_taken_wherever_a_coroutine_is(
    kind: str, way: Callable[[Callable[[], Any]], Any], made: Made
) -> None:
    async def main() -> Any:
        return await way(lambda: made.of(kind))

    for factory in (asyncio.new_event_loop, uvloop.new_event_loop, WithoutReaders):
        with asyncio.Runner(loop_factory=factory, debug=True) as runner:
            value = runner.run(main())
        if kind == "request":
            assert value.json() == {"price": 101.5}
        elif kind == "operation":
            assert value == 7
        else:
            assert value


@sent
def test_it_is_a_program_of_its_own(kind: str, made: Made) -> None:
    assert asyncio.run(made.of(kind))


def test_what_asyncio_wait_takes_is_tasks_as_ever(made: Made) -> None:
    async def main() -> None:
        request = made.client.get("/x")
        with pytest.raises(TypeError, match="use tasks explicitly"):
            await asyncio.wait([request])  # type: ignore[type-var]
        await request

    asyncio.run(main())


@kinds
def test_several_tasks_may_have_the_same_one_at_once(kind: str, made: Made) -> None:
    async def main() -> None:
        one = made.of(kind)
        values = await asyncio.gather(
            asyncio.create_task(one), asyncio.create_task(one), asyncio.wait_for(one, 20), one
        )
        assert len(values) == 4
        if kind != "request":
            assert [value == values[0] for value in values[:1]]
        assert await one
        assert await asyncio.create_task(one)

    asyncio.run(main())


def test_a_framework_that_asks_whether_it_is_async_awaits_it(made: Made) -> None:
    async def main() -> None:
        tasks = BackgroundTasks()
        tasks.add_task(made.client.post, "/background", json={"a": 1})
        tasks.add_task(made.adapter.call_post, "/call", {"b": 2})
        await tasks()
        functions: list[Callable[..., Any]] = [
            made.client.request,
            made.client.get,
            made.client.delete,
            made.adapter.call_get,
            made.adapter.call_host_service_post,
            made.adapter.call_batch,
            made.adapter.check_health,
        ]
        for function in functions:
            assert BackgroundTask(function).is_async, function

    asyncio.run(main())
    assert [request.target for request in made.server.requests] == ["/background", "/call"]
    assert made.server.requests[0].body == b'{"a":1}'


def _has_seen(count: int) -> Callable[[FaultServer], bool]:
    return lambda server: len(server.requests) == count


def test_a_cancel_reaches_what_a_task_is_in_the_middle_of(made: Made) -> None:
    made.server.handler = [HOLD]

    async def main() -> None:
        makers: list[Callable[[str], Any]] = [made.client.get, made.adapter.call_get]
        for number, make in enumerate(makers, start=1):
            task = asyncio.create_task(make("/x"))
            await asyncio.to_thread(made.server.wait_until, _has_seen(number))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(
                made.server.wait_until, lambda server: server.open_connections == 0
            )
        operation = made.domain.start_operation("W", "w", asyncio.Event().wait)
        await until_running(operation)
        task = asyncio.create_task(operation)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert operation.status == "cancelled"

    asyncio.run(main())


def test_a_task_that_is_cancelled_before_its_first_step_sends_nothing_and_warns_of_nothing(
    made: Made,
) -> None:
    async def main() -> None:
        task = asyncio.create_task(made.client.get("/x"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
        gc.collect()
    assert made.server.requests == []


def test_an_error_is_the_tasks_own(made: Made) -> None:
    made.server.close()

    async def main() -> None:
        tasks = [asyncio.create_task(made.client.get("/x")) for _ in range(3)]
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, errors.ServiceConnectionError)

    asyncio.run(main())


# ---- dropped unsent


@sent
def test_one_that_is_dropped_unsent_says_so_without_its_secrets(kind: str, made: Made) -> None:
    with pytest.warns(RuntimeWarning, match="never awaited: nothing was sent") as caught:
        made.of(kind)
    (warning,) = caught
    assert made.server.url in str(warning.message)
    assert "test_awaitables" in warning.filename

    def drop_three() -> None:
        made.client.get("/x?token=hush", params={"key": "hush"})
        made.client.stream("GET", "/x?token=hush")
        made.adapter.call_get("/x", {"key": "hush"})

    with pytest.warns(RuntimeWarning, match="never awaited") as caught:
        drop_three()
    assert len(caught) == 3
    assert not [each for each in caught if "hush" in str(each.message)]


def test_one_that_was_sent_closed_or_refused_warns_of_nothing(made: Made) -> None:
    async def main() -> None:
        await made.client.get("/x")
        async with made.client.stream("GET", "/x") as response:
            await response.aread()
        made.client.get("/x").close()
        made.adapter.call_get("/x").close()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
        made.client.get("/x").result()
        with made.client.stream("GET", "/x") as response:
            response.read()
        with pytest.raises(errors.InvalidArgumentError):
            made.client.get("/x", timeout=-1)
        made.domain.run_sync_operation("W", "w", asyncio.sleep, 0)
        gc.collect()


@kinds
def test_nothing_of_it_is_left_to_the_garbage_collector(kind: str, made: Made) -> None:
    dead: list[str] = []

    async def plain() -> None:
        one = made.of(kind)
        weakref.finalize(one, dead.append, "plain")
        await one

    async def task() -> None:
        one = made.of(kind)
        weakref.finalize(one, dead.append, "task")
        await asyncio.create_task(one)

    async def failed() -> None:
        one = made.of(kind)
        weakref.finalize(one, dead.append, "failed")
        task = asyncio.create_task(one)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def main() -> None:
        await made.of(kind)
        gc.collect()
        gc.disable()
        try:
            for one in (plain, task, failed):
                await one()
                # A done callback of the task, and what the loop holds of it.
                await asyncio.sleep(0.05)
        finally:
            gc.enable()

    asyncio.run(main())
    assert dead == ["plain", "task", "failed"]


# ---- tokens of others


class Foreign:
    """A token as others write them."""

    def __init__(self) -> None:
        self.cancelled = False
        self.asked = threading.Event()

    def is_cancelled(self) -> bool:
        self.asked.set()
        return self.cancelled


class Older:
    """One by the older name; it looks like nothing when asked whether it is something."""

    cancelled = False

    def __init__(self) -> None:
        self.asked = threading.Event()

    @property
    def is_cancelled_requested(self) -> bool:
        self.asked.set()
        return self.cancelled

    def __len__(self) -> int:
        return 0


TAKERS: dict[str, Callable[[Made, Any], Any]] = {
    "request": lambda made, token: made.client.get("/x", cancellation_token=token),
    "post": lambda made, token: made.client.post("/x", json={}, cancellation_token=token),
    "call_get": lambda made, token: made.adapter.call_get("/x", cancellation_token=token),
    "call_post": lambda made, token: made.adapter.call_host_service_post(
        "/x", {}, cancellation_token=token
    ),
    "batch": lambda made, token: made.adapter.call_batch(
        [ServiceCall("/x")] * 3, cancellation_token=token
    ),
    "health": lambda made, token: made.adapter.check_health(20, 0, cancellation_token=token),
}
foreign = pytest.mark.parametrize("kind_of_token", [Foreign, Older])


@foreign
@pytest.mark.parametrize("taker", TAKERS)
def test_a_token_of_others_stops_a_call(taker: str, kind_of_token: Any, made: Made) -> None:
    made.server.handler = [HOLD]

    async def main() -> None:
        token = kind_of_token()
        task = asyncio.create_task(TAKERS[taker](made, token))
        await asyncio.to_thread(token.asked.wait, 20)
        await asyncio.sleep(0.03)
        token.cancelled = True
        with pytest.raises(errors.OperationCancelledError, match="caller's token"):
            await asyncio.wait_for(task, 20)

    asyncio.run(main())
    token = kind_of_token()
    threading.Timer(0.05, setattr, [token, "cancelled", True]).start()
    with pytest.raises(errors.OperationCancelledError, match="caller's token"):
        TAKERS[taker](made, token).result(20)
    # One that is cancelled already lets nothing be sent.
    sent_before = len(made.server.requests)
    with pytest.raises(errors.OperationCancelledError):
        TAKERS[taker](made, token).result(20)
    assert len(made.server.requests) == sent_before


@foreign
def test_a_token_of_others_stops_a_stream_events_and_a_wait_between_retries(
    kind_of_token: Any, made: Made
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
    made.server.handler = [head, HOLD]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for make in (made.client.events, made.adapter.events):
            token = kind_of_token()
            events = make("/x", cancellation_token=token)
            assert (await anext(events)).data == "1"
            loop.call_later(0.05, setattr, token, "cancelled", True)
            with pytest.raises(errors.OperationCancelledError):
                await asyncio.wait_for(anext(events), 20)
            events.close()
        token = kind_of_token()
        async with made.client.stream("GET", "/x", cancellation_token=token) as response:
            assert (await anext(response.aiter_bytes())).startswith(b"data")
            loop.call_later(0.05, setattr, token, "cancelled", True)
            with pytest.raises(errors.OperationCancelledError):
                await asyncio.wait_for(response.aread(), 20)
        token = kind_of_token()
        tries: list[int] = []

        async def fails() -> None:
            tries.append(1)
            raise ConnectionError

        loop.call_later(0.05, setattr, token, "cancelled", True)
        with pytest.raises(errors.OperationCancelledError):
            await asyncio.wait_for(
                made.domain.retry_with_backoff(
                    fails, base_delay=100, max_delay=100, jitter=0, cancellation_token=token
                ),
                20,
            )
        assert tries == [1]

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [5, "token", object(), {}])
def test_what_is_no_token_is_named(wrong: Any, made: Made) -> None:
    async def main() -> None:
        takers: dict[str, Callable[[Made, Any], Any]] = {
            **TAKERS,
            "events": lambda made, token: made.client.events("/x", cancellation_token=token),
        }
        for make in takers.values():
            with pytest.raises(errors.InvalidArgumentError, match="cancellation_token must be"):
                make(made, wrong)
        with pytest.raises(errors.InvalidArgumentError, match="cancellation_token must be"):
            await made.domain.retry_with_backoff(asyncio.Event().wait, cancellation_token=wrong)

    asyncio.run(main())
    assert made.server.requests == []


def test_a_token_that_cannot_be_asked_is_told_of_and_not_asked_again(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    made.server.handler = lambda request: [ANSWER]

    class Broken:
        asked = 0

        def is_cancelled(self) -> bool:
            self.asked += 1
            if self.asked > 1:
                raise ValueError("broken token")
            return False

    token = Broken()
    post_token = CancellationToken()
    made.server.handler = [HOLD]
    call = made.client.get("/x", cancellation_token=token)
    with pytest.raises(TimeoutError):
        call.result(0.2)
    assert token.asked == 2
    assert "a token that is polled raised" in caplog.text
    del post_token


def test_the_markers_are_those_that_python_knows() -> None:
    assert inspect.isawaitable(_core) is False
    assert asyncio.iscoroutinefunction(Client.get)
