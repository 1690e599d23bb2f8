"""Who follows a long event log leaves the loop to others meanwhile, and a server hears that its client has gone."""

from __future__ import annotations

import asyncio
import socket
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from ktrdr_core import OperationsService, current_operation
from ktrdr_core.operations import follow
from ktrdr_core.testing import Domain
from training_hosts import ENDLESS, TableClient, TrainingHost, start_body, store_bars

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ktrdr_core.operations import OperationEvent

METRICS = 1000


@pytest.mark.parametrize("stored", [False, True], ids=["here", "stored"])
def test_a_long_log_is_no_single_turn_of_the_loop(stored: bool) -> None:
    async def work() -> None:
        for number in range(METRICS):
            current_operation().add_metric({"number": number})  # type: ignore[union-attr]

    async def main() -> list[int]:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        operation = Domain().start_operation("Long", "long", work)
        await operation
        task = asyncio.create_task(others())
        events: AsyncIterator[OperationEvent]
        if stored:
            events = follow.follow_stored(operation.id, 0, asyncio.Event(), lambda: False)
        else:
            events = OperationsService().follow(operation.id)
        seen = [turns async for event in events if event.kind == "metric"]
        task.cancel()
        return seen

    seen = asyncio.run(main())
    assert len(seen) == METRICS
    assert max(len(list(same)) for _, same in groupby(seen)) <= follow.TURN


def test_a_host_hears_at_once_that_a_client_of_its_events_has_gone(tmp_path: Path) -> None:
    """One that was killed while it caught up: nothing is written to it any more, and nothing is said of that."""
    store_bars(tmp_path / "bars")
    with TrainingHost(tmp_path / "bars", tmp_path / "there") as host, host.client() as http:
        table = TableClient(http)
        session = table.start(start_body("long", **ENDLESS))
        table.training(session)
        while table.status(session)["progress"]["epoch"] < 2 * METRICS:
            pass
        for _ in range(5):
            parts = urlsplit(host.url)
            with socket.create_connection((str(parts.hostname), int(parts.port or 0))) as client:
                asked = f"GET /training/sessions/{session}/events HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
                client.sendall(asked.encode())
                assert client.recv(64).startswith(b"HTTP/1.1 200")
        table.ask("POST", "/training/stop", "status", {"session_id": session})
        said = host.end()
    assert "socket.send() raised" not in said
