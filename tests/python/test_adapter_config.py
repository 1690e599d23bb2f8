"""How an adapter is configured: hooks, the environment, figures in their ranges, arguments, TLS."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ktrdr_core import (
    AsyncHostService,
    AsyncServiceAdapter,
    HostServiceConfig,
    ServiceCall,
    _bridge,
    errors,
)
from ktrdr_core.adapter import read_host_service_config
from ktrdr_core.testing import FaultServer, ok

if TYPE_CHECKING:
    from http_service import Authority


class Hooked(AsyncServiceAdapter):
    """Gives everything by hooks."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(config=HostServiceConfig(max_connections=2))

    def get_service_name(self) -> str:
        return "hooked"

    def get_service_type(self) -> str:
        return "test"

    def get_base_url(self) -> str:
        return self.url

    def get_health_check_endpoint(self) -> str:
        return "/pulse"


def test_a_subclass_says_who_it_is_by_hooks() -> None:
    with FaultServer(ok("{}")) as server, Hooked(server.url) as adapter:
        assert adapter.check_health().result()["healthy"]
        assert server.requests[0].target == "/pulse"
        assert adapter.get_statistics()["service_name"] == "hooked"
        assert adapter.call_host_service_get("/a").result() == {}
        assert adapter.call_host_service_post("/a", {}).result() == {}
    assert AsyncHostService is AsyncServiceAdapter


def test_configuration_is_read_from_the_environment() -> None:
    env = {
        "IB_HOST_SERVICE_TIMEOUT": "2.5",
        "IB_HOST_SERVICE_MAX_RETRIES": "0",
        "IB_HOST_SERVICE_POOL_LIMIT": "7",
        "IB_HOST_SERVICE_KEEPALIVE": "3",
    }
    read = read_host_service_config("IB", env=env)
    assert (read.timeout, read.max_retries) == (2.5, 0)
    assert (read.max_connections, read.idle_timeout) == (7, 3)
    given = HostServiceConfig(base_url="http://h", timeout=9)
    assert repr(read_host_service_config("IB", env={}, defaults=given)) == repr(given)
    base = HostServiceConfig()
    assert (base.timeout, base.max_retries, base.max_connections) == (30, 3, 20)


@pytest.mark.parametrize(
    ("name", "value"),
    [("TIMEOUT", "soon"), ("TIMEOUT", "-1"), ("MAX_RETRIES", "1000"), ("POOL_LIMIT", "0")],
)
def test_a_variable_that_cannot_be_read_is_named(name: str, value: str) -> None:
    variable = f"IB_HOST_SERVICE_{name}"
    with pytest.raises(errors.ConfigurationError, match=variable) as caught:
        read_host_service_config("IB", env={variable: value})
    assert value in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeout", 0),
        ("timeout", -1),
        ("max_retries", -1),
        ("max_retries", 100),
        ("max_connections", 0),
        ("idle_timeout", -1),
    ],
)
def test_a_figure_out_of_its_range_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(errors.ConfigurationError, match=field):
        HostServiceConfig(base_url="http://h", **{field: value})  # type: ignore[arg-type]


def test_a_call_that_could_not_be_made_leaves_nothing_to_wait_for() -> None:
    async def main() -> None:
        with AsyncServiceAdapter("s", "http://127.0.0.1:9") as adapter:
            bad = adapter.call_post("/x", {"a": object()})
            with pytest.raises(errors.InvalidArgumentError):
                await bad
            assert not _bridge.loop_post()._replies
            with pytest.raises(errors.InvalidArgumentError):
                await asyncio.to_thread(bad.result)

    asyncio.run(main())


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(errors.ConfigurationError, match="base URL"):
        AsyncServiceAdapter("s")
    with pytest.raises(errors.InvalidArgumentError, match="config"):
        AsyncServiceAdapter("s", 5)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgumentError, match="tls must be TlsOptions"):
        HostServiceConfig(tls=3)  # type: ignore[arg-type]
    with AsyncServiceAdapter("s", "http://127.0.0.1:9") as adapter:
        with pytest.raises(errors.InvalidArgumentError, match="begins with '/'"):
            adapter.call_get("http://127.0.0.1:9/x?key=1").result()
        with pytest.raises(errors.InvalidArgumentError, match="begins with '/'"):
            next(iter(adapter.events("http://127.0.0.1:9/x")))
        with pytest.raises(errors.InvalidArgumentError, match="timeout"):
            adapter.call_get("/x", timeout=0)
        with pytest.raises(errors.InvalidArgumentError, match="cancellation_token"):
            adapter.call_get("/x", cancellation_token=5)  # type: ignore[arg-type]
        with pytest.raises(errors.InvalidArgumentError, match="cannot be sent as JSON"):
            adapter.call_post("/x", object()).result()
        with pytest.raises(errors.InvalidArgumentError, match="begins with '/'"):
            adapter.call_batch([ServiceCall("x")]).result()
        with pytest.raises(errors.InvalidArgumentError, match="call 1 of the batch: endpoint"):
            adapter.call_batch([ServiceCall("/x"), ServiceCall(5)]).result()  # type: ignore[arg-type]
        with pytest.raises(
            errors.InvalidArgumentError, match=r"ServiceCall\(endpoint, …\), not str"
        ):
            adapter.call_batch(["/x"])  # type: ignore[list-item]


def test_a_service_is_reached_by_tls(authority: Authority) -> None:
    with (
        FaultServer(ok("{}"), tls=authority.server("127.0.0.1")) as server,
        AsyncServiceAdapter(
            "s", HostServiceConfig(base_url=server.url, tls=authority.trust)
        ) as adapter,
    ):
        assert adapter.call_get("/x").result() == {}
