"""What a load is made of, against the limits that it must hold: reading, checking, planning, storing, memory.

The C++ figures come from `data_costs.cpp`, built on request into `build/bench-core`.
"""

from __future__ import annotations

import os
import subprocess  # nosec B404
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ktrdr_core import DataManager

from .build import build, quiet
from .own_bars import _frame

if TYPE_CHECKING:
    from collections.abc import Callable

#: Loads what is stored, says how much more memory it has held at most, and how large the bars are.
_MEMORY = """
import sys
from pathlib import Path
from ktrdr_core import DataManager
folder, validate = sys.argv[1], sys.argv[2] == "True"
def held(name):
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) * 1024
with DataManager(folder, env={}) as data:
    data.load_data("ACME", "1m", "2010-01-05", "2010-01-05", validate=validate).result()
    Path("/proc/self/clear_refs").write_text("5")
    before = held("VmRSS")
    bars = data.load_data("ACME", "1m", validate=validate).result()
    print(held("VmHWM") - before, 48 * len(bars))
"""


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure, and give one line a figure.

    Parameters
    ----------
    quick
        Fewer bars and rounds.
    """
    count, rounds = (20_000, 3) if quick else (500_000, 9)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with DataManager(folder / "bars", env={}) as data:
            data.store("ACME", "1m", _frame(count)).result()
            local = _local(data, count, rounds)
        return [*local, *_memory(folder / "bars", count), *_native(folder, rounds)]


def _local(data: DataManager, count: int, rounds: int) -> list[dict[str, Any]]:
    lines = []
    for validate, limit in ((False, 50), (True, 250)):

        def load(validate: bool = validate) -> Any:
            return data.load_data("ACME", "1m", validate=validate).result()

        how = "with validation" if validate else "without validation"
        lines += _against(f"local load of {count:,}, {how}", _times(load, rounds), limit)
    return lines


def _times(call: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Milliseconds of wall and of CPU time, the best of the rounds."""
    wall, cpu = [], []
    for _ in range(rounds):
        began, began_cpu = time.perf_counter(), time.process_time()
        kept = call()
        cpu.append(time.process_time() - began_cpu)
        wall.append(time.perf_counter() - began)
        del kept
    return min(wall) * 1000, min(cpu) * 1000


def _against(case: str, times: tuple[float, float], limit: float) -> list[dict[str, Any]]:
    return [
        {
            "case": f"{case}, {name}",
            "value": taken,
            "unit": "ms",
            "ratio": taken / limit,
            "against": f"{limit:g} ms",
        }
        for name, taken in zip(("wall", "CPU"), times, strict=True)
    ]


def _memory(folder: Path, count: int) -> list[dict[str, Any]]:
    lines = []
    for validate in (False, True):
        command = [sys.executable, "-c", _MEMORY, str(folder), str(validate)]
        told = subprocess.run(  # nosec B603
            command, check=True, capture_output=True, text=True, env=dict(os.environ)
        ).stdout.split()
        peak, bars = int(told[0]), int(told[1])
        lines.append(
            {
                "case": f"memory at most of a load of {count:,}{', validated' if validate else ''}",
                "value": peak / 1e6,
                "unit": "MB",
                "ratio": peak / bars,
                "against": f"{bars / 1e6:.0f} MB of bars (limit 3x)",
            }
        )
    return lines


def _native(folder: Path, rounds: int) -> list[dict[str, Any]]:
    program = build("bench-core", "data_costs", torch=False) / "cpp" / "data" / "data_costs"
    (folder / "native").mkdir()
    limits = {"plan of a new series": 20, "plan of a hole a week": 20, "commit of 2,000 bars": 5}
    lines = []
    for told in quiet(str(program), str(rounds), str(folder / "native")).splitlines():
        case, best, median = told.split("\t")
        of = f"{case}, 20 years of minutes" if case.startswith("plan") else case
        for name, taken in (("best", float(best)), ("median", float(median))):
            lines.append(
                {
                    "case": f"{of}, {name}",
                    "value": taken,
                    "unit": "ms",
                    "ratio": taken / limits[case],
                    "against": f"{limits[case]} ms",
                }
            )
    return lines
