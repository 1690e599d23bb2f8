"""``ktrdr-core serve ib-simulator`` serves the files of a folder, and says why when it does not."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ib_bars import connected
from ktrdr_core.testing.ib_gateway.command import main

if TYPE_CHECKING:
    from pathlib import Path

ib_async = pytest.importorskip("ib_async")

_COMMAND = [sys.executable, "-m", "ktrdr_core", "serve", "ib-simulator", "--port", "0"]


class _Address:
    def __init__(self, line: str) -> None:
        match = re.fullmatch(r"simulated IB Gateway \((.*)\) at (.*):(\d+)\n", line)
        assert match, line
        self.note, self.host, self.port = match[1], match[2], int(match[3])


def _closes(address: Any) -> list[float]:
    import asyncio

    async def ask() -> list[float]:
        async with connected(address) as ib:
            stock = ib_async.Stock("BRK B", "SMART", "USD")
            bars = await ib.reqHistoricalDataAsync(
                stock, "20240131-21:00:00", "1 M", "1 day", "TRADES", useRTH=True, timeout=10
            )
            return [bar.close for bar in bars]

    return asyncio.run(ask())


def test_a_folder_of_files_is_served_until_its_parent_goes(tmp_path: Path) -> None:
    lines = "2024-01-02T00:00:00Z,10,12,9,11,100\n2024-01-03T00:00:00Z,11,13,10,12,100\n"
    (tmp_path / "BRK B_1d.csv").write_text(f"timestamp,open,high,low,close,volume\n{lines}")
    with subprocess.Popen(
        [*_COMMAND, "--folder", str(tmp_path), "--until-stdin-closes"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        address = _Address(child.stdout.readline())
        assert address.note == "BRK B 1d"
        assert _closes(address) == [11.0, 12.0]
        child.stdin.close()
        assert child.wait(20) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--folder", "."], "has no file {SYMBOL}_{timeframe}.csv"),
        (["--version", "42"], "version must be 157 to 178, not 42"),
        (["--zone", "Nowhere"], "zone 'Nowhere' is not in the IANA database"),
        (["--port", "70000"], "cannot listen on 127.0.0.1 port 70000"),
    ],
)
def test_what_cannot_be_is_said(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--days", "1"]) == 1
    assert words in capsys.readouterr().err
