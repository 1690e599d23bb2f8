"""Progress in words and lines, without any work behind it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from ktrdr_core.cli import terminal

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
    assert terminal.line_text("x", cast("ProgressState", given)) == line


def test_plain_lines_are_one_a_step_and_at_most_one_a_second_within_it() -> None:
    now = [100.0]
    stream = io.StringIO()
    report = terminal.PlainReporter(stream, clock=lambda: now[0])
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
    assert isinstance(terminal.reporter("auto", io.StringIO()), terminal.PlainReporter)
    stream = io.StringIO()
    terminal.reporter("none", stream).show("x", cast("ProgressState", LOADING))
    assert stream.getvalue() == ""


def test_live_lines_fit_eighty_columns_with_all_their_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream = io.StringIO()
    report = terminal.LiveReporter(stream)
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
    for words in ("0:03 left", "loading segments 3/7", "1,760 bars, 890/s"):
        assert words in shown
    for words in ("1:15 left", "epoch 12/60 (80/141)", "loss 0.981, val 42.1 %"):
        assert words in shown
    assert "cancelling…" in stream.getvalue()
    assert "cancelled" in stream.getvalue()
