"""Who shows progress: in plain lines, as JSON lines, not at all. ``live.LiveReporter`` draws bars."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from .shown import shown
from .words import line_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._core import ProgressState

# A plain line is repeated within its step this often. Seconds.
_REPEAT = 1.0
# After so many plain lines the log is long enough: one in so many seconds will do.
_MANY = 30
_SELDOM = 5.0


class Reporter(Protocol):
    """Shows several operations, each under its label. Confined to one thread."""

    def __enter__(self) -> Reporter: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, label: str, state: ProgressState) -> None:
        """Take a new state."""

    def end(self, label: str, status: str) -> None:
        """Take the end of an operation."""

    def tick(self) -> None:
        """Redraw what is due."""

    def say(self, text: str) -> None:
        """Print a line beside the progress."""


class BaseReporter:
    """Shows nothing but what it is told to say."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, label: str, state: ProgressState) -> None:
        pass

    def end(self, label: str, status: str) -> None:
        pass

    def tick(self) -> None:
        pass

    def say(self, text: str) -> None:
        self._print(shown(text))

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class SilentReporter(BaseReporter):
    """Shows no progress."""


class JsonReporter(BaseReporter):
    """One JSON object a line for each state."""

    def show(self, label: str, state: ProgressState) -> None:
        self._print(json.dumps({"label": label, **_plain(state)}))

    def end(self, label: str, status: str) -> None:
        self._print(json.dumps({"label": label, "status": status}))


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
