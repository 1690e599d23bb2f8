"""What a progress state comes to in words and figures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._core import ProgressState


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
