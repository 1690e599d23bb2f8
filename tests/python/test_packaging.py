"""What pyproject.toml promises about building with and without torch, and what must agree in two places."""

import importlib.metadata
import re
import tomllib
from pathlib import Path
from typing import Literal

import pytest
from scikit_build_core.settings.skbuild_read_settings import SettingsReader

import ktrdr_core
import requirements

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("state", ["wheel", "editable"])
@pytest.mark.parametrize(
    ("env", "torch"),
    [({}, "ON"), ({"KTRDR_WITH_TORCH": "1"}, "ON"), ({"KTRDR_WITH_TORCH": "0"}, "OFF")],
)
def test_torch_is_required_and_built_unless_the_environment_says_0(
    state: Literal["wheel", "editable"], env: dict[str, str], torch: str
) -> None:
    settings = SettingsReader.from_file(ROOT / "pyproject.toml", state=state, env=env).settings
    assert settings.build.requires == (["torch==2.13.0"] if torch == "ON" else [])
    assert str(settings.cmake.define["KTRDR_TORCH"]) == torch
    assert str(settings.cmake.define["KTRDR_PYTHON"]) == "ON"


def test_torch_is_an_extra_and_no_dependency() -> None:
    project = PYPROJECT["project"]
    assert project["optional-dependencies"]["train"] == ["torch==2.13.0"]
    assert not [name for name in project["dependencies"] if name.startswith("torch")]


def test_the_version_is_one() -> None:
    version = PYPROJECT["project"]["version"]
    assert ktrdr_core.__version__ == version
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.search(r"project\(ktrdr_core VERSION (\S+)", cmake)[1] == version  # type: ignore[index]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_working_tree_is_given_everything_its_extra_borrows() -> None:
    found = requirements.requirements("dev")
    assert len(found) == len(set(found))
    for name in ("scikit-build-core", "torch==2.13.0", "fastapi", "ipywidgets", "pytest"):
        assert [line for line in found if line.startswith(name)], name
    assert not [line for line in found if line.startswith("ktrdr-core")]


def test_licence_and_notices_lie_in_what_is_installed() -> None:
    files = importlib.metadata.files("ktrdr-core") or []
    for name in PYPROJECT["project"]["license-files"]:
        [installed] = [file for file in files if file.name == name and "licenses" in file.parts]
        text = (ROOT / name).read_text(encoding="utf-8")
        assert installed.read_text(encoding="utf-8") == text
    assert set(PYPROJECT["project"]["license-files"]) <= set(
        PYPROJECT["tool"]["scikit-build"]["sdist"]["include"]
    )


def test_make_help_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert set(phony.split()) == set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    assert set(phony.split()) == set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
