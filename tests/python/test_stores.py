"""Stores as lists, logs and keepers: pages, runs that share an id, readers of another process's operation, a lock."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI

from child import child
from ktrdr_core import OperationsService, _core, current_operation, errors
from ktrdr_core.fastapi import operations_router
from ktrdr_core.operations import OperationEvent, OperationRecord, Retention, follow
from ktrdr_core.testing import Domain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def serve(
    test: Callable[[httpx.AsyncClient], Awaitable[None]], operations: OperationsService
) -> None:
    """Run ``test(client)`` with a client of an app that shows these operations."""
    app = FastAPI()
    app.include_router(operations_router(operations))

    async def main() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            await test(client)

    asyncio.run(main())


def in_a_process(body: Callable[[Path], None], folder: Path) -> None:
    """Run ``body(path)`` elsewhere: the default store that it sets is its process's until that ends."""
    call = f"import pathlib, test_stores as t; t.{body.__name__}(pathlib.Path({str(folder)!r}, 'operations.db'))"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", call], cwd=Path(__file__).parent, check=True
    )


async def count(number: int) -> int:
    here = current_operation()
    assert here is not None
    here.add_metric({"number": number})
    return number


# ---- values


PLAIN: tuple[Any, ...] = (None, 0, False, "", [], {})


def _ended_with_plain_values(path: Path) -> None:
    OperationsService(path)

    async def main() -> None:
        for number, value in enumerate(PLAIN):

            async def work(value: Any = value) -> Any:
                return value

            await Domain().start_operation("W", "w", work, operation_id=f"own-{number}")

    asyncio.run(main())


def _asked_for_plain_values(path: Path) -> None:
    operations = OperationsService(path)
    for number, value in enumerate(PLAIN):
        handle = operations.handle(f"own-{number}")
        assert handle is not None
        assert handle.result(10) == value
        assert operations.get(f"own-{number}").result == value


def test_plain_values_are_there_after_a_restart_and_none_is_one(tmp_path: Path) -> None:
    in_a_process(_ended_with_plain_values, tmp_path)
    in_a_process(_asked_for_plain_values, tmp_path)


# ---- pages


def test_pages_follow_each_other_by_their_cursor(tmp_path: Path) -> None:
    in_a_process(walk_by_cursor, tmp_path)


