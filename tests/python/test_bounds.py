"""Texts that others make long, or that are no UTF-8: kept within bounds, and the work goes on."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI

from child import child
from ktrdr_core import (
    AsyncServiceAdapter,
    CancellationToken,
    DataManager,
    GenericProgressManager,
    OperationsService,
    ServiceOrchestrator,
    current_operation,
    errors,
)
from ktrdr_core.fastapi import operations_router
from ktrdr_core.hosts.ib.app import create_app
from ktrdr_core.hosts.ib.replay import Replay
from ktrdr_core.hosts.traffic import OTHER_PATHS, Traffic
from ktrdr_core.http import Client, TlsOptions
from ktrdr_core.testing import FaultServer, status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ktrdr_core import ProgressState

# What the core keeps of a text, of a name, of the facts beside a text. Bytes.
TEXT, NAME, FACTS = 8 * 1024, 256, 64 * 1024
LARGE = "x" * 50_000_000


class Domain(ServiceOrchestrator):
    def __init__(self) -> None:
        super().__init__(env={})

    def _get_service_name(self) -> str:
        return "Domain"

    def _get_env_var_prefix(self) -> str:
        return "DOMAIN"


def size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


async def talk(text: str) -> str:
    here = current_operation()
    assert here is not None
    domain = Domain()
    domain.update_operation_progress(1, text, context={"file": text, text[:1000]: [text]})
    here.add_warning(text)
    here.add_log(text)
    here.add_metric({"loss": 0.5, "file": text})
    return "done"


# ---- bounds


DURABLE = """
import asyncio, json, resource, sys
from ktrdr_core import OperationsService, ServiceOrchestrator, errors
class Domain(ServiceOrchestrator):
    def _get_service_name(self): return "Domain"
    def _get_env_var_prefix(self): return "DOMAIN"
