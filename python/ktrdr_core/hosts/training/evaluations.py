"""Saved models judged for clients: which model is meant, on what, and which figures are asked for."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ... import _core
from ...errors import InvalidArgumentError, NotFoundError
from .sessions import Busy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ...operations import Operation
    from ...training import TrainingManager
    from .contract import EvaluateRequest

_USED = ("symbols", "timeframes", "start_date", "end_date", "what_to_show", "session")
# What clients may ask for, and where it stands.
_FIGURES = {
    "accuracy": ("test_metrics", "test_accuracy"),
    "loss": ("test_metrics", "test_loss"),
    "precision": ("test_metrics", "precision"),
    "recall": ("test_metrics", "recall"),
    "f1_score": ("test_metrics", "f1_score"),
    "confusion_matrix": ("test_metrics", "confusion_matrix"),
    "class_prior": ("baselines", "class_prior"),
    "beats_prior": ("confidence", "beats_prior"),
    "expected_calibration_error": ("calibration", "expected_calibration_error"),
}


class Evaluations:
    """Judges models of one host, so many at once.

    Thread safety: that of its loop.
    """

    def __init__(self, training: TrainingManager, most: int) -> None:
        self._training, self._most, self._running = training, most, 0

    async def evaluate(
        self, asked: EvaluateRequest, gone: Callable[[], Awaitable[None]]
    ) -> dict[str, Any]:
        """Judge a model, and answer in the contract's words; it stops once ``gone`` ends: the client has left.

        Raises
        ------
        NotFoundError
            For a model that is not here.
        InvalidArgumentError
            For a figure that is none, timeframes that are not the model's, and what it cannot be judged on.
        Busy
            When as many are judged as may be.
        """
        names = _checked_names(asked.metrics)
        if self._running >= self._most:
            raise Busy(f"{self._most} models are judged here, the limit: ask again later")
        self._running += 1
        begun = time.monotonic()
        try:
            model = await asyncio.to_thread(self._find, asked)
            data = asked.data_config
            operation = self._training.evaluate_model(
                model,
                _said(data, "symbols"),
                data.get("start_date"),
                data.get("end_date"),
                what_to_show=data.get("what_to_show"),
                session=data.get("session"),
            )
            watch = asyncio.create_task(_cancel_once(gone, operation))
            try:
                judged = await operation
            finally:
                watch.cancel()
        finally:
            self._running -= 1
        notes = [f"{name} is not used" for name in data if name not in _USED]
        return {
            "evaluation_id": operation.id,
            "results": {name: judged[_FIGURES[name][0]][_FIGURES[name][1]] for name in names},
            "gpu_used": False,
            "evaluation_time_seconds": time.monotonic() - begun,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "message": "; ".join([judged["confidence"]["verdict"], *judged["warnings"], *notes]),
            "evaluation": judged,
        }

    def _find(self, asked: EvaluateRequest) -> Path:
        """Find the folder among those that are here: no path of a client's is opened."""
        # From the root, as the results of sessions name their models.
        models = self._training.models_dir
        for folder in _core.list_model_folders(models):
            known = (str(folder), folder.relative_to(models).as_posix())
            if asked.model_path.rstrip("/") in known:
                self._check_timeframes(folder, _said(asked.data_config, "timeframes"))
                return folder
        raise NotFoundError(
            f"there is no model {asked.model_path!r} here: give model_path as a session's result has it"
        )

    @staticmethod
    def _check_timeframes(folder: Path, timeframes: object) -> None:
        from ...models import ModelInfo

        own = ModelInfo.read(folder).timeframes
        if timeframes is not None and (
            not isinstance(timeframes, list) or sorted(map(str, timeframes)) != sorted(own)
        ):
            raise InvalidArgumentError(
                f"data_config.timeframes is {timeframes!r}, and the model needs {list(own)}: leave it out",
                context={"field": "timeframes"},
            )


async def _cancel_once(gone: Callable[[], Awaitable[None]], operation: Operation[Any]) -> None:
    await gone()
    operation.cancel("its client has gone")


def _said(data: dict[str, Any], name: str) -> Any:
    """Give what is said; an empty list says nothing, as when a session is begun."""
    given = data.get(name)
    return None if given == [] else given


def _checked_names(metrics: list[str]) -> list[str]:
    for name in metrics:
        if name not in _FIGURES:
            raise InvalidArgumentError(
                f"there is no figure {name!r}: metrics may have {', '.join(_FIGURES)}",
                context={"field": "metrics"},
            )
    return metrics or list(_FIGURES)
