"""A command whose standard streams are closed, full or left by their reader does its work all the same."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from child import child
from commands import COMMAND, LIMIT, environment, loading
from ktrdr_core import DataManager
from ktrdr_core.display.kinds import KINDS
from ktrdr_core.hosts.child import HostProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BARS = 3017

# How a shell hands the streams over, and what becomes of the status of work that is done.
HANDED = [
    ("2>&-", 0),
    (">&-", 0),
    ("<&- >&- 2>&-", 0),
    ("2>/dev/full", 0),
    (">/dev/full", 1),
    (">/dev/full 2>/dev/full", 1),
]
handed = pytest.mark.parametrize(("how", "status"), HANDED)


def run(how: str, *arguments: Any, module: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with its streams as a shell hands them over; what it does not hand over is read."""
    command = [sys.executable, "-m", module] if module else COMMAND
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {how}', "sh", *command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        env=environment(),
    )


def run_unread(stream: str, *arguments: str | Path) -> tuple[int, str, str]:
    """Run a command that nobody reads on one of its streams: the status, and what came on both."""
    command = [*COMMAND, *map(str, arguments)]
    reading, writing = os.pipe()
    os.close(reading)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writing}
    with child(command, env=environment(), **pipes) as process:
        os.close(writing)
        out, err = process.communicate(timeout=LIMIT)
    return process.returncode, out or "", err or ""


def loaded(folder: Path) -> int:
    with DataManager(folder, env={}) as data:
        return len(data.load_data("AAPL", "1d").result(60))


def no_traceback(*texts: str) -> None:
    for text in texts:
        assert "Traceback" not in text, text
        assert "Exception ignored" not in text, text
        assert "Logging error" not in text, text


@handed
@pytest.mark.parametrize("progress", KINDS)
def test_a_load_is_done_whatever_its_streams_are(
    host: HostProcess, tmp_path: Path, how: str, status: int, progress: str
) -> None:
    done = run(how, *loading(host, tmp_path, "--progress", progress))
    assert done.returncode == status, done.stderr
    no_traceback(done.stdout, done.stderr)
    assert loaded(tmp_path) == BARS
    if status and "2>" not in how:
        assert done.stderr.endswith("error: standard output: No space left on device\n")


@handed
@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "show", "AAPL", "1d", "--limit", "0"],
        ["operations", "list", "--json"],
        ["data", "load", "AAPL", "1d", "--mode", "local", "-vv"],
    ],
)
def test_so_is_what_only_prints(stored: Path, how: str, status: int, arguments: list[str]) -> None:
    done = run(how, *arguments, "--data-dir", stored)
    assert done.returncode == status, done.stderr
    no_traceback(done.stdout, done.stderr)


@handed
@pytest.mark.parametrize("arguments", [["--help"], ["data", "load", "--help"]])
def test_so_is_help(how: str, status: int, arguments: list[str]) -> None:
    done = run(how, *arguments)
    assert done.returncode == status, done.stderr
    no_traceback(done.stdout, done.stderr)


@handed
@pytest.mark.parametrize(
    ("arguments", "failed"),
    [
        (["data", "show", "NOPE", "1d", "--json"], 3),
        (["data", "show", "AAPL"], 2),
        (["models", "train", "nowhere.yaml"], 1),
    ],
)
def test_a_failure_keeps_its_status(
    stored: Path, how: str, status: int, arguments: list[str], failed: int
) -> None:
    done = run(how, *arguments, "--data-dir", stored)
    assert done.returncode == failed, done.stderr
    no_traceback(done.stdout, done.stderr)


@pytest.mark.slow
@handed
def test_so_are_a_training_and_the_demo(
    stored: Path, short: Path, tmp_path: Path, how: str, status: int
) -> None:
    place = ["--symbols", "AAPL", "--data-dir", stored, "--models-dir", tmp_path / "models"]
    done = run(how, "models", "train", short, *place)
    assert done.returncode == status, done.stderr
    no_traceback(done.stdout, done.stderr)
    assert list((tmp_path / "models").rglob("*.safetensors"))


