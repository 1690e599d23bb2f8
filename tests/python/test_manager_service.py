"""A manager has one pool to its host service: what loads, what checks its health and what its adapter calls."""

from __future__ import annotations

import asyncio
import gc
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import (
    AsyncServiceAdapter,
    DataManager,
    ServiceOrchestrator,
    TrainingManager,
    errors,
)
from ktrdr_core.testing import HOLD, FaultRequest, FaultServer, Step, ok, until_running

if TYPE_CHECKING:
    from pathlib import Path

DAY: dict[str, Any] = {"start_date": "2024-01-02", "end_date": "2024-01-02", "mode": "full"}
BAR = {"open": 1, "high": 1, "low": 1, "close": 1, "volume": 1}
ANSWERS: dict[str, dict[str, Any]] = {
    "/data/validate": {"success": True, "is_valid": True},
    "/data/head-timestamp": {"success": True, "timestamp": "2000-01-03T00:00:00Z"},
    "/data/historical": {"success": True, "data": json.dumps({"2024-01-02T00:00:00Z": BAR})},
    "/health": {"healthy": True},
}


def ib(request: FaultRequest) -> bytes:
    return ok(json.dumps(ANSWERS[request.target.partition("?")[0]]))


def closed(server: FaultServer) -> bool:
    return server.open_connections == 0


@pytest.mark.parametrize(
    ("pool_size", "env", "limit"),
    [(3, {}, 3), (None, {"IB_HOST_SERVICE_POOL_LIMIT": "7"}, 7), (None, {}, 10)],
)
def test_the_limits_told_are_those_of_the_pool_that_loads(
    tmp_path: Path, pool_size: int | None, env: dict[str, str], limit: int
) -> None:
    url = "http://127.0.0.1:9"
    with DataManager(tmp_path, url, pool_size=pool_size, env=env) as data:
        assert data.adapter.config.max_connections == limit
        assert data.adapter.config.base_url == url
        told = data.get_configuration_info()
        assert told["connection"] == {
            "timeout": 60.0,
            "max_retries": 3,
            "max_connections": limit,
            "idle_timeout": 30.0,
        }
        assert told["host_service_url"] == url
        assert data.adapter.get_service_type() == "data"


def test_there_is_no_adapter_where_no_service_is_used(tmp_path: Path) -> None:
    with DataManager(tmp_path, env={}) as data:
        assert data.adapter is None
        assert data.get_configuration_info()["connection"] is None
        assert asyncio.run(data.health_check())["status"] == "healthy"


def test_loads_health_and_adapter_share_their_connections(tmp_path: Path) -> None:
    async def main() -> None:
        async with DataManager(tmp_path, server.url, env={}) as data:
            assert len(await data.load_data("AAPL", "1d", **DAY)) == 1
            before = data.pool_stats()
            health = await data.health_check()
            assert health["status"] == "healthy"
            assert health["details"]["detail"] == {"healthy": True}
            assert await data.adapter.call_get("/health") == {"healthy": True}
            after = data.pool_stats()
            assert after["requests"] == before["requests"] + 2
            assert after["connections_created"] == before["connections_created"] == 1
            assert data.adapter.pool_stats() == after

    with FaultServer(ib) as server:
        asyncio.run(main())
        assert server.accepted == 1


def test_closing_leaves_no_socket_and_refuses_calls(tmp_path: Path) -> None:
    with FaultServer(ib) as server:
        data = DataManager(tmp_path, server.url, env={})
        adapter = data.adapter
        data.load_data("AAPL", "1d", **DAY).result(30)
        assert server.open_connections == 1
        data.close()
        with pytest.raises(errors.ClientClosedError):
            adapter.call_get("/health").result(30)
        server.wait_until(closed)
        assert adapter.pool_stats()["open"] == 0
        health = asyncio.run(data.health_check())
        assert health["status"] == "unhealthy"
        data.close()


def test_a_load_in_work_keeps_its_connections_when_the_manager_goes(tmp_path: Path) -> None:
    def held_at_first(request: FaultRequest) -> list[Step]:
        holding = request.target == "/data/validate"
        return [HOLD, ib(request)] if holding else [ib(request)]

    with FaultServer(held_at_first) as server:
        data = DataManager(tmp_path, server.url, env={})
        operation = data.load_data("AAPL", "1d", **DAY)
        server.wait_until(lambda server: server.requests != [])
        del data
        gc.collect()
        server.release()
        assert len(operation.result(30)) == 1


def test_a_training_manager_tells_of_its_service_too(tmp_path: Path) -> None:
    with FaultServer(ib) as server, DataManager(tmp_path, env={}) as data:
        training = TrainingManager(data, tmp_path, training_url=server.url, env={})
        assert training.adapter.get_service_type() == "training"
        assert training.get_configuration_info()["connection"]["timeout"] == 30.0
        assert asyncio.run(training.health_check())["status"] == "healthy"
        assert server.open_connections == 1
        adapter = training.adapter
        training.close()
        with pytest.raises(errors.ClientClosedError):
            adapter.call_get("/health").result(30)
        server.wait_until(closed)


class Quotes(ServiceOrchestrator):
    def _get_service_name(self) -> str:
        return "Quotes"

    def _get_env_var_prefix(self) -> str:
        return "QUOTES"


def test_a_service_of_ones_own_closes_the_adapter_it_made() -> None:
    with FaultServer(ib) as server:
        with Quotes(host_service_url=server.url) as quotes:
            assert quotes.get_configuration_info()["connection"] is None
            adapter: AsyncServiceAdapter = quotes.adapter
            told = quotes.get_configuration_info()["connection"]
            assert told["max_connections"] == adapter.config.max_connections
            adapter.call_get("/health").result(30)
            assert server.open_connections == 1
        with pytest.raises(errors.ClientClosedError):
            adapter.call_get("/health").result(30)
        server.wait_until(closed)


def test_leaving_that_is_given_up_closes_the_adapter_all_the_same() -> None:
    done = asyncio.Event()

    async def stubborn() -> None:
        while not done.is_set():
            with suppress(asyncio.CancelledError):
                await done.wait()

    async def use(url: str, held: list[Any]) -> None:
        async with Quotes(host_service_url=url) as quotes:
            held.append(quotes.adapter)
            await quotes.adapter.call_get("/health")
            held.append(quotes.start_operation("S", "s", stubborn))
            await until_running(held[-1])

    async def main(server: FaultServer) -> None:
        held: list[Any] = []
        leaving = asyncio.ensure_future(use(server.url, held))
        while len(held) < 2 or held[1].status != "cancelling":  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)
        leaving.cancel()
        await asyncio.wait([leaving])
        assert leaving.cancelled()
        with pytest.raises(errors.ClientClosedError):
            await held[0].call_get("/health")
        done.set()
        with pytest.raises(errors.OperationCancelledError):
            await held[1]

    with FaultServer(ib) as server:
        asyncio.run(main(server))


def test_a_service_that_never_called_its_host_makes_no_adapter_to_close() -> None:
    with Quotes(host_service_url="http://127.0.0.1:9") as quotes:
        pass
    assert "adapter" not in vars(quotes)
