"""Type checkers refuse the mistakes that people make, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SCRIPT = """
from ktrdr_core import CancelReason, Client, DataManager, ServiceOrchestrator
from ktrdr_core.http import Timeouts


async def greet(names: list[str], greeting: str = "hello") -> int:
    return len(names)


async def main(client: Client, data: DataManager, domain: ServiceOrchestrator) -> None:
    await client.get("/x", timeout=3)
    await client.get("/x", timout=3)  # refused
    await client.post("/x", json={"a": 1}, idempotent="yes")  # refused
    Timeouts(connect=1)
    Timeouts(conect=1)  # refused
    Timeouts(connect="1")  # refused
    data.load_data("AAPL", "1d", mode="full")
    data.load_data("AAPL", "1d", mode="ful")  # refused
    data.load_data("AAPL")  # refused
    count: int = await domain.start_operation("G", "greet", greet, ["Ada"])
    count = await domain.start_operation("G", "greet", greet, ["Ada"], greeting="hi")
    count = await domain.start_operation("G", "greet", greet, ["Ada"], "hi", total_steps=1)
    count = await domain.start_operation("G", "greet", greet, 5)  # refused
    count = await domain.start_operation("G", "greet", greet, ["Ada"], greting="hi")  # refused
    count = await domain.start_operation("G", "greet", greet, [1], total_steps=1)  # refused
    word: str = await domain.start_operation("G", "greet", greet, ["Ada"])  # refused
    CancelReason(text="enough").text = "more"  # refused
    print(count, word)
"""


def test_mistakes_are_refused_where_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", file],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT / "python")},
        timeout=120,
        check=False,
    )
    mistakes = {
        number for number, line in enumerate(SCRIPT.splitlines(), start=1) if "# refused" in line
    }
    refused = {int(number) for number in re.findall(r"script\.py:(\d+): error: ", done.stdout)}
    assert len(mistakes) >= 10
    assert refused == mistakes, done.stdout + done.stderr
