"""How a load, a training and the demo look on terminals of several widths and kinds, in a pipe and into nothing.

The pictures lie in ``pictures/``. What differs from run to run, times, rates, folders, is masked; ``KTRDR_PICTURES=write``
draws them anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from commands import COMMAND, LIMIT, loading
from ktrdr_core.hosts.child import HostProcess
from pty_command import PtyCommand
from screen import Screen

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURES = Path(__file__).parent / "pictures"
TERMINALS: list[tuple[str, int, dict[str, str]]] = [
    ("40", 40, {}),
    ("80", 80, {}),
    ("120", 120, {}),
    ("dumb", 80, {"TERM": "dumb"}),
    ("no_color", 80, {"NO_COLOR": "1"}),
]
terminals = pytest.mark.parametrize(("name", "columns", "env"), TERMINALS)
STREAMS = [
    ("pipe", ""),
    ("no_error", "2>&-"),
    ("no_output", ">&-"),
    ("full_output", ">/dev/full"),
]
streams = pytest.mark.parametrize(("name", "how"), STREAMS)

# The bar takes the room that figures of changing width leave it.
_MASKS = [
    (r"[━╸╺]{4,} *", "━━━━ "),
    (r" *\d+:\d\d left", " N:NN left"),
    (r"\d[\d,]*/s", "N/s"),
    (r"\d+\.\d+ s\b", "N s"),
    (r"loss \d\.\d+", "loss N"),
    # A load that takes long asks for warnings, too.
    (r"[1-9]\d* requests", "N requests"),
    (r"\d+\.\d %", "N %"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"model_\w+|\d{8}T?\d{6}\w*", "MODEL"),
]


# They may be over before anybody looks.
_EARLY = tuple(
    f": {step} …"
    for step in ("validate symbol", "first timestamp", "read local", "plan", "initializing")
)


@pytest.fixture(scope="module")
def host() -> Iterator[HostProcess]:
    # So that a load is still at it when its first line is drawn.
    with HostProcess(delay=0.1) as service:
        yield service


def masked(lines: list[str], *folders: Path) -> str:
    text = "\n".join(lines)
    for folder in folders:
        # A long path is folded at the edge of a narrow terminal, wherever that falls.
        text = re.sub("\n?".join(map(re.escape, str(folder))), "FOLDER", text)
    for pattern, mask in _MASKS:
        text = re.sub(pattern, mask, text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def compare(name: str, picture: str) -> None:
    file = PICTURES / f"{name}.txt"
    if os.environ.get("KTRDR_PICTURES") == "write":
        file.write_text(picture)
    assert file.read_text() == picture


def on_screen(command: PtyCommand, columns: int) -> list[str]:
    screen = Screen(columns, 60)
    screen.feed(command.text)
    lines = screen.lines()
    assert all(len(line) <= columns for line in lines)
    return lines


def in_colour(text: str) -> bool:
    return re.search(r"\x1b\[[0-9;]*3[0-8][0-9;]*m", text) is not None


def steps(lines: list[str]) -> list[str]:
    """Leave one line of each step of a log: how many there are within one, and who comes first, is a matter of time."""
    left: list[str] = []
    said: list[str] = []
    for line in lines:
        if re.match(r"[\w ]+: ", line) and (line.endswith((" %)", ": completed"))):
            step = re.sub(r" \d+/\d+.*| · .*| \(\d+ %\)$", "", line)
            # A training's step is its epoch, once there is one.
            step = f"{step.replace(': epoch', ': training')} …".replace("completed …", "completed")
            # Before the first step there may be time for a line, or none.
            if not step.endswith(("] …", *_EARLY)) and step not in said:
                said.append(step)
            continue
        left += [*sorted(said, key=lambda step: step.split(":")[0]), line]
        said = []
    return left + sorted(said, key=lambda step: step.split(":")[0])


def demo_code(strategy: Path) -> str:
    """Write the command line with another strategy in the demo."""
    return (
        "import pathlib\n"
        "from ktrdr_core.cli import demo, main\n"
        f"demo.strategy_path = lambda: pathlib.Path({str(strategy)!r})\n"
        "main()"
    )


@terminals
def test_a_load(
    host: HostProcess, tmp_path: Path, name: str, columns: int, env: dict[str, str]
) -> None:
    command = PtyCommand(*loading(host, tmp_path), columns=columns, rows=60, env=env)
    assert command.status(LIMIT) == 0, command.text
    lines = on_screen(command, columns)
    compare(f"load_{name}", masked(steps(lines) if name == "dumb" else lines, tmp_path))
    assert in_colour(command.text) == (name not in {"dumb", "no_color"})
    if name == "dumb":
        assert "\x1b" not in command.text


@terminals
def test_a_load_half_way(tmp_path: Path, name: str, columns: int, env: dict[str, str]) -> None:
    with HostProcess(delay=0, gate=True) as gated:
        gated.release(2)
        command = PtyCommand(*loading(gated, tmp_path), columns=columns, rows=60, env=env)
        # In a log the sentence is named steps and units.
        command.wait_for(r"(loading segments)" if name == "dumb" else r"\[(2)/\d+\]")
        lines = on_screen(command, columns)
        if name != "dumb":
            # Where a sentence is folded depends on the figures before it.
            bar, *words = lines
            assert len(bar) <= columns
            assert re.search(r"[━╸╺]{6,}", bar), bar
            lines = [bar, "  " + " ".join(word.strip() for word in words)]
        gated.release()
        assert command.status(LIMIT) == 0
    picture = masked(steps(lines) if name == "dumb" else lines, tmp_path)
    # Two segments may have come too fast to say a rate; and which two it were decides how many bars.
    picture = re.sub(r" N:NN left|, N/s", "", picture)
    picture = re.sub(r"[\d,]+ bars", "N bars", picture)
    compare(f"load_half_way_{name}", re.sub(r"% +N bars", "% N bars", picture))


@pytest.mark.slow
@terminals
def test_a_training(
    stored: Path, short: Path, tmp_path: Path, name: str, columns: int, env: dict[str, str]
) -> None:
    place: list[Any] = [
        "--symbols",
        "AAPL",
        "--data-dir",
        stored,
        "--models-dir",
        tmp_path / "models",
    ]
    command = PtyCommand("models", "train", short, *place, columns=columns, rows=60, env=env)
    assert command.status(LIMIT) == 0, command.text
    lines = on_screen(command, columns)
    # What a training reports is the report's own matter.
    end = max(number for number, line in enumerate(lines) if "completed" in line)
    lines = lines[: end + 1]
    compare(f"training_{name}", masked(steps(lines) if name == "dumb" else lines, tmp_path))


@pytest.mark.slow
@terminals
def test_the_demo(
    short: Path, tmp_path: Path, name: str, columns: int, env: dict[str, str]
) -> None:
    folder = tmp_path / "demo"
    command = PtyCommand(
        *("demo", "--delay", "0", "--dir", folder),
        command=[sys.executable, "-c", demo_code(short)],
        columns=columns,
        rows=60,
        env=env,
    )
    assert command.status(LIMIT) == 0, command.text
    lines = on_screen(command, columns)
    lines = lines[: lines.index("5/5 report") + 1]
    if name == "dumb":
        # A load of what is stored is over before its first line.
        lines = [line for line in steps(lines) if not line.endswith(" …")]
    compare(f"demo_{name}", masked(lines, tmp_path))


def with_streams(how: str, command: list[Any]) -> tuple[list[str], list[str], int]:
    """Run a command whose streams are no terminal: what it says on standard error and output, and its status."""
    line = ["sh", "-c", f'exec "$@" {how}', "sh", *map(str, command)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert "\x1b" not in done.stdout + done.stderr
    return steps(done.stderr.splitlines()), done.stdout.splitlines(), done.returncode


def shown_streams(said: list[str], printed: list[str], status: int) -> list[str]:
    return ["standard error:", *said, "standard output:", *printed, f"status {status}"]


@streams
def test_a_load_without_a_terminal(host: HostProcess, tmp_path: Path, name: str, how: str) -> None:
    picture = shown_streams(*with_streams(how, [*COMMAND, *loading(host, tmp_path)]))
    compare(f"load_{name}", masked(picture, tmp_path))


@pytest.mark.slow
@streams
def test_a_training_without_a_terminal(
    stored: Path, short: Path, tmp_path: Path, name: str, how: str
) -> None:
    models = tmp_path / "models"
    place = ["--symbols", "AAPL", "--data-dir", stored, "--models-dir", models]
    said, printed, status = with_streams(how, [*COMMAND, "models", "train", short, *place])
    # What a training reports is the report's own matter.
    printed = ["a report"] if len(printed) > 3 else printed
    compare(f"training_{name}", masked(shown_streams(said, printed, status), tmp_path))


@pytest.mark.slow
@streams
def test_the_demo_without_a_terminal(short: Path, tmp_path: Path, name: str, how: str) -> None:
    folder = tmp_path / "demo"
    command = [sys.executable, "-c", demo_code(short), "demo", "--delay", "0", "--dir", folder]
    said, printed, status = with_streams(how, command)
    # A load of what is stored is over before its first line.
    said = [line for line in said if not line.endswith(" …")]
    if "5/5 report" in printed:
        printed = printed[: printed.index("5/5 report") + 1]
    compare(f"demo_{name}", masked(shown_streams(said, printed, status), tmp_path))
