"""``ktrdr-core serve ib``: a source of yours behind the IB host's contract."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from child import child
from ktrdr_core import DataManager, errors

if TYPE_CHECKING:
    from pathlib import Path


def test_serve_ib_runs_a_class_of_yours_and_our_adapter_loads_from_it(tmp_path: Path) -> None:
    (tmp_path / "vendor.py").write_text(
        "import numpy as np\n"
        "from ktrdr_core import BarSource\n"
        "class Ramp(BarSource):\n"
        "    provider = 'ramp'\n"
        "    def validate_symbol(self, symbol, timeframe):\n"
        "        return symbol == 'UP'\n"
        "    def fetch(self, symbol, timeframe, start, end):\n"
        "        days = np.arange(start.date(), end.date(), dtype='datetime64[D]')\n"
        "        price = 1.0 + np.arange(len(days))\n"
        "        return {'timestamp': days, 'open': price, 'high': price, 'low': price, 'close': price}\n"
    )
    command = [sys.executable, "-m", "ktrdr_core", "serve", "ib", "--port", "0", "--log", "json"]
    with child(
        [*command, "--source", "python:vendor.Ramp"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("IB host service (vendor.Ramp: ramp) at http://127.0.0.1:")
            with DataManager(tmp_path / "bars", line.split()[-1], env={}) as data:
                bars = data.load_data("UP", "1d", "2023-01-01", "2023-12-31", mode="full").result(
                    60
                )
                assert len(bars) == 365
                with pytest.raises(errors.SymbolNotFoundError):
                    data.load_data("NOPE", "1d", "2023-01-01", "2023-12-31", mode="full").result(60)
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=30)
        assert process.returncode == 0
        lines = [json.loads(line) for line in said.splitlines()]
        assert sum(line.get("rows", 0) for line in lines) >= 365
        assert {line["logger"] for line in lines} == {"ktrdr_core.hosts.ib"}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--source", "sql"], 2, "must be replay, csv, gateway or python:module.Class, not 'sql'"),
        (["--source", "python:vendor"], 2, "must be replay, csv, gateway or python:module.Class"),
        (["--source", "csv"], 2, "--source csv needs --folder"),
        (["--source", "csv", "--folder", "none"], 1, "there is no such folder"),
        (["--source", "python:nowhere.Source"], 1, "ModuleNotFoundError"),
        (["--source", "python:json.JSONDecoder"], 1, "is no source: subclass"),
        (["--source", "python:vendor.Nameless"], 1, 'cannot be asked: provider "" cannot be'),
        (
            ["--source", "python:vendor.Boundless"],
            1,
            "cannot be asked: Boundless.describe('1m') must",
        ),
        (["--source", "python:vendor.Leaving"], 1, "cannot be made: SystemExit: no licence"),
        (["--max-requests", "0"], 2, "must be at least 1"),
        (["--max-requests", "many"], 2, "must be a whole number, not 'many'"),
    ],
)
def test_what_serve_ib_cannot_do_is_one_clear_line(
    arguments: list[str], status: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "vendor.py").write_text(
        "from ktrdr_core import BarSource\n"
        "class Nameless(BarSource): pass\n"
        "class Boundless(BarSource):\n"
        "    provider = 'boundless'\n"
        "    def describe(self, timeframe): return None\n"
        "def Leaving(): raise SystemExit('no licence')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "ktrdr_core", "serve", "ib", "--port", "0", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert said in done.stderr
