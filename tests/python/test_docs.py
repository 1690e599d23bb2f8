"""Every example of the documentation runs as it stands, those in docstrings too; the guide's in ``test_played.py``."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fresh_copy import is_slow_step

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "ktrdr_core"
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "decisions")
EXAMPLES = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    if page.parent.name != "guide"
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]

# Read, not imported: a stub's docstrings count, and an example imports what it needs.
EACH = [
    (path, text.lineno, text.value)
    for path in sorted(PACKAGE.rglob("*.py*"))
    if path.suffix in {".py", ".pyi"}
    for statement in ast.walk(ast.parse(path.read_text()))
    if isinstance(statement, ast.Expr) and isinstance(text := statement.value, ast.Constant)
    if isinstance(text.value, str) and re.search(r">>>|^ *Examples$", text.value, re.MULTILINE)
]
# Examples that only compute share a process: those of one file of features.
TOGETHER = {path: "" for path, _, _ in EACH if path.parent.name == "features"}
for path, _, words in EACH:
    if path in TOGETHER:
        TOGETHER[path] += words + "\n"
DOCSTRINGS = [
    pytest.param(words, id=f"{path.relative_to(PACKAGE)}:{line}")
    for path, line, words in EACH
    if path not in TOGETHER
] + [pytest.param(all_, id=str(path.relative_to(PACKAGE))) for path, all_ in TOGETHER.items()]


def complaints(stderr: str, code: str) -> list[str]:
    """Give what an example says on standard error and was not to say."""
    lines = [line for line in stderr.splitlines() if not is_slow_step(line)]
    if "progress=True" in code or "show(" in code:
        return [line for line in lines if not re.fullmatch(r"[^:]+: (.* %\)|completed)", line)]
    return lines


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_runs(code: str, tmp_path: Path) -> None:
    file = tmp_path / "test_example.py"
    file.write_text(code)
    how = ["-X", "dev", "-W", "error"]
    done = subprocess.run(
        [sys.executable, *how, str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert complaints(done.stderr, code) == []
    assert done.stdout


def test_there_are_docstring_examples() -> None:
    assert len(DOCSTRINGS) >= 10


@pytest.mark.parametrize("docstring", DOCSTRINGS)
def test_an_example_of_a_docstring_runs(docstring: str, tmp_path: Path) -> None:
    assert ">>>" in docstring
    assert "+SKIP" not in docstring
    (tmp_path / "docstring.txt").write_text(docstring)
    how = ["-X", "dev", "-W", "error", "-m", "doctest", "-o", "ELLIPSIS"]
    done = subprocess.run(
        [sys.executable, *how, "docstring.txt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert complaints(done.stderr, docstring) == []


def test_what_is_quoted_of_cpp_is_compiled_by_a_test() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "tests" / "cpp").rglob("*_test.cpp"))
    quotes = [
        code
        for page in PAGES
        for code in re.findall(r"```cpp\n(.*?)```", page.read_text(), re.DOTALL)
    ]
    assert quotes
    assert [code for code in quotes if code.strip() not in sources] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:)([^)#]+)", prose)
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_reference_shows_every_public_module() -> None:
    pages = "\n".join(page.read_text() for page in PAGES if page.parent.name == "reference")
    shown = set(re.findall(r"^::: ktrdr_core\.(\w+)", pages, re.MULTILINE))
    modules = {path.stem for path in PACKAGE.glob("*") if path.is_dir() or path.suffix == ".py"}
    assert {name for name in modules if not name.startswith("_")} == shown


def test_the_glossary_speaks_of_names_that_exist() -> None:
    sources = "\n".join(
        path.read_text()
        for folder, kinds in (("cpp", "*.[ch]pp"), ("python", "*.py*"))
        for path in (ROOT / folder).rglob(kinds)
        if path.suffix != ".pyc"
    )
    known = set(re.findall(r"\w+", sources))
    page = (ROOT / "docs" / "glossary.md").read_text()
    names = [part for name in re.findall(r"`([\w.]+)`", page) for part in name.split(".")]
    assert len(names) > 100
    assert [name for name in names if name not in known] == []


def test_a_broken_link_fails_the_site(tmp_path: Path) -> None:
    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "README.md").write_text("# Home\n\n[a](nowhere.md) [b](README.md#nowhere)\n")
    (tmp_path / "mkdocs.yml").write_text(
        f"INHERIT: {ROOT / 'tools' / 'mkdocs.yml'}\n"
        "docs_dir: docs\nsite_dir: site\nnav: [README.md]\nhooks: []\nplugins: []\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "a link 'nowhere.md', but the target is not found" in done.stderr
    assert "a link 'README.md#nowhere', but there is no such anchor" in done.stderr
