"""The operations over HTTP: every route, and an operation of another process."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException

from child import child
from ktrdr_core import OperationsService, ServiceOrchestrator, current_operation, errors
from ktrdr_core.fastapi import operations_router
from ktrdr_core.testing import until_running
from over_http import data_of, error_of, parse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


class Domain(ServiceOrchestrator):
    """Work that goes on when it is let."""

    def __init__(self) -> None:
        super().__init__(env={})
        self.gate = asyncio.Event()

    def _get_service_name(self) -> str:
        return "Domain"

    def _get_env_var_prefix(self) -> str:
        return "DOMAIN"

    async def steps(self, count: int) -> dict[str, Any]:
        here = current_operation()
        assert here is not None
        for step in range(1, count + 1):
            self.update_operation_progress(step, f"Step {step}")
            here.add_metric({"step": step})
            await asyncio.sleep(0)
        return {"count": count, "all": list(range(count))}

    async def wait(self) -> str:
        await self.gate.wait()
        return "went on"

    async def slow_to_stop(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await self.gate.wait()
            raise


def run(test: Callable[[httpx.AsyncClient, Domain], Awaitable[None]], **options: Any) -> None:
    """Run ``test(client, domain)`` with a client of an app that mounts the router."""
    app = FastAPI()
    app.include_router(operations_router(**options), prefix="/api/v1")

    async def main() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost/api/v1"
        ) as client:
            await test(client, Domain())

    asyncio.run(main())


# ---- routes


def test_a_body_that_is_nested_without_end_is_answered_as_other_bad_ones_are() -> None:
    def refuses() -> None:
        raise HTTPException(400, "not today")

    async def test(client: httpx.AsyncClient, domain: Domain) -> None:
        operation = domain.start_operation("Nested", "nested", domain.wait)
        answer = await client.request(
            "DELETE",
            f"/operations/{operation.id}",
            content=b"[" * 100_000,
            headers={"content-type": "application/json"},
        )
        assert error_of(answer, 422)["code"] == "invalid_argument"
        assert "nested too deeply" in error_of(answer, 422)["message"]
        assert operation.status in ("pending", "running")
        domain.gate.set()
        await operation

    run(test)

    async def other(client: httpx.AsyncClient, _: Domain) -> None:
        answer = await client.get("/operations")
        assert (answer.status_code, answer.json()) == (400, {"detail": "not today"})

    run(other, dependencies=[Depends(refuses)])


def test_an_operation_is_listed_and_described() -> None:
    async def test(client: httpx.AsyncClient, domain: Domain) -> None:
        operation = domain.start_operation("Listed", "listed", domain.wait)
        other = domain.start_operation("Other", "listed", domain.steps, 3, total_steps=3)
        await other
        answer = (await client.get("/operations", params={"operation_type": "listed"})).json()
        assert [row["operation_id"] for row in answer["data"]] == [other.id, operation.id]
        assert answer["total_count"] == 2
        assert answer["active_count"] >= 1
        done, running = answer["data"]
        assert (done["status"], done["progress_percentage"]) == ("completed", 100)
        assert (running["status"], running["operation_name"]) == ("running", "Listed")
        queries: list[tuple[dict[str, Any], int]] = [
            ({"status": "running"}, 1),
            ({"status": "completed"}, 1),
            ({"status": "failed"}, 0),
            ({"active_only": True}, 1),
            ({"limit": 1, "offset": 1}, 1),
            ({"offset": 5}, 0),
        ]
        for query, count in queries:
            found = data_of(
                await client.get("/operations", params={"operation_type": "listed"} | query)
            )
            assert len(found) == count, query
        detail = data_of(await client.get(f"/operations/{other.id}"))
        assert detail["operation_type"] == "listed"
        assert detail["progress"]["steps_total"] == 3
        assert detail["metadata"]["parameters"] == {"count": 3}
        assert detail["result_summary"] == {"count": 3}
        assert detail["started_at"] <= detail["completed_at"]
        assert (detail["errors"], detail["warnings"], detail["error_message"]) == ([], [], None)
        domain.gate.set()
        assert await operation == "went on"

    run(test)


def test_results_and_metrics_are_read() -> None:
    async def test(client: httpx.AsyncClient, domain: Domain) -> None:
        running = domain.start_operation("W", "w", domain.wait)
        early = error_of(await client.get(f"/operations/{running.id}/results"), 409)
        assert "only a completed one has results" in early["message"]
        domain.gate.set()
        await running
        operation = domain.start_operation("S", "s", domain.steps, 5)
        await operation
        found = data_of(await client.get(f"/operations/{operation.id}/results"))
        assert found["results"] == {"count": 5, "all": [0, 1, 2, 3, 4]}
        first = data_of(
            await client.get(f"/operations/{operation.id}/metrics", params={"limit": 2})
        )
        assert [metric["step"] for metric in first["metrics"]] == [1, 2]
        rest = data_of(
            await client.get(
                f"/operations/{operation.id}/metrics", params={"cursor": first["cursor"]}
            )
        )
        assert [metric["step"] for metric in rest["metrics"]] == [3, 4, 5]
        last = data_of(
            await client.get(
                f"/operations/{operation.id}/metrics", params={"cursor": rest["cursor"]}
            )
        )
        assert last == {"metrics": [], "cursor": rest["cursor"]}

    run(test)


def test_a_failure_says_why() -> None:
    async def broken() -> None:
        raise errors.NoDataError("no bars of AAPL", context={"symbol": "AAPL"})

    async def test(client: httpx.AsyncClient, domain: Domain) -> None:
        operation = domain.start_operation("B", "b", broken)
        with pytest.raises(errors.NoDataError):
            await operation
        detail = data_of(await client.get(f"/operations/{operation.id}"))
        assert detail["status"] == "failed"
        assert detail["error_message"] == "no bars of AAPL"
        assert detail["errors"][0]["code"] == "no_data"
        assert detail["errors"][0]["context"] == {"symbol": "AAPL"}

    run(test)


def test_delete_cancels_and_waits_for_the_stop() -> None:
    async def test(client: httpx.AsyncClient, domain: Domain) -> None:
        operation = domain.start_operation("W", "w", domain.wait)
        answer = data_of(
            await client.request("DELETE", f"/operations/{operation.id}", json={"reason": "enough"})
        )
        assert answer["status"] == "cancelled"
        assert answer["cancellation_reason"] == "enough"
        assert answer["task_cancelled"] is True
        assert answer["cancelled_at"]
        with pytest.raises(errors.OperationCancelledError, match="enough"):
            await operation
        again = error_of(await client.request("DELETE", f"/operations/{operation.id}"), 400)
        assert "nothing left to cancel" in again["message"]

    run(test)


@pytest.mark.parametrize("force", [False, True])
def test_delete_answers_202_while_the_work_still_stops(force: bool) -> None:
    async def test(client: httpx.AsyncClient, domain: Domain) -> None:
        operation = domain.start_operation("W", "w", domain.slow_to_stop)
        await until_running(operation)
        response = await client.request(
            "DELETE", f"/operations/{operation.id}", json={"force": force}
        )
        answer = data_of(response, 202)
        assert (answer["status"], answer["task_cancelled"]) == ("cancelling", False)
        assert data_of(await client.get(f"/operations/{operation.id}"))["status"] == "running"
        # Asked again while it stops: the same answer, and the first reason stays.
        data_of(
            await client.request("DELETE", f"/operations/{operation.id}", json={"force": True}), 202
        )
        domain.gate.set()
        with pytest.raises(errors.OperationCancelledError):
            await operation
        assert data_of(await client.get(f"/operations/{operation.id}"))["status"] == "cancelled"

    run(test, cancel_grace=30 if force else 0.05)


def test_a_registered_kind_is_retried() -> None:
    async def test(client: httpx.AsyncClient, domain: Domain) -> None:
        tries: list[int] = []

        async def work(number: int) -> int:
            tries.append(number)
            if len(tries) == 1:
                raise ConnectionError("gone")
            return number

        domain.register_operation("again", work)
        operation = domain.start_operation("A", "again", work, 7)
        with pytest.raises(ConnectionError):
            await operation
        row = data_of(await client.post(f"/operations/{operation.id}/retry"))
        assert row["operation_id"] != operation.id
        second = OperationsService().handle(row["operation_id"])
        assert second is not None
        assert await second == 7
        unknown = domain.start_operation("W", "unregistered", domain.steps, 1)
        await unknown
        refused = error_of(await client.post(f"/operations/{unknown.id}/retry"), 409)
        assert "register the type" in refused["message"]
        refused = error_of(await client.post(f"/operations/{operation.id}/resume"), 409)
        assert "only an interrupted one" in refused["message"]

    run(test)


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/operations/op_none", 404, "there is no operation op_none"),
        ("DELETE", "/operations/op_none", 404, "op_none"),
        ("POST", "/operations/op_none/retry", 404, "op_none"),
        ("POST", "/operations/op_none/resume", 404, "op_none"),
        ("GET", "/operations/op_none/results", 404, "op_none"),
        ("GET", "/operations/op_none/metrics", 404, "op_none"),
        ("GET", "/operations/op_none/events", 404, "op_none"),
        ("GET", "/operations?limit=0", 422, "limit"),
        ("GET", "/operations?offset=-1", 422, "offset"),
        ("GET", "/operations?status=paused", 422, "status"),
        ("GET", "/operations/a%20b", 422, "operation_id"),
        ("GET", f"/operations/{'a' * 129}", 422, "operation_id"),
        ("GET", "/operations/op_none/metrics?cursor=-1", 422, "cursor"),
        ("GET", "/operations/op_none/events?after=x", 422, "after"),
    ],
)
def test_bad_requests_are_named_in_the_envelope(
    method: str, path: str, status: int, words: str
) -> None:
    async def test(client: httpx.AsyncClient, _: Domain) -> None:
        assert words in error_of(await client.request(method, path), status)["message"]

    run(test)


@pytest.mark.parametrize(
    "number", [2**63, 2**64, 2**64 + 1, 10**30, "9" * 5000, -1, "1e3", "nan", "inf"]
)
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/operations", "limit"),
        ("/operations", "offset"),
        ("/operations/op_none/metrics", "cursor"),
        ("/operations/op_none/metrics", "limit"),
        ("/operations/op_none/events", "after"),
        ("/operations/op_none/events", "last-event-id"),
    ],
)
def test_a_number_beyond_64_bits_is_refused_by_its_name(
    path: str, name: str, number: int | str
) -> None:
    async def test(client: httpx.AsyncClient, _: Domain) -> None:
        header = {name: str(number)} if name == "last-event-id" else {}
        params = {} if header else {name: str(number)}
        answer = await client.get(path, params=params, headers=header)
        assert name in error_of(answer, 422)["message"]

    run(test)


@pytest.mark.parametrize(
    "odd", ["1-", "-1-2", "1-xyz", "1-2-3", f"{2**63}-1f", "1-" + "f" * 17, "1 -2", "\u0661"]
)
def test_what_was_never_the_id_of_an_event_is_refused_by_its_name(odd: str) -> None:
    async def test(client: httpx.AsyncClient, _: Domain) -> None:
        answer = await client.get(
            "/operations/op_none/events", headers=[(b"last-event-id", odd.encode())]
        )
        assert "last-event-id" in error_of(answer, 422)["message"]

    run(test)


@pytest.mark.parametrize("number", [0, 1, 2**31, 2**62, 2**63 - 1])
def test_the_largest_number_of_an_event_is_a_number(number: int) -> None:
    async def test(client: httpx.AsyncClient, domain: Domain) -> None:
        operation = domain.start_operation("S", "s", domain.steps, 1)
        await operation
        path = f"/operations/{operation.id}"
        behind = number > 100
        page = data_of(await client.get(f"{path}/metrics", params={"cursor": number}))
        assert (page["metrics"] == []) is behind
        for ask in (
            {"params": {"after": str(number)}},
            {"headers": {"last-event-id": str(number)}},
        ):
            answer = await client.get(f"{path}/events", **ask)  # type: ignore[arg-type]
            assert answer.status_code == (204 if behind else 200)

    run(test)


def test_what_is_not_known_of_items_is_null_and_what_is_complete_is_at_its_last_step() -> None:
    async def part(total: int) -> None:
        here = current_operation()
        assert here is not None
        here.progress.start_step("reading", 2, expected_items=total or None)
        here.progress.update_step_progress(1, 10, 3)

    async def test(client: httpx.AsyncClient, domain: Domain) -> None:
        for total in (0, 7):
            operation = domain.start_operation("P", "p", part, total, total_steps=5)
            await operation
            progress = data_of(await client.get(f"/operations/{operation.id}"))["progress"]
            assert progress["items_total"] == (total or None)
            assert progress["items_processed"] == 3
            assert (progress["steps_completed"], progress["steps_total"]) == (5, 5)
        waiting = domain.start_operation("W", "w", domain.wait)
        assert (
            data_of(await client.get(f"/operations/{waiting.id}"))["progress"]["items_total"]
            is None
        )
        domain.gate.set()
        await waiting

    run(test)


def test_options_out_of_range_are_named() -> None:
    with pytest.raises(errors.InvalidArgumentError, match="cancel_grace"):
        operations_router(cancel_grace=0)
    with pytest.raises(errors.InvalidArgumentError, match="ping"):
        operations_router(ping=-1)


def test_dependencies_guard_every_route() -> None:
    def nobody() -> None:
        raise HTTPException(401, "who are you?")

    async def test(client: httpx.AsyncClient, domain: Domain) -> None:
        operation = domain.start_operation("W", "w", domain.wait)
        for method, path in (
            ("GET", "/operations"),
            ("GET", f"/operations/{operation.id}"),
            ("DELETE", f"/operations/{operation.id}"),
            ("POST", f"/operations/{operation.id}/retry"),
            ("POST", f"/operations/{operation.id}/resume"),
            ("GET", f"/operations/{operation.id}/results"),
            ("GET", f"/operations/{operation.id}/metrics"),
            ("GET", f"/operations/{operation.id}/events"),
        ):
            assert (await client.request(method, path)).status_code == 401, (method, path)
        assert operation.status in {"pending", "running"}
        domain.gate.set()
        await operation

    run(test, dependencies=[Depends(nobody)])


# ---- another process

ELSEWHERE = """
import asyncio, sys
from ktrdr_core import OperationsService, ServiceOrchestrator, current_operation, errors
class Domain(ServiceOrchestrator):
    def _get_service_name(self): return "Domain"
    def _get_env_var_prefix(self): return "DOMAIN"
