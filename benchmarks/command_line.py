"""CPU of short commands: what a person, or a shell's completion, waits for before anything is done."""

from __future__ import annotations

import resource
import subprocess  # nosec B404
import sys
from pathlib import Path
from typing import Any

# What `ktrdr-core --help` may take. Milliseconds of CPU.
_LIMIT = 60.0


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure user and system time of whole processes; the best round of each counts.

    Parameters
    ----------
    quick
        Short rounds.
    """
    rounds = 3 if quick else 20
    command = _command()
    contenders = {
        "bare interpreter": [sys.executable, "-c", "pass"],
        "import click": [sys.executable, "-c", "import click"],
        "import ktrdr_core": [sys.executable, "-c", "import ktrdr_core"],
        "ktrdr-core --help": [*command, "--help"],
        "ktrdr-core data --help": [*command, "data", "--help"],
        "ktrdr-core data load --help": [*command, "data", "load", "--help"],
    }
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for case, words in contenders.items():
            best[case] = min(best[case], _cpu(words))
    held = {"ktrdr-core --help": (_LIMIT, f"{_LIMIT:.0f} ms")}
    lines = []
    for case, value in best.items():
        line: dict[str, Any] = {"case": case, "value": value, "unit": "ms CPU"}
        if case in held:
            limit, name = held[case]
            line |= {"ratio": value / limit, "against": name}
        lines.append(line)
    return lines


def _command() -> list[str]:
    """Find the command as a person calls it: beside the interpreter, else by its module."""
    script = Path(sys.executable).with_name("ktrdr-core")
    return [str(script)] if script.exists() else [sys.executable, "-m", "ktrdr_core"]


def _cpu(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)  # nosec B603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
