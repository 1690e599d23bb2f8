"""A sweep's runs: what each has come to, and what the sweep says of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import KtrdrError

if TYPE_CHECKING:
    from .. import _core
    from ..strategies import Strategy


@dataclass
class Run:
    """One of a sweep's trainings."""

    number: int
    settings: dict[str, Any]
    strategy: Strategy
    #: Dates of its own, in place of the sweep's.
    dates: dict[str, str]
    operation: _core.Operation | None = None
    #: Why it could not begin.
    refused: KtrdrError | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.refused is not None or (self.operation is not None and self.operation.done)

    @property
    def failed(self) -> bool:
        """Whether it ended without a result."""
        if self.operation is None:
            return self.refused is not None
        return self.operation.done and self.operation.status != "completed"

    def row(self) -> dict[str, Any]:
        """Give what the table says of it."""
        row: dict[str, Any] = {
            "run": self.number,
            "settings": self.settings,
            "operation_id": None if self.operation is None else self.operation.id,
            "status": "not_started",
            "error": None,
            "metrics": {},
            "model_path": None,
        }
        if self.operation is None:
            if self.refused is not None:
                row |= {"status": "failed", "error": told(self.refused)}
            return row
        row["status"] = self.operation.status
        try:
            result = self.operation.result()
        except KtrdrError as error:
            row["error"] = told(error)
        else:
            row |= {"metrics": _metrics(result), "model_path": result["artifacts"]["model_path"]}
        return row


def told(error: KtrdrError) -> dict[str, str]:
    """Give what a row says of an error."""
    return {"code": error.code, "message": str(error)}


def _metrics(result: dict[str, Any]) -> dict[str, Any]:
    training = result["training_metrics"]
    return {
        "val_accuracy": result["validation_metrics"]["val_accuracy"],
        "val_loss": result["validation_metrics"]["val_loss"],
        "train_accuracy": training["final_train_accuracy"],
        "train_loss": training["final_train_loss"],
        "epochs": training["epochs_completed"],
        "best_epoch": training["best_epoch"],
        "test_accuracy": result["test_metrics"]["test_accuracy"],
        "test_loss": result["test_metrics"]["test_loss"],
        "class_prior": result["baselines"]["class_prior"],
    }


def sentence(runs: list[Run]) -> str:
    """Say how many runs have ended, and where the others are."""
    ended = sum(run.ended for run in runs)
    at_work = [run for run in runs if run.operation is not None and not run.ended]
    parts = [f"{ended} of {len(runs)} runs have ended"]
    for run in at_work[:4]:
        state = run.operation.progress() if run.operation is not None else None
        if state is not None:
            parts.append(f"run {run.number}: {state.percentage:.0f} %")
    if len(at_work) > 4:
        parts.append(f"and {len(at_work) - 4} more")
    return ", ".join(parts)
