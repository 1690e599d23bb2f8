"""Classes that were written for the original: they subclass, name and call things as they used to."""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ktrdr_core import (
    AsyncServiceAdapter,
    CancellationToken,
    GenericProgressManager,
    ProgressState,
    errors,
)
from ktrdr_core.adapter import HostServiceConfig
from ktrdr_core.data import DataProgressRenderer
from ktrdr_core.operations import OperationsService, TimeEstimationEngine
from ktrdr_core.orchestrator import ServiceOrchestrator, current_operation
from ktrdr_core.testing import FaultServer, ok
from ktrdr_core.training import TrainingProgressRenderer

if TYPE_CHECKING:
    from pathlib import Path


class Adapter:
    """An adapter of one's own."""


class Domain(ServiceOrchestrator[Adapter]):
    def _initialize_adapter(self) -> Adapter:
        return Adapter()

    def _get_service_name(self) -> str:
        return "Domain"

    def _get_env_var_prefix(self) -> str:
        return "DOMAIN"


# ---- the orchestrator


def test_an_orchestrator_may_name_the_class_of_its_adapter() -> None:
    class Below(Domain):
        pass

    for cls in (Domain, Below):
        assert isinstance(cls().adapter, Adapter)
        assert asyncio.run(cls().execute_with_progress(asyncio.sleep(0, 5))) == 5
    assert ServiceOrchestrator[Adapter] is not None


def test_a_function_that_asks_for_the_operations_id_gets_it() -> None:
    async def first(operation_id: str, symbol: str, *, times: int = 1) -> Any:
        return operation_id, symbol * times

    async def last(symbol: str, operation_id: str) -> Any:
        return operation_id, symbol

    async def keyword(symbol: str, *, operation_id: str = "") -> Any:
        return operation_id, symbol

    async def alone(operation_id: str) -> Any:
        return operation_id, "a"

    async def placed(symbol: str, operation_id: str, /) -> Any:
        return operation_id, symbol

    async def between(symbol: str, operation_id: str, /, times: int = 1) -> Any:
        return operation_id, symbol * times

    async def given(operation_id: str) -> Any:
        return current_operation().id, operation_id  # type: ignore[union-attr]

    async def main() -> None:
        domain = Domain()
        for func, args, parameters in (
            (first, ("a",), {"symbol": "a"}),
            (last, ("a",), {"symbol": "a"}),
            (keyword, ("a",), {"symbol": "a"}),
            (alone, (), {}),
            (placed, ("a",), {"symbol": "a"}),
            (between, ("a", 1), {"symbol": "a", "times": 1}),
        ):
            known = await domain.start_managed_operation("X", "x", func, *args)
            operation = OperationsService().handle(known)
            assert operation is not None
            assert await operation == (known, "a")
            assert OperationsService().get(known).parameters == parameters
        untyped: Any = domain.start_operation
        assert await untyped("X", "x", first, "a", times=2, operation_id="my-own-1") == (
            *("my-own-1", "aa"),
        )
        operation = domain.start_operation("X", "x", given, "a")
        assert await operation == (operation.id, "a")
        with pytest.raises(errors.InvalidArgumentError, match="cannot be called so"):
            untyped("X", "x", first)

    asyncio.run(main())


def test_a_registered_function_that_asks_for_the_id_gets_a_new_one_when_it_is_retried() -> None:
    seen: list[str] = []

    async def work(operation_id: str, number: int) -> int:
        seen.append(operation_id)
        if len(seen) == 1:
            raise ConnectionError("gone")
        return number

    async def main() -> None:
        domain = Domain()
        domain.register_operation("asking", work)
        untyped: Any = domain.start_operation
        operation = untyped("X", "asking", work, 5)
        with pytest.raises(ConnectionError):
            await operation
        again = OperationsService().retry(operation.id)
        assert await again == 5
        assert seen == [operation.id, again.id]

    asyncio.run(main())


def test_types_are_compared_without_case() -> None:
    class Kind(enum.Enum):
        UPPER = "CASE_KIND"

    class TextKind(str, enum.Enum):  # noqa: UP042 - as users have it
        MIXED = "Case_Kind"

    async def work() -> None:
        if len(tries) < 1:
            tries.append(True)
            raise ConnectionError("gone")

    tries: list[bool] = []

    async def main() -> None:
        domain, service = Domain(), OperationsService()
        domain.register_operation("Case_Kind", work)
        first = domain.start_operation("X", "CASE_KIND", work, operation_id="case-1")
        with pytest.raises(ConnectionError):
            await first
        again = domain.start_operation("X", "case_kind", work, operation_id="case-1")
        assert again.id == first.id
        others = [
            domain.start_operation("X", kind, work)  # type: ignore[call-arg,arg-type]
            for kind in (Kind.UPPER, TextKind.MIXED, "cAsE_kInD")
        ]
        await asyncio.gather(*others, service.retry(first.id))
        for kind in ("case_kind", "CASE_KIND", TextKind.MIXED, Kind.UPPER):
            assert service.list(operation_type=kind).total_count == 5  # type: ignore[arg-type]

    asyncio.run(main())


