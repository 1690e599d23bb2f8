"""A value of a wrong type, or out of its range, is named before any work."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import (
    CancellationSystem,
    CancellationToken,
    DataManager,
    GenericProgressManager,
    OperationsService,
    TrainingManager,
    errors,
)
from ktrdr_core.http import Client
from ktrdr_core.operations import Retention
from ktrdr_core.testing import Domain
from models_made import STRATEGY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def work() -> None:
    raise AssertionError("this must not run")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": "x"}, "timeout must be float or None, not str"),
        ({"timeout": -1}, "timeout must be positive"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"total_steps": "3"}, "total_steps must be an int"),
        ({"total_steps": -3}, "total_steps must be at least 0"),
        ({"operation_id": 5}, "operation_id must be str, not 5"),
        ({"operation_id": "a b"}, "operation_id must be 1 to 128 letters"),
        ({"parent_id": 5}, "parent_id must be str"),
        ({"context": [1]}, "context must be mapping or None"),
        ({"operation_name": 1}, "operation_name must be str"),
        ({"operation_type": None}, "operation_type must be str"),
        ({"progress_callback": 3}, "callback must be a function"),
        ({"progress_callback": work}, "coroutine function"),
        ({"cancellation_token": object()}, "cancellation_token must be a CancellationToken"),
        ({"operation_func": None}, "operation_func must be an async function"),
    ],
)
def test_of_a_managed_operation(options: dict[str, Any], words: str) -> None:
    async def main() -> None:
        given: dict[str, Any] = {"operation_name": "N", "operation_type": "t"}
        given |= {"operation_func": work} | options
        before = OperationsService().list().total_count
        with pytest.raises(errors.InvalidArgumentError, match=words):
            Domain().start_operation(**given)
        assert OperationsService().list().total_count == before

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": "x"}, "timeout must be float or None"),
        ({"total_steps": "x"}, "total_steps must be an int"),
        ({"operation_name": 3}, "operation_name must be str"),
        ({"context": 3}, "context must be mapping or None"),
        ({"operation": work}, "operation must be an awaitable"),
    ],
)
def test_of_awaited_work(options: dict[str, Any], words: str) -> None:
    async def main() -> None:
        given = options if "operation" in options else {"operation": work(), **options}
        with pytest.raises(errors.InvalidArgumentError, match=words):
            await Domain().execute_with_progress(**given)

    asyncio.run(main())


SERVICE: dict[str, Callable[[OperationsService], Any]] = {
    "operation_id must be str": lambda service: service.get(3),  # type: ignore[arg-type]
    "after must be int": lambda service: service.events("x", after="1"),  # type: ignore[arg-type]
    "after must be at least 0, not -1": lambda service: service.events("x", after=-1),
    "after must be at least 0, the number": lambda service: asyncio.run(anext(service.follow("x", after=-1))),  # type: ignore[arg-type]
    "cursor must be at least 0, not -1": lambda service: service.metrics("x", cursor=-1),
    "retention.max_age must be timedelta": lambda _: OperationsService(
        "never-made.db", retention=Retention(max_age=5)  # type: ignore[arg-type]
    ),
    "limit must be between 1 and 1000": lambda service: service.list(limit=1001),
    "status must be str or Sequence": lambda service: service.list(status=3),  # type: ignore[arg-type]
    "status .* is not known": lambda service: service.list(status="paused"),
    "operation_type must be str or None": lambda service: service.list(operation_type=3),  # type: ignore[arg-type]
    "reason must be str": lambda service: service.cancel("x", 3),  # type: ignore[arg-type]
    "kind .* is not known": lambda service: service.events("x", kind="noise"),
    "code": lambda service: service.cancel_all(code="sometime"),
}


@pytest.mark.parametrize("words", SERVICE)
def test_of_the_service(words: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=words):
        SERVICE[words](OperationsService())


def test_of_a_store(tmp_path: Path) -> None:
    stored = OperationsService(tmp_path / "x.db", default=False)
    with pytest.raises(errors.InvalidArgumentError, match="max_age must be timedelta, not 5"):
        stored.forget(max_age=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [-1, 1.5, "3", None])
def test_of_connections_made_ahead(wrong: Any) -> None:
    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(errors.InvalidArgumentError, match="connections must be int, at least 0"),
    ):
        asyncio.run(client.warm_up(wrong))


@pytest.mark.parametrize("wrong", [-1, float("nan"), "3", None])
def test_of_a_close_that_waits(wrong: Any) -> None:
    client = Client("http://127.0.0.1:9")
    with pytest.raises(errors.InvalidArgumentError, match="drain must be at least 0 seconds"):
        asyncio.run(client.aclose(wrong))
    client.close()


HUGE = 10**30
#: What is wrong with a call of a manager of data, by its words.
DATA: dict[str, Callable[[DataManager], Any]] = {
    f"limit cannot be {HUGE}: it is out of range": lambda data: data.get_data(
        "A", "1d", limit=HUGE
    ),
    f"priority cannot be -{HUGE}: it is out": lambda data: data.load_data(
        "A", "1d", priority=-HUGE
    ),
    "priority cannot be 2147483648": lambda data: data.load_many(["A"], "1d", priority=2**31),
    "mode must be str, not None": lambda data: data.load_data("A", "1d", mode=None),  # type: ignore[arg-type]
    "mode must be str, not 3": lambda data: data.load_many(["A"], "1d", mode=3),  # type: ignore[arg-type]
    "symbols must hold nothing but str, not None": lambda data: data.load_many(["A", None], "1d"),  # type: ignore[list-item]
    "timeframes must hold nothing but str, not 5": lambda data: data.load_many(["A"], ["1d", 5]),  # type: ignore[list-item]
    "max_connections must be int or None, not str": lambda _: DataManager(max_connections="1"),  # type: ignore[arg-type]
    "max_connections must be int or None, not 1.5": lambda _: DataManager(max_connections=1.5),  # type: ignore[arg-type]
    f"max_connections cannot be {HUGE}": lambda _: DataManager(max_connections=HUGE),
    "data_dir must be str or os": lambda _: DataManager(5),  # type: ignore[arg-type]
    "ib_url must be str or None": lambda _: DataManager(ib_url=5),  # type: ignore[arg-type]
    "use_ib_host_service must be bool": lambda _: DataManager(use_ib_host_service="x"),  # type: ignore[arg-type]
    "env must be mapping or None": lambda _: DataManager(env=5),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("words", DATA)
def test_of_a_data_manager(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KTRDR_DATA_DIR", str(tmp_path))
    with (
        DataManager(tmp_path, env={}) as data,
        pytest.raises(errors.InvalidArgumentError, match=words),
    ):
        DATA[words](data)


def test_a_keyword_that_there_is_not_is_told_with_the_function(tmp_path: Path) -> None:
    with DataManager(tmp_path, env={}) as data:
        with pytest.raises(TypeError, match=r"load_data\(\) got an unexpected keyword .*'sybmol'"):
            data.load_data("A", "1d", sybmol="B")  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"__init__\(\) got an unexpected keyword .*'folder'"):
            DataManager(folder=tmp_path)  # type: ignore[call-arg]


MANAGER: dict[str, Callable[[GenericProgressManager], Any]] = {
    "operation_id must be str": lambda manager: manager.start_operation(3, 3),  # type: ignore[arg-type]
    "total_steps must be an int": lambda manager: manager.start_operation("x", "3"),  # type: ignore[arg-type]
    "step_number must be an int": lambda manager: manager.start_step("x", "1"),  # type: ignore[arg-type]
    "step must be an int": lambda manager: manager.update_progress("1"),  # type: ignore[arg-type]
    "context must be mapping": lambda manager: manager.update_progress(1, context=3),  # type: ignore[arg-type]
    "message must be str": lambda manager: manager.update_progress(1, message=3),  # type: ignore[arg-type]
    "callback must be": lambda _: GenericProgressManager(callback=3),  # type: ignore[arg-type]
    "renderer must be": lambda _: GenericProgressManager(renderer=3),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("words", MANAGER)
def test_of_a_progress_manager(words: str) -> None:
    manager = GenericProgressManager()
    manager.start_operation("x", 3)
    with pytest.raises(errors.InvalidArgumentError, match=words):
        MANAGER[words](manager)


TOKENS: dict[str, Callable[[Any, Any], object]] = {
    "same_as must be a CancellationToken": lambda _, wrong: CancellationToken(wrong),
    "reason must be str": lambda token, wrong: token.cancel(wrong),
    "code must be str": lambda token, wrong: token.cancel("x", code=wrong),
    "context must be str": lambda token, wrong: token.check(wrong),
    "timeout must be float or None": lambda token, wrong: token.child(wrong),
    "seconds must be float or None": lambda token, wrong: token.wait_for(wrong),
    "operation_id must be str": lambda _, wrong: CancellationSystem().cancel(wrong),
    "operation_id must be str, ": lambda _, wrong: CancellationSystem().find(wrong),
    "reason must be str, ": lambda _, wrong: CancellationSystem().cancel_all(wrong),
}


@pytest.mark.parametrize("words", TOKENS)
def test_of_a_token(words: str) -> None:
    token = CancellationToken()
    with pytest.raises(errors.InvalidArgumentError, match=words):
        TOKENS[words](token, object())
    assert not token.is_cancelled()


def test_of_an_operation() -> None:
    async def main() -> None:
        operation = Domain().start_operation("N", "t", asyncio.Event().wait)
        with pytest.raises(errors.InvalidArgumentError, match="reason must be str, not 5"):
            operation.cancel(5)  # type: ignore[arg-type]
        with pytest.raises(errors.InvalidArgumentError, match="timeout must be float or None"):
            operation.result("x")  # type: ignore[arg-type]
        assert operation.status in {"pending", "running"}
        operation.cancel()
        with pytest.raises(errors.OperationCancelledError):
            await operation

    asyncio.run(main())


def test_of_others() -> None:
    with pytest.raises(errors.InvalidArgumentError, match="store must be"):
        OperationsService(3)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgumentError, match="timeout must be float or None"):
        CancellationToken().child("x")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgumentError, match="operation_type must be str"):
        Domain().register_operation(3, work)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgumentError, match="max_attempts must be int"):
        asyncio.run(Domain().retry_with_backoff(work, "x"))  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgumentError, match="timeout must be more than 0 seconds"):
        asyncio.run(Domain().health_check(0))


def test_an_error_of_the_work_is_not_taken_for_a_wrong_argument() -> None:
    async def broken() -> None:
        raise TypeError("of the work itself")

    with pytest.raises(TypeError, match="of the work itself"):
        asyncio.run(Domain().execute_with_progress(broken()))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"validation_split": "x"}, "validation_split must be float or None, not str"),
        ({"priority": 2**70}, r"priority cannot be 1180591620717411303424"),
        ({"priority": "high"}, "priority must be int, not str"),
        ({"checkpoint_epochs": -(2**63) - 1}, "checkpoint_epochs cannot be -9223372036854775809"),
        ({"symbols": ["A\ud800"]}, "symbols holds half of a surrogate pair"),
        ({"timeframes": ["\ud800"]}, "timeframes holds half of a surrogate pair"),
        ({"resume_from": "\ud800"}, "resume_from holds half of a surrogate pair"),
        ({"random_walk_baseline": "no"}, "random_walk_baseline must be bool, not str"),
        ({"operation_id": 5}, "operation_id must be str, not 5"),
    ],
)
def test_of_a_training(given: dict[str, Any], words: str, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(json.dumps(STRATEGY))
    with (
        DataManager(tmp_path, env={}) as data,
        TrainingManager(data, tmp_path / "models", env={}) as training,
        pytest.raises(errors.InvalidArgumentError, match=words),
    ):
        training.train_multi_symbol_strategy(tmp_path / "small.yaml", **given)
