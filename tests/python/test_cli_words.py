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
from typing import TYPE_CHECKING, Any

import click
import pytest

from ktrdr_core import DataManager, OperationsService, _core
from ktrdr_core.cli.app import cli
from ktrdr_core.cli.help import COMMANDS, OPTIONS, root_help
from ktrdr_core.cli.own_words import in_own_words
from ktrdr_core.hosts.child import HostProcess
from ktrdr_core.testing import FaultServer, ok
from pty_command import COMMAND, PtyCommand

if TYPE_CHECKING:
    from collections.abc import Iterator

STRATEGY = Path(__file__).parents[2] / "examples" / "strategies" / "momentum_mlp.yaml"
YEARS = ["--start", "2001-01-01", "--end", "2012-12-31"]
# Names of Python's side, and its calls.
PYTHONS = re.compile(
    r"\w+_date\b|\bib_url\b|\bdata_dir\b|\bmodels_dir\b|\w+\(|=False|=True(?! means)"
)


@pytest.fixture(scope="module")
def host() -> Iterator[HostProcess]:
    with HostProcess(delay=0) as service:
        yield service


@pytest.fixture(scope="module")
def stored(host: HostProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    with DataManager(folder, host.url, env={}) as data:
        data.load_data("AAPL", "1d", "2001-01-01", "2012-12-31", mode="full").result(60)
    return folder


def environment(**more: str) -> dict[str, str]:
    around = {key: value for key, value in os.environ.items() if "HOST_SERVICE" not in key}
    # What is pasted finds the command where an activated environment has it.
    around["PATH"] = f"{Path(sys.executable).parent}:{around['PATH']}"
    return {**around, **more}


def run(*arguments: Any, command: Any = COMMAND, **env: Any) -> Any:
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment(**env),
    )


def pasted(advice: str, **env: str) -> Any:
    return subprocess.run(
        ["bash", "-c", advice],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment(**env),
    )


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
    ([*LOAD, "--start", "2020-01-01"], "--end"),
    ([*LOAD, "--end", "2020-01-01"], "--start"),
    ([*LOAD, "--start", "2020-01-02", "--end", "2020-01-01"], "--start 2020-01-02 is not before"),
    ([*LOAD, "--start", "yesterday", "--end", "2020-01-01"], "--start"),
    ([*LOAD, "--start", "2020-01-01", "--end", "2020-02-30"], "--end"),
    ([*LOAD, "--start", "2200-01-01", "--end", "2200-02-01"], "--start 2200-01-01"),
    ([*LOAD, *YEARS, "--mode", "x"], "--mode"),
    ([*LOAD, *YEARS], "--ib-url http://localhost:5001"),
    (["data", "load", "AAPL", "7d", *YEARS], "7d"),
    (["data", "load", "A B", "1d", *YEARS], "A B"),
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
    assert "USE_TRAINING_HOST_SERVICE=false" in done.stderr
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
        ({"IB_HOST_SERVICE_URL": "URL", "USE_IB_HOST_SERVICE": "false"}, 2),
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
    load = [*LOAD, *YEARS, "--ib-url", host.url, "--data-dir", tmp_path, "-q"]
    done = run(*load)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    show = run("data", "show", "AAPL", "1d", "--data-dir", tmp_path, "--quiet")
    assert show.stdout.startswith("AAPL 1d: 3,017 bars")
    missing = run("data", "show", "NOPE", "1d", "--data-dir", tmp_path, "-q")
    assert (missing.returncode, missing.stderr.count("error: ")) == (3, 1)


def test_verbose_names_the_operation_and_twice_each_request(
    host: HostProcess, tmp_path: Path
) -> None:
    load = [*LOAD, *YEARS, "--ib-url", host.url, "--data-dir"]
    once = run(*load, tmp_path / "1", "-v").stderr
    assert re.search(r"^info: AAPL 1d is operation op_data_load_", once, re.MULTILINE)
    assert "debug: " not in once
    twice = run(*load, tmp_path / "2", "-vv").stderr
    assert "debug: ktrdr_core.http: " in twice
    both = run(*load, tmp_path / "3", "-q", "-v")
    assert (both.returncode, "--quiet and --verbose" in both.stderr) == (2, True)


# ---- JSON, whatever happens


def only_value(text: str) -> Any:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return json.loads(lines[0])


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
        load = [*LOAD, *YEARS, "--ib-url", gated.url, "--data-dir", str(tmp_path), "--json"]
        out = tmp_path / "out"
        command = ["sh", "-c", f'exec "$@" >{shlex.quote(str(out))}', "sh", *COMMAND]
        terminal = PtyCommand(*load, command=command)
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


# ---- operations


