"""Whatever keeps work from beginning ends its operation: none waits for ever for work that nobody does."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import (
    AsyncServiceAdapter,
    DataManager,
    GenericProgressManager,
    Operation,
    TrainingManager,
    errors,
)
from ktrdr_core.http import Client
from ktrdr_core.operations import OperationsService
from ktrdr_core.testing import Domain, FaultServer, ok
from own_bars import columns

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator

EXAMPLE = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"


class OwnStop(BaseException):
    """As some libraries end their tasks."""


# Made anew for each test: their tracebacks hold what its frames hold.
RAISED = (ValueError, RuntimeError, OwnStop, asyncio.CancelledError)


class Broken:
    """A token that raises when it is asked, from a certain question on."""

    def __init__(self, error: BaseException, *, good: int = 0) -> None:
        self.error = error
        self.good = good
        self.asked = 0

    def is_cancelled(self) -> bool:
        self.asked += 1
        if self.asked > self.good:
            raise self.error
        return False


@pytest.fixture
def domain() -> Domain:
    return Domain()


def nothing_waits() -> bool:
    return OperationsService().list(active_only=True).total_count == 0


async def work() -> int:
    return 7


# ---- tokens of others


CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "start_operation": lambda made, token: made.domain.start_operation(
        "W", "w", work, operation_id="own-token", cancellation_token=token
    ),
    "execute": lambda made, token: made.domain.execute_with_cancellation(work(), token),
    "load": lambda made, token: made.data.load_data(
        "AAPL", "1d", "2024-01-01", "2024-02-01", cancellation_token=token
    ),
    "adapter": lambda made, token: made.adapter.call_get("/", cancellation_token=token),
    "health": lambda made, token: made.adapter.check_health(cancellation_token=token),
    "events": lambda made, token: made.client.events("/", cancellation_token=token),
    "client": lambda made, token: made.client.get("/", cancellation_token=token),
}


class Made:
    def __init__(self, folder: Path, url: str) -> None:
        self.domain = Domain()
        self.data = DataManager(folder, url, env={})
        self.adapter = AsyncServiceAdapter("Test", url)
        self.client = Client(url)

    def close(self) -> None:
        for one in (self.data, self.adapter, self.client):
            one.close()


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("name", CALLS)
def test_a_token_that_cannot_be_asked_is_its_callers_error_before_any_work(
    name: str, kind: type[BaseException], tmp_path: Path
) -> None:
    async def main(url: str) -> None:
        made = Made(tmp_path, url)
        with pytest.raises(kind, match="no answer"):
            await CALLS[name](made, Broken(kind("no answer")))
        assert nothing_waits()
        with pytest.raises(errors.NotFoundError):
            OperationsService().get("own-token")
        made.close()

    with FaultServer(ok("{}")) as server:
        asyncio.run(asyncio.wait_for(main(server.url), 60))
        assert not server.requests


@pytest.mark.parametrize("kind", RAISED)
def test_a_token_that_breaks_later_is_told_of_once_and_the_work_goes_on(
    kind: type[BaseException], domain: Domain
) -> None:
    told: list[Any] = []
    token = Broken(kind("no answer"), good=2)

    async def main() -> None:
        broken = asyncio.Event()

        def hear(_loop: object, context: dict[str, Any]) -> None:
            told.append(context)
            broken.set()

        asyncio.get_running_loop().set_exception_handler(hear)

        async def waiting() -> int:
            await broken.wait()
            # As long as five questions take.
            await asyncio.sleep(0.1)
            return 7

        assert await domain.start_operation("W", "w", waiting, cancellation_token=token) == 7
        assert token.asked == 3

    asyncio.run(asyncio.wait_for(main(), 60))
    assert [context["exception"] for context in told] == [token.error]
    assert "is not asked again" in told[0]["message"]


def test_a_token_that_breaks_while_a_thread_waits_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = Broken(ValueError("no answer"), good=2)
    answered = threading.Event()

    def answer(_: object) -> Any:
        answered.wait(60)
        return [ok("7")]

    with FaultServer(answer) as server, AsyncServiceAdapter("Test", server.url) as adapter:
        pending = adapter.call_get("/", cancellation_token=token)
        caller = threading.Thread(target=lambda: done.append(pending.result(60)))
        done: list[Any] = []
        caller.start()
        while "is not asked again" not in caplog.text:
            caller.join(0.01)
        answered.set()
        caller.join(60)
    assert done == [7]
    assert token.asked == 3


# ---- counts


@pytest.mark.parametrize(
    "total",
    [-1, 2**63, 2**64, 10**5000, 1.0, "5", True],
    ids=["negative", "64 bits", "more", "thousands of digits", "float", "text", "bool"],
)
def test_a_total_that_cannot_be_is_refused_before_there_is_a_record(
    total: Any, domain: Domain
) -> None:
    async def main() -> None:
        with pytest.raises(errors.InvalidArgumentError, match="total_steps"):
            domain.start_operation("W", "w", work, operation_id="own-total", total_steps=total)
        with pytest.raises(errors.InvalidArgumentError, match="total_steps"):
            await domain.execute_with_progress(work(), total_steps=total)

    asyncio.run(main())
    assert nothing_waits()
    with pytest.raises(errors.NotFoundError):
        OperationsService().get("own-total")


def test_a_count_beyond_64_bits_is_refused_inside_the_work_too() -> None:
    manager = GenericProgressManager()
    manager.start_operation("w", 2**63 - 1)
    updates: list[Callable[[], None]] = [
        lambda: manager.update_progress(2**63),
        lambda: manager.update_progress(10**5000),
        lambda: manager.update_progress(1, items_processed=2**63),
        lambda: manager.start_step("x", 2**63),
    ]
    for update in updates:
        with pytest.raises(errors.InvalidArgumentError, match="64 bits"):
            update()


# ---- tasks


def raising_factory(_loop: Any, _work: Coroutine[Any, Any, Any] | Generator[Any, None, Any]) -> Any:
    raise RuntimeError("no more tasks")


def test_a_task_factory_that_raises_fails_the_operation_that_it_keeps_from_running(
    domain: Domain,
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(raising_factory)
        with pytest.raises(RuntimeError, match="no more tasks"):
            domain.start_operation("W", "w", work, operation_id="own-factory")
        loop.set_task_factory(None)
        record = OperationsService().get("own-factory")
        assert record.status == "failed"
        assert record.error is not None
        assert "no more tasks" in record.error["message"]
        # Who asks under the id hears of it, and waits for nothing.
        with pytest.raises(errors.KtrdrError, match="no more tasks"):
            await domain.start_operation("W", "w", work, operation_id="own-factory")

    asyncio.run(asyncio.wait_for(main(), 60))
    assert nothing_waits()


def test_work_that_no_task_carries_fails_its_operation(domain: Domain) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        raised: asyncio.Future[BaseException] = loop.create_future()

        def step() -> None:
            # As a framework does that steps coroutines by hand.
            try:
                domain.execute_with_progress(work()).send(None)
            except BaseException as error:  # noqa: BLE001 - whatever it is
                raised.set_result(error)

        loop.call_soon(step)
        error = await raised
        assert isinstance(error, RuntimeError)
        assert "asyncio task" in str(error)

    asyncio.run(asyncio.wait_for(main(), 60))
    assert nothing_waits()


def test_a_callback_that_cannot_be_taken_leaves_no_record(domain: Domain) -> None:
    async def callback(_: object) -> None:
        """Is never called."""

    async def main() -> None:
        untyped: Any = callback
        with pytest.raises(errors.InvalidArgumentError, match="coroutine function"):
            domain.start_operation("W", "w", work, progress_callback=untyped)

    asyncio.run(main())
    assert nothing_waits()


# ---- threads


def no_thread(_self: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_an_export_that_gets_no_thread_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DataManager(tmp_path / "bars", env={}) as data:
        data.store("AAPL", "1d", columns(20)).result(60)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_thread)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                data.export("AAPL", "1d", tmp_path / "aapl.parquet")
        newest = OperationsService().list(operation_type="data_export", limit=1).records[0]
        assert newest.status == "failed"
        assert nothing_waits()
        data.export("AAPL", "1d", tmp_path / "aapl.parquet").result(60)


# ---- loading LibTorch


@pytest.fixture
def training(tmp_path: Path) -> Iterator[TrainingManager]:
    from ktrdr_core.training import torch_loader

    try:
        torch_loader.check_installed()
    except errors.FeatureNotAvailableError as missing:
        pytest.skip(str(missing))
    with (
        DataManager(tmp_path / "bars", env={}) as data,
        TrainingManager(data, tmp_path / "models", env={}) as manager,
    ):
        data.store("AAPL", "1d", columns(600, "2000-01-01")).result(60)
        yield manager


def begun(training: TrainingManager) -> Operation[Any]:
    """Begin a training that comes as far as the trainer."""
    return training.train_multi_symbol_strategy(EXAMPLE, ["AAPL"], ["1d"])


@pytest.mark.parametrize(
    "error",
    [
        *(RuntimeError("no device"), MemoryError(), OSError("cut"), ImportError("torn")),
        *(OwnStop("stop"), KeyboardInterrupt(), SystemExit(3), UnicodeError("\udce9")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_training_fails_when_libtorch_cannot_be_loaded_whatever_it_raises(
    error: BaseException, training: TrainingManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ktrdr_core.training import torch_loader

    def raising() -> None:
        raise error

    monkeypatch.setattr(torch_loader, "_preload", raising)
    operation = begun(training)
    with pytest.raises(errors.FeatureNotAvailableError, match="LibTorch cannot be loaded"):
        operation.result(60)


def test_a_training_fails_when_no_thread_can_load_libtorch(
    training: TrainingManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            begun(training)
    record = OperationsService().list(operation_type="training", limit=1).records[0]
    handle = OperationsService().handle(record.id)
    assert handle is not None
    with pytest.raises(errors.FeatureNotAvailableError, match="no thread"):
        handle.result(60)
    assert nothing_waits()
