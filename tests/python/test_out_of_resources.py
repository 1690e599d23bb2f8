"""Memory and threads that run out: what needed them fails and says so, and what else runs goes on."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ktrdr_core.testing import FaultServer, ok
from soak import count

if TYPE_CHECKING:
    from pathlib import Path

#: `spare(bytes)` leaves so much memory beyond what is mapped now; `spare()` lifts that.
_SPARE = """
import resource
from pathlib import Path

def spare(count=None):
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = most if count is None else pages * resource.getpagesize() + count
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
"""


def _run(code: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _SPARE + code, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_body_that_does_not_fit_into_memory_fails_its_own_request_only() -> None:
    with FaultServer(
        lambda request: [ok(b"x" * 60_000_000 if request.target == "/large" else b"small")]
    ) as server:
        told = _run(
            """
import sys
from ktrdr_core.http import Client

with Client(sys.argv[1]) as client:
    client.get("/small").result()
    spare(20_000_000)
    for _ in range(3):
        try:
            client.get("/large").result()
        except Exception as error:
            print(type(error).__name__)
        print(client.get("/small").result().status_code)
    spare()
    print(len(client.get("/large").result().content))
""",
            server.url,
        )
    assert told == ["OutOfResourcesError", "200"] * 3 + ["60000000"]


def test_an_answer_that_no_thread_can_decode_fails_and_the_next_does_not() -> None:
    with FaultServer(lambda _: [ok("[" + "1," * 100_000 + "1]")]) as server:
        told = _run(
            """
import sys
from ktrdr_core.adapter import AsyncServiceAdapter

with AsyncServiceAdapter("Test", sys.argv[1]) as adapter:
    spare(4_000_000)
    try:
        adapter.call_get("/").result()
    except Exception as error:
        print(type(error).__name__)
    spare()
    print(len(adapter.call_get("/").result()))
""",
            server.url,
        )
    assert told == ["OutOfResourcesError", "100001"]


def test_an_operation_whose_store_gets_no_thread_says_so_instead_of_waiting() -> None:
    told = _run("""
import asyncio, sys, tempfile
from ktrdr_core.operations import OperationsService
from ktrdr_core.orchestrator import ServiceOrchestrator

async def work():
    return 7

async def main(folder):
    service = OperationsService(folder + "/operations.db")
    orchestrator = ServiceOrchestrator()
    spare(4_000_000)
    try:
        print(await orchestrator.start_operation("x", "y", work))
    except Exception as error:
        print(type(error).__name__)
    spare()
    print(await orchestrator.start_operation("x", "y", work))

with tempfile.TemporaryDirectory() as folder:
    asyncio.run(main(folder))
""")
    assert told[-1] == "7"
    assert told[0] in ("OutOfResourcesError", "StorageError", "7")


@pytest.mark.parametrize(
    "left", [0, 200_000, *range(8_000_000, 10_000_000, count(1_000_000, 100_000))]
)
def test_a_process_without_memory_for_a_threads_first_words_goes_on(
    left: int, tmp_path: Path
) -> None:
    """The loader ends a process that has no memory for what a thread keeps for itself, so it must have been there."""
    bars = tmp_path / "ACME_1d.csv"
    bars.write_text("date,open,high,low,close\n2020-01-01,1,1,1,1\n")
    told = _run(
        """
import asyncio, sys
from ktrdr_core import DataManager
from ktrdr_core.testing import Domain

async def begin():
    async def work():
        return 1
    return await Domain().start_operation("W", "w", work)

data = DataManager(sys.argv[1], env={})
spare(int(sys.argv[3]))
for attempt in (lambda: data.import_csv(sys.argv[2]).result(20), lambda: asyncio.run(begin())):
    try:
        attempt()
    except Exception:
        pass
spare()
print(asyncio.run(begin()), data.import_csv(sys.argv[2], "OTHER").result(20).symbol)
""",
        str(tmp_path / "data"),
        str(bars),
        str(left),
    )
    assert told == ["1", "OTHER"]
