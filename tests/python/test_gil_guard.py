"""No native thread holds the interpreter's lock: a guarded build aborts when one does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pybind11
import pytest

from ktrdr_core.hosts.child import HostProcess

ROOT = Path(__file__).parents[2]

# The editable installation would win over the guarded copy.
HEAD = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if "ScikitBuild" not in type(f).__name__]
sys.path.insert(0, sys.argv[1])
import ktrdr_core, ktrdr_core._core as core
assert core.__file__.startswith(sys.argv[1]), core.__file__
"""

LOAD = """
import asyncio
span = dict(start_date="2000-01-01", end_date="2013-12-31", mode="full")
async def main():
    async with ktrdr_core.DataManager(sys.argv[2], sys.argv[3]) as data:
        load = data.load_data("AAPL", "1d", **span, progress_callback=lambda state: None)
        async for state in load.events():
            pass
        print(len(await load))
        data.load_data("MSFT", "1d", **span).cancel()
asyncio.run(main())
with ktrdr_core.DataManager(sys.argv[2], sys.argv[3]) as data:
    print(len(data.load_data("MSFT", "1d", **span).result()))
"""

BREAK = """
core.start(10)
core.break_gil_rule()
core.Mailbox().wait(30)
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package folder whose bindings were built with the guard."""
    build = ROOT / "build" / "gil-guard"
    configure = [
        *("cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"),
        *("-DKTRDR_GIL_GUARD=ON", "-DKTRDR_TORCH=OFF", f"-DPython_EXECUTABLE={sys.executable}"),
        f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
    ]
    # By the name that a Python build calls the compiler: what both compile comes out of ccache.
    named = {"CXX": "g++", **os.environ}
    for command in (configure, ["cmake", "--build", str(build), "-j", "2"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=named)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    folder = tmp_path_factory.mktemp("guarded")
    package = folder / "ktrdr_core"
    shutil.copytree(ROOT / "python" / "ktrdr_core", package)
    for library in (*build.rglob("_core*.so"), *build.rglob("libktrdr.so")):
        shutil.copy(library, package)
    return folder


def run(script: str, *arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HEAD + script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_loads_cancels_and_callbacks_never_take_the_lock(guarded: Path, tmp_path: Path) -> None:
    with HostProcess(delay=0) as host:
        result = run(LOAD, guarded, tmp_path, host.url)
    assert (result.returncode, result.stdout.split(), result.stderr) == (0, ["3270", "3270"], "")


def test_the_guard_aborts_when_a_native_thread_takes_it(guarded: Path) -> None:
    result = run(BREAK, guarded)
    assert result.returncode == -signal.SIGABRT
    assert "a native thread holds the GIL" in result.stderr
