"""When a market trades, which bars should exist, and when the period of each ends."""

from .calendar import Session, SessionCalendar, calendar_names, get_calendar
from .grid import BarGrid, Period
from .instants import Instant
from .resampling import Resampled, resample

__all__ = [
    "BarGrid",
    "Instant",
    "Period",
    "Resampled",
    "Session",
    "SessionCalendar",
    "calendar_names",
    "get_calendar",
    "resample",
]
