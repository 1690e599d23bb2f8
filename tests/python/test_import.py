"""What importing the package does, and does not."""

import json
import subprocess
import sys
from typing import Any

import pytest

import ktrdr_core

PROBE = """
import json, os, sys, threading
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
before = set(os.listdir("/proc/self/task"))
import ktrdr_core
first = sorted(sys.modules)
for name in ktrdr_core.__all__:
    getattr(ktrdr_core, name)
print(json.dumps({
    "first": first,
    "modules": sorted(sys.modules),
    "threads": len(set(os.listdir("/proc/self/task")) - before),
    "opened": opened,
}))
"""


def probe() -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60
    )
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_importing_loads_nothing_heavy_and_starts_nothing() -> None:
    seen = probe()
    heavy = {"torch", "numpy", "pandas", "pydantic", "ruamel", "click", "rich"}
    assert heavy & set(seen["modules"]) == set()
    assert "asyncio" not in seen["first"]
    assert seen["threads"] == 0
    native = [name for name in seen["modules"] if name.startswith("ktrdr_core._")]
    assert "ktrdr_core._torch" not in native


def test_importing_reads_no_file_but_its_own_code() -> None:
    code = (".py", ".pyc", ".so", ".pth")
    others = [path for path in probe()["opened"] if not path.endswith(code) and ".pyc." not in path]
    assert others == []


def test_everything_promised_is_there_and_nothing_else() -> None:
    assert set(ktrdr_core.__all__) <= set(dir(ktrdr_core))
    for name in ktrdr_core.__all__:
        assert getattr(ktrdr_core, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        ktrdr_core.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_the_distribution_s_own() -> None:
    from importlib.metadata import version

    assert version("ktrdr-core") == ktrdr_core.__version__