def test_operations_are_listed_and_shown(stored: Path) -> None:
    place = ["--data-dir", stored]
    listed = json.loads(run("operations", "list", *place, "--json").stdout)
    assert listed["total_count"] >= 1
    newest = listed["operations"][-1]
    assert (newest["operation_type"], newest["status"]) == ("data_load", "completed")
    text = run("operations", "list", *place).stdout
    assert newest["operation_id"] in text
    assert "data load AAPL 1d" in text
    shown = run("operations", "show", f" {newest['operation_id']} ", *place).stdout
    assert "completed, 100 %" in shown
    assert "symbol AAPL" in shown
    assert "--start 2001-01-01" in shown
    whole = json.loads(run("operations", "show", newest["operation_id"], *place, "--json").stdout)
    assert whole["parameters"]["symbol"] == "AAPL"
    none = json.loads(run("operations", "list", *place, "--active", "--json").stdout)
    assert none["operations"] == []
    failed = run("operations", "list", *place, "--status", "failed", "--type", "training")
    assert failed.returncode == 0
    assert run("operations", "list", *place, "--status", "gone").returncode == 2


def test_an_operation_of_another_process_is_cancelled(tmp_path: Path) -> None:
    with HostProcess(delay=0, gate=True) as gated:
        load = [*LOAD, *YEARS, "--ib-url", gated.url, "--data-dir", str(tmp_path), "--json"]
        with subprocess.Popen(
            [*COMMAND, *load], stdout=subprocess.PIPE, text=True, env=environment()
        ) as process:
            gated.wait(held=1)
            place = ["--data-dir", tmp_path]
            [running] = json.loads(run("operations", "list", *place, "--active", "--json").stdout)[
                "operations"
            ]
            assert running["status"] == "running"
            cancel = ["operations", "cancel", running["operation_id"], *place]
            done = run(*cancel, "--reason", "enough for today")
            assert (done.returncode, "is asked to stop" in done.stdout) == (0, True), done.stderr
            out, _ = process.communicate(timeout=60)
            assert process.returncode == 130
            assert only_value(out)["error"]["code"] == "cancelled"
        ended = run(*cancel)
        assert (ended.returncode, "error: " in ended.stderr) == (1, True)
    record = OperationsService(tmp_path / "ktrdr.db", default=False).get(running["operation_id"])
    assert record.status == "cancelled"
    assert record.reason is not None
    assert record.reason.text == "enough for today"


# ---- the command itself


def test_it_is_known_by_the_name_of_the_package() -> None:
    done = run("--version", command=[sys.executable, "-m", "ktrdr_core"])
    assert done.stdout.startswith("ktrdr-core, version ")


@pytest.mark.parametrize("columns", [30, 40, 80, 120, 500])
def test_the_help_fits_and_says_what_the_commands_say(columns: int) -> None:
    text = root_help(columns)
    assert max(map(len, text.splitlines())) <= max(columns, 45)
    context = click.Context(cli, info_name="ktrdr-core", **cli.context_settings)
    assert sorted(COMMANDS) == cli.list_commands(context)
    for name, (_, line) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help is not None
        assert command.help.splitlines()[0] == line
        assert name in text
    assert [", ".join(one.opts) for one in cli.get_params(context)] == list(OPTIONS)


def test_the_help_is_the_same_with_and_without_click() -> None:
    alone = run("--help", COLUMNS="60").stdout
    code = "from ktrdr_core.cli.app import cli; cli.main(['--help'], prog_name='ktrdr-core')"
    by_click = run(command=[sys.executable, "-c", code], COLUMNS="60").stdout
    assert alone == by_click
    assert alone.startswith("Usage: ktrdr-core ")


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], {"click", "logging", "inspect", "ktrdr_core._core", "ktrdr_core.errors"}),
        (["data", "--help"], {"ktrdr_core._core", "numpy", "asyncio", "ktrdr_core.cli.demo"}),
        (["data", "load", "--help"], {"ktrdr_core._core", "numpy", "asyncio", "rich"}),
    ],
)
def test_help_imports_no_more_than_it_needs(arguments: list[str], absent: set[str]) -> None:
    code = (
        "import sys\n"
        "from ktrdr_core.cli import main\n"
        f"sys.argv = ['ktrdr-core', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print('loaded:', *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert absent & set(done.stdout.splitlines()[-1].split()) == set()


def test_a_service_s_words_are_not_taken_for_ours(tmp_path: Path) -> None:
    answer = ok(json.dumps({"success": False, "data": None, "rows": 0, "error": 'no "start_date"'}))
    with FaultServer(lambda _: answer) as server:
        done = run(*LOAD, *YEARS, "--ib-url", server.url, "--data-dir", tmp_path)
    assert "start_date" in done.stderr
