"""Reports of trainings, at the name by which notebooks know them."""

from .training.html_report import html_report, save_html_report
from .training.report import (
    draw_accuracy,
    draw_calibration,
    draw_confusion,
    draw_loss,
    draw_report,
    save_report,
    training_lines,
)

__all__ = [
    "draw_accuracy",
    "draw_calibration",
    "draw_confusion",
    "draw_loss",
    "draw_report",
    "html_report",
    "save_html_report",
    "save_report",
    "training_lines",
]
