"""Type checkers refuse the mistakes that people make, and nothing else: mypy --strict and pyright in strict mode."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TYPED = Path(__file__).parent / "typed"
Checker = Callable[..., list[tuple[str, int, str]]]

SCRIPT = """
from functools import partial

from ktrdr_core import (
    CancelReason,
    CancellationToken,
    Client,
    DataManager,
    HostServiceConfig,
    OperationsService,
    ServiceOrchestrator,
    TrainingManager,
    current_operation,
    errors,
)
from ktrdr_core.http import Timeouts


async def greet(names: list[str], greeting: str = "hello") -> int:
    return len(names)


async def main(client: Client, data: DataManager, domain: ServiceOrchestrator) -> None:
    await client.get("/x", timeout=3)
    await client.get("/x", timout=3)  # refused
    await client.post("/x", json={"a": 1}, idempotent="yes")  # refused
    Timeouts(connect=1)
    Timeouts(conect=1)  # refused
    Timeouts(connect="1")  # refused
    data.load_data("AAPL", "1d", mode="full")
    data.load_data("AAPL", "1d", mode="ful")  # refused
    data.load_data("AAPL")  # refused
    count: int = await domain.start_operation("G", "greet", greet, ["Ada"])
    count = await domain.start_operation("G", "greet", greet, ["Ada"], greeting="hi")
    count = await domain.start_operation("G", "greet", greet, ["Ada"], "hi", total_steps=1)
    count = await domain.start_operation("G", "greet", greet, 5)  # refused
    count = await domain.start_operation("G", "greet", greet, ["Ada"], greting="hi")  # refused
    count = await domain.start_operation("G", "greet", greet, [1], total_steps=1)  # refused
    word: str = await domain.start_operation("G", "greet", greet, ["Ada"])  # refused
    CancelReason(text="enough").text = "more"  # refused
    print(count, word)


class Words(ServiceOrchestrator):
    def _get_service_name(self) -> int:  # refused
        return 5


async def more(data: DataManager, domain: ServiceOrchestrator, token: CancellationToken) -> None:
    # Options of ours beside keywords of the function's, which stand in a partial.
    domain.start_operation("G", "greet", partial(greet, ["Ada"], greeting="hi"), total_steps=1)
    domain.start_operation("G", "greet", partial(greet, ["Ada"], greting="hi"), total_steps=1)  # refused
    domain.start_operation("G", "greet", partial(greet, 5), total_steps=1)  # refused
    domain.start_operation("G", "greet", greet, ["Ada"], timeout="5")  # refused
    domain.start_operation("G", "greet", greet(["Ada"]))  # refused
    domain.start_operation("greet", greet, ["Ada"])  # refused
    domain.start_operation("G", "greet", len, ["Ada"])  # refused
    await domain.execute_with_progress(greet)  # refused
    await domain.execute_with_progress(greet(["a"]), progress_callback=5)  # refused
    await domain.execute_with_cancellation(greet(["a"]), token=token)  # refused
    current_operation().add_metric({"a": 1})  # refused
    data.load_data("AAPL", "1d", cancellation_token=True)  # refused
    async with data.load_data("AAPL", "1d") as bars:  # refused
        print(bars)
    for bar in data.load_data("AAPL", "1d"):  # refused
        print(bar)
    print(len(data.load_data("AAPL", "1d")))  # refused
    await data.load_data("AAPL", "1d").cancel()  # refused
    state = data.load_data("AAPL", "1d").progress
    print(state.estimated_remaining.total_seconds())  # refused
    state.percentage = 5  # refused
    loaded = await data.load_data("AAPL", "1d")
    loaded.close = loaded.open  # refused
    HostServiceConfig(base_url="http://x", timeout="5")  # refused
    HostServiceConfig(base_url="http://x", retries=5)  # refused
    OperationsService().list(status=5)  # refused
    OperationsService().get(5)  # refused
    TrainingManager("models")  # refused
    raise errors.NotFoundError()  # refused
"""


def refused_by_mypy(folder: Path, *files: Path) -> list[tuple[str, int, str]]:
    """File, line and words of every error. The package is read once for all tests of a run."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", folder.parent / "mypy", *files],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"MYPYPATH": str(ROOT / "python")},
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = re.findall(r"^(.+?\.py):(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    return [(Path(name).name, int(line), words) for name, line, words in found]


def refused_by_pyright(
    folder: Path, *files: Path, mode: str = "standard"
) -> list[tuple[str, int, str]]:
    """File, line and words of every error; what strict mode adds of an unknown type is no further mistake."""
    settings = {
        "typeCheckingMode": mode,
        "pythonVersion": f"{sys.version_info.major}.{sys.version_info.minor}",
        "extraPaths": [str(ROOT / "python")],
        "include": [str(file) for file in files],
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [
            Path(sys.executable).with_name("basedpyright"),
            "--outputjson",
            "--pythonpath",
            sys.executable,
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == len(files)
    return [
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"])
        for one in found["generalDiagnostics"]
        if one["severity"] == "error"
    ]


CHECKERS = pytest.mark.parametrize(
    "refused_by", [refused_by_mypy, refused_by_pyright], ids=["mypy", "pyright"]
)
STRICT_CHECKERS = pytest.mark.parametrize(
    "refused_by",
    [refused_by_mypy, partial(refused_by_pyright, mode="strict")],
    ids=["mypy", "pyright"],
)


def marked(text: str) -> list[int]:
    return [number for number, line in enumerate(text.splitlines(), 1) if "# refused" in line]


@CHECKERS
def test_ten_typical_mistakes_are_ten_errors_each_on_its_line(
    refused_by: Checker, tmp_path: Path
) -> None:
    mistakes = TYPED / "mistakes.py"
    expected = marked(mistakes.read_text())
    assert len(expected) == 10
    found = refused_by(tmp_path, mistakes)
    assert [line for _, line, _ in sorted(found)] == expected, found


@CHECKERS
def test_mistakes_are_refused_where_they_stand(refused_by: Checker, tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    expected = marked(SCRIPT)
    assert len(expected) >= 30
    found = refused_by(tmp_path, file)
    assert sorted({line for _, line, _ in found}) == expected, found


@STRICT_CHECKERS
def test_what_is_right_passes(refused_by: Checker, tmp_path: Path) -> None:
    files = [TYPED / "correct.py", *sorted((ROOT / "examples").glob("*.py"))]
    assert len(files) >= 2
    assert refused_by(tmp_path, *files) == []


@STRICT_CHECKERS
def test_the_programs_of_the_readme_pass(refused_by: Checker, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    files = [tmp_path / f"readme_{number}.py" for number in range(len(blocks))]
    for file, code in zip(files, blocks, strict=True):
        file.write_text(code)
    assert refused_by(tmp_path, *files) == []
