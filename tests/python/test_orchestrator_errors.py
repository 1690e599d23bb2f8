"""What the orchestrator says of errors, of its configuration, and of failures that nobody looks at."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import errors
from ktrdr_core.orchestrator import ServiceOrchestrator
from orchestrated import Domain, sleep_for_ever

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def domain() -> Domain:
    return Domain()


# ---- errors and configuration


def test_errors_say_what_was_being_done(domain: Domain, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise errors.StorageError("full", context={"file": "x"})

    async def main() -> None:
        with caplog.at_level(logging.ERROR), pytest.raises(errors.StorageError) as caught:
            await domain.with_error_handling(work(), "saving", {"symbol": "AAPL", "file": "y"})
        assert caught.value.context == {"file": "x", "symbol": "AAPL"}
        assert "while: saving (Domain" in caught.value.__notes__[0]

    asyncio.run(main())
    assert "saving" in caplog.text


def test_a_function_may_be_decorated_with_what_is_being_done(domain: Domain) -> None:
    doing = domain.error_context("saving", symbol="AAPL")

    @doing
    def plain() -> None:
        raise LookupError

    @doing
    async def awaited(times: int, *, then: type[Exception] = LookupError) -> None:
        """Words of its own."""
        for _ in range(times):
            await asyncio.sleep(0)
        raise then

    closed: list[bool] = []

    @doing
    async def iterated() -> AsyncIterator[int]:
        try:
            yield 1
            raise LookupError
        finally:
            closed.append(True)

    async def iterate(to_the_end: bool) -> None:
        items = iterated()
        async for _ in items:
            if not to_the_end:
                await items.aclose()  # type: ignore[attr-defined]
                assert closed == [True]
                return

    @doing
    async def cancelled() -> None:
        raise errors.OperationCancelledError("enough")

    assert awaited.__doc__ == "Words of its own."
    assert asyncio.iscoroutinefunction(awaited)
    noted = ["while: saving (Domain, symbol='AAPL')"]
    with pytest.raises(LookupError) as caught:
        plain()
    assert caught.value.__notes__ == noted
    for _ in range(2):
        with pytest.raises(KeyError) as other:
            asyncio.run(awaited(2, then=KeyError))
        assert other.value.__notes__ == noted
    asyncio.run(iterate(to_the_end=False))
    with pytest.raises(LookupError) as later:
        asyncio.run(iterate(to_the_end=True))
    assert later.value.__notes__ == noted
    with pytest.raises(errors.OperationCancelledError) as stopped:
        asyncio.run(cancelled())
    assert not hasattr(stopped.value, "__notes__")


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({}, None),
        ({"DOMAIN_HOST_SERVICE_URL": "http://other:1"}, "http://other:1"),
        ({"DOMAIN_HOST_SERVICE_URL": ""}, None),
        ({"USE_DOMAIN_HOST_SERVICE": "off", "DOMAIN_HOST_SERVICE_URL": "http://other:1"}, None),
        ({"USE_DOMAIN_HOST_SERVICE": "yes"}, "http://localhost:5009"),
        (
            {"USE_DOMAIN_HOST_SERVICE": "1", "DOMAIN_HOST_SERVICE_URL": "http://other:1"},
            "http://other:1",
        ),
    ],
)
def test_the_environment_decides_where_the_work_is_done(
    env: dict[str, str], url: str | None
) -> None:
    domain = Domain(**env)
    assert domain.get_host_service_url() == url
    assert domain.is_using_host_service() == (url is not None)
    assert domain.get_configuration_info()["host_service_url"] == url
    assert domain.validate_configuration() == {"valid": True, "issues": []}


def test_an_argument_wins_over_the_environment() -> None:
    class Routed(Domain):
        def __init__(self, **options: Any) -> None:
            ServiceOrchestrator.__init__(self, **options)

    env = {"USE_DOMAIN_HOST_SERVICE": "true"}
    assert not Routed(use_host_service=False, env=env).is_using_host_service()
    assert (
        Routed(host_service_url="http://mine:2", env={}).get_host_service_url() == "http://mine:2"
    )


def test_a_variable_that_cannot_be_read_is_named() -> None:
    domain = Domain(USE_DOMAIN_HOST_SERVICE="perhaps")
    with pytest.raises(errors.ConfigurationError, match="USE_DOMAIN_HOST_SERVICE"):
        domain.is_using_host_service()
    found = domain.validate_configuration()
    assert not found["valid"]
    assert "USE_DOMAIN_HOST_SERVICE" in found["issues"][0]
    assert asyncio.run(domain.health_check())["status"] == "unhealthy"


def test_health_asks_the_adapter() -> None:
    class Adapter:
        async def check_health(self) -> dict[str, bool]:
            return {"ok": True}

    class Slow:
        async def check_health(self) -> None:
            await sleep_for_ever()

    class Checked(Domain):
        what: Any = Adapter

        def _initialize_adapter(self) -> Any:
            return self.what()

    healthy = asyncio.run(Checked().health_check())
    assert (healthy["status"], healthy["mode"], healthy["details"]) == (
        "healthy",
        "local",
        {"ok": True},
    )
    slow = Checked()
    slow.what = Slow
    unhealthy = asyncio.run(slow.health_check(timeout=0.02))
    assert unhealthy["status"] == "unhealthy"
    assert "0.02" in unhealthy["error"]


def test_a_hook_that_is_missing_is_named() -> None:
    class Empty(ServiceOrchestrator):
        pass

    with pytest.raises(NotImplementedError, match="Empty must define _get_service_name"):
        Empty().get_configuration_info()


# ---- failures that nobody looks at


def test_a_failure_that_nobody_looks_at_is_logged_once(
    domain: Domain, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> None:
        raise ValueError("unseen")

    async def main() -> None:
        await domain.start_managed_operation("W", "w", broken)
        await asyncio.sleep(0.05)
        gc.collect()
        await asyncio.sleep(0.05)

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
        gc.collect()
        from ktrdr_core import _bridge

        _bridge.forward_logs()
    assert len([record for record in caplog.records if "unseen" in record.getMessage()]) == 1


def test_work_that_is_cancelled_before_the_store_took_it_is_closed(tmp_path: Path) -> None:
    # In a process of its own: the store stays its default.
    script = """
import asyncio, gc, sys
from ktrdr_core import OperationsService, ServiceOrchestrator
class Domain(ServiceOrchestrator):
    def _get_service_name(self): return "Domain"
    def _get_env_var_prefix(self): return "DOMAIN"
async def main():
    # How long anything takes is a matter of the machine.
    asyncio.get_running_loop().slow_callback_duration = 60
    OperationsService(sys.argv[1])
    for _ in range(20):
        operation = Domain().start_operation("W", "w", asyncio.Event().wait)
        await asyncio.sleep(0)
        operation.cancel()
        await asyncio.gather(operation, return_exceptions=True)
        assert operation.status == "cancelled"
asyncio.run(main())
gc.collect()
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script, str(tmp_path / "operations.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
