"""Texts of others on the terminal: none of them is obeyed."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from commands import COMMAND, LIMIT, environment
from ktrdr_core import cli
from ktrdr_core.display import live, reporters, terminal
from ktrdr_core.display.shown import shown
from ktrdr_core.testing import FaultServer, ok
from test_terminal import State

if TYPE_CHECKING:
    from ktrdr_core import ProgressState

# What a terminal obeys, and how it looks instead.
ORDERS = [
    ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    ("\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
    ("\x1bP+q544e\x1b\\", r"\x1bP+q544e\x1b" + "\\"),
    ("\x9b31m", r"\x9b31m"),
    ("\x9d0;t\x9c", r"\x9d0;t\x9c"),
    ("right\nerror: forged", r"right\nerror: forged"),
    ("right\rforged", r"right\rforged"),
    ("a\x0bb\x0cc\x85d\u2028e\u2029f", r"a\x0bb\x0cc\x85d\u2028e\u2029f"),
    ("a\tb\x08\x7f\x00", r"a\tb\x08\x7f\x00"),
    ("\u202eknip\u202c \u2066x\u2069", r"\u202eknip\u202c \u2066x\u2069"),
    ("\u200e\u200f\u061c\u200b\ufeff\xad", r"\u200e\u200f\u061c\u200b\ufeff\xad"),
    ("\U000e0041", r"\U000e0041"),
    ("caf\udce9", r"caf\udce9"),
]
HARMLESS = [
    "",
    "1,760 bars, 890/s · 0:03 left",
    "日本語 Ελληνικά हिन्दी עברית",
    "\u0645\u06cc\u200c\u062e\u0648 👩\u200d🔬",
    "a\u00a0b\u3000c",
    "C:\\x1b",
    "[bold]markup[/bold]",
]
ALL = "".join(order for order, _ in ORDERS)


def is_tame(text: str, *, lines: bool = False) -> bool:
    allowed = "\u200c\u200d" + ("\n" if lines else "")
    return all(
        unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} or one in allowed
        for one in text
    )


@pytest.mark.parametrize(("order", "looks"), ORDERS)
def test_what_a_terminal_obeys_is_shown_as_such(order: str, looks: str) -> None:
    assert shown(f"<{order}>") == f"<{looks}>"


def test_every_character_is_either_itself_or_shown() -> None:
    for number in range(sys.maxunicode + 1):
        looks = shown(chr(number))
        assert is_tame(looks)
        assert looks in (chr(number), chr(number).encode("unicode_escape").decode())


@pytest.mark.parametrize("text", HARMLESS)
def test_what_moves_nothing_is_left_alone(text: str) -> None:
    assert shown(text) == text


def test_a_long_text_is_cut_and_says_so() -> None:
    assert shown("x" * 4000) == "x" * 4000
    assert shown("x" * 5_004_000) == "x" * 4000 + "… (5,000,000 characters more)"
    assert shown("\n" * 12, 10) == r"\n" * 5 + "… (7 characters more)"


# ---- progress


def state(order: str) -> ProgressState:
    figures: Any = State(
        percentage=10,
        message=f"Loading {order}",
        items_processed=1,
        context={"current_epoch": order, "current_batch": order, "total_batches": order},
    )
    return cast("ProgressState", figures)


@pytest.mark.parametrize("order", [ALL, *(order for order, _ in ORDERS)])
def test_plain_lines_show_it(order: str) -> None:
    stream = io.StringIO()
    report = reporters.PlainReporter(stream)
    report.show(f"label {order}", state(order))
    report.end(f"label {order}", "completed")
    report.say(f"said {order}")
    lines = stream.getvalue().split("\n")
    assert len(lines) == 4
    assert all(map(is_tame, lines)), lines


@pytest.mark.parametrize("step", ["", "training", "ste\x1bp"])
def test_the_live_bar_shows_it(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")

    def drawn(order: str, name: str) -> str:
        stream = io.StringIO()
        with live.LiveReporter(stream) as report:
            given: Any = State(**{**cast("State", state(order)).__dict__, "step_name": name})
            report.show(f"l {order}", given)
            report.show("other", given)
            report.tick()
            report.say(f"said {order}")
        return stream.getvalue()

    for order, looks in ORDERS:
        # The same drawing as of a text in which nothing is to be obeyed.
        assert drawn(order, step) == drawn(looks, step.replace("\x1b", r"\x1b"))


def test_a_sentence_without_end_leaves_the_bars_on_the_screen() -> None:
    stream = io.StringIO()
    with live.LiveReporter(stream) as report:
        report.show("l" * 10_000, state("x" * 1_000_000))
        report.tick()
    assert len(stream.getvalue()) < 5_000


def test_json_lines_are_whole_and_tame() -> None:
    stream = io.StringIO()
    report = terminal.reporter("json", stream)
    report.show("x", state(ALL + "y" * 10_000))
    [line, _] = stream.getvalue().split("\n")
    assert is_tame(line)
    assert json.loads(line)["message"] == f"Loading {ALL}{'y' * 10_000}"


# ---- commands


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", code] if code else COMMAND
    return subprocess.run(
        [*command, *arguments], capture_output=True, timeout=LIMIT, check=False, env=environment()
    )


def texts(done: subprocess.CompletedProcess[bytes]) -> tuple[str, str]:
    out, err = done.stdout.decode(), done.stderr.decode()
    assert is_tame(out, lines=True), out
    assert is_tame(err, lines=True), err
    assert "\nerror: forged" not in f"\n{out}\n{err}"
    return out, err


FORGED = "gone\x1b]0;owned\x07\nerror: forged\u202e"


def test_what_a_service_says_is_shown_in_errors_and_progress(tmp_path: Path) -> None:
    answer = ok(json.dumps({"success": False, "data": None, "rows": 0, "error": FORGED}))
    with FaultServer(lambda _: answer) as server:
        for progress in ("plain", "tty", "json"):
            done = run(
                *("data", "load", "AAPL", "1d", "--start", "2020-01-01", "--end", "2020-02-01"),
                *("--ib-url", server.url, "--data-dir", str(tmp_path), "--progress", progress),
            )
            assert done.returncode != 0
            assert b"\x1b]0" not in done.stderr + done.stdout
            assert b"\nerror: forged" not in done.stderr
            assert rb"gone\x1b]0;owned\x07\nerror: forged\u202e" in done.stderr
            if progress != "tty":
                texts(done)


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "show", FORGED, "1d"],
        ["data", "show", "AAPL", FORGED],
        ["data", "show", "AAPL", "1d", FORGED],
        ["data", FORGED],
        [FORGED],
        ["data", "show", "AAPL", "1d", f"--{FORGED}"],
        ["data", "show", "AAPL", "1d", "--limit", FORGED],
        ["data", "show", "AAPL", "1d", "--progress", FORGED],
        ["models", "train", FORGED],
    ],
)
def test_what_was_typed_is_shown(arguments: list[str], tmp_path: Path) -> None:
    folder = ["--data-dir", str(tmp_path)] if len(arguments) > 2 else []
    done = run(*arguments, *folder)
    assert done.returncode != 0
    texts(done)


def test_a_folder_with_such_a_name_is_shown(tmp_path: Path) -> None:
    folder = tmp_path / "a\x1b[31mb\nc"
    done = run("data", "show", "AAPL", "1d", "--data-dir", str(folder))
    assert rb"a\x1b[31mb\nc" in done.stderr
    texts(done)


def test_logs_warnings_and_tracebacks_are_shown() -> None:
    code = f"""
import logging, warnings
from ktrdr_core.cli import main
from ktrdr_core.cli.app import cli
@cli.command()
def talk():
    logging.getLogger("ktrdr_core.http").warning({FORGED!r})
    try:
        raise ValueError({FORGED!r})
    except ValueError:
        logging.getLogger("elsewhere").exception("it failed")
    warnings.warn({FORGED!r})
    raise RuntimeError({FORGED!r})
main()
"""
    done = run("talk", code=code)
    assert done.returncode == 1
    _, err = texts(done)
    assert r"warning: ktrdr_core.http: gone\x1b]0;owned\x07\nerror: forged\u202e" in err
    assert "ValueError: gone" in err
    assert "RuntimeError: gone" in err
    assert "UserWarning: gone" in err


def test_commands_print_by_the_session_only() -> None:
    folders = [Path(str(module.__file__)).parent for module in (cli, live)]
    for file in sorted(file for folder in folders for file in folder.glob("*.py")):
        if file.name not in {"session.py", "refusals.py", "reporters.py", "everything_else.py"}:
            text = re.sub(
                r">>> .*|session\.print\(|console\.print\(Text\(shown\(", "", file.read_text()
            )
            assert "click.echo" not in text, file
            assert "print(" not in text, file
