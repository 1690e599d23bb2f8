"""The HTTP client under thousands of cancels, restarts and pauses of its service."""

from __future__ import annotations

import asyncio
import gc
import random
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import soak
from child import child
from held import SANITIZED, descriptors, resident, threads
from ktrdr_core import CancellationToken, errors
from ktrdr_core.http import Client, PoolOptions, RetryPolicy
from ktrdr_core.testing import FaultRequest, FaultServer, Step, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_service import Service

ONCE = RetryPolicy(attempts=1)


def echo(request: FaultRequest) -> list[Step]:
    """Send back what came, in two pieces that a cancel may fall between."""
    answer = ok(request.body)
    return [answer[: len(answer) // 2], answer[len(answer) // 2 :]]


async def ask(client: Client, chance: random.Random, ends: Counter[str]) -> None:
    """One request that is cancelled in one of three ways at some moment, or not."""
    nonce = chance.randbytes(8).hex()
    token = CancellationToken()
    loop = asyncio.get_running_loop()
    how = chance.choice(["none", "task", "token", "timeout"])
    delay = chance.random() * 0.004

    async def send() -> bytes:
        limit = max(delay, 1e-3) if how == "timeout" else None
        pending = client.post("/x", content=nonce, timeout=limit, cancellation_token=token)
        return (await pending).content

    task = asyncio.create_task(send())
    if how == "task":
        loop.call_later(delay, task.cancel)
    elif how == "token":
        loop.call_later(delay, token.cancel, "enough")
    try:
        answer = await task
    except (
        asyncio.CancelledError,
        errors.OperationCancelledError,
        errors.ServiceTimeoutError,
        errors.PoolTimeoutError,
    ):
        ends[how] += 1
    else:
        ends["answered"] += 1
        assert answer.decode() == nonce, "an answer of another request"


def test_after_random_cancels_every_answer_is_its_own_and_nothing_is_left(service: Service) -> None:
    count = soak.count(2_000, 100_000)
    chance = random.Random(5)
    ends: Counter[str] = Counter()

    async def worker(client: Client, requests: int) -> None:
        for _ in range(requests):
            await ask(client, chance, ends)

    async def main(client: Client) -> None:
        workers = 60
        await asyncio.gather(*(worker(client, count // workers) for _ in range(workers)))
        for _ in range(10):
            assert (await client.post("/x", content="last")).text == "last"
        # Dials are the pool's own: one may go on though nobody waits for it any more. This waits.
        await client.warm_up(1)

    pool = PoolOptions(max_connections=10)
    with FaultServer(ok()) as first, Client(first.url) as client:
        client.get("/").result()  # The runtime's own descriptors are there.
    before = descriptors()
    with service.serve(echo) as server:
        with Client(server.url, pool=pool, retry=ONCE, tls=service.trust) as client:
            asyncio.run(main(client))
            stats = client.stats()
            assert (stats["active"], stats["waiting"], stats["connecting"]) == (0, 0, 0)
            assert stats["open"] <= 10
        server.wait_until(lambda it: it.open_connections == 0)
        server.requests.clear()
    gc.collect()
    assert descriptors() <= before + 2
    assert min(ends["answered"], ends["task"], ends["token"], ends["timeout"]) > count / 100


def test_a_service_that_is_started_anew_is_found_again() -> None:
    restarts = soak.count(20, 1_000)
    with FaultServer(ok("first")) as server:
        port = int(server.url.rpartition(":")[2])
        url = server.url
    pool = PoolOptions(dial_backoff=0.001, max_dial_backoff=0.01)
    patient = RetryPolicy(attempts=20, first_pause=0.001, longest_pause=0.01, budget=10)
    before = None
    with Client(url, pool=pool, retry=patient) as client:
        for number in range(restarts):
            with FaultServer(ok(str(number)), port=port):
                for _ in range(3):
                    assert client.get("/x").result().text == str(number)
            if number == 10:
                gc.collect()
                before = descriptors()
    gc.collect()
    assert before is not None
    assert descriptors() <= before + 2


def test_an_outage_is_not_made_worse_and_ends_when_the_service_is_back() -> None:
    callers = 50
    outage = soak.count(400, 20_000)
    broken = True
    sent = 0

    def handler(_: FaultRequest) -> bytes:
        nonlocal sent
        sent += 1
        return b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n" if broken else ok("up")

    policy = RetryPolicy(attempts=4, first_pause=0.001, busy_pause=0.001, longest_pause=0.002)

    async def main(client: Client) -> tuple[int, int]:
        async def caller(requests: int) -> None:
            for _ in range(requests):
                assert (await client.get("/x")).status_code == 503

        await asyncio.gather(*(caller(outage // callers) for _ in range(callers)))
        return outage // callers * callers, sent

    with FaultServer(handler) as server, Client(server.url, retry=policy) as client:
        offered, met = asyncio.run(main(client))
        reserve = policy.budget_reserve
        assert met <= 1.1 * offered + reserve
        assert met > offered, "no retry was tried at all"
        broken = False
        for _ in range(10):
            assert client.get("/x").result().text == "up"


FAULTY = """
import random, sys
from ktrdr_core.testing import CLOSE, RESET, FaultServer, ok

chance = random.Random(3)
FAULTS = [[RESET], [CLOSE], [ok("half")[:-2], CLOSE], [b"HTTP/1.1 2", RESET], [b"nonsense\\r\\n\\r\\n"]]

def answer(request):
    server.requests.clear()
    return chance.choice(FAULTS) if chance.random() < 0.02 else ok(request.target)

with FaultServer(answer) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def test_many_requests_with_random_faults_leave_nothing_behind() -> None:
    count = soak.count(20_000, 1_000_000)

    async def ask_many(client: Client, numbers: Iterator[int], failed: Counter[type]) -> None:
        for number in numbers:
            try:
                assert (await client.get(f"/{number}")).text == f"/{number}"
            except errors.HostServiceError as error:
                failed[type(error)] += 1

    async def main(client: Client, requests: int) -> Counter[type]:
        numbers, failed = iter(range(requests)), Counter[type]()
        await asyncio.gather(*(ask_many(client, numbers, failed) for _ in range(16)))
        return failed

    with child([sys.executable, "-c", FAULTY], stdin=subprocess.PIPE) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        with Client(url, pool=PoolOptions(max_connections=8), retry=ONCE) as client:
            asyncio.run(main(client, 10_000))
            before = resident(), descriptors(), threads()
            failed = asyncio.run(main(client, count))
            after = resident(), descriptors(), threads()
    assert set(failed) == {errors.ServiceConnectionError, errors.ProtocolError}
    assert sum(failed.values()) > count / 200
    assert SANITIZED or after[0] - before[0] < 1024 * 1024
    assert after[1] - before[1] <= 8, "a connection or two may have been between dials"
    assert after[2] == before[2]