def walk_by_cursor(path: Path) -> None:
    operations = OperationsService(path)

    async def test(client: httpx.AsyncClient) -> None:
        domain = Domain()
        ids: list[str] = []
        for number in range(7):
            operation = domain.start_operation("Paged", "paged", count, number)
            await operation
            ids.insert(0, operation.id)
        seen: list[str] = []
        query: dict[str, Any] = {"operation_type": "paged", "limit": 3}
        sizes: list[int] = []
        while query.get("cursor", "first") is not None:
            answer = (await client.get("/operations", params=query)).json()
            assert answer["total_count"] == 7 + 2 * len(sizes)
            sizes.append(len(answer["data"]))
            seen += [row["operation_id"] for row in answer["data"]]
            query["cursor"] = answer["cursor"]
            # What is started meanwhile shifts nothing.
            await domain.start_operation("Paged", "paged", count, 0)
            await domain.start_operation("Paged", "paged", count, 0)
        assert seen == ids
        assert sizes == [3, 3, 1]

    serve(test, operations)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "12"}, "cursor"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "1." + "a" * 200}, "cursor"),
        ({"offset": 10_001}, "offset"),
    ],
)
def test_a_page_that_cannot_be_is_refused_by_name(query: dict[str, Any], field: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        response = await client.get("/operations", params=query)
        assert response.status_code == 422
        assert field in response.json()["error"]["message"]

    serve(test, OperationsService())


def test_an_offset_beyond_the_cap_names_the_cursor() -> None:
    with pytest.raises(errors.InvalidArgumentError, match=r"at most 10000.*cursor"):
        OperationsService().list(offset=10_001)


# ---- retention


def test_a_store_keeps_what_its_retention_says_without_being_asked(tmp_path: Path) -> None:
    in_a_process(keep_five, tmp_path)


def keep_five(path: Path) -> None:
    async def run(number: int) -> None:
        for _ in range(number):
            await Domain().start_operation("Kept", "kept", count, 1)

    operations = OperationsService(path, retention=Retention(max_count=5))
    asyncio.run(run(20))
    del operations
    gc.collect()
    # Opening it begins the housekeeping, by what the file says.
    again = OperationsService(path, default=False)
    while again.list(operation_type="kept").total_count > 5:
        time.sleep(0.01)
    assert len(again.list(operation_type="kept").records) == 5


def test_a_retention_needs_a_store_and_numbers_in_range(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="store"):
        OperationsService(retention=Retention())
    for bad in (
        Retention(max_count=0),
        Retention(max_bytes=10),
        Retention(max_age=timedelta(minutes=1)),
    ):
        with pytest.raises(errors.InvalidArgumentError, match="keeps at least"):
            OperationsService(tmp_path / "operations.db", default=False, retention=bad)


# ---- one id, two runs


def test_a_run_that_uses_an_id_again_shows_its_own_events(tmp_path: Path) -> None:
    in_a_process(use_an_id_again, tmp_path)


def use_an_id_again(path: Path) -> None:
    operations = OperationsService(path)

    async def run(number: int) -> None:
        await Domain().start_operation("Again", "again", count, number, operation_id="again-1")

    async def test(client: httpx.AsyncClient) -> None:
        for number in (1, 2):
            await run(number)
            gc.collect()
            text = (await client.get("/operations/again-1/events")).text
            assert f'"number":{number}' in text
            assert f'"number":{3 - number}' not in text
            await Domain().start_operation("Other", "again", count, 0)
            assert operations.forget(operation_type="again", max_count=1) >= 1

    serve(test, operations)


def test_the_id_of_an_event_of_an_earlier_run_is_none_of_this_ones(tmp_path: Path) -> None:
    in_a_process(come_back_with_an_earlier_id, tmp_path)


def come_back_with_an_earlier_id(path: Path) -> None:
    operations = OperationsService(path)

    async def ids_of(client: httpx.AsyncClient, last: str) -> list[str]:
        answer = await client.get("/operations/again-1/events", headers={"Last-Event-ID": last})
        assert answer.status_code in {200, 204}
        lines = answer.text.splitlines()
        return [line.removeprefix("id: ") for line in lines if line.startswith("id: ")]

    async def test(client: httpx.AsyncClient) -> None:
        runs = []
        for number in range(2):
            await Domain().start_operation("Again", "again", count, number, operation_id="again-1")
            gc.collect()
            runs.append(await ids_of(client, "0"))
            if number == 0:
                await Domain().start_operation("Other", "again", count, 0)
                assert operations.forget(operation_type="again", max_count=1) >= 1
        earlier, now = runs
        assert len(earlier) == len(now) > 2
        assert not set(earlier) & set(now)
        # Whatever it had of the earlier one, this one is told from its beginning.
        assert await ids_of(client, earlier[-1]) == await ids_of(client, earlier[0]) == now
        assert await ids_of(client, now[1]) == now[2:]
        assert await ids_of(client, now[-1]) == []
        # A client that kept a number alone is taken at its word.
        assert await ids_of(client, "2") == now[2:]

    serve(test, operations)


def test_who_follows_a_run_that_was_forgotten_does_not_hear_of_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    looks = iter(
        [
            (OperationRecord(id="op", status="running", created=noon, last_seq=0), 1),
            (OperationRecord(id="op", status="running", created=noon + timedelta(days=1)), 2),
        ]
    )

    def look(_id: str, _last: int | None) -> tuple[OperationRecord, list[OperationEvent]]:
        record, seq = next(looks)
        return record, [OperationEvent(seq=seq, kind="log", data={"message": "hello"})]

    monkeypatch.setattr(follow, "_look", look)
    monkeypatch.setattr(follow, "_POLL", 0.0)

    async def main() -> list[int]:
        stored = follow.follow_stored("op", 0, asyncio.Event(), lambda: False)
        return [event.seq async for event in stored]

    assert asyncio.run(main()) == [1]


# ---- another process

ELSEWHERE = """
import asyncio, sys
from ktrdr_core import OperationsService, _core, current_operation, errors
from ktrdr_core.testing import Domain
async def work():
    for number in range(1500):
        current_operation().add_metric({"number": number})
    print("started", flush=True)
    await asyncio.Event().wait()
async def main():
    store = OperationsService(sys.argv[1])
    operation = Domain().start_operation("Elsewhere", "elsewhere", work, operation_id="elsewhere-1")
    try:
        await operation
    except errors.OperationCancelledError:
        pass
asyncio.run(main())
"""


def test_an_operation_elsewhere_is_looked_at_once_for_all_who_follow_it_and_never_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "operations.db"
    looks: list[int] = []
    real = follow._look

    def look(operation_id: str, last: int | None) -> Any:
        looks.append(threading.get_ident())
        return real(operation_id, last)

    monkeypatch.setattr(follow, "_look", look)

    async def main() -> None:
        operations = OperationsService(store, default=False)
        ready = 0
        everyone = asyncio.Event()

        async def read(after: int) -> list[int]:
            nonlocal ready
            numbers = []
            async for event in operations.follow("elsewhere-1", after=after):
                if event.kind == "metric":
                    numbers.append(event.data["number"])
                    if len(numbers) == 1500:
                        ready += 1
                        if ready == 60:
                            everyone.set()
            return numbers

        readers = [asyncio.create_task(read(0)) for _ in range(60)]
        await everyone.wait()
        operations.cancel("elsewhere-1")
        for numbers in await asyncio.gather(*readers):
            assert numbers == list(range(1500))
        assert follow._watches[asyncio.get_running_loop()] == {}
        assert len(looks) < 60
        assert threading.get_ident() not in looks
        # What has ended is read by whoever comes later too.
        assert len([event async for event in operations.follow("elsewhere-1")]) > 1500

    with child([sys.executable, "-c", ELSEWHERE, str(store)]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        asyncio.run(main())
        assert process.wait(30) == 0


def test_many_readers_are_told_a_few_at_a_time_so_that_others_have_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    everyone = threading.Event()

    def look(_id: str, last: int | None) -> tuple[OperationRecord, list[OperationEvent]]:
        if last is None:
            return OperationRecord(id="op", status="running", created=noon, last_seq=0), []
        everyone.wait(20)
        record = OperationRecord(id="op", status="completed", created=noon, last_seq=1)
        return record, [OperationEvent(seq=1, kind="log", data={"message": "hello"})]

    monkeypatch.setattr(follow, "_look", look)
    monkeypatch.setattr(follow, "_POLL", 0.0)
    told = 0

    async def read() -> None:
        nonlocal told
        async for _ in follow.follow_stored("op", 0, asyncio.Event(), lambda: False):
            told += 1

    async def main() -> list[int]:
        readers = [asyncio.create_task(read()) for _ in range(500)]
        await asyncio.sleep(0)
        everyone.set()
        seen = []
        while told < 500:
            seen.append(told)
            await asyncio.sleep(0)
        await asyncio.gather(*readers)
        return [*seen, told]

    turns = asyncio.run(main())
    assert max(after - before for before, after in zip(turns, turns[1:], strict=False)) < 100


def test_an_id_that_nobody_knows_is_told_at_the_first_step() -> None:
    async def main() -> None:
        with pytest.raises(errors.NotFoundError):
            async for _ in OperationsService().follow("op_nobody"):
                pass

    asyncio.run(main())


# ---- a lock


def test_what_another_program_locks_is_written_when_it_lets_go(tmp_path: Path) -> None:
    in_a_process(run_while_it_is_locked, tmp_path)


def run_while_it_is_locked(path: Path) -> None:
    operations = OperationsService(path)
    other = sqlite3.connect(path, isolation_level=None)

    async def main() -> None:
        other.execute("BEGIN IMMEDIATE")
        operation = Domain().start_operation("Locked", "locked", count, 7)
        assert await operation == 7
        record = operations.get(operation.id)
        assert (record.status, record.durable) == ("completed", False)
        assert "kept in memory" in record.warnings[0]
        assert [row.id for row in operations.list(operation_type="locked").records] == [
            operation.id
        ]
        second = Domain().start_operation("Locked", "locked", asyncio.Event().wait)
        second.cancel("enough")
        with pytest.raises(errors.OperationCancelledError):
            await second
        other.execute("ROLLBACK")
        while not operations.get(operation.id).durable:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.01)
        rows = other.execute("SELECT status, durable FROM operation ORDER BY created").fetchall()
        assert rows == [("completed", 1), ("cancelled", 1)]
        seqs = other.execute(
            "SELECT seq FROM event WHERE operation = ? ORDER BY seq", (operation.id,)
        ).fetchall()
        assert seqs == [(seq,) for seq in range(1, operations.get(operation.id).last_seq + 1)]

    try:
        asyncio.run(main())
    finally:
        other.close()


def test_what_no_file_takes_is_written_with_the_next_change_once_it_is_back(tmp_path: Path) -> None:
    in_a_process(run_while_it_is_away, tmp_path)


def run_while_it_is_away(path: Path) -> None:
    operations = OperationsService(path)
    elsewhere = path.with_name("elsewhere.db")

    async def main() -> None:
        os.rename(path, elsewhere)
        operation = Domain().start_operation("Away", "away", count, 7)
        assert await operation == 7
        record = operations.get(operation.id)
        assert (record.status, record.durable) == ("completed", False)
        assert "was removed or replaced since" in record.warnings[0]
        os.rename(elsewhere, path)
        assert await Domain().start_operation("Back", "back", count, 8) == 8
        while not operations.get(operation.id).durable:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.01)

    asyncio.run(main())
    other = sqlite3.connect(path)
    rows = other.execute("SELECT status, durable FROM operation").fetchall()
    assert rows == [("completed", 1)] * 2
    other.close()


