"""Whatever happens to an operation in whatever order: its states follow the table, and its end is final."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import soak
from ktrdr_core import CancellationToken, _bridge, _core, errors

# The table of the design, written down once more: what may follow a state that was told.
MAY_FOLLOW = {
    "pending": {"running", "cancelling", "failed", "cancelled", "timed_out"},
    "running": {"cancelling", "completed", "failed", "cancelled", "timed_out"},
    "cancelling": {"cancelled", "timed_out"},
}
TERMINAL = {"completed", "failed", "cancelled", "timed_out"}


class Life(RuleBasedStateMachine):
    """One operation, and all that Python can do to it."""

    @initialize()
    def begin(self) -> None:
        _bridge.start()
        self.parent = CancellationToken()
        self.native, created = _core.create_operation(
            _core.OperationSpec({"type": "life", "name": "A life"}), token=self.parent
        )
        assert created
        self.ended_as = ""
        self.cancel_came_first = False

    @rule()
    def start(self) -> None:
        started = self.native.start()
        assert not (started and self.ended_as)

    @rule(value=strategies.integers(0, 9))
    def succeed(self, value: int) -> None:
        self.native.succeed(value)
        assert self.native.done

    @rule()
    def fail(self) -> None:
        self.native.fail("no_data", "there is none", {})
        assert self.native.done

    @rule()
    def cancel(self) -> None:
        first = self.native.cancel("by chance", "user")
        assert not (first and self.ended_as)
        self._note_cancel()

    @rule()
    def cancel_the_parent(self) -> None:
        self.parent.cancel("from above")
        self._note_cancel()

    def _note_cancel(self) -> None:
        self.cancel_came_first = self.cancel_came_first or not self.ended_as

    @rule(step=strategies.integers(0, 50))
    def report(self, step: int) -> None:
        manager = _core.GenericProgressManager(self.native)
        manager.update_progress(step, None, 0, None)

    @rule()
    def tell(self) -> None:
        self.native.add_metric({"number": 1})
        self.native.add_warning("careful")
        self.native.add_log("a line")

    @precondition(lambda self: self.native.done)
    @rule()
    def look_at_the_result(self) -> None:
        try:
            self.native.result()
            assert self.native.status == "completed"
        except errors.KtrdrError:
            assert self.native.status != "completed"

    @invariant()
    def the_states_follow_the_table(self) -> None:
        events = _core.operation_events(self.native.id, 0, 10_000, None)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        states = [event.data["status"] for event in events if event.kind == "state"]
        assert states[0] == "pending"
        for before, after in pairwise(states):
            assert after in MAY_FOLLOW.get(before, set()), states
        assert (states[-1] in TERMINAL) == self.native.done

    @invariant()
    def the_end_is_final(self) -> None:
        status = self.native.status
        if self.ended_as:
            assert status == self.ended_as
        elif status in TERMINAL:
            self.ended_as = status
            if self.cancel_came_first:
                assert status in {"cancelled", "timed_out"}

    def teardown(self) -> None:
        if hasattr(self, "native"):
            self.native.succeed(None)
            with suppress(errors.KtrdrError):
                self.native.result()  # looked at, so nothing is logged of it


TestLife: Any = Life.TestCase
TestLife.settings = settings(
    max_examples=soak.count(60, 5000),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
