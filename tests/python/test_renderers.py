"""Renderers of users that raise, change what they were given or return something else: told once, and the work goes on."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from ktrdr_core import ProgressState
from ktrdr_core.orchestrator import current_operation
from ktrdr_core.progress import GenericProgressManager, ProgressRenderer
from ktrdr_core.testing import Domain

if TYPE_CHECKING:
    from collections.abc import Callable


class Base(BaseException):
    pass


def fails(state: ProgressState) -> Any:
    raise ValueError(f"no words for {state.percentage}")


def is_cancelled(state: ProgressState) -> Any:
    raise asyncio.CancelledError


def exits(state: ProgressState) -> Any:
    raise SystemExit(3)


def raises_low(state: ProgressState) -> Any:
    raise Base


def recurses(state: ProgressState) -> Any:
    return recurses(state)


def changes_context(state: ProgressState) -> Any:
    state.context["more"] = 1
    return state


def changes_deep(state: ProgressState) -> Any:
    state.context["inner"]["more"] = 1
    return state


def changes_field(state: ProgressState) -> Any:
    state.message = "mine"  # type: ignore[misc]
    return state


def changes_by_force(state: ProgressState) -> Any:
    object.__setattr__(state, "percentage", 100.0)
    return state


def clears(state: ProgressState) -> Any:
    state.context.clear()
    return state.replace(percentage=1.0)


ENHANCERS: list[Any] = [
    *(fails, is_cancelled, exits, raises_low, recurses),
    *(changes_context, changes_deep, changes_field, changes_by_force, clears),
    *(lambda _: None, lambda _: "text", lambda _: {"message": "x"}, lambda _: ProgressState),
]
SPEAKERS: list[Any] = [
    *(fails, is_cancelled, exits, raises_low, recurses),
    *(lambda state: changes_context(state) and "x", lambda state: changes_deep(state) and "x"),
    *(lambda _: None, lambda _: 5, lambda _: b"bytes", lambda state: state),
]


def renderer(enhance: Any, speak: Any) -> ProgressRenderer:
    class Odd(ProgressRenderer):
        def enhance_state(self, state: ProgressState) -> Any:
            return enhance(state) if state.current_step == 2 else state

        def render_message(self, state: ProgressState) -> Any:
            return speak(state) if state.current_step == 2 else f"said {state.current_step}"

    return Odd()


def kinds() -> list[ProgressRenderer]:
    enhancers = [renderer(enhance, lambda _: "x") for enhance in ENHANCERS]
    return enhancers + [renderer(lambda state: state, speak) for speak in SPEAKERS]


@pytest.mark.parametrize("number", range(len(ENHANCERS) + len(SPEAKERS)))
def test_progress_by_calls_goes_on_with_the_last_sentence(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    odd = kinds()[number]
    seen: list[ProgressState] = []

    def work() -> None:
        for name in ("one", "two"):
            manager = GenericProgressManager(seen.append, odd)
            manager.start_operation(name, 3, context={"inner": {}})
            for step in (1, 2, 2, 3):
                manager.update_progress(step)
            assert manager.current_state is not None
        done.append(True)

    done: list[bool] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert done
    assert [state.message for state in seen] == [
        "said 0",
        "said 1",
        "said 1",
        "said 1",
        "said 3",
    ] * 2
    assert [state.current_step for state in seen[:5]] == [0, 1, 2, 2, 3]
    assert all(state.context == {"inner": {}} for state in seen)
    assert all(type(state) is ProgressState for state in seen)
    told = [r for r in caplog.records if "the last sentence stays" in r.getMessage()]
    assert len(told) == 1
    assert told[0].exc_info


@pytest.mark.parametrize("number", range(len(ENHANCERS) + len(SPEAKERS)))
def test_an_operation_goes_on_with_the_last_sentence(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    domain = Domain()
    domain.progress_renderer = kinds()[number]
    told: list[dict[str, Any]] = []

    async def work() -> str:
        here = current_operation()
        assert here is not None
        operation = domain.start_operation("child", "child", child)
        return await operation

    async def child() -> str:
        for step in (1, 2, 2, 3):
            domain.update_operation_progress(step)
            await asyncio.sleep(0.12)
        return "done"

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        operation = domain.start_operation(
            "W", "w", child, total_steps=3, context={"inner": {}}, progress_callback=seen.append
        )
        followed = [state.message async for state in operation.events()]
        assert await operation == "done"
        assert "said 3" in followed
        assert "said 1" in followed
        assert set(followed) <= {"said 0", "said 1", "said 3"}

    seen: list[ProgressState] = []
    asyncio.run(main())
    assert seen[-1].message == "said 3"
    assert len([context for context in told if "last sentence stays" in context["message"]]) == 1
    assert not caplog.records or all("callback" not in r.getMessage() for r in caplog.records)


def test_a_renderer_that_never_spoke_leaves_the_cores_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Slotted:
        __slots__ = ()

        def __repr__(self) -> str:
            raise RuntimeError("nameless")

        def __hash__(self) -> int:
            raise RuntimeError("no key")

        def enhance_state(self, state: ProgressState) -> ProgressState:
            raise RuntimeError("never")

        render_message = enhance_state

    seen: list[ProgressState] = []
    manager = GenericProgressManager(seen.append, Slotted())  # type: ignore[arg-type]
    manager.start_operation("w", 2)
    manager.update_progress(1, "Reading")
    assert [state.message for state in seen] == ["Working", "Reading [1/2]"]
    assert "Slotted" in caplog.text


def test_a_renderer_may_read_its_state_as_it_likes(caplog: pytest.LogCaptureFixture) -> None:
    class Reader(ProgressRenderer):
        def enhance_state(self, state: ProgressState) -> ProgressState:
            assert isinstance(state, ProgressState)
            assert state.context is state.context
            mine = dict(state.context)
            mine["double"] = 2 * state.current_step
            return dataclasses.replace(state, context=mine)

        def render_message(self, state: ProgressState) -> str:
            return f"caf\udce9 {state.context['double']} {state.replace(message='x').message}"

    seen: list[ProgressState] = []
    manager = GenericProgressManager(seen.append, Reader())
    with caplog.at_level(logging.WARNING):
        manager.start_operation("w", 2, context={"a": 1})
        manager.update_progress(2)
    assert seen[-1].message == "caf\\udce9 4 x"
    assert seen[-1].context == {"a": 1, "double": 4}
    assert type(seen[-1]) is ProgressState
    assert not caplog.records


def test_ctrl_c_in_a_renderer_is_ctrl_c() -> None:
    def interrupted(state: ProgressState) -> Any:
        raise KeyboardInterrupt

    class Interrupted(ProgressRenderer):
        render_message: Callable[..., Any] = lambda _, state: interrupted(state)

    manager = GenericProgressManager(lambda _: None, Interrupted())
    with pytest.raises(KeyboardInterrupt):
        manager.start_operation("w", 2)
