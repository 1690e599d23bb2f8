"""The interpreter ends cleanly at every stage of an operation."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import soak
from ktrdr_core.hosts.child import HostProcess

STRATEGY = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"

# Debug mode warns of steps over 0.1 s; a machine under load is no defect of what is tested here.
HEAD = """
import asyncio, logging, sys
import ktrdr_core
logging.getLogger("asyncio").setLevel(logging.ERROR)
url, folder, strategy = sys.argv[1:]
FULL = dict(start_date="2000-01-01", end_date="2013-12-31", mode="full")
"""

DOMAIN = """
class Domain(ktrdr_core.ServiceOrchestrator):
    def _get_service_name(self): return "Domain"
    def _get_env_var_prefix(self): return "DOMAIN"
domain = Domain()
"""

STAGES = {
    "imported only": "",
    "manager made": "data = ktrdr_core.DataManager(folder, url)",
    "load started": """
data = ktrdr_core.DataManager(folder, url)
load = data.load_data("AAPL", "1d", **FULL)
""",
    "load started and forgotten": 'ktrdr_core.DataManager(folder, url).load_data("AAPL", "1d", **FULL)',
    "load just cancelled": """
data = ktrdr_core.DataManager(folder, url)
load = data.load_data("AAPL", "1d", **FULL)
load.cancel()
""",
    "loop closed under a load": """
async def main():
    global data, load
    data = ktrdr_core.DataManager(folder, url)
    load = data.load_data("AAPL", "1d", **FULL, progress_callback=lambda state: None)
    await asyncio.sleep(0)
asyncio.run(main())
""",
    "loop closed under a task that awaits": """
async def main():
    global data, task
    data = ktrdr_core.DataManager(folder, url)
    async def wait():
        await data.load_data("AAPL", "1d", **FULL)
    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
asyncio.run(main())
""",
    "left by sys.exit inside events": """
async def main():
    async with ktrdr_core.DataManager(folder, url) as data:
        async for state in data.load_data("AAPL", "1d", **FULL).events():
            sys.exit(0)
asyncio.run(main())
""",
    "work in Python running": DOMAIN
    + """
async def main():
    global operation
    operation = domain.start_operation("W", "w", asyncio.Event().wait)
    await asyncio.sleep(0.01)
    sys.exit(0)
asyncio.run(main())
""",
    "loop of work in Python closed and kept": DOMAIN
    + """
async def work():
    await asyncio.sleep(0)
async def main():
    return domain.start_operation("W", "w", work)
loop = asyncio.new_event_loop()
operation = loop.run_until_complete(main())
loop.run_until_complete(asyncio.sleep(0.05))
loop.close()
""",
    "a thread waiting for a token": """
import threading
token = ktrdr_core.CancellationToken()
threading.Thread(target=token.wait_for, args=[60], daemon=True).start()
""",
    # In the middle of the interpreter's end, when a thread that wants its lock back is not given it any more.
    "a thread that wakes too late": """
import os, sys, threading
from ktrdr_core import _core
mailbox = _core.Mailbox()
thread = threading.Thread(target=mailbox.wait, args=[60], daemon=True)
sys.setswitchinterval(1000)  # so that it gives the lock away only once it waits
thread.start()
class Last:
    call = os.open(f"/proc/self/task/{thread.native_id}/syscall", os.O_RDONLY)
    def __del__(self, write=os.write, pread=os.pread, fd=mailbox.fileno()):
        waiting = pread(self.call, 200, 0)
        write(fd, (1).to_bytes(8, "little"))
        # Until it stands still elsewhere.
        while pread(self.call, 200, 0) in (waiting, b"running\\n"):
            pass
last = Last()
""",
    "a callback that hears of a running load": """
async def main():
    global data, load
    data = ktrdr_core.DataManager(folder, url)
    load = data.load_data("AAPL", "1d", **FULL, progress_callback=lambda state: None)
    async for state in load.events():
        break
asyncio.run(main())
""",
    "events of a running operation followed": DOMAIN
    + """
