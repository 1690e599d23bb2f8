"""``ktrdr-core serve ib-simulator`` serves the files of a folder, and says why when it does not."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from child import child
from ib_bars import connected
from ib_quick import QUICK
from ktrdr_core import DataManager, errors
from ktrdr_core.data import IbGatewaySource
from ktrdr_core.testing import Fault, IbGatewaySimulator
from ktrdr_core.testing.ib_gateway.command import main
from ktrdr_core.testing.ib_gateway.faults import KINDS
from ktrdr_core.testing.ib_gateway.samples import made_up
from ktrdr_core.testing.ib_gateway.texts import HISTORY
from ktrdr_core.testing.ib_gateway.troubles import TROUBLES, Written

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
    with child(
        [*_COMMAND, "--folder", str(tmp_path), "--until-stdin-closes"],
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = _Address(process.stdout.readline())
        assert address.note == "BRK B 1d"
        assert _closes(address) == [11.0, 12.0]
        process.stdin.close()
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--folder", "."], "has no file {SYMBOL}_{timeframe}.csv"),
        (["--version", "42"], "version must be 157 to 178, not 42"),
        (["--zone", "Nowhere"], "zone 'Nowhere' is not in the IANA database"),
        (["--port", "70000"], "port must be 0 to 65535, not 70000"),
        (["--fault", "smell"], "there is no fault 'smell': --list-faults names them"),
        (["--fault", "Rst!"], "a fault is NAME[=SECONDS][@ANSWER[:PLACE]][*TIMES], not 'Rst!'"),
        (["--fault", "rst=3"], "the fault rst takes no seconds"),
        (["--fault", "rst@orders"], "'orders' of the fault rst must be one of connect, contract"),
        (
            ["--fault", "rst@history:nose"],
            "'nose' of the fault rst must be one of start, first bar",
        ),
        (["--fault", "restart*3"], "the fault restart happens once"),
        (["--fault", "pacing*0"], "times of a Fault must be 1 or more"),
        (["--fault", "restart=99999999999"], "the fault restart lasts 86400 seconds at most"),
        (["--answer-seconds", "-1"], "answer_seconds must be 0 or more, not -1"),
        (["--answer-seconds", "nan"], "answer_seconds must be 0 or more, not nan"),
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


def test_the_faults_are_listed_and_each_is_named_by_the_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--list-faults"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(TROUBLES)
    assert all(len(line.split()) > 2 for line in listed)
    with pytest.raises(SystemExit):
        main(["--help"])
    helped = "".join(capsys.readouterr().out.split())
    for name in TROUBLES:
        assert name in helped, name
    # Every kind of fault has a name here, and each name its fault.
    kinds = {each.kind for each in TROUBLES.values() if each.kind}
    assert kinds == set(KINDS)
    for name, each in TROUBLES.items():
        if each.work is None:
            for language in HISTORY:
                assert Written(name).fault(language).kind == each.kind


def test_a_fault_is_written_with_its_answer_place_and_how_often() -> None:
    assert Written("rst").fault("en") == Fault("rst", at="middle", seconds=5.0)
    assert Written("delay=0.5@head").fault("en") == Fault("delay", on="head", seconds=0.5)
    written = Written("mute@contract:first bar*always").fault("en")
    assert (written.on, written.at, written.times) == ("contract", "first bar", None)
    assert "ritmo" in Written("pacing*3").fault("es").text
    assert Written("pacing*3").fault("es").times == 3


def loaded(port: int, folder: Path) -> Any:
    """Load a day of a pair twice: what goes wrong may end the first."""
    named: dict[str, Any] = {"options": QUICK, "answer_limit": 1.5, "pacing_pause": 0.01}
    with (
        IbGatewaySource(port=port, env={}, **named) as source,
        DataManager(folder, source=source, env={}) as data,
    ):

        def load() -> Any:
            return data.load_data("EURUSD", "5m", mode="tail", instrument_type="forex")

        # What says that it cannot be ends a load, and what is mute or gone costs it a wait.
        with suppress(errors.KtrdrError):
            load().result(30)
        return load().result(30)


@pytest.mark.parametrize("name", list(TROUBLES))
def test_each_fault_is_ridden_out_or_told(name: str, tmp_path: Path) -> None:
    lasts = "=0.3" if TROUBLES[name].lasts else ""
    ended = threading.Event()
    with IbGatewaySimulator(made_up(12)) as gateway:
        Written(name + lasts).happens(gateway, "en", ended)
        try:
            assert len(loaded(gateway.port, tmp_path)) > 500
        finally:
            ended.set()


def test_the_command_lets_its_faults_happen(tmp_path: Path) -> None:
    faults = ["--fault", "rst@contract", "--fault", "line-lost=0.1"]
    with child(
        [*_COMMAND, "--days", "12", "--until-stdin-closes", *faults],
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = _Address(process.stdout.readline()).port
        named: dict[str, Any] = {"options": QUICK, "answer_limit": 1.5}
        with (
            IbGatewaySource(port=port, env={}, **named) as source,
            DataManager(tmp_path, source=source, env={}) as data,
        ):
            load = data.load_data("EURUSD", "5m", mode="tail", instrument_type="forex")
            assert len(load.result(30)) > 500
            assert source.health.connections == 2
            assert dict(source.health.notices)[1100] == 1
        process.stdin.close()
        assert process.wait(20) == 0
