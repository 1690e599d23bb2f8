"""What others write into a store harms nothing but what they wrote on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from child import child
from commands import COMMAND
from ktrdr_core import DataManager, OperationsService, errors
from ktrdr_core.operations import StoreDamage

if TYPE_CHECKING:
    from pathlib import Path

#: A process that knows nothing of ours.
FOREIGN = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30)
rows = connection.execute(sys.argv[2]).fetchall()
connection.commit()
print(rows)
"""
#: Runs an operation until it is cancelled or killed.
RUN = """
import asyncio, sys
from ktrdr_core import DataManager, OperationsService
from ktrdr_core.errors import OperationCancelledError
async def main():
    service = OperationsService(sys.argv[1] + "/ktrdr.db")
    async def work():
        print("ready", flush=True)
        await asyncio.sleep(3600)
    manager = DataManager(sys.argv[1], env={})
    try:
        await manager.start_operation("work", "work", work, operation_id="op_there")
    except OperationCancelledError as error:
        print(error, flush=True)
asyncio.run(main())
"""
#: Runs three operations to their end.
THREE = """
import asyncio, sys
from ktrdr_core import DataManager, OperationsService
async def main():
    service = OperationsService(sys.argv[1] + "/ktrdr.db")
    async def work():
        return 7
    async with DataManager(sys.argv[1], env={}) as manager:
        for name in ("op_1", "op_2", "op_3"):
            await manager.start_operation("work", "work_of_three", work, operation_id=name)
asyncio.run(main())
"""


def foreign(folder: Path, sql: str) -> str:
    command = [sys.executable, "-c", FOREIGN, str(folder / "ktrdr.db"), sql]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def until(folder: Path, sql: str, answer: str) -> None:
    deadline = time.monotonic() + 60
    while foreign(folder, sql) != answer:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_garbage_in_the_place_of_a_cancel_neither_ends_the_process_nor_cancels(
    tmp_path: Path,
) -> None:
    with child([sys.executable, "-c", RUN, str(tmp_path)]) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        for odd in ("garbage", "", "[]", json.dumps({"code": "nonsense"})):
            foreign(tmp_path, f"UPDATE operation SET asked = '{odd}'")
            until(tmp_path, "SELECT asked, status FROM operation", "[(None, 'running')]")
            assert other.poll() is None
        right = json.dumps({"code": "user", "text": "enough", "origin": "there"})
        foreign(tmp_path, f"UPDATE operation SET asked = '{right}'")
        assert "enough" in other.stdout.readline()
        assert other.wait(60) == 0


def test_one_damaged_record_is_shown_and_the_others_are_listed(tmp_path: Path) -> None:
    with child([sys.executable, "-c", THREE, str(tmp_path)]) as other:
        assert other.wait(60) == 0
    foreign(tmp_path, "UPDATE operation SET status = 'garbage' WHERE id = 'op_2'")
    foreign(tmp_path, "UPDATE event SET data = 'garbage' WHERE operation = 'op_1' AND seq = 1")
    service = OperationsService(tmp_path / "ktrdr.db", default=False)
    records = {record.id: record for record in service.list(operation_type="work_of_three").records}
    assert sorted(records) == ["op_1", "op_2", "op_3"]
    odd = records["op_2"]
    assert odd.damage == ['status: "garbage" is not known']
    assert odd.status == "failed"
    assert odd.error is not None
    assert odd.error["code"] == "storage"
    assert records["op_3"].damage == []
    handle = service.handle("op_3")
    assert handle is not None
    assert handle.result() == 7
    first, *others = service.events("op_1")
    assert (first.kind, first.data["damaged"]) == ("warning", True)
    assert all("damaged" not in event.data for event in others)
    check = service.verify()
    assert check.operations == 3
    assert StoreDamage("op_2", 0, 'status: "garbage" is not known') in check.damage
    assert [one.seq for one in check.damage if one.operation_id == "op_1"] == [1]
    done = subprocess.run(
        [*COMMAND, "operations", "verify", "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert 'op_2: status: "garbage" is not known' in done.stdout
    assert "op_1 event 1: " in done.stdout
    foreign(tmp_path, "DELETE FROM event WHERE seq = 1 AND operation = 'op_1'")
    foreign(tmp_path, "UPDATE operation SET status = 'completed' WHERE id = 'op_2'")
    done = subprocess.run(
        [*COMMAND, "operations", "verify", "--data-dir", str(tmp_path), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["damage"] == []


def test_a_verification_makes_no_file_and_needs_a_store(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "operations", "verify", "--data-dir", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "there is no" in done.stderr) == (3, True)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(errors.ConflictError, match="no store to verify"):
        OperationsService().verify()


def test_the_death_of_another_process_is_seen_without_a_look(tmp_path: Path) -> None:
    with DataManager(tmp_path, env={}):
        with child([sys.executable, "-c", RUN, str(tmp_path)]) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "ready\n"
            assert foreign(tmp_path, "SELECT status FROM operation") == "[('running',)]"
            other.send_signal(signal.SIGKILL)
        until(tmp_path, "SELECT status FROM operation", "[('interrupted',)]")


@pytest.mark.parametrize(("shared", "file", "folder"), [("", 0o600, 0o700), ("true", 0o640, 0o750)])
def test_files_are_their_owners_alone_unless_they_are_shared(
    tmp_path: Path, shared: str, file: int, folder: int
) -> None:
    before = os.umask(0o027)
    try:
        with DataManager(tmp_path / "data", env={"KTRDR_SHARED_FILES": shared}):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "data").stat().st_mode & 0o777 == folder
    assert (tmp_path / "data" / "ktrdr.db").stat().st_mode & 0o777 == file


def test_a_switch_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigurationError, match="KTRDR_SHARED_FILES"):
        DataManager(tmp_path / "data", env={"KTRDR_SHARED_FILES": "perhaps"})
    assert list(tmp_path.iterdir()) == []
