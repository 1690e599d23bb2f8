"""The programs in examples/, run as a reader would."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from child import child
from ktrdr_core import OperationsService

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

CHECKER = Path(__file__).parents[2] / "examples" / "orchestrated_service.py"


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    """A list of ten files that are as listed."""
    return write_list(tmp_path, [f"file{number}" for number in range(10)])


def write_list(folder: Path, names: list[str]) -> Path:
    lines = []
    for name in names:
        (folder / name).write_bytes(name.encode() * 100_000)
        lines.append(f"{digest(folder / name)}  {name}")
    path = folder / "SHA256SUMS"
    path.write_text("\n".join(lines) + "\n")
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def start(*arguments: object) -> AbstractContextManager[subprocess.Popen[str]]:
    command = [sys.executable, str(CHECKER), *map(str, arguments)]
    return child(command, stderr=subprocess.PIPE, encoding="utf-8")


def check(*arguments: object) -> tuple[int, str, str]:
    with start(*arguments) as process:
        out, errors = process.communicate(timeout=60)
    return process.returncode, out, errors


def read_until(stream: IO[str] | None, words: str) -> list[str]:
    assert stream is not None
    lines: list[str] = []
    for line in stream:
        lines.append(line.rstrip())
        if words in line:
            return lines
    raise AssertionError(f"{words!r} was not said in {lines}")


async def until_kept(operations: OperationsService, operation_id: str, count: int) -> None:
    """Wait until the store has so many metrics of another process's operation."""
    async for event in operations.follow(operation_id):
        count -= event.kind == "metric"
        if count == 0:
            return
    raise AssertionError("it ended before")


def test_the_checker_says_which_files_differ(sums: Path) -> None:
    code, out, errors = check(sums)
    assert (code, errors) == (0, "")
    assert "100.0 %" in out
    assert "10 of 10 files are as listed" in out
    (sums.parent / "file3").write_bytes(b"changed")
    (sums.parent / "file7").unlink()
    code, out, errors = check(sums)
    assert (code, errors) == (1, "")
    assert "file3: FAILED\nfile7: FAILED\n8 of 10 files" in out
    code, out, errors = check(sums.parent / "none")
    assert code == 1
    assert "none" in errors


def test_ctrl_c_stops_the_checker_in_the_middle_of_a_file(sums: Path) -> None:
    with (sums.parent / "large").open("wb") as large:
        large.truncate(1 << 40)  # a hole: it takes no room, and minutes to read
    sums.write_text(sums.read_text() + f"{'0' * 64}  large\n")
    with start(sums, "--store", sums.parent / "operations.db") as process:
        read_until(process.stdout, "Checked file9")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "cancelled\n"
    (record,) = (
        OperationsService(sums.parent / "operations.db", default=False)
        .list(operation_type="checksums")
        .records
    )
    assert record.status == "cancelled"


def test_a_check_that_was_killed_goes_on_where_it_was(sums: Path) -> None:
    store = sums.parent / "operations.db"
    late = sums.parent / "late"
    os.mkfifo(late)
    content = b"late" * 1000
    sums.write_text(sums.read_text() + f"{hashlib.sha256(content).hexdigest()}  late\n")
    with start(sums, "--store", store) as process:
        operation_id = read_until(process.stdout, "op_checksums")[-1]
        read_until(process.stdout, "Checked file9")  # by now the store has the operation
        asyncio.run(until_kept(OperationsService(store, default=False), operation_id, 10))
        process.kill()
    code, _, errors = check("--resume", operation_id)
    assert code == 1
    assert operation_id in errors
    for number in range(10):
        (sums.parent / f"file{number}").unlink()
    late.unlink()
    late.write_bytes(content)
    code, out, errors = check("--resume", operation_id, "--store", store)
    assert (code, errors) == (0, "")
    assert out.startswith(operation_id)
    assert "11 of 11 files are as listed" in out
    code, _, errors = check("--resume", operation_id, "--store", store)
    assert code == 1
    assert "only an interrupted one can go on" in errors
