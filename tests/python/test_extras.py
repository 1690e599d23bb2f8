"""What is missing names the command that brings it, and that command works as pasted."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import requirements
from ktrdr_core import _extras, errors
from ktrdr_core._extras import EXTRAS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "ktrdr_core"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ALWAYS_THERE = {"numpy", "pydantic", "pydantic_core", "ruamel", "click", "rich"}

# Run where the modules named on the command line cannot be found.
WITHOUT = """
import sys
def hide(finder):
    class Blind:
        def find_spec(self, name, *rest):
            return None if name.partition(".")[0] in absent else finder.find_spec(name, *rest)
        def invalidate_caches(self):
            pass
    return Blind()
absent = set(sys.argv[1].split(","))
sys.meta_path[:] = [hide(finder) for finder in sys.meta_path]
"""
TELL = """
import os, ktrdr_core
from ktrdr_core import errors
try:
    {use}
except errors.FeatureNotAvailableError as error:
    assert isinstance(error, ImportError)
    print(error)
else:
    print("nothing was missing")
os._exit(0)
"""
BARS = "import numpy as np; from ktrdr_core.testing import FakeSource; from ktrdr_core import DataManager; import tempfile; d = tempfile.mkdtemp(); m = DataManager(d, env={}); "
USES = [
    ("pandas", "notebook", BARS + "m.load_data('AAPL', '1d').result().to_pandas()"),
    (
        "matplotlib",
        "notebook",
        "from ktrdr_core.report import save_report; save_report({}, 'x.png')",
    ),
    (
        "matplotlib",
        "notebook",
        "from ktrdr_core.report import save_html_report; save_html_report({}, 'x.html')",
    ),
    (
        "exchange_calendars",
        "calendars",
        "from ktrdr_core.calendars import get_calendar; get_calendar('XLON')",
    ),
    ("fastapi", "fastapi", "import ktrdr_core.fastapi"),
    ("sse_starlette", "fastapi", "import ktrdr_core.fastapi"),
    ("starlette", "fastapi", "import ktrdr_core.fastapi"),
    ("uvicorn", "fastapi", "import ktrdr_core.hosts.serve"),
    ("uvicorn", "fastapi", "import ktrdr_core.hosts.patience"),
    ("h11", "fastapi", "import ktrdr_core.hosts.patience"),
    ("fastapi", "fastapi", "import ktrdr_core.hosts.ib.app"),
    ("fastapi", "fastapi", "import ktrdr_core.hosts.training.app"),
    ("bokeh_sampledata", "demo", "from ktrdr_core.hosts.ib import sampledata; sampledata()"),
    ("ib_async", "ib", "from ktrdr_core.data import IbGatewaySource; IbGatewaySource(env={})"),
    ("torch", "train", "from ktrdr_core.training.torch_loader import check_installed as c; c()"),
]


def without(modules: str, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT + code, modules],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("module", "extra", "use"), USES, ids=lambda part: part[-30:])
def test_a_missing_module_names_the_command_that_brings_it(
    module: str, extra: str, use: str
) -> None:
    said = without(module, TELL.format(use=use))
    assert re.search(rf"needs {module}, which is not installed: .* 'ktrdr-core\[{extra}\]'$", said)


def test_every_optional_import_of_the_package_is_tried_above_or_has_another_way() -> None:
    tried = {module for module, _, _ in USES}
    # Without ipywidgets a notebook shows HTML, and IPython is what it runs in; anyio is looked at only where somebody else
    # has loaded it.
    others = {
        "ipywidgets": "notebook.py",
        "IPython": "notebook.py",
        "anyio": "handle.py operations.py",
    }
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                found.setdefault(name.partition(".")[0], set()).add(path.name)
    optional = {
        name for name in found if name not in sys.stdlib_module_names and name not in ALWAYS_THERE
    }
    assert optional - {"typing_extensions"} <= tried | set(others) | _extras.BY_NAME, found
    assert found["anyio"] == set(others["anyio"].split())


def test_each_module_is_in_the_extra_that_is_named() -> None:
    distributions = {"sse_starlette": "sse-starlette"}
    brought = {"h11": "uvicorn", "starlette": "fastapi"}
    for module, extra in EXTRAS.items():
        asked = [
            re.split(r"[<>=\[]", line)[0] for line in requirements.requirements_of(PROJECT, extra)
        ]
        assert brought.get(module, distributions.get(module, module)) in asked, module


def test_two_missing_modules_are_named_together() -> None:
    said = without(
        "fastapi,bokeh_sampledata",
        "from ktrdr_core.hosts.ib import main; import os, sys; sys.stderr = sys.stdout\n"
        "main([]); sys.stdout.flush(); os._exit(0)",
    )
    assert "needs fastapi and bokeh_sampledata, which are not installed: " in said
    assert "'ktrdr-core[fastapi,demo]'" in said


def test_a_module_that_does_not_fit_is_told_of_with_the_same_command() -> None:
    with pytest.raises(errors.FeatureNotAvailableError, match=r"another fastapi.*\[fastapi\]"):
        with _extras.needed_by("the routes"):
            raise ImportError("cannot import name 'x' from 'fastapi'", name="fastapi")
    with pytest.raises(ImportError, match=r"^theirs$") as raised:
        with _extras.needed_by("the routes"):
            raise ImportError("theirs", name="a_user_s_module")
    assert not isinstance(raised.value, errors.KtrdrError)


@pytest.mark.parametrize("extra", sorted(set(EXTRAS.values())))
def test_the_command_works_as_pasted(extra: str, tmp_path: Path) -> None:
    # All of it is there already, so no registry is asked; pip would tell of an extra that does not exist.
    done = subprocess.run(
        _extras.install_extra(extra),
        shell=True,  # as a person pastes it
        cwd=tmp_path,
        env={**os.environ, "PIP_NO_INDEX": "1", "PIP_CONSTRAINT": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Requirement already satisfied" in done.stdout
    assert "does not provide the extra" not in done.stderr


def test_the_command_is_short_where_a_shell_finds_this_pip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "an env" / "bin"
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    quoted = f"'{folder}/python'"
    monkeypatch.setenv("PATH", os.environ["PATH"])
    assert _extras.install_extra("train") == f"{quoted} -m pip install 'ktrdr-core[train]'"
    (folder / "pip").write_text("#!/bin/sh\n")
    (folder / "pip").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    assert _extras.install_extra("train") == "pip install 'ktrdr-core[train]'"
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr(_extras, "find_spec", lambda name: None if name == "pip" else name)
    assert _extras.install_extra("train") == (
        f"uv pip install --python {quoted} 'ktrdr-core[train]'"
    )


# ---- a build without torch


class Installed:
    """The metadata of an installation."""

    def __init__(self, place: dict[str, Any] | None) -> None:
        self._place = place

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self._place is None else json.dumps(self._place)


@pytest.mark.parametrize(
    ("place", "command"),
    [
        (
            None,
            r"pip install --force-reinstall --no-deps --no-cache-dir ktrdr-core && .*\[train\]'",
        ),
        ({"url": "file:///src/a%20b", "dir_info": {}}, r"pip install '/src/a b\[train\]'"),
        (
            {"url": "file:///src/k-0.1.tar.gz", "archive_info": {}},
            r"pip install '/src/k-0.1.tar.gz\[train\]'",
        ),
        (
            {"url": "file:///src/k", "dir_info": {"editable": True}},
            r"pip install --editable '/src/k\[train\]'",
        ),
        ({"url": "file:///here", "dir_info": {"editable": True}}, r"make -C /here build"),
    ],
)
def test_a_build_without_torch_says_how_to_build_it_again(
    place: dict[str, Any] | None, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ktrdr_core.training import torch_loader

    monkeypatch.setattr("importlib.metadata.distribution", lambda _: Installed(place))
    monkeypatch.setattr(torch_loader, "find_spec", lambda _: None)
    monkeypatch.setattr(sys, "prefix", "/here/.venv")
    with pytest.raises(errors.FeatureNotAvailableError) as raised:
        torch_loader.check_installed()
    assert re.search(
        rf"build it again with: env -u KTRDR_WITH_TORCH .*{command}$", str(raised.value)
    )


def test_another_torch_names_the_one_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    from ktrdr_core.training import torch_loader

    release = PROJECT["optional-dependencies"]["train"][0].removeprefix("torch==")
    monkeypatch.setattr("importlib.metadata.version", lambda _: "9.9.0+cpu")
    with pytest.raises(errors.FeatureNotAvailableError, match=rf"torch 9\.9\.0.*torch=={release}$"):
        torch_loader.check_installed()
