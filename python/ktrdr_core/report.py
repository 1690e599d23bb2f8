"""Reports of trainings, at the name by which notebooks know them."""

from .training.report import (
    draw_accuracy,
    draw_confusion,
    draw_loss,
    draw_report,
    save_report,
    training_lines,
)

__all__ = [
    "draw_accuracy",
    "draw_confusion",
    "draw_loss",
    "draw_report",
    "save_report",
    "training_lines",
]