HOLDER = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
other.execute("ROLLBACK")
"""


def test_what_is_asked_of_others_while_a_process_holds_the_lock_is_asked_when_it_lets_go(
    tmp_path: Path,
) -> None:
    store = tmp_path / "operations.db"
    running = [sys.executable, "-c", ELSEWHERE, str(store)]
    with child(running) as elsewhere:
        assert elsewhere.stdout is not None
        assert elsewhere.stdout.readline() == "started\n"
        operations = OperationsService(store, default=False)
        with child([sys.executable, "-c", HOLDER, str(store)], stdin=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdin is not None
            assert holder.stdout.readline() == "locked\n"
            assert operations.cancel("elsewhere-1", "enough") is True
            assert operations.cancel("elsewhere-1", "enough") is False, "it was asked before"
            kept = OperationsService(store, default=False, retention=Retention(max_count=7))
            assert operations.get("elsewhere-1").status == "running"
            holder.stdin.write("let go\n")
            holder.stdin.flush()
            assert holder.wait(30) == 0
        assert elsewhere.wait(30) == 0
        record = operations.get("elsewhere-1")
        assert (record.status, record.reason and record.reason.text) == ("cancelled", "enough")
        with sqlite3.connect(store) as other:
            while not other.execute("SELECT max_count FROM operation_retention").fetchall():
                time.sleep(0.01)
        del kept


def test_one_file_is_opened_by_many_threads_at_once(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(200):
            _core.Storage(tmp_path / "ktrdr.db", False, {})

    threads = [threading.Thread(target=work) for _ in range(8)]
    kept = _core.Storage(tmp_path / "ktrdr.db", False, {})
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert kept.verify() == (0, 0, [])
