"""What every kind of operation must do, seen from Python and over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .. import errors
from .._extras import needed_by
from ..cancellation import CancellationToken
from ..operations import OperationsService
from ..orchestrator import ServiceOrchestrator
from ._asgi import request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..operations import Operation

Case = Literal["completes", "fails", "endless"]

# No case takes so long. Seconds.
_LIMIT = 60.0


async def until_running(operation: Operation[Any]) -> None:
    """Return once the operation's work has begun, or has ended already."""
    async for _ in OperationsService().follow(operation.id):
        if operation.status != "pending":
            return


class OperationKind(Protocol):
    """Starts operations of the kind that is tested."""

    def start(
        self,
        case: Case,
        *,
        operation_id: str = "",
        cancellation_token: CancellationToken | None = None,
    ) -> Operation[Any]:
        """Start one on the running loop.

        ``completes`` ends by itself and tells of progress, ``fails`` ends with an error, ``endless`` ends when it is
        cancelled. The same case is the same request, another case another one.
        """


class OperationSuite:
    """Subclass it in a test module, under a name that begins with ``Test``, and give it the fixture ``kind``.

    Each test runs a loop of its own. The HTTP half needs the ``fastapi`` extra.

    Examples
    --------
    >>> import pytest
    >>> from ktrdr_core.testing import OperationKind, OperationSuite
    >>> class TestMyDomain(OperationSuite):
    ...     @pytest.fixture
    ...     def kind(self) -> OperationKind:
    ...         return MyKind()
    """

    # ---- Python

    def test_it_completes_with_all_of_its_progress(self, kind: OperationKind) -> None:
        """Check that progress rises to 100 and that the end comes last."""

        async def check() -> None:
            operation = kind.start("completes")
            states = [state async for state in operation.events()]
            await operation
            percentages = [state.percentage for state in states]
            _equal(percentages, sorted(percentages), "progress never goes back")
            _equal(percentages[-1], 100.0, "the last progress")
            _equal({state.operation_id for state in states}, {operation.id}, "whose progress it is")
            _equal(operation.status, "completed", "the state")
            _equal(_states(operation.id), ["pending", "running", "completed"], "the states")

        _run(check)

    def test_it_fails_with_its_error(self, kind: OperationKind) -> None:
        """Check that the error comes out, in the record too."""

        async def check() -> None:
            operation = kind.start("fails")
            error = await _raised(operation)
            _equal(operation.status, "failed", "the state")
            kept = (OperationsService().get(operation.id).error or {}).get("message", "")
            _equal(kept.endswith(str(error)), True, f"{error} in the record's {kept!r}")
            _equal(_states(operation.id)[-1], "failed", "the last state told")

        _run(check)

    def test_a_cancel_stops_it_and_gives_the_reason(self, kind: OperationKind) -> None:
        """Check that it stops, and that the first reason stays."""

        async def check() -> None:
            operation = kind.start("endless")
            await until_running(operation)
            _equal(operation.cancel("enough"), True, "the first cancel")
            _equal(operation.cancel("again"), False, "the second cancel")
            error = await _raised(operation)
            _equal(type(error), errors.OperationCancelledError, "the error")
            _equal("enough" in str(error), True, f"the reason in {error}")
            _equal(operation.status, "cancelled", "the state")
            _equal(_states(operation.id)[-2:], ["cancelling", "cancelled"], "the last states")

        _run(check)

    def test_a_token_stops_it(self, kind: OperationKind) -> None:
        """Check a token that is cancelled later, and one that was before."""

        async def check() -> None:
            token = CancellationToken()
            operation = kind.start("endless", cancellation_token=token)
            await until_running(operation)
            token.cancel("by the token")
            error = await _raised(operation)
            _equal("by the token" in str(error), True, f"the reason in {error}")
            too_late = kind.start("endless", cancellation_token=token)
            _equal(type(await _raised(too_late)), errors.OperationCancelledError, "the error")
            _equal("running" in _states(too_late.id), False, "work of a cancelled operation")

        _run(check)

    def test_cancelling_the_task_that_awaits_it_stops_it(self, kind: OperationKind) -> None:
        """Check that the task ends as a cancelled task does, and that nothing of the cancel is left."""

        async def check() -> None:
            operation = kind.start("endless")
            await until_running(operation)
            try:
                async with asyncio.timeout(0.01):
                    await operation
            except TimeoutError:
                pass
            _equal(operation.status, "cancelled", "the state")
            current = asyncio.current_task()
            _equal(current and current.cancelling(), 0, "cancels that nobody took back")

        _run(check)

    def test_a_limit_times_it_out(self, kind: OperationKind) -> None:
        """Check that a limit is not a cancel."""

        async def check() -> None:
            operation = kind.start("endless")
            await until_running(operation)
            error = await _raised(
                ServiceOrchestrator().execute_with_progress(operation, timeout=0.05)
            )
            _equal(type(error), errors.OperationTimeoutError, "the error")
            _equal(operation.status, "timed_out", "the state")

        _run(check)

    def test_an_end_is_final(self, kind: OperationKind) -> None:
        """Check that nothing changes an operation that has ended."""

        async def check() -> None:
            operation = kind.start("completes")
            await operation
            events = len(OperationsService().events(operation.id))
            _equal(operation.cancel("late"), False, "a cancel after the end")
            _equal(operation.status, "completed", "the state")
            _equal(len(OperationsService().events(operation.id)), events, "events after the end")

        _run(check)

    def test_an_id_is_one_request(self, kind: OperationKind) -> None:
        """Check that the same request is the same operation, and that another one is refused."""

        async def check() -> None:
            own = f"conformance-{id(kind)}-{type(kind).__name__}"
            operation = kind.start("completes", operation_id=own)
            _equal(operation.id, own, "the id")
            _equal(kind.start("completes", operation_id=own).id, own, "the id of the same request")
            try:
                kind.start("fails", operation_id=own)
            except errors.ConflictError as error:
                _equal(own in str(error), True, f"the id in {error}")
            else:
                raise AssertionError("another request under the same id was not refused")
            await operation

        _run(check)

    def test_its_events_have_no_gap(self, kind: OperationKind) -> None:
        """Check the numbers of the log, and that following it gives just what it has."""

        async def check() -> None:
            operation = kind.start("completes")
            service = OperationsService()
            followed = [event.seq async for event in service.follow(operation.id)]
            _equal(followed, sorted(set(followed)), "the order of what was followed")
            kept = [event.seq for event in service.events(operation.id, limit=10_000)]
            _equal(kept, list(range(1, len(kept) + 1)), "the numbers kept")
            _equal(followed[-1], kept[-1], "the last event")

        _run(check)

    # ---- HTTP

    def test_http_shows_it_completed(self, kind: OperationKind) -> None:
        """Check description, list and results."""

        async def check() -> None:
            api, operation = _Api(), kind.start("completes")
            await operation
            detail = await api.data("GET", f"/{operation.id}")
            _equal(detail["status"], "completed", "the status")
            _equal(detail["progress"]["percentage"], 100.0, "the percentage")
            listed = await api.data("GET", "")
            _equal(operation.id in [row["operation_id"] for row in listed], True, "listed")
            results = await api.data("GET", f"/{operation.id}/results")
            _equal(results["operation_id"], operation.id, "whose results")
            await api.data("DELETE", f"/{operation.id}", expect=400)

        _run(check)

    def test_http_shows_why_it_failed(self, kind: OperationKind) -> None:
        """Check that the error is the one that Python raises."""

        async def check() -> None:
            api, operation = _Api(), kind.start("fails")
            error = await _raised(operation)
            detail = await api.data("GET", f"/{operation.id}")
            _equal(detail["status"], "failed", "the status")
            _equal(
                str(detail["error_message"]).endswith(str(error)), True, f"{error} in the answer"
            )
            await api.data("GET", f"/{operation.id}/results", expect=409)

        _run(check)

    def test_http_cancels_it(self, kind: OperationKind) -> None:
        """Check that DELETE stops the work."""

        async def check() -> None:
            api, operation = _Api(), kind.start("endless")
            await until_running(operation)
            detail = await api.data("GET", f"/{operation.id}")
            _equal(detail["status"], "running", "the status")
            answer = await api.data("DELETE", f"/{operation.id}", body={"reason": "by HTTP"})
            _equal(answer["status"], "cancelled", "the status")
            error = await _raised(operation)
            _equal("by HTTP" in str(error), True, f"the reason in {error}")

        _run(check)

    def test_http_shows_a_time_out(self, kind: OperationKind) -> None:
        """Check that it is a failure to the API, and which one."""

        async def check() -> None:
            api, operation = _Api(), kind.start("endless")
            await until_running(operation)
            await _raised(ServiceOrchestrator().execute_with_progress(operation, timeout=0.05))
            detail = await api.data("GET", f"/{operation.id}")
            _equal((detail["status"], detail["state"]), ("failed", "timed_out"), "the status")

        _run(check)

    def test_http_streams_its_events_from_any_place(self, kind: OperationKind) -> None:
        """Check a whole stream, the rest of one, and that there is nothing behind its end."""

        async def check() -> None:
            api, operation = _Api(), kind.start("completes")
            whole = await api.stream(operation.id, 0)
            await operation
            numbers = [number for number, _, _ in whole]
            _equal(numbers, sorted(set(numbers)), "the order")
            told = [data["percentage"] for _, event, data in whole if event == "progress"]
            _equal(told, sorted(told), "progress never goes back")
            _equal(told[-1], 100.0, "the last progress")
            _equal((whole[-1][1], whole[-1][2]["status"]), ("state", "completed"), "the last event")
            middle = numbers[len(numbers) // 2]
            rest = [number for number, _, _ in await api.stream(operation.id, middle)]
            _equal(rest[0] > middle and rest[-1] == numbers[-1], True, f"{rest} after {middle}")
            _equal(await api.stream(operation.id, numbers[-1]), [], "events after the end")

        _run(check)


class _Api:
    """The router in an app of its own."""

    def __init__(self) -> None:
        with needed_by("the HTTP half of OperationSuite"):
            from fastapi import FastAPI

            from ..fastapi import operations_router

        self._app = FastAPI()
        self._app.include_router(operations_router(cancel_grace=_LIMIT), prefix="/api/v1")

    async def data(self, method: str, path: str, *, body: object = None, expect: int = 200) -> Any:
        answer = await request(self._app, method, f"/api/v1/operations{path}", body=body)
        _equal(answer.status, expect, f"the answer to {method} {path}: {answer.body!r}")
        return answer.json()["data"]

    async def stream(self, operation_id: str, after: int) -> list[tuple[int, str, dict[str, Any]]]:
        answer = await request(
            self._app,
            "GET",
            f"/api/v1/operations/{operation_id}/events",
            headers={"Last-Event-ID": str(after)},
        )
        events = []
        for block in answer.body.decode().split("\r\n\r\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
            if fields:
                number = int(fields["id"].partition("-")[0])
                events.append((number, fields["event"], json.loads(fields["data"])))
        return events


def _run(check: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(_LIMIT):
            await check()

    asyncio.run(main())


async def _raised(work: Awaitable[Any]) -> BaseException:
    try:
        value = await work
    except Exception as error:  # noqa: BLE001 - the caller looks at it
        return error
    raise AssertionError(f"it did not raise but gave {value!r}")


def _states(operation_id: str) -> list[str]:
    events = OperationsService().events(operation_id, kind="state")
    return [event.data["status"] for event in events]


def _equal(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise AssertionError(f"{what}: {found!r}, not {expected!r}")