async def work():
    print("started", flush=True)  # work runs once the store has the operation
    current_operation().add_metric({"number": 1})
    await asyncio.Event().wait()
async def main():
    store = OperationsService(sys.argv[1])
    operation = Domain().start_operation("Elsewhere", "elsewhere", work, operation_id="elsewhere-1")
    try:
        await operation
    except errors.OperationCancelledError as error:
        print(error, flush=True)
asyncio.run(main())
"""


def test_an_operation_of_another_process_is_followed_and_cancelled(tmp_path: Path) -> None:
    store = tmp_path / "operations.db"

    async def test(client: httpx.AsyncClient, _: Domain) -> None:
        path = "/operations/elsewhere-1"
        service = OperationsService(store, default=False)
        async for event in service.follow("elsewhere-1"):
            if event.kind == "metric":
                break
        assert data_of(await client.get(path))["status"] == "running"
        answer = data_of(await client.request("DELETE", path, json={"reason": "from afar"}))
        assert answer["status"] == "cancelled"
        events = [
            parse(block)
            for block in (await client.get(f"{path}/events")).text.split("\r\n\r\n")
            if block
        ]
        assert events[-1][2]["status"] == "cancelled"
        refused = error_of(await client.post(f"{path}/retry"), 409)
        assert "elsewhere" in refused["message"]

    with child([sys.executable, "-c", ELSEWHERE, str(store)]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        run(test, operations=OperationsService(store, default=False), cancel_grace=30)
        assert "from afar" in process.stdout.read()
        assert process.wait(30) == 0
