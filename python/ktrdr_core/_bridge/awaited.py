"""What is awaited as often as one likes, and is taken wherever Python takes a coroutine."""

from __future__ import annotations

import inspect
import sys
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from asyncio import Task
    from types import TracebackType

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])


class Awaited(Coroutine[Any, Any, T]):
    """An awaitable that tasks take as they take a coroutine: ``create_task``, ``TaskGroup``, ``asyncio.run``.

    Each task goes through an await of its own, so that several may have the same object.

    Thread safety: that of ``__await__``; each task stays on its own loop.
    """

    # Awaits that tasks are in the middle of. An entry lives from a task's first step to its last.
    _steps: dict[Task[Any] | None, Generator[Any, Any, T]] | None = None
    #: Somebody has awaited it, or has let go of it on purpose.
    _begun = False

    @abstractmethod
    def __await__(self) -> Generator[Any, Any, T]:
        """Begin an await."""

    def send(self, value: Any) -> Any:
        """Go one step on with the await of the task that runs here; for tasks."""
        steps = self._steps
        if steps is None:
            steps = self._steps = {}
        task = _task()
        step = steps.get(task)
        if step is None:
            step = steps[task] = self.__await__()
        try:
            return step.send(value)
        except BaseException:
            steps.pop(task, None)
            # The task holds the error, whose traceback holds this frame.
            del task
            raise

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: BaseException | object = None,
        trace: TracebackType | None = None,
        /,
    ) -> Any:
        """Raise in the await of the task that runs here; for tasks."""
        self._begun = True
        steps = self._steps
        if steps is None:
            steps = self._steps = {}
        task = _task()
        step = steps.get(task)
        if step is None:
            # A task that is cancelled before its first step.
            step = steps[task] = self._before_the_first_step()
        try:
            if value is None and trace is None:
                return step.throw(kind)
            return step.throw(kind, value, trace)  # type: ignore[arg-type]
        except BaseException:
            steps.pop(task, None)
            raise
        finally:
            # The error's own traceback holds this frame.
            del kind, value, task

    def _before_the_first_step(self) -> Generator[Any, Any, T]:
        """Begin the await of a task that is to give up at once: of what begins with its await, nothing has begun."""
        return self.__await__()

    def close(self) -> None:
        """Let go of the awaits that are under way; what is awaited is not asked to stop by this."""
        self._begun = True
        steps, self._steps = self._steps, None
        for step in (steps or {}).values():
            step.close()

    @property
    def __name__(self) -> str:
        """What a task's ``repr`` calls it."""
        return type(self).__qualname__


def _task() -> Task[Any] | None:
    asyncio: Any = sys.modules.get("asyncio")
    try:
        return asyncio.current_task()  # type: ignore[no-any-return]
    except (AttributeError, RuntimeError):  # stepped by hand
        return None


def gives_awaited(function: Function) -> Function:
    """Have a function that answers with an awaitable count as an async one: frameworks run others in a thread."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    from asyncio import coroutines

    function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]
    return function