# ---- adapters


class Quotes(AsyncServiceAdapter):
    """As one was written: names of its own, async hooks."""

    def __init__(self, url: str) -> None:
        self._service_name = {"mine": True}
        self._config = ["mine"]
        self.url = url
        super().__init__()

    def get_service_name(self) -> str:
        return "quotes"

    def get_service_type(self) -> str:
        return "data"

    def get_base_url(self) -> str:
        return self.url

    async def get_health_check_endpoint(self) -> str:
        await asyncio.sleep(0.001)
        return "/alive"


class Lazy(Quotes):
    def __init__(self, url: str) -> None:
        self._service_name = {"mine": True}
        self._config = ["mine"]
        self.url = url


@pytest.mark.parametrize("cls", [Quotes, Lazy])
def test_an_adapter_keeps_what_is_its_own(cls: type[Quotes]) -> None:
    async def main(url: str) -> None:
        async with cls(url) as quotes:
            assert await quotes.call_get("/last") == {"price": 1}
            assert (await quotes.check_health())["healthy"]
            assert quotes._service_name == {"mine": True}
            assert quotes._config == ["mine"]
            assert isinstance(quotes.config, HostServiceConfig)
            assert quotes.get_statistics()["service_name"] == "quotes"
            assert "quotes" in repr(quotes)
        with pytest.raises(AttributeError, match="colour"):
            quotes.colour  # noqa: B018

    answers = {"/last": ok('{"price": 1}'), "/alive": ok("{}")}
    with FaultServer(lambda request: answers[request.target]) as server:
        asyncio.run(main(server.url))
        assert [request.target for request in server.requests] == ["/last", "/alive"]


def test_a_health_endpoint_may_be_asked_of_the_service_itself() -> None:
    class Asking(AsyncServiceAdapter):
        asked = 0

        async def get_health_check_endpoint(self) -> str:
            self.asked += 1
            found: str = (await self.call_get("/where"))["health"]
            return found

    answers = {"/where": ok('{"health": "/alive"}'), "/alive": ok('{"status": "fine"}')}
    with FaultServer(lambda request: answers[request.target]) as server:

        async def main() -> None:
            async with Asking("asking", server.url) as adapter:
                assert (await adapter.check_health(cache_ttl=0))["healthy"]
                assert (await adapter.check_health(cache_ttl=0))["healthy"]
                assert adapter.asked == 1

        asyncio.run(asyncio.wait_for(main(), 60))
        with Asking("asking", server.url) as adapter:
            assert adapter.check_health().result(60)["healthy"]
        targets = [request.target for request in server.requests]
    assert targets == ["/where", "/alive", "/alive", "/where", "/alive"]


def test_a_hook_for_the_health_endpoint_ends_with_its_time_its_token_and_its_error() -> None:
    class Odd(AsyncServiceAdapter):
        error: BaseException | None = None
        answer: Any = None

        async def get_health_check_endpoint(self) -> Any:
            if self.error is not None:
                raise self.error
            return self.answer or await asyncio.Event().wait()

    async def main() -> None:
        with FaultServer(ok("{}")) as server:
            adapter = Odd("odd", server.url)
            with pytest.raises(errors.OperationTimeoutError, match="get_health_check_endpoint"):
                await adapter.check_health(timeout=0.05)
            token = CancellationToken()
            waiting = asyncio.create_task(adapter.check_health(60, cancellation_token=token))
            await asyncio.sleep(0)
            token.cancel("enough")
            with pytest.raises(errors.OperationCancelledError, match="enough"):
                await waiting
            waiting = asyncio.create_task(adapter.check_health(60))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            adapter.error = ValueError("no idea")
            with pytest.raises(ValueError, match="no idea"):
                await adapter.check_health()
            adapter.error, adapter.answer = None, 5
            with pytest.raises(errors.InvalidArgumentError, match="must give str, not 5"):
                await adapter.check_health()
            adapter.answer = "/alive"
            assert (await adapter.check_health())["healthy"]
            adapter.close()
            assert len(server.requests) == 1

    asyncio.run(asyncio.wait_for(main(), 60))


