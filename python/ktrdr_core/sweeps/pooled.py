"""The windows of a walk forward, judged together: one row for each of the settings that ran on them."""

from __future__ import annotations

import json
from statistics import fmean
from typing import TYPE_CHECKING, Any

from .. import _core
from ..errors import KtrdrError
from .runs import told
from .windows import DATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .runs import Run


def pooled_rows(runs: list[Run]) -> list[dict[str, Any]]:
    """Judge what the tests of all windows say together; empty for a sweep without windows."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        if "test_from" in run.settings:
            groups.setdefault(json.dumps(strategy_settings(run.settings), default=str), []).append(
                run
            )
    return [_pooled(group) for group in groups.values()]


def strategy_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give a run's settings without its dates: those of the strategy."""
    return {key: value for key, value in settings.items() if key not in DATES}


def _pooled(group: list[Run]) -> dict[str, Any]:
    results = [result for run in group if (result := _result(run)) is not None]
    row: dict[str, Any] = {
        "settings": strategy_settings(group[0].settings),
        "windows": len(group),
        "judged": len(results),
        "val_accuracy": None,
        "rows": None,
        "test_accuracy": None,
        "class_prior": None,
        "confidence": None,
        "error": None,
    }
    validated = [result["validation_metrics"]["val_accuracy"] for result in results]
    if validated and None not in validated:
        row["val_accuracy"] = fmean(validated)
    if results:
        try:
            row |= _core.pooled_judgement([_tested(result) for result in results])
        except KtrdrError as error:
            row["error"] = told(error)
    return row


def _result(run: Run) -> dict[str, Any] | None:
    if run.operation is None or run.operation.status != "completed":
        return None
    found: dict[str, Any] = run.operation.result()
    return found


def _tested(result: dict[str, Any]) -> dict[str, Any]:
    walk = result["baselines"]["random_walk"] or {}
    return {
        "test": (result["confidence"] or {}).get("outcomes"),
        "random_walk": walk.get("outcomes"),
    }
