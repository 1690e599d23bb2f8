"""Progress in words and lines, without any work behind it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from ktrdr_core.display import live, reporters, terminal
from ktrdr_core.display.words import line_text

if TYPE_CHECKING:
    from ktrdr_core import ProgressState


@dataclass(frozen=True)
class State:
    """Stands in for the core's own, which only the core makes."""

    operation_id: str = "op_1"
    sequence: int = 1
    percentage: float = 0.0
    message: str = ""
    current_step: int = 1
    total_steps: int = 6
    step_name: str = ""
    step_current: int = 0
    step_total: int = 0
    step_start_percentage: float = 0.0
    step_end_percentage: float = 100.0
    items_processed: int = 0
    total_items: int = 0
    rate: float = 0.0
    start_time: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    estimated_remaining: timedelta | None = None
    context: dict[str, Any] = field(default_factory=dict)


def state(**figures: Any) -> ProgressState:
    return cast("ProgressState", State(**figures))


LOADING = State(
    percentage=54.2,
    step_name="loading segments",
    step_current=3,
    step_total=7,
    items_processed=1760,
    rate=890.4,
    message="Loading AAPL 1d data (full mode) [3/7]",
    context={"bars_processed": 1760},
    estimated_remaining=timedelta(seconds=3.2),
)
TRAINING = State(
    percentage=25.0,
    step_name="training",
    step_current=11,
    step_total=60,
    items_processed=99999,
    context={
        "model_type": "mlp",
        "current_epoch": 12,
        "current_batch": 80,
        "total_batches": 141,
        "metrics": {"train_loss": 0.98123, "val_loss": None, "val_accuracy": 0.4213},
    },
)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (LOADING, "x: loading segments 3/7 · 1,760 bars, 890/s · 0:03 left (54 %)"),
        (TRAINING, "x: epoch 12/60 (80/141) · loss 0.981, val 42.1 % (25 %)"),
        (State(step_name="data_preparation"), "x: data preparation (0 %)"),
        (State(), "x: starting (0 %)"),
        (
            State(step_name="plan", estimated_remaining=timedelta(hours=1, seconds=62)),
            "x: plan · 1:01:02 left (0 %)",
        ),
    ],
)
def test_a_line_says_step_unit_figures_and_time_left(given: State, line: str) -> None:
    assert line_text("x", cast("ProgressState", given)) == line


def test_plain_lines_are_one_a_step_and_at_most_one_a_second_within_it() -> None:
    now = [100.0]
    stream = io.StringIO()
    report = reporters.PlainReporter(stream, clock=lambda: now[0])
    for seconds, step in ((0.0, "a"), (0.2, "a"), (0.4, "b"), (0.5, "b"), (1.4, "b"), (1.5, "b")):
        now[0] = 100.0 + seconds
        report.show("x", state(step_name=step, percentage=seconds))
    report.end("x", "completed")
    assert stream.getvalue().splitlines() == [
        "x: a (0 %)",
        "x: b (0 %)",
        "x: b (1 %)",
        "x: completed",
    ]


def test_json_lines_carry_every_figure() -> None:
    stream = io.StringIO()
    report = terminal.reporter("json", stream)
    report.show("x", cast("ProgressState", LOADING))
    report.end("x", "completed")
    first, last = map(json.loads, stream.getvalue().splitlines())
    assert (first["label"], first["step_name"], first["estimated_remaining"]) == (
        "x",
        "loading segments",
        3.2,
    )
    assert last == {"label": "x", "status": "completed"}


def test_auto_is_plain_where_there_is_no_terminal_and_none_is_silent() -> None:
    assert isinstance(terminal.reporter("auto", io.StringIO()), reporters.PlainReporter)
    stream = io.StringIO()
    terminal.reporter("none", stream).show("x", cast("ProgressState", LOADING))
    assert stream.getvalue() == ""


