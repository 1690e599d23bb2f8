"""A kind of event that has no name stops the build, whatever flags it has."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

CPP = Path(__file__).parents[2] / "cpp"
HEADER = Path("ktrdr/operations/event.hpp")


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_forgotten_kind_does_not_compile(tmp_path: Path, forgotten: bool) -> None:
    header = (CPP / "operations/include" / HEADER).read_text()
    changed = header.replace("warning, log }", "warning, log, noise }")
    assert changed != header
    (tmp_path / HEADER).parent.mkdir(parents=True)
    (tmp_path / HEADER).write_text(changed if forgotten else header)
    rooms = (CPP / room / "include" for room in ("base", "cancellation", "progress", "operations"))
    includes = [f"-I{folder}" for folder in (tmp_path, *rooms)]
    command = [os.environ.get("CXX", "c++"), "-std=c++20", "-fsyntax-only", *includes]
    source = CPP / "operations/src/event_kind.cpp"
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == forgotten, done.stderr
    assert ("noise" in done.stderr) == forgotten
