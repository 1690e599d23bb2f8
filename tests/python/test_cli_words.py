"""The command line speaks its own words, advises what can be pasted, and leaves nothing behind that was not asked for."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from commands import COMMAND, STRATEGY, YEARS, loading, only_value, run
from ktrdr_core import _core
from ktrdr_core.cli.app import cli
from ktrdr_core.cli.own_words import in_own_words
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.testing import FaultServer, ok
from pty_command import PtyCommand

# Names of Python's side, and its calls.
PYTHONS = re.compile(
    r"\w+_date\b|\bib_url\b|\bdata_dir\b|\bmodels_dir\b|\w+\(|=False|=True(?! means)"
)


def pasted(advice: str, **env: str) -> Any:
    # The command is found where an activated environment has it.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return run(command=["bash", "-c", advice], PATH=path, **env)


def advice_in(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


# ---- words


@pytest.mark.parametrize(
    ("message", "own"),
    [
        ("start_date 2 is not before end_date 1", "--start 2 is not before --end 1"),
        ('symbol "start_date" is not one', 'symbol "start_date" is not one'),
        ('give ib_url="http://h:1" or ib_url= or so', "give --ib-url http://h:1 or --ib-url or so"),
        ("choose another models_dir", "choose another --models-dir"),
        ("no (the argument use_x=False)", "no"),
        ('say "a \\" start_date" twice', 'say "a \\" start_date" twice'),
        ("my_start_date_is", "my_start_date_is"),
    ],
)
def test_arguments_become_options_and_values_stay(message: str, own: str) -> None:
    assert in_own_words(message) == own


LOAD = ["data", "load", "AAPL", "1d"]
REFUSED: list[tuple[list[str], str]] = [
    ([*LOAD, "--start", "2020-01-01"], "--ib-url http://localhost:5001"),
    ([*LOAD, "--mode", "tail"], "--ib-url http://localhost:5001"),
    ([*LOAD, "--mode", "local", "--refresh"], "mode full"),
    ([*LOAD, "--start", "2020-01-02", "--end", "2020-01-01"], "--start 2020-01-02 is not before"),
    ([*LOAD, "--start", "yesterday", "--end", "2020-01-01"], "--start"),
    ([*LOAD, "--start", "2020-01-01", "--end", "2020-02-30"], "--end"),
    ([*LOAD, "--start", "2200-01-01", "--end", "2200-02-01"], "--start 2200-01-01"),
    ([*LOAD, *YEARS, "--mode", "x"], "--mode"),
    ([*LOAD, *YEARS], "--ib-url http://localhost:5001"),
    (["data", "load", "AAPL", "7d", *YEARS], "7d"),
    (["data", "load", "A\tB", "1d", *YEARS], "A\\tB"),
    (["data", "show", "AAPL", "7d"], "7d"),
    (["data", "show", "AAPL", "1d", "--start", "x"], "--start"),
    (["data", "show", "AAPL", "1d"], "AAPL"),
    ([*LOAD, "--mode", "local"], "AAPL"),
    (["operations", "list"], "ktrdr.db"),
    (["operations", "show", "op_1"], "ktrdr.db"),
    (["operations", "cancel", "op_1"], "ktrdr.db"),
    (["operations", "verify"], "ktrdr.db"),
    (["models", "train", str(STRATEGY)], "AAPL"),
    (["models", "train", "nowhere.yaml"], "nowhere.yaml"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_what_is_refused_is_so_in_the_command_line_s_words_and_makes_nothing(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    done = run(*arguments, "--json", HOME=str(tmp_path))
    assert done.returncode in (1, 2, 3), done.stderr
    assert words in done.stderr
    said = done.stderr.replace(str(tmp_path), "")
    assert PYTHONS.search(said) is None, said
    assert json.loads(done.stdout)["error"]["message"] in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--start", "2009-01-02", "--end", "2009-01-01"], "--start"),
        (["--symbols", "AAPL,AAPL"], "--symbols: "),
        (["--timeframes", "7d"], "7d"),
        (["--symbols", "NOPE"], "NOPE"),
        (["--symbols", "AAPL", "--start", "2012-12-01"], "--start and --end"),
    ],
)
def test_a_training_speaks_so_too(
    stored: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    place = ["--data-dir", stored, "--models-dir", tmp_path / "models"]
    done = run("models", "train", STRATEGY, *arguments, *place)
    assert done.returncode in (1, 2, 3), done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert words in last
    assert PYTHONS.search(last) is None


def test_a_training_host_service_is_refused_without_a_call_of_python(
    stored: Path, tmp_path: Path
) -> None:
    place = ["--data-dir", stored, "--models-dir", tmp_path / "models"]
    url = {"TRAINING_HOST_SERVICE_URL": "http://127.0.0.1:9"}
    done = run("models", "train", STRATEGY, *place, **url)
    assert done.returncode == 1
    assert "ktrdr-core serve training --port 9" in done.stderr
    assert PYTHONS.search(done.stderr) is None


def test_usage_errors_are_spelled_as_all_others() -> None:
    for arguments in (
        ["nope"],
        ["data", "load", "AAPL"],
        ["data", "show", "A", "1d", "--limit", "x"],
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("error: ")
        assert "Error:" not in done.stderr
    done = run("--port", "x", command=[sys.executable, "-m", "ktrdr_core.hosts.ib"])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize("arguments", [[], ["data"], ["operations"]])
def test_a_group_without_a_command_says_what_it_has(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[0].startswith("Usage: ktrdr-core")
    assert "Commands:" in lines
    assert "error:" not in done.stderr


def test_a_service_s_words_are_not_taken_for_ours(tmp_path: Path) -> None:
    answer = ok(json.dumps({"success": False, "data": None, "rows": 0, "error": 'no "start_date"'}))
    with FaultServer(lambda _: answer) as server:
        done = run(*LOAD, *YEARS, "--ib-url", server.url, "--data-dir", tmp_path)
    assert "start_date" in done.stderr


# ---- advice that works as pasted


def test_the_advice_of_a_missing_series_brings_it(host: HostProcess, tmp_path: Path) -> None:
    folder = tmp_path / "my bars"
    for symbol, env in (("AAPL", {"IB_HOST_SERVICE_URL": host.url}), ("MSFT", {})):
        show = ["data", "show", symbol, "1d", "--data-dir", folder]
        done = run(*show, **env)
        [advice] = advice_in(done.stderr)
        # Where the service is elsewhere than at its own port, the advice is followed there.
        done = pasted(advice.replace("http://localhost:5001", host.url), **env)
        assert done.returncode == 0, done.stderr
        assert run(*show).returncode == 0


def test_the_advice_of_a_training_without_bars_brings_them(
    host: HostProcess, tmp_path: Path
) -> None:
    folder, env = tmp_path / "bars", {"IB_HOST_SERVICE_URL": host.url}
    train = ["models", "train", STRATEGY, "--symbols", "AAPL, MSFT", "--data-dir", folder]
    for symbol in ("AAPL", "MSFT"):
        done = run(*train, "--models-dir", tmp_path / "models", **env)
        assert done.returncode == 3, done.stderr
        [advice] = advice_in(done.stderr)
        assert symbol in advice
        assert pasted(advice, **env).returncode == 0


def test_the_advice_of_an_unknown_operation_names_those_there_are(stored: Path) -> None:
    done = run("operations", "show", "op_nope", "--data-dir", stored)
    assert done.returncode == 3
    [advice] = advice_in(done.stderr)
    listed = pasted(advice)
    assert listed.returncode == 0
    assert "op_data_load_" in listed.stdout


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:1"])
def test_the_advice_of_a_missing_service_starts_one(tmp_path: Path, url: str) -> None:
    more = ["--ib-url", url] if url else []
    done = run(*LOAD, *YEARS, *more, "--data-dir", tmp_path)
    [advice] = advice_in(done.stderr)
    words = shlex.split(advice)
    # At the address that was asked.
    port = "1" if url else "5001"
    assert words == ["python", "-m", "ktrdr_core.hosts.ib", "--port", port]
    # On a port that is free, so that tests can run beside each other, and not for long.
    script = f"{advice.removesuffix(port)}0 --until-stdin-closes </dev/null"
    done = pasted(script)
    assert (done.returncode, "IB host service" in done.stdout) == (0, True), done.stderr


# ---- where the service is


@pytest.mark.parametrize(
    ("env", "status"),
    [
        ({}, 2),
        ({"IB_HOST_SERVICE_URL": "URL"}, 0),
        ({"IB_HOST_SERVICE_URL": "URL", "USE_IB_HOST_SERVICE": "true"}, 0),
        # A gateway, and none runs there.
        ({"IB_HOST_SERVICE_URL": "URL", "USE_IB_HOST_SERVICE": "false", "IB_GATEWAY_PORT": "1"}, 1),
        ({"IB_HOST_SERVICE_URL": ""}, 2),
    ],
)
def test_a_url_in_the_environment_chooses_the_service(
    host: HostProcess, tmp_path: Path, env: dict[str, str], status: int
) -> None:
    given = {key: host.url if value == "URL" else value for key, value in env.items()}
    done = run(
        *LOAD, "--start", "2010-01-04", "--end", "2010-02-01", "--data-dir", tmp_path, **given
    )
    assert done.returncode == status, done.stderr


# ---- what is typed


def test_names_are_trimmed(host: HostProcess, tmp_path: Path) -> None:
    load = ["data", "load", " AAPL\t", " 1d ", *YEARS, "--ib-url", host.url, "--data-dir", tmp_path]
    assert json.loads(run(*load, "--json").stdout)["symbol"] == "AAPL"
    assert run("data", "show", "AAPL ", "1d", "--data-dir", tmp_path).returncode == 0


def test_the_modes_of_a_load_are_those_of_the_manager() -> None:
    command = cli.get_command(click.Context(cli), "data")
    assert isinstance(command, click.Group)
    [mode] = [one for one in command.commands["load"].params if one.name == "mode"]
    assert isinstance(mode.type, click.Choice)
    for name in mode.type.choices:
        asked = _core.LoadRequest(
            symbol="A", timeframe="1d", start_date="2020-01-01", end_date="2020-02-01", mode=name
        )
        _core.check_load(asked, "http://127.0.0.1:1", {})
    manager = Path(__file__).parents[2] / "python" / "ktrdr_core" / "data" / "manager.py"
    written = re.search(r"Mode = Literal\[(.*)\]", manager.read_text())
    assert written is not None
    assert ast.literal_eval(f"{{{written[1]}}}") == set(mode.type.choices)


# ---- how much it says


def test_quiet_prints_what_was_asked_for_and_nothing_else(
    host: HostProcess, tmp_path: Path
) -> None:
    done = run(*loading(host, tmp_path, "-q"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    show = run("data", "show", "AAPL", "1d", "--data-dir", tmp_path, "--quiet")
    assert show.stdout.startswith("AAPL 1d: 3,017 bars")
    missing = run("data", "show", "NOPE", "1d", "--data-dir", tmp_path, "-q")
    assert (missing.returncode, missing.stderr.count("error: ")) == (3, 1)


def test_verbose_names_the_operation_and_twice_each_request(
    host: HostProcess, tmp_path: Path
) -> None:
    once = run(*loading(host, tmp_path / "1", "-v")).stderr
    assert re.search(r"^info: AAPL 1d is operation op_data_load_", once, re.MULTILINE)
    assert "debug: " not in once
    twice = run(*loading(host, tmp_path / "2", "-vv")).stderr
    assert "debug: ktrdr_core.http: " in twice
    both = run(*loading(host, tmp_path / "3", "-q", "-v"))
    assert (both.returncode, "--quiet and --verbose" in both.stderr) == (2, True)


# ---- JSON, whatever happens


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope", "--json"],
        ["data", "load", "AAPL", "--json"],
        ["data", "load", "AAPL", "1d", "--mode", "x", "--json"],
        ["data", "show", "AAPL", "1d", "--limit", "-1", "--json"],
        ["data", "show", "AAPL", "1d", "--json", "-q", "-v"],
        ["operations", "show", "--json"],
        ["demo", "--json", "--delay", "-1"],
    ],
)
def test_a_program_that_asks_wrongly_gets_one_value(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    error = only_value(done.stdout)["error"]
    assert error["code"] == "invalid_argument"
    assert error["message"] in done.stderr


@pytest.mark.parametrize("presses", [1, 2])
def test_a_program_whose_load_is_cancelled_gets_one_value(tmp_path: Path, presses: int) -> None:
    with HostProcess(delay=0, gate=True) as gated:
        out = tmp_path / "out"
        command = ["sh", "-c", f'exec "$@" >{shlex.quote(str(out))}', "sh", *COMMAND]
        terminal = PtyCommand(*loading(gated, tmp_path, "--json"), command=command)
        gated.wait(held=1)
        for _ in range(presses):
            terminal.press_ctrl_c()
        assert terminal.status() == 130, terminal.text
    error = only_value(out.read_text())["error"]
    assert error["code"] == "cancelled"
    if presses == 1:
        [operation] = error["context"]["operations"].values()
        assert operation.startswith("op_data_load_")


def test_a_program_whose_command_has_a_defect_gets_one_value() -> None:
    code = """
import sys
from ktrdr_core.cli import main
from ktrdr_core.cli.app import cli
from ktrdr_core.cli.session import command
@cli.command()
@command
def broken(session):
    raise ZeroDivisionError("a defect")
sys.argv = ["ktrdr-core", "broken", "--json"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert only_value(done.stdout)["error"] == {
        "code": "internal",
        "message": "ZeroDivisionError: a defect",
        "context": {},
    }
    assert done.stderr.startswith("error: ZeroDivisionError: a defect")
