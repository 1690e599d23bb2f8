"""Services that send answers nobody asked for: none of them reaches another request."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest

import soak
from ktrdr_core.http import Client, PoolOptions, Timeouts
from ktrdr_core.testing import FaultRequest, ok

if TYPE_CHECKING:
    from http_service import Service


def padded(target: str, size: int) -> bytes:
    """An answer of so many bytes in all, or a little more."""
    missing = size - len(ok(target))
    return ok(target, f"X-Padding: {'x' * max(0, missing - 15)}\r\n")


@pytest.mark.parametrize("every", [1, 50])
@pytest.mark.parametrize("size", [0, 4096, 16_384])
@pytest.mark.parametrize("connections", [1, 4])
def test_an_answer_too_many_reaches_nobody(
    service: Service, every: int, size: int, connections: int
) -> None:
    numbers = itertools.count(1)

    def answer(request: FaultRequest) -> bytes:
        extra = ok("stray") if next(numbers) % every == 0 else b""
        return padded(request.target, size) + extra

    async def main(client: Client) -> None:
        paths = [f"/{n}" for n in range(soak.count(200, 5000))]
        answers = await asyncio.gather(*(client.get(path) for path in paths))
        assert [answer.text for answer in answers] == paths
        for path in paths[:50]:
            assert (await client.get(path)).text == path

    pool = PoolOptions(max_connections=connections)
    # All wait for a few connections at once: a machine that does other things needs longer than a caller would.
    patient = Timeouts(pool=600, total=600)
    with (
        service.serve(answer) as server,
        Client(server.url, pool=pool, timeouts=patient, tls=service.trust) as client,
    ):
        asyncio.run(main(client))
        assert client.metrics()["http.client.errors"] == {}
        assert client.metrics()["pool.connections_closed"]["unasked_bytes"] > 0
