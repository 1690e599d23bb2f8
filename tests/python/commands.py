"""``ktrdr-core`` as tests call it: its name, what it is given, how it is run to its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ktrdr_core.hosts.child import HostProcess

COMMAND = [sys.executable, "-m", "ktrdr_core.cli"]
STRATEGY = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"
YEARS = ["--start", "2001-01-01", "--end", "2012-12-31"]
# Generous: the machine may be busy. Seconds.
LIMIT = 120


def environment(**more: str) -> dict[str, str]:
    """This process's own, but for what names a host service."""
    around = {key: value for key, value in os.environ.items() if "HOST_SERVICE" not in key}
    return {**around, **more}


def run(*arguments: object, command: Any = COMMAND, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it, or another command, and hear what it says, whatever its status."""
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        env=environment(**env),
    )


def loading(host: HostProcess, folder: Path, *more: str, symbol: str = "AAPL") -> list[str]:
    """Give the arguments of a load of twelve years, 3017 daily bars of AAPL or MSFT, into a folder."""
    place = ["--ib-url", host.url, "--data-dir", str(folder)]
    return ["data", "load", symbol, "1d", *YEARS, *place, *more]


def only_value(text: str) -> Any:
    """Read the one JSON value that a program gets."""
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return json.loads(lines[0])
