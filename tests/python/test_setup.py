"""What `make` says while it sets a tree up: what there is to do, how far it is, and how a Ctrl-C ends it."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pexpect  # type: ignore[import-untyped]
import pytest

from shell import Shell

ROOT = Path(__file__).parents[2]
# Stands for the interpreter: what takes long says what pip, ninja and the demo say, and then waits to be interrupted.
# As pip does, it ends with status 1 at a Ctrl-C, so that nothing but the script itself makes 130 of it.
PYTHON = """\
#!/usr/bin/env bash
stopped() { echo 'ERROR: Operation cancelled by user'; exit 1; }
trap stopped INT
hold() { for ((;;)); do read -r -t 0.1 <> <(:) || true; done; }
at() { [ "$STAGE" != "$1" ] || { echo "at the $1"; hold; }; }
case "$*" in
*'-m venv'*)
    at venv
    mkdir -p .venv/bin
    cp "$0" .venv/bin/python
    ;;
*'-m pip install'*requirements.txt*)
    echo 'Collecting numpy>=1.26'
    echo '  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (527.0 MB)'
    while [ "$STAGE" = packages ]; do
        head -c 1000000 /dev/zero >>"$TMPDIR/loading"
        read -r -t 0.1 <> <(:) || true
    done
    echo 'Installing collected packages: numpy, torch'
    ;;
*'-m pip install'*)
    for number in $(seq 1 60); do echo "*** [$number/60] Building CXX object"; done
    at build
    ;;
*) exec "$REAL" "$@" ;;
esac
"""


def shell_in(tree: Path, stage: str, *, columns: int = 100) -> Shell:
    """A terminal in a tree where everything is still to do, and stays at a stage."""
    python = tree / "python3"
    python.write_text(PYTHON)
    python.chmod(0o755)
    settings = {"PYTHON": str(python), "REAL": sys.executable, "STAGE": stage}
    return Shell(tree, settings, columns=columns)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What `make demo` needs of a checkout, up to the demo itself."""
    for name in ("tools", "cpp"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").mkdir()
    return tmp_path


@pytest.mark.parametrize("how", ["make demo", "make demo | cat"])
@pytest.mark.parametrize(
    ("stage", "moment"),
    [
        ("venv", "at the venv"),
        ("packages", "downloading torch-2.13.0 (527.0 MB)"),
        ("build", "compiling [50/60]"),
    ],
)
def test_it_says_what_it_takes_shows_how_far_it_is_and_ends_with_130_at_ctrl_c(
    tree: Path, stage: str, moment: str, how: str
) -> None:
    terminal = shell_in(tree, stage)
    terminal.start(f"set -o pipefail; {how}")
    before = terminal.wait_for(moment)
    for what in ("Python packages in .venv", "compiling"):
        line = next(line for line in before.splitlines() if what in line)
        assert re.search(r"\d+ minutes", line)
        assert re.search(r"\d+ [MG]B of disk", line)
    assert re.search(r"\d+ MB to download", before)
    assert "Ctrl-C stops it at any moment" in before
    terminal.press_ctrl_c()
    said = terminal.rest()
    assert "setup: interrupted; the next run goes on from here" in said.text
    assert "failed" not in said.text
    assert "Traceback" not in said.text
    assert said.interrupted, said
    terminal.close()


def test_a_download_says_how_much_has_come_and_a_terminal_s_line_is_no_longer_than_it(
    tree: Path,
) -> None:
    terminal = shell_in(tree, "packages", columns=54)
    terminal.start("make demo")
    seen = terminal.wait_for("MB so far")
    assert "\r\x1b[K" in seen
    terminal.press_ctrl_c()
    said = terminal.rest()
    assert said.interrupted, said
    terminal.close()
    drawn = seen.split("\r\x1b[K")[1:]
    assert drawn
    assert all(len(line) <= 53 for part in drawn for line in part.splitlines()[:1])


def test_two_at_once_in_one_folder_take_turns(tree: Path) -> None:
    first, second = (shell_in(tree, "packages") for _ in range(2))
    first.start("make demo")
    first.wait_for("MB so far")
    second.start("make demo")
    before = second.wait_for("another setup works in this folder, and is waited for")
    assert "installing" not in before
    first.press_ctrl_c()
    assert first.rest().interrupted
    second.wait_for("MB so far")
    second.press_ctrl_c()
    assert second.rest().interrupted
    first.close()
    second.close()


def test_what_failed_is_shown_with_its_last_words(tmp_path: Path) -> None:
    shell, status = pexpect.run(
        'bash -c "set -o pipefail; . tools/lib.sh; logged '
        f"'{tmp_path / 'log'}' bash -c 'echo out of paper; exit 3'\"",
        cwd=str(ROOT),
        withexitstatus=True,
        encoding="utf-8",
    )
    assert status == 1
    assert "out of paper" in shell
    assert f"the whole log is {tmp_path / 'log'}" in shell
