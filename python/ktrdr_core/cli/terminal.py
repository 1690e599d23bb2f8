"""Progress of running operations on a terminal, in a log, or as JSON lines."""

from __future__ import annotations

import json
import math
import os
import time
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from .. import _bridge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from .._core import ProgressState
    from ..operations import Operation

#: What ``--progress`` takes.
KINDS = ("auto", "tty", "plain", "json", "none")
# A plain line is repeated within its step this often. Seconds.
_REPEAT = 1.0
# After so many plain lines the log is long enough: one in so many seconds will do.
_MANY = 30
_SELDOM = 5.0
# How long the wait for news is at most, so that an interrupt is seen. Seconds.
_SLICE = 0.05


class Reporter(Protocol):
    """Shows several operations, each under its label. Confined to one thread."""

    def __enter__(self) -> Reporter: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, label: str, state: ProgressState) -> None:
        """Take a new state."""

    def end(self, label: str, status: str) -> None:
        """Take the end of an operation."""

    def tick(self) -> None:
        """Redraw what is due."""

    def say(self, text: str) -> None:
        """Print a line beside the progress."""


def reporter(kind: str, stream: TextIO) -> Reporter:
    """Make the reporter of one of ``KINDS``; ``auto`` is live on a terminal that can move its cursor, else plain."""
    if kind == "auto":
        movable = stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
        kind = "tty" if movable else "plain"
    if kind == "tty":
        from .live import LiveReporter

        return LiveReporter(stream)
    if kind == "plain":
        return PlainReporter(stream)
    return JsonReporter(stream) if kind == "json" else SilentReporter(stream)


def follow(
    operations: Mapping[str, Operation[Any]],
    report: Reporter,
    *,
    interrupted: Callable[[], str] = lambda: "",
    grace: float = 1.0,
) -> bool:
    """Show operations until all have ended, by the label each is given.

    Once ``interrupted()`` gives the code of a cancel (user or shutdown) they are cancelled and get ``grace`` seconds. Nothing is raised for an
    operation that fails: ask it for its result.

    Returns
    -------
    bool
        Whether all have ended.
    """
    post = _bridge.ThreadPost()
    running = dict(operations)
    listeners = []
    for label, operation in operations.items():
        key = post.add(_Hearer(label, operation, running, report))
        listeners.append((operation, operation._native.listen(post.mailbox, key, True)))
    deadline: float | None = None
    try:
        while running and (deadline is None or time.monotonic() < deadline):
            post.wait(_SLICE)
            code = interrupted()
            if deadline is None and code:
                deadline = time.monotonic() + grace
                report.say("cancelling…")
                why = "interrupted" if code == "user" else "the process was asked to end"
                for operation in operations.values():
                    operation._native.cancel(why, code)
            report.tick()
    finally:
        for operation, listener in listeners:
            operation._native.unlisten(listener)
    return not running


class _Hearer:
    def __init__(
        self,
        label: str,
        operation: Operation[Any],
        running: dict[str, Operation[Any]],
        report: Reporter,
    ) -> None:
        self._label = label
        self._operation = operation
        self._running = running
        self._report = report

    def __call__(self, kind: str, value: Any) -> None:
        if kind == "progress":
            self._report.show(self._label, value)
        elif kind == "finished" and self._running.pop(self._label, None) is not None:
            self._report.end(self._label, self._operation.status)


# ---- words


def step_text(state: ProgressState) -> str:
    """Name the step and its unit: ``loading segments 3/7``, ``epoch 12/60 (80/141)`` with the batch."""
    context = state.context
    if "current_epoch" in context and state.step_name == "training":
        batch = f" ({context['current_batch']}/{context['total_batches']})"
        return f"epoch {context['current_epoch']}/{state.step_total}{batch}"
    name = state.step_name.replace("_", " ") or "starting"
    return f"{name} {state.step_current}/{state.step_total}" if state.step_total > 1 else name


def sentence(state: ProgressState) -> str:
    """Give what the operation says of itself; the step's name where it says nothing."""
    return state.message or step_text(state)


def figures_text(state: ProgressState) -> str:
    """Give the figures: ``loss 0.981, val 42.1 %`` of a training, else ``1,760 bars, 890/s`` or ``12 items``."""
    metrics = state.context.get("metrics")
    if isinstance(metrics, dict):
        return _metrics_text(metrics) if state.step_name == "training" else ""
    if "model_type" in state.context or state.items_processed <= 0:
        return ""
    unit = "bars" if "bars_processed" in state.context else "items"
    rate = f", {state.rate:,.0f}/s" if state.rate > 0 and state.step_total > 1 else ""
    return f"{state.items_processed:,} {unit}{rate}"


def _metrics_text(metrics: Mapping[str, Any]) -> str:
    loss, accuracy = (_number(metrics.get(name)) for name in ("train_loss", "val_accuracy"))
    parts = []
    if loss is not None:
        parts.append(f"loss {loss:.3f}")
    if accuracy is not None:
        parts.append(f"val {100 * accuracy:.1f} %")
    return ", ".join(parts)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def left_text(state: ProgressState) -> str:
    """Give the time left: ``0:12 left``; empty while it is unknown."""
    if state.estimated_remaining is None:
        return ""
    seconds = round(state.estimated_remaining.total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return f"{clock} left"


def line_text(label: str, state: ProgressState) -> str:
    """Say all of it in one plain line: of named steps their name and unit, else the operation's sentence."""
    words = step_text(state) if state.step_name else sentence(state)
    parts = (words, figures_text(state), left_text(state))
    return f"{label}: {' · '.join(part for part in parts if part)} ({state.percentage:.0f} %)"


# ---- reporters


class BaseReporter:
    """Shows nothing but what it is told to say."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def show(self, label: str, state: ProgressState) -> None:
        pass

    def end(self, label: str, status: str) -> None:
        pass

    def tick(self) -> None:
        pass

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class SilentReporter(BaseReporter):
    """Shows no progress."""


class JsonReporter(BaseReporter):
    """One JSON object a line for each state."""

    def show(self, label: str, state: ProgressState) -> None:
        self.say(json.dumps({"label": label, **_plain(state)}))

    def end(self, label: str, status: str) -> None:
        self.say(json.dumps({"label": label, "status": status}))


def _plain(state: ProgressState) -> dict[str, Any]:
    left = state.estimated_remaining
    return {
        "operation_id": state.operation_id,
        "sequence": state.sequence,
        "percentage": state.percentage,
        "message": state.message,
        "current_step": state.current_step,
        "total_steps": state.total_steps,
        "step_name": state.step_name,
        "step_current": state.step_current,
        "step_total": state.step_total,
        "items_processed": state.items_processed,
        "total_items": state.total_items,
        "rate": state.rate,
        "start_time": state.start_time.isoformat(),
        "estimated_remaining": None if left is None else left.total_seconds(),
        "context": state.context,
    }


class PlainReporter(BaseReporter):
    """A line for each step, and in a long step one a second; once there are many lines, one in five seconds."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._last: dict[str, tuple[str, float]] = {}
        self._printed = 0
        self._when = clock()

    def show(self, label: str, state: ProgressState) -> None:
        now = self._clock()
        step = state.step_name or state.message
        before, when = self._last.get(label, ("", now))
        if not step or (before == step and now - when < _REPEAT):
            return
        if self._printed >= _MANY and now - self._when < _SELDOM:
            return
        self._last[label] = (step, now)
        self._printed, self._when = self._printed + 1, now
        self.say(line_text(label, state))

    def end(self, label: str, status: str) -> None:
        self.say(f"{label}: {status}")
