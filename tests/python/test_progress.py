"""Progress states, renderers and the manager by calls."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktrdr_core import ProgressState, errors
from ktrdr_core.data import DataProgressRenderer
from ktrdr_core.progress import GenericProgressManager, GenericProgressState, ProgressRenderer
from ktrdr_core.training import TrainingProgressRenderer

if TYPE_CHECKING:
    from collections.abc import Callable


def manager_and_states(**options: Any) -> tuple[GenericProgressManager, list[ProgressState]]:
    seen: list[ProgressState] = []
    return GenericProgressManager(seen.append, **options), seen


# ---- states


def test_a_state_is_made_of_its_fields_and_never_changes() -> None:
    began = datetime(2026, 1, 2, tzinfo=UTC)
    state = ProgressState(
        operation_id="op_1",
        percentage=40.0,
        current_step=2,
        total_steps=5,
        start_time=began,
        estimated_remaining=timedelta(seconds=3),
        context={"symbol": "AAPL", "n": [1, None]},
    )
    assert (state.operation_id, state.percentage, state.start_time) == ("op_1", 40.0, began)
    assert state.estimated_remaining == timedelta(seconds=3)
    assert state.context == {"symbol": "AAPL", "n": [1, None]}
    with pytest.raises(AttributeError):
        state.percentage = 50.0  # type: ignore[misc]
    state.context["symbol"] = "MSFT"
    assert state.context["symbol"] == "AAPL"
    later = state.replace(percentage=50.0)
    assert (later.percentage, later.operation_id, state.percentage) == (50.0, "op_1", 40.0)
    assert later.replace(percentage=40.0) == state
    assert later != state
    assert state != "op_1"
    assert GenericProgressState is ProgressState


def test_a_state_has_epoch_and_batch_and_nought_for_unknown() -> None:
    assert ProgressState().epoch == ProgressState().total_batches == 0
    state = ProgressState(epoch=2, total_epochs=50, batch=17, total_batches=500)
    assert (state.epoch, state.total_epochs, state.batch, state.total_batches) == (2, 50, 17, 500)
    with pytest.raises(AttributeError):
        state.epoch = 3  # type: ignore[misc]
    assert state.replace(epoch=3) != state


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"percent": 4}, 'no field "percent"'),
        ({"percentage": "much"}, "percentage of a ProgressState cannot be 'much'"),
        ({"percentage": 101}, "between 0 and 100"),
        ({"percentage": float("nan")}, "between 0 and 100"),
        ({"start_time": datetime(2026, 1, 1)}, "start_time"),
        ({"context": [1]}, "context"),
    ],
)
def test_a_field_that_cannot_be_is_named(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=words):
        ProgressState(**fields)


# ---- renderers


def test_the_domains_renderers_say_their_sentences() -> None:
    data = ProgressState(
        step_name="loading segments",
        step_current=3,
        step_total=5,
        context={"symbol": "AAPL", "timeframe": "1h", "mode": "backfill"},
    )
    assert (
        DataProgressRenderer().render_message(data) == "Loading AAPL 1h data (backfill mode) [3/5]"
    )
    assert DataProgressRenderer().enhance_state(data).context["total_segments"] == 5
    training = ProgressState(
        step_name="training",
        context={
            "model_type": "mlp",
            "symbols": ["AAPL", "MSFT"],
            "timeframes": ["1h"],
            "current_epoch": 15,
            "total_epochs": 50,
            "current_batch": 342,
            "total_batches": 500,
        },
    )
    assert "AAPL" in TrainingProgressRenderer().render_message(training)
    assert TrainingProgressRenderer().enhance_state(training).batch == 342
    later = training.replace(epoch=16, batch=1)
    assert TrainingProgressRenderer().render_message(later).endswith("[epoch 16/50] (batch 1/500)")
    assert TrainingProgressRenderer().enhance_state(later).context["current_epoch"] == 16


def test_a_renderer_may_be_written_in_python_without_calling_super() -> None:
    class Shouting(ProgressRenderer):
        def __init__(self, mark: str) -> None:
            self.mark = mark

        def enhance_state(self, state: ProgressState) -> ProgressState:
            return state.replace(context={**state.context, "loud": True})

        def render_message(self, state: ProgressState) -> str:
            assert state.context["loud"]
            return super().render_message(state).upper() + self.mark

    manager, seen = manager_and_states(renderer=Shouting("!"))
    manager.start_operation("op", 2)
    manager.update_progress(1, "reading")
    assert seen[-1].message == "READING [1/2]!"
    assert seen[-1].context == {"loud": True}
    assert Shouting("?").render_progress_message(seen[-1]) == "READING [1/2]?"


# ---- the manager


def test_steps_take_their_part_of_the_bar() -> None:
    manager, seen = manager_and_states()
    manager.start_operation("op_7", total_steps=4, context={"symbol": "AAPL"})
    manager.start_step("Reading", 1, expected_items=100)
    manager.update_step_progress(5, 10, items_processed=50, detail="file.csv")
    manager.start_step("Writing", 2, step_percentage=25.0, step_end_percentage=95.0)
    manager.update_step_progress(1, 2)
    manager.complete_operation()
    assert [state.percentage for state in seen] == [0, 0, 12.5, 25, 60, 100]
    reading = seen[2]
    assert reading.operation_id == "op_7"
    assert (reading.current_step, reading.total_steps) == (1, 4)
    assert (reading.step_current, reading.step_total) == (5, 10)
    assert (reading.step_start_percentage, reading.step_end_percentage) == (0, 25)
    assert (reading.items_processed, reading.total_items) == (50, 100)
    assert reading.message == "Reading: file.csv [5/10]"
    assert reading.context == {"symbol": "AAPL"}
    assert seen[4].items_processed == 50
    assert seen[-1].estimated_remaining == timedelta(0)
    assert reading.start_time.tzinfo is not None


def test_what_is_left_out_keeps_its_value() -> None:
    manager, seen = manager_and_states()
    manager.start_operation("op", 10, {"a": 1})
    manager.update_progress(1, "Working hard", 7, {"b": 2})
    manager.update_progress(2)
    assert (seen[-1].message, seen[-1].items_processed) == ("Working hard [2/10]", 7)
    assert seen[-1].context == {"a": 1, "b": 2}


def test_a_total_of_nought_is_unknown() -> None:
    manager, seen = manager_and_states()
    manager.start_operation("op", 0)
    manager.update_progress(3)
    manager.start_step("s", 1)
    manager.update_step_progress(5, 0)
    assert {state.percentage for state in seen} == {0}
    manager.complete_operation()
    assert seen[-1].percentage == 100


def test_no_callback_is_as_good_as_one() -> None:
    manager = GenericProgressManager(None, None)
    assert manager.current_state is None
    manager.start_operation("op", 1)
    manager.update_progress(1)
    manager.complete_operation()
    assert manager.current_state is not None
    assert manager.current_state.percentage == 100


def test_after_the_end_nothing_is_told() -> None:
    manager, seen = manager_and_states()
    manager.start_operation("op", 2)
    manager.complete_operation()
    told = len(seen)
    manager.update_progress(1)
    manager.complete_operation()
    assert len(seen) == told
    manager.start_operation("op_2", 2)
    assert seen[-1].percentage == 0


def test_a_callback_that_raises_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[ProgressState] = []

    def broken(state: ProgressState) -> None:
        calls.append(state)
        raise ValueError("no")

    manager = GenericProgressManager(broken)
    with caplog.at_level(logging.ERROR, logger="ktrdr_core"):
        manager.start_operation("op", 5)
        for step in range(5):
            manager.update_progress(step)
    assert len(calls) == 1
    assert len(caplog.records) == 1


def test_a_callback_may_call_the_manager() -> None:
    seen: list[float] = []

    def callback(state: ProgressState) -> None:
        seen.append(state.percentage)
        if state.current_step == 1:
            manager.update_progress(2)

    manager = GenericProgressManager(callback)
    manager.start_operation("op", 4)
    manager.update_progress(1)
    assert seen == [0, 25, 50]


def test_a_subclass_may_forget_to_call_super() -> None:
    class Forgetful(GenericProgressManager):
        def __init__(self) -> None:
            self.mine = 1

    manager = Forgetful()
    assert manager.current_state is None
    manager.start_operation("op", 2)
    manager.update_progress(1)
    assert manager.current_state is not None
    assert manager.current_state.percentage == 50
    with pytest.raises(AttributeError, match="theirs"):
        _ = manager.theirs


async def _coroutine(_: ProgressState) -> None: ...


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.update_progress(-1), "step must be at least 0"),
        (lambda m: m.update_progress("1"), "step must be an int"),
        (lambda m: m.update_progress(True), "step must be an int"),
        (lambda m: m.update_step_progress(1, -2), "total must be at least 0"),
        (lambda m: m.update_step_progress(1, 2, items_processed=-3), "items_processed"),
        (lambda m: m.start_step("s", -1), "step_number"),
        (lambda m: m.start_step("s", 1, step_percentage=120), "step_percentage"),
        (lambda m: m.start_operation("op", -5), "total_steps"),
        (lambda m: m.start_operation("op", 5, 7), "context"),
        (lambda m: m.update_progress(1, context=object()), "context"),
        (lambda m: GenericProgressManager(_coroutine), "coroutine function"),
        (lambda m: GenericProgressManager(cast("Any", 3)), "callback must be a function"),
    ],
)
def test_bad_input_is_named(call: Callable[[Any], object], words: str) -> None:
    manager = GenericProgressManager()
    manager.start_operation("op", 3)
    with pytest.raises(errors.InvalidArgumentError, match=words):
        call(manager)


def test_an_update_before_the_operation_says_what_to_call() -> None:
    with pytest.raises(errors.ConflictError, match="start_operation"):
        GenericProgressManager().update_progress(1)


def test_a_hundred_threads_may_update_at_once() -> None:
    seen: list[ProgressState] = []
    lock = threading.Lock()

    def callback(state: ProgressState) -> None:
        with lock:
            seen.append(state)

    manager = GenericProgressManager(callback)
    manager.start_operation("op", 100)
    barrier = threading.Barrier(100)

    def update(number: int) -> None:
        barrier.wait()
        for _ in range(10):
            manager.update_progress(number, f"thread {number}")

    threads = [threading.Thread(target=update, args=(number,)) for number in range(1, 101)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    manager.complete_operation()
    assert len(seen) == 1 + 1000 + 1
    in_order = sorted(seen, key=lambda state: state.sequence)
    assert len({state.sequence for state in seen}) == len(seen)
    percentages = [state.percentage for state in in_order]
    assert percentages == sorted(percentages)
    assert percentages[-1] == 100


@given(
    total=st.integers(0, 6),
    calls=st.lists(
        st.one_of(
            st.tuples(st.just("update_progress"), st.integers(0, 9)),
            st.tuples(st.just("update_step_progress"), st.integers(0, 9), st.integers(0, 9)),
            st.tuples(st.just("start_step"), st.just("s"), st.integers(0, 9)),
            st.tuples(st.just("complete_operation")),
        ),
        max_size=30,
    ),
)
def test_the_percentage_never_goes_back(total: int, calls: list[tuple[Any, ...]]) -> None:
    manager, seen = manager_and_states()
    manager.start_operation("op", total)
    for name, *arguments in calls:
        getattr(manager, name)(*arguments)
    percentages = [state.percentage for state in seen]
    assert percentages == sorted(percentages)
    assert all(0 <= percentage <= 100 for percentage in percentages)
    assert [state.sequence for state in seen] == sorted({state.sequence for state in seen})
