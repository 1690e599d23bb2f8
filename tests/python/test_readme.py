"""What README.md names is there, in a checkout and on a package index; its blocks are played in ``test_played.py``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from scikit_build_core.build import prepare_metadata_for_build_wheel

import index_page
from fresh_copy import blocks

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BLOCKS = blocks(ROOT / "README.md")
SHELL = [line for block in BLOCKS if block.kind == "sh" for line in block.code.splitlines()]
LINKS = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)


def test_it_has_the_examples_it_is_known_for() -> None:
    assert len([block for block in BLOCKS if block.kind == "python"]) >= 4
    assert {"make demo", "source .venv/bin/activate"} <= set(SHELL)


def test_each_program_has_a_name_is_run_and_is_said_to_print_something() -> None:
    for program, next_one in zip(BLOCKS, BLOCKS[1:], strict=False):
        if program.kind == "python":
            assert program.has_name, program.code
            assert next_one.code.strip() == f"python {program.file}"
            assert next_one.prints


def test_nothing_of_the_project_is_run_before_its_environment_is_active() -> None:
    """`python` and `ktrdr-core` are found after `source`; before it there is what a bare system has."""
    before = SHELL[: SHELL.index("source .venv/bin/activate")]
    assert {line.split()[0] for line in before} == {"make"}


def test_what_it_tells_to_make_and_install_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)) <= targets
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert set(re.findall(r"pip install '\.\[([a-z]+)\]'", README)) <= set(extras)


def test_its_links_lead_somewhere() -> None:
    assert len(LINKS) > 10
    assert [link for link in LINKS if not (ROOT / link).exists()] == []
    headings = {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def test_on_an_index_no_link_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    folder = prepare_metadata_for_build_wheel(str(tmp_path))
    page = (tmp_path / folder / "METADATA").read_text()
    assert "Description-Content-Type: text/markdown" in page
    assert "# ktrdr-core" in page
    files = PYPROJECT["tool"]["dynamic-metadata"][0]["files"]
    found = re.findall(r"\]\((?!#)([^)]+)\)", page)
    assert [link for link in found if not link.startswith("https://")] == []
    for link in LINKS:
        assert f"{files}/{link}" in page if files else link in page or link.endswith(".svg")


def test_with_an_address_its_links_are_absolute() -> None:
    page = index_page.index_page(README, "https://example.org/ktrdr/")
    for link in LINKS:
        assert f"](https://example.org/ktrdr/{link})" in page
    assert (
        "![ktrdr-core demo in a terminal](https://example.org/ktrdr/docs/images/demo.svg)" in page
    )
