"""Every kind of operation does what every operation does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import yaml

from ktrdr_core import (
    CancellationToken,
    DataManager,
    Operation,
    TrainingManager,
    current_operation,
)
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.testing import Domain, OperationKind, OperationSuite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ktrdr_core.testing.operation_suite import Case

EXAMPLE = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"


class AsyncWork:
    """An async function under the orchestrator."""

    domain: ClassVar[Domain] = Domain()

    def start(
        self,
        case: Case,
        *,
        operation_id: str = "",
        cancellation_token: CancellationToken | None = None,
    ) -> Operation[Any]:
        return self.domain.start_operation(
            "Work",
            "conforming_work",
            getattr(self, case),
            case,
            operation_id=operation_id,
            cancellation_token=cancellation_token,
            total_steps=3,
        )

    async def completes(self, _case: str) -> dict[str, int]:
        for step in range(1, 4):
            self.domain.update_operation_progress(step, f"Step {step}", items_processed=step)
            await asyncio.sleep(0.001)
        return {"steps": 3}

    async def fails(self, _case: str) -> None:
        raise ValueError("the work cannot be done")

    async def endless(self, _case: str) -> None:
        await asyncio.Event().wait()


class ThreadWork(AsyncWork):
    """Plain functions in a thread, which ask the token between two pieces."""

    async def completes(self, _case: str) -> dict[str, int]:
        here = current_operation()
        assert here is not None

        def work() -> None:
            for step in range(1, 4):
                here.cancellation_token.check("between two steps")
                here.progress.update_progress(step)

        await asyncio.to_thread(work)
        return {"steps": 3}

    async def endless(self, _case: str) -> None:
        here = current_operation()
        assert here is not None
        await asyncio.to_thread(here.cancellation_token.wait_for, 30)


class Load:
    """Bars from a service."""

    def __init__(self, data: DataManager, held: DataManager) -> None:
        self._data, self._held = data, held

    def start(
        self,
        case: Case,
        *,
        operation_id: str = "",
        cancellation_token: CancellationToken | None = None,
    ) -> Operation[Any]:
        # The other service answers no request for bars.
        return (self._held if case == "endless" else self._data).load_data(
            "NOPE" if case == "fails" else "AAPL",
            "1d",
            "2000-01-01",
            "2010-01-01",
            mode="full",
            operation_id=operation_id,
            cancellation_token=cancellation_token,
        )


class Training:
    """A training on stored bars."""

    def __init__(self, trainings: TrainingManager, folder: Path) -> None:
        self._trainings, self._folder = trainings, folder

    def start(
        self,
        case: Case,
        *,
        operation_id: str = "",
        cancellation_token: CancellationToken | None = None,
    ) -> Operation[Any]:
        return self._trainings.train_multi_symbol_strategy(
            self._strategy(epochs=100_000 if case == "endless" else 2),
            symbols=["NOPE" if case == "fails" else "AAPL"],
            operation_id=operation_id,
            cancellation_token=cancellation_token,
        )

    def _strategy(self, epochs: int) -> Path:
        strategy = yaml.safe_load(EXAMPLE.read_text())
        strategy["model"]["training"]["epochs"] = epochs
        strategy["model"]["training"]["early_stopping"]["patience"] = epochs
        path = self._folder / f"strategy{epochs}.yaml"
        path.write_text(yaml.safe_dump(strategy, sort_keys=False))
        return path


@pytest.fixture(scope="module")
def held_host() -> Iterator[HostProcess]:
    with HostProcess(delay=0, gate=True) as service:
        yield service


@pytest.fixture(scope="module")
def stored(host: HostProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataManager]:
    with DataManager(tmp_path_factory.mktemp("stored"), host.url, env={}) as data:
        data.load_data("AAPL", "1d", "2005-01-01", "2010-01-01", mode="full").result(60)
        yield data


class TestAsyncWork(OperationSuite):
    @pytest.fixture
    def kind(self) -> OperationKind:
        return AsyncWork()


class TestThreadWork(OperationSuite):
    @pytest.fixture
    def kind(self) -> OperationKind:
        return ThreadWork()


class TestLoad(OperationSuite):
    @pytest.fixture
    def kind(
        self, host: HostProcess, held_host: HostProcess, tmp_path: Path
    ) -> Iterator[OperationKind]:
        with (
            DataManager(tmp_path / "data", host.url, env={}) as data,
            DataManager(tmp_path / "held", held_host.url, env={}) as held,
        ):
            yield Load(data, held)


class TestTraining(OperationSuite):
    @pytest.fixture
    def kind(self, stored: DataManager, tmp_path: Path) -> Iterator[OperationKind]:
        with TrainingManager(stored, tmp_path / "models", env={}) as trainings:
            yield Training(trainings, tmp_path)
