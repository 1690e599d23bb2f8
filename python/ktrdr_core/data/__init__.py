"""Market data: what is stored, loads of what is not, sources to load from, and bars of your own."""

from ..dates import Date
from .frames import Frame
from .manager import DataManager, DataProgressRenderer
from .own_sources import CsvSource, IbDataAdapter, ReplaySource
from .source_calls import SourceCalls
from .sources import BarSource, Contract, DroppedRow, SourceAnswer, SourceLimits
from .stored import Series, Stored

__all__ = [
    "BarSource",
    "Contract",
    "CsvSource",
    "DataManager",
    "DataProgressRenderer",
    "Date",
    "DroppedRow",
    "Frame",
    "IbDataAdapter",
    "ReplaySource",
    "Series",
    "SourceAnswer",
    "SourceCalls",
    "SourceLimits",
    "Stored",
]
