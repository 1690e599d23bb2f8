"""A store is one place: by whatever name it is opened, and wherever the process stands."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from child import child
from ktrdr_core import DataManager, OperationsService, TrainingManager, errors

if TYPE_CHECKING:
    from pathlib import Path

#: What another process says of the operations of a file.
LOOK = """
import sys
from ktrdr_core import OperationsService
for record in OperationsService(sys.argv[1], default=False).list().records:
    print(record.id, record.status)
"""
#: Works under a relative path, goes elsewhere, and holds on until its standard input ends.
WORK = """
import asyncio, os, sys
from ktrdr_core import DataManager, OperationsService
async def main():
    service = OperationsService("data/ktrdr.db")
    manager = DataManager("data", env={})
    os.chdir("elsewhere")
    async def work():
        print("ready", flush=True)
        await asyncio.sleep(3600)
    manager.start_operation("work", "work", work, operation_id="op_live")
    await asyncio.to_thread(sys.stdin.read)
    os._exit(9)
asyncio.run(main())
"""


def look(store: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(store)], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", ["plain", "link", "folder link", "hard link"])
def test_live_work_is_live_by_every_name_and_dead_when_it_is_dead(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    with child(
        [sys.executable, "-c", WORK],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        file = tmp_path / "data" / "ktrdr.db"
        other = tmp_path / "other.db"
        if name == "link":
            other.symlink_to(file)
        elif name == "folder link":
            (tmp_path / "folder").symlink_to("data")
            other = tmp_path / "folder" / "ktrdr.db"
        elif name == "hard link":
            os.link(file, other)
        else:
            other = file
        assert look(other) == ["op_live running"]
        worker.stdin.close()
        assert worker.wait(30) == 9
    assert look(other) == ["op_live interrupted"]
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_managers_place_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with DataManager("data", env={}) as manager:
        assert manager.database_path == tmp_path.resolve() / "data" / "ktrdr.db"


def test_a_path_that_is_no_text_is_a_storage_error(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    with pytest.raises(errors.StorageError, match="not UTF-8"):
        DataManager(odd, env={})
    with pytest.raises(errors.StorageError, match="not UTF-8"):
        OperationsService(odd / "ktrdr.db")
    with (
        DataManager(tmp_path / "data", env={}) as data,
        pytest.raises(errors.StorageError, match="not UTF-8"),
    ):
        TrainingManager(data, odd, env={})
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]
