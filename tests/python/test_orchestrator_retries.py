"""Operations of the orchestrator that are begun again: retries, and resuming by their record."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from ktrdr_core import CancellationToken, errors
from ktrdr_core.operations import OperationsService
from ktrdr_core.orchestrator import current_operation
from orchestrated import Domain, sleep_for_ever


@pytest.fixture
def domain() -> Domain:
    return Domain()


def test_a_registered_operation_can_be_retried(domain: Domain) -> None:
    tries: list[int] = []

    async def work(number: int) -> int:
        tries.append(number)
        if len(tries) == 1:
            raise ConnectionError("gone")
        return number

    async def main() -> None:
        service = OperationsService()
        domain.register_operation("trying", work)
        first = domain.start_operation("Trying", "trying", work, number=5)
        with pytest.raises(ConnectionError):
            await first
        again = service.retry(first.id)
        assert again.id != first.id
        assert await again == 5
        with pytest.raises(errors.ConflictError, match="only an interrupted one"):
            service.resume(first.id)

    asyncio.run(main())
    with pytest.raises(errors.InvalidArgumentError, match="async function"):
        domain.register_operation("bad", lambda: None)  # type: ignore[arg-type, return-value]


def test_arguments_of_a_registered_operation_are_plain_json(domain: Domain) -> None:
    async def work(where: Any) -> None: ...

    async def main() -> None:
        domain.register_operation("json", work)
        with pytest.raises(errors.InvalidArgumentError, match="where"):
            domain.start_operation("J", "json", work, Path("."))
        with pytest.raises(errors.InvalidArgumentError, match="cannot be called so"):
            domain.start_operation("J", "json", work, 1, 2)  # type: ignore[call-arg,arg-type]

    asyncio.run(main())


def test_a_retry_calls_the_function_as_it_was_called(domain: Domain) -> None:
    heard: list[Any] = []

    async def by_place(first: int, second: int = 2, /, **more: int) -> None:
        heard.append((first, second, more))

    async def many(*numbers: int, **more: int) -> None:
        heard.append((numbers, more))

    async def before_many(first: int, *rest: int, last: int = 0) -> None:
        heard.append((first, rest, last))

    async def with_its_id(operation_id: str, *rest: int) -> None:
        heard.append((bool(operation_id), rest))

    def plain_decorator(function: Any) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await function(*args, **kwargs)

        return call

    @plain_decorator
    async def decorated(first: int, second: int = 0) -> None:
        heard.append((first, second))

    calls: list[tuple[Any, tuple[int, ...], dict[str, int]]] = [
        (by_place, (1,), {}),
        (by_place, (1, 5), {"third": 3}),
        (many, (), {}),
        (many, (1, 2), {"x": 3}),
        (before_many, (1,), {"last": 4}),
        (before_many, (1, 2, 3), {}),
        (with_its_id, (1, 2), {}),
        (decorated, (7,), {"second": 8}),
    ]

    async def main() -> None:
        service = OperationsService()
        for number, (function, args, kwargs) in enumerate(calls):
            kind = f"called_{number}"
            domain.register_operation(kind, function)
            first = domain.start_operation("C", kind, function, *args, **kwargs)
            await first
            await service.retry(first.id)
            before, after = heard[-2:]
            assert before == after, (function, args, kwargs)

    asyncio.run(main())


def test_what_is_begun_again_keeps_its_name_and_its_steps(domain: Domain) -> None:
    async def half() -> float:
        here = current_operation()
        assert here is not None
        domain.update_operation_progress(2, "Half way")
        state = here.progress.current_state
        assert state is not None
        return state.percentage

    async def main() -> None:
        service = OperationsService()
        domain.register_operation("half", half)
        first = domain.start_operation("Monday's half", "half", half, total_steps=4)
        assert await first == 50
        again = service.retry(first.id)
        assert await again == 50
        assert service.get(again.id).name == "Monday's half"
        other = domain.start_operation("Another", "half", half)
        assert (await other, service.get(other.id).name) == (0, "Another")

    asyncio.run(main())


def test_arguments_that_a_record_cannot_tell_apart_are_refused_of_a_registered_operation(
    domain: Domain,
) -> None:
    async def both(first: int, /, **more: int) -> None: ...

    async def main() -> None:
        domain.register_operation("both", both)
        with pytest.raises(errors.InvalidArgumentError, match="first"):
            domain.start_operation("B", "both", both, 1, first=2)

    asyncio.run(main())


def test_retries_wait_and_end_with_the_last_error(domain: Domain) -> None:
    tries: list[float] = []

    async def flaky() -> str:
        tries.append(time.monotonic())
        if len(tries) < 3:
            raise errors.ServiceConnectionError("refused")
        return "there"

    async def work() -> str:
        return await domain.retry_with_backoff(
            flaky, base_delay=0.01, jitter=0.0, operation_name="call"
        )

    async def main() -> None:
        operation = domain.start_operation("W", "w", work)
        assert await operation == "there"
        assert operation.warnings[0].startswith("call: try 1 of 3 failed (refused)")

    asyncio.run(main())
    assert len(tries) == 3
    assert tries[2] - tries[1] >= 0.019


@pytest.mark.parametrize("error", [ValueError("no"), errors.NoDataError("none")])
def test_what_does_not_pass_is_not_retried(domain: Domain, error: Exception) -> None:
    tries: list[bool] = []

    async def work() -> None:
        tries.append(True)
        raise error

    async def main() -> None:
        with pytest.raises(type(error)):
            await domain.retry_with_backoff(work, base_delay=0.001)

    asyncio.run(main())
    assert len(tries) == 1


@pytest.mark.parametrize(
    "wrong", ["ConnectionError", [ConnectionError], ConnectionError("x"), (OSError, 5)]
)
def test_what_is_to_be_retried_is_looked_at_before_any_work(domain: Domain, wrong: Any) -> None:
    async def work() -> None:
        pytest.fail("it ran")

    async def main() -> None:
        with pytest.raises(
            errors.InvalidArgumentError, match="retry_on must be an exception class"
        ):
            await domain.retry_with_backoff(work, retry_on=wrong)

    asyncio.run(main())


def test_a_cancel_ends_the_wait_between_two_tries(domain: Domain) -> None:
    async def work() -> None:
        raise ConnectionError("gone")

    async def main() -> float:
        token = CancellationToken()
        asyncio.get_running_loop().call_later(0.02, token.cancel)
        began = time.monotonic()
        with pytest.raises(errors.OperationCancelledError, match="waiting for the next try"):
            await domain.retry_with_backoff(
                work, base_delay=30, cancellation_token=token, operation_name="call"
            )
        return time.monotonic() - began

    assert asyncio.run(main()) < 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_attempts": 0}, "max_attempts"),
        ({"base_delay": -1.0}, "base_delay must be above 0 seconds, not -1"),
        ({"base_delay": float("nan")}, "base_delay must be above 0 seconds, not nan"),
        ({"base_delay": float("inf")}, "at least base_delay, inf seconds"),
        ({"max_delay": float("nan")}, "max_delay must be at least base_delay, 1 seconds, not nan"),
        ({"base_delay": 2.0, "max_delay": 1.0}, "max_delay"),
        ({"multiplier": 0.5}, "multiplier"),
        ({"jitter": 1.5}, "jitter"),
    ],
)
def test_numbers_of_a_retry_are_named(domain: Domain, options: dict[str, Any], words: str) -> None:
    async def main() -> None:
        with pytest.raises(errors.InvalidArgumentError, match=words):
            await domain.retry_with_backoff(sleep_for_ever, **options)

    asyncio.run(main())
