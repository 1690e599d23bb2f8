"""The command line: results, exit statuses, and interrupts in a real terminal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from child import child
from commands import COMMAND, STRATEGY, YEARS, loading, run
from ktrdr_core import DataManager, OperationsService, errors
from ktrdr_core.cli.app import cli
from ktrdr_core.cli.session import exit_status
from ktrdr_core.hosts.child import HostProcess
from pty_command import LIMIT, PtyCommand


@pytest.fixture(scope="module")
def stored(stored: Path, host: HostProcess) -> Path:
    """A data directory with AAPL and MSFT in it."""
    with DataManager(stored, host.url, env={}) as data:
        data.load_data("MSFT", "1d", "2001-01-01", "2012-12-31", mode="full").result(60)
    return stored


# ---- results


def test_a_load_says_what_came_and_a_second_one_asks_nothing(
    host: HostProcess, tmp_path: Path
) -> None:
    load = loading(host, tmp_path)
    first = run(*load)
    assert (first.returncode, first.stdout.splitlines()[0]) == (
        0,
        "AAPL 1d: 3,017 bars, 2001-01-02 to 2012-12-31",
    )
    assert "AAPL 1d: loading segments" in first.stderr
    again = json.loads(run(*load, "--json", "--progress", "none").stdout)
    assert (again["bars"], again["requests"], again["warnings"]) == (3017, 0, [])
    assert Path(again["database"]).is_file()


def test_show_prints_the_newest_stored_bars(stored: Path) -> None:
    done = run("data", "show", "AAPL", "1d", "--limit", "2", "--data-dir", stored)
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[-2:]] == [
        "2012-12-28T00:00:00Z",
        "2012-12-31T00:00:00Z",
    ]
    value = json.loads(
        run("data", "show", "AAPL", "1d", "--limit", "1", "--json", "--data-dir", stored).stdout
    )
    assert value["bars"] == 3017
    assert value["rows"][0].keys() == {"time", "open", "high", "low", "close", "volume"}


def test_progress_as_json_lines_goes_to_standard_error(host: HostProcess, tmp_path: Path) -> None:
    done = run(*loading(host, tmp_path, symbol="MSFT"), "--json", "--progress", "json")
    assert json.loads(done.stdout)["symbol"] == "MSFT"
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[-1] == {"label": "MSFT 1d", "status": "completed"}
    assert any(line.get("step_name") == "loading segments" for line in lines)


# ---- exit statuses


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["data", "load", "AAPL", "1d", *YEARS], 2, "ktrdr_core.hosts.ib"),
        (["data", "load", "AAPL", "7m", *YEARS, "--ib-url", "URL"], 2, "7m"),
        (["data", "load", "AAPL", "1d", *YEARS, "--ib-url", "URL", "--mode", "x"], 2, "mode"),
        (["data", "load", "NOPE", "1d", *YEARS, "--ib-url", "URL"], 3, "NOPE"),
        (["data", "show", "AAPL", "1d"], 3, "AAPL"),
        (["models", "train", "nowhere.yaml"], 1, "nowhere.yaml"),
        (
            ["data", "load", "AAPL", "1d", *YEARS, "--ib-url", "http://127.0.0.1:1"],
            1,
            "127.0.0.1:1",
        ),
    ],
)
def test_an_expected_error_is_one_message_and_a_status(
    host: HostProcess, tmp_path: Path, arguments: list[str], status: int, words: str
) -> None:
    given = [host.url if argument == "URL" else argument for argument in arguments]
    done = run(*given, "--data-dir", tmp_path, "--json", "--progress", "none")
    assert (done.returncode, done.stderr.count("error: ")) == (status, 1), done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)["error"]["message"] in done.stderr


@pytest.mark.parametrize(
    "arguments", [["nope"], ["data", "load", "AAPL"], ["demo", "--delay", "-1"]]
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, "Usage: ktrdr-core" in done.stderr) == (2, True)


@pytest.mark.parametrize("verb", ["load", "refresh"])
def test_a_list_of_symbols_is_told_how_to_load_them(tmp_path: Path, verb: str) -> None:
    dates = ["--start", "2024-01-01", "--end", "2024-02-01"]
    done = run("data", verb, "AAPL,MSFT", "1d", *dates, "--data-dir", tmp_path)
    assert done.returncode == 2
    assert "for symbol in AAPL MSFT; do ktrdr-core data load" in done.stderr
    assert "DataManager.load_many(['AAPL', 'MSFT'], '1d')" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.OperationCancelledError("x"), 130),
        (errors.OperationTimeoutError("x"), 124),
        (errors.ServiceTimeoutError("x"), 124),
        (errors.InvalidArgumentError("x"), 2),
        (errors.ConfigurationError("x"), 2),
        (errors.NotFoundError("x"), 3),
        (errors.SymbolNotFoundError("x"), 3),
        (errors.NoDataError("x"), 3),
        (errors.StorageFullError("x"), 1),
        (errors.ServiceConnectionError("x"), 1),
    ],
)
def test_each_error_has_its_exit_status(error: errors.KtrdrError, status: int) -> None:
    assert exit_status(error) == status


def test_a_reader_that_goes_away_is_no_traceback(stored: Path) -> None:
    command = [*COMMAND, "data", "show", "AAPL", "1d", "--limit", "0", "--data-dir", str(stored)]
    with child(command, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_the_groups_can_be_mounted_in_another_command(stored: Path) -> None:
    outer = click.Group("outer", commands={"core": cli})
    before = signal.getsignal(signal.SIGINT)
    arguments = ["core", "data", "show", "AAPL", "1d", "--data-dir", str(stored), "--json"]
    done = CliRunner().invoke(outer, arguments)
    assert (done.exit_code, json.loads(done.stdout)["bars"]) == (0, 3017)
    missing = CliRunner().invoke(outer, [*arguments[:3], "NOPE", *arguments[4:]])
    assert missing.exit_code == 3
    assert signal.getsignal(signal.SIGINT) is before


# ---- interrupts


def endless(folder: Path) -> Path:
    """A strategy that trains until somebody stops it."""
    strategy: dict[str, Any] = yaml.safe_load(STRATEGY.read_text())
    training = strategy["model"]["training"]
    training["epochs"] = 1_000_000
    training.pop("early_stopping", None)
    path = folder / "endless.yaml"
    path.write_text(yaml.safe_dump(strategy, sort_keys=False))
    return path


def endless_training(folder: Path, data_dir: Path) -> list[str]:
    place = ["--data-dir", str(data_dir), "--models-dir", str(folder / "models")]
    return ["models", "train", str(endless(folder)), *place]


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_during_a_load_keeps_what_is_finished(tmp_path: Path, presses: int) -> None:
    with HostProcess(delay=0, gate=True) as gated:
        gated.release(2)
        load = loading(gated, tmp_path)
        terminal = PtyCommand(*load)
        segments = int(terminal.wait_for(r"\[2/(\d+)\]"))
        gated.wait(held=1)
        asked = gated.stats()["requests"]["/data/historical"]
        for _ in range(presses):
            terminal.press_ctrl_c()
        assert terminal.status() == 130, terminal.text
        assert "Traceback" not in terminal.text
        if presses == 1:
            assert "cancelling…" in terminal.text
        gated.wait(cancelled=1)
        gated.release()
        again = json.loads(run(*load, "--json").stdout)
        assert again["bars"] == 3017
        total = gated.stats()["requests"]["/data/historical"]
        # Two segments were stored; what was on its way is asked for again.
        # One that lies between two that are stored may take two: bars of both are asked for with it.
        assert total - asked in (segments - 2, segments - 1)


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_during_a_training_leaves_no_model(
    stored: Path, tmp_path: Path, presses: int
) -> None:
    terminal = PtyCommand(*endless_training(tmp_path, stored))
    terminal.wait_for(r"epoch (\d)")
    for _ in range(presses):
        terminal.press_ctrl_c()
    assert terminal.status() == 130, terminal.text
    assert "Traceback" not in terminal.text
    if presses == 1:
        assert "cancelling…" in terminal.text
    left = (tmp_path / "models").rglob("*.safetensors")
    assert all(".checkpoints" in file.parts for file in left)


def test_sigterm_cancels_like_ctrl_c(stored: Path, tmp_path: Path) -> None:
    terminal = PtyCommand(*endless_training(tmp_path, stored))
    terminal.wait_for(r"epoch (\d)")
    terminal.signal(signal.SIGTERM)
    assert (terminal.status(), "Traceback" in terminal.text) == (130, False)
    service = OperationsService(stored / "ktrdr.db", default=False)
    newest = service.list(operation_type="training", limit=1).records[0]
    assert (newest.status, newest.reason and newest.reason.code) == ("cancelled", "shutdown")


STUCK = """
import signal, sys
from ktrdr_core.cli.interrupts import installed
with installed() as interrupts, interrupts.waiting():
    print("waiting", flush=True)
    while True:
        signal.pause()
        print("asked", flush=True)
