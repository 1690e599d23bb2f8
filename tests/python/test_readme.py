"""Every example of the README runs as it stands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ktrdr_core.hosts.child import HostProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHELL = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line
]
# Not waited for, because it does not end, or covered by a test of its own: it takes half a minute.
ELSEWHERE = {"python -m ktrdr_core.hosts.ib --port 5001", "ktrdr-core demo"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with what a checkout has there."""
    path = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples", path / "examples")
    return path


@pytest.fixture(scope="module")
def host() -> Iterator[HostProcess]:
    with HostProcess(delay=0) as service:
        yield service


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_it_has_the_examples_it_is_known_for() -> None:
    assert len(PYTHON) == 4
    assert {"make demo", "make test"} <= {line.split("#")[0].strip() for line in SHELL}


@pytest.mark.slow
def test_the_python_and_the_commands_run_in_their_order(folder: Path, host: HostProcess) -> None:
    said: list[str] = []
    for code in PYTHON:
        output = run(
            [sys.executable, "-c", code.replace("http://localhost:5001", host.url)], folder
        )
        said.append(output)
    assert "momentum_mlp/AAPL_1d_v1" in said[2]
    assert said[3].endswith("5 completed\n")
    commands = [line for line in SHELL if line.startswith("ktrdr-core") and line not in ELSEWHERE]
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command.replace("http://localhost:5001", host.url))
        output = run([sys.executable, "-m", "ktrdr_core.cli", *words[1:]], folder)
        assert output
    assert (folder / "models" / "momentum_mlp" / "AAPL-MSFT_1d_v1").is_dir()


def test_what_it_tells_to_make_and_install_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)) <= targets
    assert set(re.findall(r"pip install '\.\[([a-z]+)\]'", README)) <= set(extras)
    known = ("make ", "pip install ", "export PIP_", "ktrdr-core ", "python -m ktrdr_core.")
    assert [line for line in SHELL if not line.startswith(known)] == []


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
