"""tools/dependencies.py: what it finds in versions, licences and vulnerabilities, and what it says where nobody tells."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dependencies
import requirements

ROOT = Path(__file__).resolve().parents[2]
LOCKED = dependencies.read_lock((ROOT / "tools/constraints.txt").read_text(encoding="utf-8"))


def test_the_lock_is_within_what_pyproject_asks_for() -> None:
    for line in requirements.requirements("dev"):
        wanted = Requirement(line)
        assert wanted.specifier.contains(LOCKED[canonicalize_name(wanted.name)]), line


def test_the_lock_reads_back_as_it_was_written() -> None:
    assert dependencies.read_lock(dependencies.written(LOCKED)) == LOCKED
    text = (ROOT / "tools/constraints.txt").read_text(encoding="utf-8")
    assert dependencies.written(LOCKED) == text


def test_everything_that_is_installed_for_us_is_locked() -> None:
    installed = dependencies.closure(requirements.requirements("dev"))
    assert {"numpy", "torch", "pytest", "starlette", "pybind11"} <= installed.keys()
    assert list(dependencies.drift(LOCKED, installed)) == []


def test_another_version_and_a_package_without_a_lock_are_found() -> None:
    found = list(dependencies.drift({"numpy": "2.0"}, {"numpy": "2.1", "rich": "13.0"}))
    assert len(found) == 2
    assert "numpy 2.1 is installed, 2.0 is locked" in found[0]
    assert "rich 13.0 is not in the lock" in found[1]
    # What the lock holds for other Pythons and systems is no matter.
    assert list(dependencies.drift({"numpy": "2.0", "colorama": "1"}, {"numpy": "2.0"})) == []


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("MIT License", True),
        ("BSD-3-Clause AND 0BSD AND Zlib", True),
        ("LGPL-2.1-only OR MIT", True),
        ("Apache-2.0 AND (Apache-2.0 WITH LLVM-exception)", True),
        ("GNU General Public License v3 or later (GPLv3+)", False),
        ("Apache Software License AND GNU General Public License v3 or later (GPLv3+)", False),
        ("AGPL-3.0-only", False),
        ("MIT AND Proprietary", False),
        ("", False),
    ],
)
def test_a_licence_is_allowed_by_its_own_words(licence: str, allowed: bool) -> None:
    assert dependencies.is_allowed(licence) is allowed


def test_licences_of_this_tree_are_allowed_and_each_exception_is_needed() -> None:
    installed = dependencies.closure(requirements.requirements("dev"))
    assert list(dependencies.wrong_licences(installed)) == []
    rules = tomllib.loads((ROOT / "tools/dependencies.toml").read_text(encoding="utf-8"))
    for name in rules["reasons"]:
        assert not dependencies.is_allowed(dependencies.licence_of(name)), name


def answering(monkeypatch: pytest.MonkeyPatch, answer: str | None) -> list[list[str]]:
    """Have pip-audit write this in place of asking anybody; its command lines."""
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> None:
        asked.append([str(word) for word in command])
        if answer is not None:
            Path(command[-1]).write_text(answer, encoding="utf-8")

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_a_known_vulnerability_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = '{"id": "PYSEC-1", "fix_versions": ["2.1", "1.9"], "aliases": [], "description": ""}'
    answer = f'{{"dependencies": [{{"name": "numpy", "version": "2.0", "vulns": [{fault}]}}]}}'
    asked = answering(monkeypatch, answer)
    assert list(dependencies.vulnerabilities({"numpy": "2.0"})) == [
        "numpy 2.0: PYSEC-1, mended in 2.1, 1.9"
    ]
    assert len(asked) == 2
    assert "--disable-pip" in asked[0]


@pytest.mark.parametrize(
    "answer",
    [None, "no JSON", '{"dependencies": [{"name": "pip", "skip_reason": "not found on PyPI"}]}'],
)
def test_a_registry_that_does_not_tell_is_said_and_fails_nothing(
    answer: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = answering(monkeypatch, answer)
    assert list(dependencies.vulnerabilities({"numpy": "2.0", "rich": "13.0"})) == []
    assert "no registry in reach told about 2 of 2 packages" in capsys.readouterr().out
    # One question is enough to know.
    assert len(asked) == 1
