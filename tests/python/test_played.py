"""README, guide and notebooks are played in a fresh copy of the tree, in their order, in one terminal, as pasted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import soak
from fresh_copy import ROOT, Block, blocks, fresh_copy, prints
from real_servers import free_port
from shell import Said, Shell
from test_notebook import missing, read

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What compiles, installs or tests the whole of it anew: test_packaging.py and `make test` do that.
ELSEWHERE = ("pip install ", "cmake --build ", ".venv/bin/python -m pytest ")
OUTSIDE = {"VIRTUAL_ENV": None, "PYTHONPATH": None, "PYTHONHOME": None, "TERM": "xterm"}
STRATEGY = Path("examples", "strategies", "momentum_mlp.yaml")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh copy, whose example trains for three epochs (a soak: all of them), and whose port is free here."""
    copy = fresh_copy(tmp_path_factory.mktemp("played"))
    strategy = copy / STRATEGY
    short = f"epochs: {soak.count(3, 800)}\n"
    assert "epochs: 800\n" in strategy.read_text()
    strategy.write_text(strategy.read_text().replace("epochs: 800\n", short))
    page = copy / "README.md"
    page.write_text(page.read_text().replace("5001", str(free_port())))
    return copy


@pytest.fixture(scope="module")
def terminal(copy: Path) -> Iterator[Shell]:
    """One terminal for all of it, as a newcomer has it: nothing of this environment is on its path."""
    shell = Shell(copy, OUTSIDE)
    yield shell
    shell.close()


def lines_of(block: Block, copy: Path) -> list[str]:
    """What is pasted: the lines of a block, or, once its program is saved, the line that runs it."""
    if block.kind == "sh":
        return [line for line in block.code.splitlines() if not line.startswith(ELSEWHERE)]
    if block.kind != "python":
        return []
    (copy / block.file).write_text(block.code)
    if block.has_name:
        return []  # a later block runs it
    how = "-m pytest -q " if "OperationSuite" in block.code or "SourceSuite" in block.code else ""
    return [f"python {how}{block.file}"]


def pasted(line: str, terminal: Shell) -> Said:
    """What a line prints; a service that it leaves in the background has said where it is, as whoever pastes would wait for."""
    said = terminal.paste(line)
    if line.endswith(" &") and " at http://" not in said.text:
        terminal.hear(r" at http://\S+")
    return said


def play(page: Path, copy: Path, terminal: Shell) -> Iterator[str]:
    """Paste a page's blocks; what went otherwise than the page says."""
    for block in blocks(page):
        said = [pasted(line, terminal) for line in lines_of(block, copy) if line]
        text = "".join(one.text for one in said)
        if any(one.status != 0 for one in said) or "Traceback" in text or "error: " in text:
            yield f"{block.place} fails:\n{block.code}\n{text}"
        elif said and not prints(block, text):
            yield f"{block.place} should print:\n{block.prints}\nand prints:\n{text}"


def play_notebook(notebook: Path, terminal: Shell) -> Iterator[str]:
    """Execute a notebook in its folder; what it does not show as it should, and cells that show something else than is stored."""
    stored = kinds(notebook)
    said = terminal.paste(f"python tools/notebooks.py --in-place 'notebooks/{notebook.name}'")
    if said.status != 0:
        yield f"{notebook.name} fails:\n{said.text}"
        return
    for missed in missing(read(notebook), notebook.name):
        yield f"{notebook.name} does not show {missed}"
    for number, (before, now) in enumerate(zip(stored, kinds(notebook), strict=True)):
        if before != now:
            yield f"{notebook.name}, cell {number} has stored {before} and shows {now}: make outputs"


def kinds(notebook: Path) -> list[list[str]]:
    """The kinds of what each cell shows."""
    return [
        [output.get("name") or ", ".join(sorted(output.data)) for output in cell.get("outputs", [])]
        for cell in read(notebook).cells
    ]


@pytest.mark.slow
def test_readme_guide_and_notebooks_work_as_pasted(copy: Path, terminal: Shell) -> None:
    wrong = list(play(copy / "README.md", copy, terminal))
    # An example of the guide warns of nothing.
    terminal.paste("export PYTHONWARNINGS=error PYTHONDEVMODE=1")
    for page in GUIDE:
        wrong += play(copy / page.relative_to(ROOT), copy, terminal)
    terminal.paste("unset PYTHONWARNINGS PYTHONDEVMODE")
    for notebook in NOTEBOOKS:
        wrong += play_notebook(copy / notebook.relative_to(ROOT), terminal)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["make demo", "make demo | cat"])
def test_ctrl_c_in_the_demo_ends_make_with_130(copy: Path, how: str) -> None:
    shell = Shell(copy, OUTSIDE)
    shell.start(f"set -o pipefail; {how}")
    shell.wait_for("2/5 loading")
    shell.press_ctrl_c()
    said = shell.rest()
    shell.close()
    assert said.interrupted, said
    assert "cancelling…" in said.text
    assert "Traceback" not in said.text
    assert "5/5" not in said.text
