"""Calls to a host service from asyncio."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bad_server import BadServer, answer
from ib_host import IbHost
from ktrdr_core import AsyncServiceAdapter, errors


@pytest.fixture(scope="module")
def host() -> Any:
    with IbHost() as service:
        yield service


def test_many_calls_at_once_get_each_their_own_answer(host: IbHost) -> None:
    async def main() -> None:
        async with AsyncServiceAdapter("IB host service", host.url, pool_size=4) as adapter:
            symbols = ["AAPL", "MSFT"] * 50
            answers = await asyncio.gather(
                *(adapter.call_post("/data/validate", {"symbol": symbol}) for symbol in symbols)
            )
            assert [a["contract_info"]["symbol"] for a in answers] == symbols
            assert adapter.pool_stats()["open"] <= 4

    asyncio.run(main())


def test_parameters_are_encoded(host: IbHost) -> None:
    async def main() -> Any:
        async with AsyncServiceAdapter("IB host service", host.url) as adapter:
            query = {"symbol": "AAPL", "timeframe": "1d"}
            return await adapter.call_get("/data/head-timestamp", query)

    assert asyncio.run(main())["timestamp"].startswith("2000-")


def test_a_status_carries_its_number_and_body() -> None:
    async def main(url: str) -> None:
        async with AsyncServiceAdapter("test service", url) as adapter:
            with pytest.raises(errors.StatusError, match="test service") as caught:
                await adapter.call_get("/x?secret=1")
            assert caught.value.context["status"] == 503
            assert "busy" in caught.value.context["body"]
            assert "secret" not in str(caught.value) + repr(caught.value.context)

    with BadServer(answer("busy", "503 Service Unavailable")) as server:
        asyncio.run(main(server.url))


def test_a_cancelled_task_closes_its_socket() -> None:
    async def main(server: BadServer) -> None:
        async with AsyncServiceAdapter("test service", server.url) as adapter:
            task = asyncio.ensure_future(adapter.call_get("/x"))
            await asyncio.to_thread(server.asked.wait, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(server.closed.wait, 30)

    with BadServer(None) as server:
        asyncio.run(main(server))
