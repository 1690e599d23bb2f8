"""What `ktrdr-core --help` says: the same with and without click, at every width, and with little to import."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from commands import run
from ktrdr_core.cli.app import cli
from ktrdr_core.cli.help import COMMANDS, OPTIONS, root_help


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


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from ktrdr_core.cli import main\n"
        "sys.argv = ['ktrdr-core', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "print('loaded:', *{'torch', 'numpy', 'pandas', 'asyncio', 'rich', 'ruamel'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: ktrdr-core" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded:"


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


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("operatons", "operations"), ("modells", "models"), ("operations lst", "list")],
)
def test_a_command_of_no_known_name_is_told_which_it_may_be(wrong: str, right: str) -> None:
    refused = run(*wrong.split())
    assert refused.returncode == 2
    assert f"Did you mean '{right}'?" in refused.stderr
    assert "Did you mean" not in run("zzz").stderr