@pytest.mark.slow
def test_the_demo_is_whole_without_any_stream(tmp_path: Path) -> None:
    done = run("<&- >&- 2>&-", "demo", "--delay", "0", "--dir", tmp_path / "demo")
    assert done.returncode == 0
    assert (tmp_path / "demo" / "report.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("progress", KINDS)
@pytest.mark.parametrize(("stream", "status"), [("stdout", 141), ("stderr", 0)])
def test_a_reader_that_has_left_costs_the_words_and_not_the_work(
    host: HostProcess, tmp_path: Path, stream: str, status: int, progress: str
) -> None:
    ended, out, err = run_unread(stream, *loading(host, tmp_path, "--progress", progress))
    assert ended == status
    no_traceback(out, err)
    assert "error" not in out + err
    assert loaded(tmp_path) == BARS


def test_a_reader_that_wants_one_line_of_many_is_no_error(stored: Path) -> None:
    show = [*COMMAND, "data", "show", "AAPL", "1d", "--limit", "0", "--data-dir", str(stored)]
    script = f"{shlex.join(map(str, show))} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.stdout.splitlines() == ["AAPL 1d: 3,017 bars, 2001-01-02 to 2012-12-31", "141"]
    assert done.stderr == ""


def test_no_file_of_the_command_gets_the_number_of_a_standard_stream(tmp_path: Path) -> None:
    with HostProcess(delay=0, gate=True) as gated:
        command = [*COMMAND, *loading(gated, tmp_path)]
        with child(
            ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command], env=environment(), text=False
        ) as process:
            gated.wait(held=1)
            streams = [os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)]
            database = (tmp_path / "ktrdr.db").read_bytes()
            gated.release()
            assert process.wait(LIMIT) == 0
    assert streams == ["/dev/null"] * 3
    assert database.startswith(b"SQLite format 3\0")
    assert loaded(tmp_path) == BARS


def test_a_child_of_the_command_has_streams_too(tmp_path: Path) -> None:
    code = (
        "import json, os, subprocess, sys\n"
        "from ktrdr_core import standard_streams\n"
        "standard_streams.secure()\n"
        'ask = \'import os, sys; os.write(9, repr([os.readlink(f"/proc/self/fd/{n}") '
        "for n in (0, 1, 2)]).encode())'\n"
        "subprocess.run([sys.executable, '-c', ask], check=True, pass_fds=[9])\n"
    )
    seen = tmp_path / "seen"
    script = f'exec "$@" <&- >&- 2>&- 9>{seen}'
    subprocess.run(["sh", "-c", script, "sh", sys.executable, "-c", code], check=True)
    assert seen.read_text() == repr(["/dev/null"] * 3)


def test_a_pipe_that_does_not_wait_gets_everything() -> None:
    """Whoever shares it may have made it so; a large answer is more than it holds at once."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    code = (
        "from ktrdr_core import standard_streams\n"
        "standard_streams.secure()\n"
        "print('x' * 1_000_000)\n"
        "raise SystemExit(standard_streams.finish(0))\n"
    )
    with child([sys.executable, "-c", code], stdout=writing, text=False) as process:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            assert len(pipe.read()) == 1_000_001
        assert process.wait(LIMIT) == 0


def answers(url: str) -> Callable[[], bool]:
    def asked() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                return bool(json.load(answer))
        except urllib.error.URLError:
            return False

    return asked


@handed
def test_the_ib_host_service_serves_whatever_its_streams_are(how: str, status: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "ktrdr_core.hosts.ib", "--port", str(port)]
    script = f'exec "$@" {how}'
    with child(
        ["sh", "-c", script, "sh", *command],
        stderr=subprocess.PIPE,
    ) as process:
        asked = answers(f"http://127.0.0.1:{port}")
        while not asked():
            assert process.poll() is None, process.communicate()
        process.terminate()
        out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == status, err
    no_traceback(out, err)


@pytest.mark.parametrize(("how", "status"), [("2>&-", 2), (">&- 2>&-", 2), ("2>/dev/full", 2)])
def test_a_wrong_option_of_it_keeps_its_status(how: str, status: int) -> None:
    assert run(how, "--nope", module="ktrdr_core.hosts.ib").returncode == status


def test_it_ends_at_once_where_it_has_no_standard_input_to_watch() -> None:
    for how in ("<&-", "</dev/null"):
        done = run(how, "--port", "0", "--until-stdin-closes", module="ktrdr_core.hosts.ib")
        assert done.returncode == 0, done.stderr
        no_traceback(done.stderr)