def test_an_adapter_without_super_has_the_config_that_it_keeps() -> None:
    class Configured(AsyncServiceAdapter):
        def __init__(self, url: str) -> None:
            self._config = HostServiceConfig(base_url=url, timeout=7.0)

        def get_service_name(self) -> str:
            return "configured"

    with FaultServer(ok('{"price": 1}')) as server:
        adapter = Configured(server.url)
        assert adapter.config.timeout == 7.0
        assert adapter.call_get("/last").result(30) == {"price": 1}
        adapter.close()


# ---- renderers and callbacks


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"current_step": 3, "total_steps": 5}, "Loading AAPL 1h data (backfill mode) [3/5]"),
        ({"step_current": 3, "step_total": 5}, "Loading AAPL 1h data (backfill mode) [3/5]"),
        (
            {"step_name": "Fetching", "step_current": 3, "step_total": 5},
            "Loading AAPL 1h data (backfill mode) [3/5]",
        ),
        ({"more": {"current_segment": 3, "total_segments": 5}}, "(backfill mode) [3/5]"),
        ({}, "Loading AAPL 1h data (backfill mode)"),
        ({"context": {"symbol": "AAPL"}, "current_step": 1, "total_steps": 2}, "AAPL data [1/2]"),
        ({"context": {"mode": "tail"}}, "Loading data (tail mode)"),
        ({"context": {}}, "Loading data"),
        ({"context": {}, "step_name": "plan"}, "Loading data: plan"),
        ({"context": {"symbol": 5, "mode": None, "total_segments": "many"}}, "Loading data"),
    ],
)
def test_a_load_says_what_its_state_knows(state: dict[str, Any], words: str) -> None:
    context = {"symbol": "AAPL", "timeframe": "1h", "mode": "backfill"} | state.pop("more", {})
    made = ProgressState(**({"context": context} | state))
    said = DataProgressRenderer().render_message(made)
    assert said.endswith(words)
    assert "?" not in said


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            {"epoch": 15, "total_epochs": 50, "batch": 342, "total_batches": 500},
            "Training MLP model on AAPL [1h] [epoch 15/50] (batch 342/500)",
        ),
        ({"epoch": 15}, "Training MLP model on AAPL [1h] [epoch 15]"),
        ({"epoch": 15, "batch": 3}, "Training MLP model on AAPL [1h] [epoch 15]"),
        ({"more": {"current_epoch": 2, "total_epochs": 9}}, "[1h] [epoch 2/9]"),
        ({"step_name": "training"}, "Training MLP model on AAPL [1h]"),
        ({"current_step": 3, "total_steps": 5}, "Training MLP model on AAPL [1h] [3/5]"),
        ({"context": {}, "epoch": 1, "total_epochs": 2}, "Training model [epoch 1/2]"),
        ({"context": {"symbols": ["A"], "timeframes": []}}, "Training model on A"),
        ({"context": {}, "step_name": "data_preparation"}, "Training model preparing"),
        ({"context": {}}, "Training model"),
    ],
)
def test_a_training_says_what_its_state_knows(state: dict[str, Any], words: str) -> None:
    context = {"model_type": "mlp", "symbols": ["AAPL"], "timeframes": ["1h"]}
    context |= state.pop("more", {})
    made = ProgressState(**({"context": context} | state))
    said = TrainingProgressRenderer().render_message(made)
    assert said.endswith(words)
    assert not {"?", "[]", "()"} & set(said.split())


