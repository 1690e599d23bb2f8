"""Clients of the IB host service take turns: who has much to ask holds nobody up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ib_bars import walk
from ktrdr_core import errors
from ktrdr_core.data import BarSource, IbGatewaySource, SourceLimits
from ktrdr_core.data.ib_gateway.pacing import AdaptiveGate
from ktrdr_core.hosts.ib.app import create_app
from ktrdr_core.hosts.ib.turns import FairTurns
from ktrdr_core.hosts.ib.vendor import HostLimits
from ktrdr_core.testing import IbGatewaySimulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime


def test_one_question_of_a_client_waits_for_one_of_each_other() -> None:
    async def main() -> list[str]:
        turns, asked = FairTurns(lambda: 1), []

        async def ask(client: str) -> None:
            async with turns.turn(client):
                asked.append(client)
                await asyncio.sleep(0)

        await asyncio.gather(
            *(ask("many") for _ in range(100)), *(ask("few") for _ in range(2)), ask("one")
        )
        return asked

    asked = asyncio.run(main())
    assert len(asked) == 103
    assert asked.index("one") <= 3
    # Each has a turn before another has its second.
    assert [place for place, client in enumerate(asked) if client == "few"][1] <= 5


def test_the_room_is_kept_and_what_is_given_up_leaves_it() -> None:
    async def main() -> None:
        room, under_way, most = 3, 0, 0
        turns = FairTurns(lambda: room)

        async def ask(client: str) -> None:
            nonlocal under_way, most
            async with turns.turn(client):
                under_way += 1
                most = max(most, under_way)
                try:
                    await asyncio.sleep(0)
                finally:
                    under_way -= 1

        asking = [asyncio.create_task(ask(str(number % 4))) for number in range(40)]
        await asyncio.sleep(0)
        # Some that wait, and some that have a turn.
        for each in asking[::3]:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert most == 3
        room = 5
        await asyncio.gather(*(ask("a") for _ in range(20)))
        assert most == 5
        for left in (turns._under_way, turns._waiting, turns._last):
            assert not left

    asyncio.run(main())


class Held(BarSource):
    """Answers one question at a time, and takes note of whose."""

    provider = "held"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun = asyncio.Event()

    def describe(self, timeframe: str) -> SourceLimits:
        return SourceLimits(max_in_flight=1)

    async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        self.asked.append(symbol)
        self.begun.set()
        await asyncio.sleep(0.01)
        return {"timestamp": [start], "open": [1], "high": [1], "low": [1], "close": [1]}


@pytest.mark.parametrize("tells", [True, False])
def test_a_client_of_a_hundred_questions_holds_up_nobody_elses_one(tells: bool) -> None:
    async def main() -> tuple[list[str], list[Any]]:
        source = Held()
        app = create_app(source, limits=HostLimits(max_requests=1))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:

            async def ask(client: str) -> Any:
                body = {
                    "symbol": client,
                    "timeframe": "1d",
                    "start": "2024-01-02",
                    "end": "2024-01-03",
                }
                header = "X-Client-Id" if tells else "X-Operation-Id"
                answer = await http.post("/data/historical", json=body, headers={header: client})
                return answer.json()

            many = [asyncio.create_task(ask("MANY")) for _ in range(100)]
            await source.begun.wait()
            one = await ask("ONE")
            before = len(source.asked)
            answers = await asyncio.gather(*many)
        assert one["success"], one
        assert before <= 5
        return source.asked, answers

    asked, answers = asyncio.run(main())
    assert asked.index("ONE") <= 4
    # A client has a limit of its own; the other had room all the same.
    refused = [each["error"] for each in answers if not each["success"]]
    assert len(refused) >= 90
    assert all(
        each.startswith("busy: 2 requests are under way or wait, the limit of yours")
        for each in refused
    )


def test_warnings_are_looked_for_by_as_much_of_an_id_as_is_kept() -> None:
    async def main() -> Any:
        transport = httpx.ASGITransport(create_app(Held()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return (await http.get("/warnings", params={"operation_id": "x" * 5000})).json()

    assert asyncio.run(main()) == {"operation_id": "x" * 128, "warnings": []}


def test_at_a_gateway_a_question_waits_for_no_more_than_are_under_way() -> None:
    pytest.importorskip("ib_async")

    async def main(gateway: IbGatewaySimulator, source: IbGatewaySource) -> tuple[int, int]:
        app = create_app(source, limits=HostLimits(max_requests=64))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:

            async def ask(client: str, symbol: str, minute: int) -> Any:
                body = {
                    "symbol": symbol,
                    "timeframe": "1m",
                    "start": "2024-03-12",
                    "end": f"2024-03-14T{minute // 60:02}:{minute % 60:02}",
                }
                answer = await http.post(
                    "/data/historical", json=body, headers={"X-Client-Id": client}, timeout=120
                )
                assert answer.json()["success"], answer.text

            many = [asyncio.create_task(ask("many", "AAPL", 900 + number)) for number in range(100)]
            await asyncio.to_thread(gateway.wait_until, lambda one: one.count("history") >= 10)
            before = gateway.count("history")
            await ask("one", "EURUSD", 900)
            symbols = [each.fields[2] for each in gateway.requests if each.kind == "history"]
            await asyncio.gather(*many)
        return before, symbols.index("EUR")

    minutes = walk("2024-03-11", "2024-03-15")
    series = {("AAPL", "1 min"): minutes, ("EUR.USD", "1 min"): minutes}
    with IbGatewaySimulator(series, answer_seconds=0.05) as gateway:
        with IbGatewaySource(port=gateway.port, env={}) as source:
            before, asked = asyncio.run(main(gateway, source))
        # At most 20 are under way, and some came since those were counted; in the order of coming it would be the last.
        assert asked - before <= 50
        assert gateway.most_at_once == 1


def _adaptive() -> Callable[[], AbstractAsyncContextManager[None]]:
    gate = AdaptiveGate()
    gate.allowed = 1
    return gate.turn


def _fair() -> Callable[[], AbstractAsyncContextManager[None]]:
    turns = FairTurns(lambda: 1)
    return lambda: turns.turn("one")


@pytest.mark.parametrize("gate_of", [_adaptive, _fair])
@pytest.mark.parametrize("backwards", [False, True])
def test_those_that_are_cancelled_at_once_are_cancelled_and_nothing_else(
    gate_of: Callable[[], Callable[[], AbstractAsyncContextManager[None]]], backwards: bool
) -> None:
    """Who has a turn leaves, and lets go of those that wait and have ended, before these hear of it."""

    async def main() -> tuple[list[Any], bool]:
        turn = gate_of()

        async def ask() -> None:
            async with turn():
                await asyncio.sleep(3600)

        async def ask_once() -> bool:
            async with turn():
                return True

        asking = [asyncio.create_task(ask()) for _ in range(6)]
        await asyncio.sleep(0)
        for each in reversed(asking) if backwards else asking:
            each.cancel()
        ended = await asyncio.gather(*asking, return_exceptions=True)
        return ended, await asyncio.wait_for(ask_once(), 10)

    ended, goes_on = asyncio.run(main())
    assert [type(each) for each in ended] == [asyncio.CancelledError] * 6
    assert goes_on


def _timeout() -> errors.KtrdrError:
    return errors.ServiceTimeoutError("no answer within 18 s", context={"why": "silence"})


def _away() -> errors.KtrdrError:
    return errors.ServiceConnectionError("not there")


def _refused() -> errors.KtrdrError:
    return errors.HostServiceError("not like this")


@pytest.mark.parametrize("gate_of", [_adaptive, _fair])
@pytest.mark.parametrize(
    ("end", "together"), [(_timeout, True), (_away, True), (_refused, False), (None, False)]
)
def test_who_waited_while_a_question_was_not_answered_has_the_same_end(
    gate_of: Callable[[], Callable[[], AbstractAsyncContextManager[None]]],
    end: Callable[[], errors.KtrdrError] | None,
    together: bool,
) -> None:
    async def main() -> tuple[list[Any], Any]:
        turn, asked = gate_of(), 0
        loop, over, late = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

        async def ask() -> str:
            nonlocal asked
            async with turn():
                asked += 1
                if asked == 1:
                    await over.wait()
                    if end is not None:
                        raise end()
                return "answered"

        waited = [asyncio.create_task(ask()) for _ in range(4)]
        # The first has been under way for some time when another one comes.
        loop.call_later(0.2, late.set)
        await late.wait()
        newer = asyncio.create_task(ask())
        await asyncio.sleep(0)
        over.set()
        ends = await asyncio.gather(*waited, return_exceptions=True)
        return ends, await asyncio.wait_for(newer, 10)

    (first, *others), newer = asyncio.run(main())
    assert newer == "answered"
    if end is None:
        assert first == "answered"
    else:
        assert type(first) is type(end())
    for each in others:
        if together:
            assert type(each) is type(first)
            assert each is not first
            assert each.message.endswith(f"is not answered: {first.message}")
            assert each.context == first.context
        else:
            assert each == "answered"


def test_nobody_has_the_same_end_where_another_question_was_answered_meanwhile() -> None:
    async def main() -> list[Any]:
        gate = AdaptiveGate()
        gate.allowed = 2
        over = [asyncio.Event(), asyncio.Event()]

        async def ask(number: int) -> int:
            async with gate.turn():
                if number < 2:
                    await over[number].wait()
                if number == 0:
                    raise _timeout()
                return number

        asking = [asyncio.create_task(ask(number)) for number in range(6)]
        await asyncio.sleep(0)
        # The gate lets no more through than before, however fast that was.
        gate.slower()
        over[1].set()
        await asyncio.wait({asking[1]})
        over[0].set()
        return await asyncio.gather(*asking, return_exceptions=True)

    first, *others = asyncio.run(main())
    assert isinstance(first, errors.ServiceTimeoutError)
    assert others == [1, 2, 3, 4, 5]