def test_a_process_without_the_stream_shows_nothing_anywhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with terminal.reporter("auto", None) as report:
        report.show("x", cast("ProgressState", LOADING))
        report.say("cancelling…")
        report.end("x", "cancelled")
    assert capsys.readouterr() == ("", "")


def test_once_thirty_plain_lines_are_there_one_comes_in_five_seconds() -> None:
    now = [0.0]
    stream = io.StringIO()
    report = reporters.PlainReporter(stream, clock=lambda: now[0])
    for second in range(60):
        now[0] = float(second)
        report.show("x", state(message=f"part {second}"))
    report.end("x", "completed")
    lines = stream.getvalue().splitlines()
    assert lines[:30] == [f"x: part {second} (0 %)" for second in range(30)]
    assert lines[30:] == [f"x: part {second} (0 %)" for second in range(34, 60, 5)] + [
        "x: completed"
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(
    term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(terminal.reporter("auto", stream), live.LiveReporter)
    if term:
        monkeypatch.setenv("TERM", term)
    else:
        monkeypatch.delenv("TERM")
    assert isinstance(terminal.reporter("auto", stream), reporters.PlainReporter)


def drawn(columns: int, monkeypatch: pytest.MonkeyPatch, **operations: State) -> list[str]:
    """Draw operations once, without colours; the lines on the screen."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    with live.LiveReporter(stream) as report:
        for label, given in operations.items():
            report.show(label, cast("ProgressState", given))
        stream.seek(0)
        stream.truncate()
        report.tick()
        frame = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    return [line.rstrip() for line in frame.replace("\r", "").splitlines() if line.strip()]


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_bar_has_room_and_the_sentence_is_whole(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = drawn(columns, monkeypatch, load=LOADING)
    assert lines[0].startswith("load ━")
    assert lines[0].count("━") + lines[0].count("╸") + lines[0].count("╺") >= columns // 5
    assert "54 %" in lines[0]
    assert "0:03 left" in lines[0]
    said = " ".join(" ".join(lines).split())
    assert "1,760 bars, 890/s" in said
    assert "Loading AAPL 1d data (full mode) [3/7]" in said
    assert max(map(len, lines)) <= columns


def test_work_that_names_no_unit_has_items_and_its_own_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = State(percentage=40, message="Greeting Ada", items_processed=1200, step_total=10, rate=6)
    lines = drawn(80, monkeypatch, greetings=job)
    assert "1,200 items, 6/s" in lines[0]
    assert lines[1] == "  Greeting Ada"
    assert "bars" not in " ".join(lines)


def test_each_of_several_operations_says_which_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(80, monkeypatch, one=LOADING, two=replace(LOADING, message="Almost there"))
    assert [line.partition(" ")[0] for line in lines[:2]] == ["one", "two"]
    assert lines[2:] == ["  one: Loading AAPL 1d data (full mode) [3/7]", "  two: Almost there"]


def test_words_in_brackets_are_words_and_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    [bar, words] = drawn(80, monkeypatch, **{"[red]x[/red]": State(message="[bold]y[/bold] [/]")})
    assert bar.startswith("[red]x[/red] ")
    assert words == "  [bold]y[/bold] [/]"


def test_live_lines_fit_eighty_columns_with_all_their_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream = io.StringIO()
    report = live.LiveReporter(stream)
    with report:
        report.show("AAPL 1d", cast("ProgressState", LOADING))
        report.show(
            "training",
            cast("ProgressState", replace(TRAINING, estimated_remaining=timedelta(seconds=75))),
        )
        report.tick()
        shown = stream.getvalue()
        report.say("cancelling…")
        report.end("AAPL 1d", "cancelled")
    for words in ("0:03 left", "Loading AAPL 1d data (full mode) [3/7]", "1,760 bars, 890/s"):
        assert words in shown
    for words in ("1:15 left", "epoch 12/60 (80/141)", "loss 0.981, val 42.1 %"):
        assert words in shown
    assert "cancelling…" in stream.getvalue()
    assert "cancelled" in stream.getvalue()
