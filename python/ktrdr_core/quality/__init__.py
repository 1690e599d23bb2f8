"""What is to be said about bars: which are missing and why, what is wrong or odd, which clock they were stamped by."""

from .checks import check_quality
from .clock import ClockChange, ClockReport, ClockScore, clock_alignment, undo_clock
from .findings import Finding, QualityReport
from .gaps import Evidence, Gap, GapReport, find_gaps
from .grids import Calendar
from .repairs import Change, Repair, repair

__all__ = [
    "Calendar",
    "Change",
    "ClockChange",
    "ClockReport",
    "ClockScore",
    "Evidence",
    "Finding",
    "Gap",
    "GapReport",
    "QualityReport",
    "Repair",
    "check_quality",
    "clock_alignment",
    "find_gaps",
    "repair",
    "undo_clock",
]