async def main():
    store = OperationsService(sys.argv[1])
    operation = Domain(env={}).start_operation("Wait", "wait", asyncio.Event().wait)
    await asyncio.sleep(0)
    reason = "x" * 50_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    operation.cancel(reason)
    try:
        await operation
    except errors.OperationCancelledError as error:
        said = str(error)
    kept = store.get(operation.id).reason.text
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps([kept[-40:], len(kept), len(said), grown]))
asyncio.run(main())
"""


def test_a_reason_of_50_mb_costs_nothing_and_says_that_it_was_cut(tmp_path: Path) -> None:
    with child([sys.executable, "-c", DURABLE, str(tmp_path / "operations.db")]) as process:
        assert process.stdout is not None
        end, kept, said, grown = json.loads(process.stdout.read())
        assert process.wait(30) == 0
    assert end.endswith("… (cut, 50000000 bytes in all)")
    assert kept <= TEXT
    assert said < 2 * TEXT
    # KiB: the text itself, on its way in.
    assert grown < 150 * 1024
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2 * (1 << 20)


def test_whatever_work_says_is_kept_within_bounds() -> None:
    async def test() -> None:
        operation = Domain().start_operation(LARGE, "talk", talk, LARGE[:1_000_000])
        assert await operation == "done"
        record = store.get(operation.id)
        assert len(record.name) <= NAME
        assert len(record.warnings[0]) <= TEXT
        assert size(record.progress.context) <= 2 * FACTS
        assert len(record.progress.message) <= TEXT
        for event in store.events(operation.id):
            assert size(event.data) <= 2 * FACTS, event.kind
        [metric] = store.metrics(operation.id).metrics
        assert metric["loss"] == 0.5
        assert metric["file"].endswith("… (cut, 1000000 bytes in all)")

    store = OperationsService()
    asyncio.run(test())


def test_an_error_without_end_is_the_callers_whole_and_the_records_cut() -> None:
    async def broken() -> None:
        raise ValueError(LARGE)

    async def test() -> None:
        operation = Domain().start_operation("Broken", "broken", broken)
        with pytest.raises(ValueError, match=r"^x") as caught:
            await operation
        assert str(caught.value) == LARGE
        record = OperationsService().get(operation.id)
        assert record.error is not None
        assert len(record.error["message"]) <= TEXT
        assert size(record.error) <= FACTS + 2 * TEXT

    asyncio.run(test())


def test_more_than_a_hundred_warnings_are_events_only() -> None:
    async def warn() -> None:
        here = current_operation()
        assert here is not None
        for number in range(300):
            here.add_warning(f"warning {number}")

    async def test() -> None:
        operation = Domain().start_operation("Warn", "warn", warn)
        await operation
        warnings = OperationsService().get(operation.id).warnings
        assert len(warnings) == 101
        assert "event log" in warnings[-1]

    asyncio.run(test())


def test_a_tokens_reason_and_a_managers_words_are_cut() -> None:
    token = CancellationToken()
    token.cancel(LARGE)
    assert token.reason is not None
    assert len(token.reason.text) <= TEXT
    states: list[ProgressState] = []
    manager = GenericProgressManager(callback=states.append)
    manager.start_operation("op_1", 2)
    manager.start_step(LARGE, 1)
    manager.update_step_progress(1, 2, 0, LARGE)
    assert len(states[-1].step_name) <= NAME
    assert len(states[-1].detail) <= TEXT
    assert len(states[-1].message) <= TEXT


@pytest.mark.parametrize(
    "answer",
    [
        {"detail": LARGE[:5_000_000]},
        {"error": {"code": "no_data", "message": LARGE[:5_000_000], "context": {"a": LARGE[:9]}}},
        {"error": {"code": "no_data", "message": "m", "context": {"a": LARGE[:5_000_000]}}},
        {"error": {"message": "m", "context": {str(n): n for n in range(100_000)}}},
        LARGE[:5_000_000],
    ],
    ids=["detail", "message", "context", "many", "text"],
)
def test_what_a_service_says_of_its_failure_is_cut(answer: Any) -> None:
    body = json.dumps(answer)

    async def call(url: str) -> None:
        async with AsyncServiceAdapter("echo", url) as adapter:
            await adapter.call_get("/x")

    with (
        FaultServer(lambda _: status(404, body)) as server,
        pytest.raises(errors.StatusError) as caught,
    ):
        asyncio.run(call(server.url))
    assert len(caught.value.message) <= TEXT
    assert size(dict(caught.value.context)) <= 2 * FACTS


def test_a_body_without_end_is_refused_before_it_is_read() -> None:
    async def test() -> None:
        app = FastAPI()
        app.include_router(operations_router())
        operation = Domain().start_operation("Wait", "wait", asyncio.Event().wait)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            path = f"/operations/{operation.id}"
            answer = await client.request("DELETE", path, json={"reason": LARGE})
            assert answer.status_code == 413
            assert operation.status == "pending"
            answer = await client.request("DELETE", path, json={"reason": LARGE[:1_000_000]})
            assert answer.status_code == 200
            reason = answer.json()["data"]["cancellation_reason"]
            assert reason.endswith("… (cut, 1000000 bytes in all)")
        with pytest.raises(errors.OperationCancelledError):
            await operation

    asyncio.run(test())


def test_paths_that_nobody_has_are_counted_together() -> None:
    async def test() -> None:
        app = create_app(Replay({}, "nothing"))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            await client.get("/health")
            for number in range(300):
                await client.get(f"/nothing/{number}")
            await client.get(f"/{'x' * 10_000}")
            await client.get("/health")
            counted = (await client.get("/health/detailed")).json()
        assert counted["total_requests"] == 303
        assert len(counted["requests"]) <= 101
        assert counted["requests"]["/health"] == 2
        assert counted["requests"][OTHER_PATHS] >= 200
        assert max(map(len, counted["requests"])) <= 200

    asyncio.run(test())


def test_the_last_error_of_a_host_service_is_cut() -> None:
    traffic = Traffic()
    traffic.failed(LARGE)
    assert traffic.last_error is not None
    assert traffic.last_error.endswith("… (49,999,000 characters more)")


def test_a_log_line_of_the_core_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise errors.NoDataError(LARGE)

    async def test() -> None:
        operation = Domain().start_operation("Broken", "broken", broken)
        with pytest.raises(errors.NoDataError):
            await operation

    with caplog.at_level(logging.DEBUG, "ktrdr_core"):
        asyncio.run(test())
    assert all(len(record.getMessage()) <= 2 * TEXT for record in caplog.records)


# ---- texts that are no UTF-8


# A file's name whose bytes are no UTF-8, as Python has it.
ODD = "caf\udce9.pem"


@pytest.mark.parametrize(
    "attempt",
    [
        lambda path: Client(tls=TlsOptions(ca_file=path)),
        lambda path: Client(tls=TlsOptions(certificate_file=path, key_file=path)),
        lambda path: OperationsService(path / "operations.db"),
        lambda path: DataManager(path, env={}),
    ],
    ids=["authority", "certificate", "store", "data"],
)
def test_a_path_that_is_no_utf8_is_named_in_the_error(
    attempt: Callable[[Path], object], tmp_path: Path
) -> None:
    odd = tmp_path / ODD
    odd.write_bytes(b"nothing of use")
    with pytest.raises((errors.KtrdrError, OSError)) as caught:
        attempt(odd)
    said = str(caught.value)
    assert "caf" in said
    said.encode()
    if isinstance(caught.value, errors.KtrdrError):
        json.dumps(dict(caught.value.context), ensure_ascii=False).encode()
