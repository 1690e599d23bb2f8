"""A sweep's trainings in this process: each an operation of the core, a child of the sweep's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _core
from ..errors import KtrdrError
from ..operations.context import OperationScope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..training import TrainingManager
    from .runs import Run

# How long one wait is, behind which a cancel and progress are looked at. Seconds.
TICK = 0.05


class Here:
    """Trains in this process, so many at once."""

    def __init__(
        self,
        parent: _core.Operation,
        training: TrainingManager,
        asked: Mapping[str, Any],
        at_once: int,
    ) -> None:
        self._scope = OperationScope(parent)
        self._training = training
        self._asked = asked
        self._at_once = at_once
        self._running: list[Run] = []
        #: Runs that follow each other share their rows, too.
        self._kept = _core.KeptRows(training._native)

    @property
    def has_room(self) -> bool:
        """Whether another run may begin now."""
        self._running = [run for run in self._running if not run.ended]
        return len(self._running) < self._at_once

    def begin(self, run: Run) -> None:
        """Begin a run; one that is refused has ended with that."""
        try:
            operation = self._scope.run(
                self._training.train_multi_symbol_strategy,
                run.strategy,
                **{**self._asked, **run.dates},
            )
        except KtrdrError as error:
            run.refused = error
            return
        run.operation = operation._native
        self._running.append(run)

    def wait(self) -> None:
        """Wait a moment for news of the runs."""
        for run in [run for run in self._running if not run.ended][:1]:
            if run.operation is not None:
                run.operation.wait(TICK)

    def close(self) -> None:
        """Let go of what was kept for further runs."""
        self._kept.release()

    def stop(self) -> None:
        """Have all runs stop; their tokens are the sweep's children, so a cancel of that has told them."""
        for run in self._running:
            if run.operation is not None:
                run.operation.cancel("the sweep ends", "parent")