"""


@pytest.mark.parametrize("presses", [1, 2])
def test_work_that_does_not_stop_is_abandoned(presses: int) -> None:
    """At once by the second interrupt, by the watchdog after the first."""
    with child([sys.executable, "-c", STUCK]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
            process.stdout.readline()
        assert process.wait(LIMIT) == 130


AT = """
import os, signal, sys
from ktrdr_core import standard_streams
from ktrdr_core.cli import command_line

def interrupted(function):
    def call(*arguments, **named):
        os.kill(os.getpid(), signal.{number})
        return function(*arguments, **named)
    return call

class Finder:
    def find_spec(self, name, *_):
        if name == "click":
            os.kill(os.getpid(), signal.{number})

where, sys.argv = sys.argv[1], ["ktrdr-core", *sys.argv[2:]]
if where == "import":
    sys.meta_path.insert(0, Finder())
elif where == "finish":
    standard_streams.finish = interrupted(standard_streams.finish)
elif where == "after":
    import ktrdr_core.cli.refusals as refusals
    run = refusals.run
    def refusals_run(interrupts):
        status = run(interrupts)
        os.kill(os.getpid(), signal.{number})
        return status
    refusals.run = refusals_run
else:
    import click
    click.echo = interrupted(click.echo)
command_line.main()
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("where", ["import", "refusal", "after", "finish"])
def test_an_interrupt_before_and_behind_a_command_is_no_traceback(
    where: str, number: str, tmp_path: Path
) -> None:
    words = ["data", "load"] if where == "refusal" else ["data", "list", "--data-dir", tmp_path]
    command = [sys.executable, "-c", AT.format(number=number), where, *words]
    with child(command, stderr=subprocess.PIPE) as process:
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    ends = -getattr(signal, number) if where == "import" else 130
    assert process.returncode == ends