def test_a_callback_may_take_a_state_for_a_dict(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []

    def hear(progress: Any) -> None:
        seen.append(
            (
                *(progress["percentage"], progress["message"], progress.get("current_step")),
                *(progress["symbol"], progress.get("nothing"), progress.get("nothing", 5)),
                *("percentage" in progress, "nothing" in progress, 5 in progress),
                *(progress["steps_total"], progress["progress_percentage"]),
                dict(progress)["context"],
            )
        )

    manager = GenericProgressManager(hear)
    manager.start_operation("w", 4, context={"symbol": "AAPL"})
    manager.update_progress(1, "Reading")
    assert seen[-1] == (
        *(25.0, "Reading [1/4]", 1, "AAPL", None, 5, True, False, False, 4, 25.0),
        {"symbol": "AAPL"},
    )
    assert not caplog.records
    state = ProgressState(context={"percentage": 7})
    assert state["percentage"] == 0
    assert len(state) == len(list(state)) == len(state.values())
    assert state
    assert dict(state.items()) == dict(state) == dict(zip(state, state.values(), strict=True))
    with pytest.raises(KeyError, match="nothing"):
        state["nothing"]
    with pytest.raises(KeyError):
        state[5]
    assert list(state) == list(state.keys()) == list(ProgressState.__match_args__)


def test_a_callback_that_misses_a_fact_is_told_of_once_and_called_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[Any] = []

    def hear(progress: Any) -> None:
        heard.append(progress["percentage"])
        heard.append(progress["symbol"])

    manager = GenericProgressManager(hear)
    manager.start_operation("w", 2)
    manager.update_progress(1)
    manager.update_progress(1, context={"symbol": "AAPL"})
    assert heard == [0.0, 50.0, 50.0, "AAPL"]
    assert len(caplog.records) == 1
    assert "hear" in caplog.text
    assert "is called again" in caplog.text

    async def work() -> None:
        domain.update_operation_progress(1, context={"symbol": "MSFT"})

    async def main() -> None:
        told: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        operation = domain.start_operation("W", "w", work, progress_callback=hear, total_steps=1)
        await operation
        assert heard[-1] == "MSFT"
        assert len(told) <= 1

    domain = Domain()
    asyncio.run(main())


# ---- estimates


def test_an_estimate_is_the_median_of_the_runs_that_fit() -> None:
    async def work(symbol: str, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def main() -> None:
        domain = Domain()
        runs = [("AAPL", 0.0), ("AAPL", 0.02), ("AAPL", 0.04), ("MSFT", 0.2)]
        await asyncio.gather(
            *(domain.start_operation("E", "estimated", work, *run) for run in runs)
        )

    asyncio.run(main())
    engine = TimeEstimationEngine()
    estimate = engine.estimate_duration("ESTIMATED", {"symbol": "AAPL"})
    assert estimate is not None
    assert 0.02 <= estimate < 0.19
    assert engine.estimate_duration("estimated", {"symbol": "MSFT"}) >= 0.2  # type: ignore[operator]
    assert engine.estimate_duration("estimated", {"symbol": "IBM"}) is not None
    assert engine.estimate_duration("estimated") is not None
    assert engine.estimate_duration("never") is None
    engine.record_operation_completion("never", None, 5)
    assert engine.estimate_duration("never", {"symbol": "AAPL"}) == 5
    with pytest.raises(errors.InvalidArgumentError, match="duration_seconds"):
        engine.record_operation_completion("never", None, -1)


def test_the_cache_file_of_older_code_is_told_of_and_left_alone(tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"
    for given in (cache, str(cache)):
        with pytest.warns(RuntimeWarning, match="keeps no cache file"):
            engine = TimeEstimationEngine(given)
        assert engine.estimate_duration("never_at_all") is None
    assert not cache.exists()
    for wrong in (5, b"cache", object()):
        untyped: Any = TimeEstimationEngine
        with pytest.raises(errors.InvalidArgumentError, match="service must be an Operations"):
            untyped(wrong)


class OfItsOwn(ServiceOrchestrator):
    """A service that calls its own things as anybody would."""

    NAMES: ClassVar = [
        "_running",
        "_started",
        "_start",
        "_stop",
        "_cancel",
        "_execute",
        "_run",
        "_connection",
        "_connect",
        "_client",
        "_token",
        "_progress",
        "_state",
        "_status",
        "_route",
        "_release",
        "_track",
        "_kinds",
        "_held",
        "_problem",
        "_environment",
        "_operations",
        "_session",
        "_tasks",
        "_loop",
        "_lock",
        "_closed",
        "_name",
        "_config",
        "_settings",
        "_handle",
        "_result",
        "_error",
        "_queue",
        "_cache",
        "_timeout",
        "_limit",
        "_registered",
        "_pending",
    ]

    def __init__(self) -> None:
        for name in self.NAMES:
            setattr(self, name, name)

    def _get_service_name(self) -> str:
        return "Of its own"

    def _get_env_var_prefix(self) -> str:
        return "OF_ITS_OWN"

    async def work(self, number: int) -> int:
        self.update_operation_progress(1, "Half way")
        return await self.retry_with_backoff(lambda: asyncio.sleep(0, number))


def test_a_service_may_use_plain_names_for_what_is_its_own() -> None:
    async def main() -> None:
        async with OfItsOwn() as service:
            service.register_operation("own", service.work)
            first = service.start_operation("Own", "own", service.work, 5, total_steps=2)
            assert await first == 5
            assert await OperationsService().retry(first.id) == 5
            assert await service.execute_with_progress(service.work(6)) == 6
            assert await service.execute_with_cancellation(service.work(7)) == 7
            assert (await service.health_check())["status"] == "healthy"
            assert service.get_configuration_info()["error"] is None
            assert service.validate_configuration()["valid"]
            for _ in range(70):
                await service.start_operation("Own", "own", service.work, 5)
        assert {name: getattr(service, name) for name in service.NAMES} == {
            name: name for name in service.NAMES
        }

    asyncio.run(main())