async def main():
    operation = domain.start_operation("W", "w", asyncio.Event().wait)
    async for event in ktrdr_core.OperationsService().follow(operation.id):
        sys.exit(0)
asyncio.run(main())
""",
    "training being loaded": """
data = ktrdr_core.DataManager(folder, url)
training = ktrdr_core.TrainingManager(data, folder)
op = training.train_multi_symbol_strategy(strategy)
""",
}


@pytest.fixture(scope="module")
def host() -> Any:
    with HostProcess(delay=0, gate=True) as service:
        yield service


@pytest.mark.parametrize("stage", STAGES)
def test_the_interpreter_exits_cleanly(stage: str, host: HostProcess, tmp_path: Path) -> None:
    for _ in range(soak.count(1, 100)):
        command = [sys.executable, "-W", "error", "-X", "dev", "-c", HEAD + STAGES[stage]]
        began = time.monotonic()
        result = subprocess.run(
            [*command, host.url, str(tmp_path), str(STRATEGY)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (result.returncode, result.stderr, result.stdout) == (0, "", "")
        # Not a speed claim: a hang that the exit's own limit ended would show here.
        assert time.monotonic() - began < 20


IN_ITS_EPOCHS = """
data = ktrdr_core.DataManager(folder, url)
for symbol in ("AAPL", "MSFT"):
    data.load_data(symbol, "1d", **FULL).result()
training = ktrdr_core.TrainingManager(data, folder)
op = training.train_multi_symbol_strategy(strategy)
while not op.progress.context.get("current_batch"):
    try:
        op.result(0.02)
    except TimeoutError:
        pass
"""


def test_the_interpreter_exits_cleanly_in_the_middle_of_a_training(tmp_path: Path) -> None:
    with HostProcess(delay=0) as host:
        for _ in range(soak.count(3, 100)):
            result = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    HEAD + IN_ITS_EPOCHS,
                    host.url,
                    str(tmp_path),
                    str(STRATEGY),
                ],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (result.returncode, result.stderr, result.stdout) == (0, "", "")
    assert not list((tmp_path / "momentum_mlp").glob("*_v*")), "the training was stopped"


def test_a_forked_child_is_told_instead_of_hanging(host: HostProcess, tmp_path: Path) -> None:
    script = HEAD + """
import os
data = ktrdr_core.DataManager(folder, url)
child = os.fork()
if child == 0:
    try:
        ktrdr_core.DataManager(folder, url)
    except ktrdr_core.errors.ShutDownError as error:
        os._exit(7 if "fork" in str(error) else 8)
    os._exit(9)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    result = subprocess.run(
        [sys.executable, "-c", script, host.url, str(tmp_path), str(STRATEGY)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (7, "")


def test_a_forked_child_is_told_by_what_its_parent_made() -> None:
    script = """
import asyncio, os, sys
from ktrdr_core import AsyncServiceAdapter, CancellationToken, errors
from ktrdr_core.http import Client
from ktrdr_core.testing import FaultServer, ok

async def wait(call):
    await call

with FaultServer(ok("{}")) as server:
    client, adapter = Client(server.url), AsyncServiceAdapter("s", server.url)
    token = CancellationToken()
    assert client.get("/x").result().status_code == 200
    asyncio.run(wait(adapter.call_get("/x")))
    child = os.fork()
    if child == 0:
        told = 0
        for use in (
            lambda: client.get("/x").result(),
            lambda: asyncio.run(wait(client.get("/x"))),
            lambda: client.stream("GET", "/x").__enter__(),
            lambda: next(iter(client.events("/x"))),
            lambda: adapter.call_get("/x").result(),
            lambda: asyncio.run(wait(adapter.call_get("/x"))),
            lambda: token.wait_for(1),
            lambda: asyncio.run(wait(token.wait())),
            lambda: Client(server.url),
        ):
            try:
                use()
            except errors.ShutDownError as error:
                told += "fork" in str(error)
        os._exit(told)
    _, status = os.waitpid(child, 0)
    client.get("/x").result()
    sys.exit(os.waitstatus_to_exitcode(status))
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (9, "")
