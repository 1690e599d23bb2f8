"""Market data: what is stored, loads of what is not, sources to load from, and bars of your own."""

from ..dates import Date
from .frames import Frame
from .manager import DataManager, DataProgressRenderer
from .own_sources import CsvSource, ReplaySource
from .source_calls import SourceCalls
from .sources import BarSource, DroppedRow, SourceAnswer, SourceLimits
from .stored import (
    Exported,
    FailedFile,
    LoadedMany,
    Series,
    Stored,
    StoredFolder,
    Summary,
)

__all__ = [
    "BarSource",
    "CsvSource",
    "DataManager",
    "DataProgressRenderer",
    "Date",
    "DroppedRow",
    "Exported",
    "FailedFile",
    "Frame",
    "LoadedMany",
    "ReplaySource",
    "Series",
    "SourceAnswer",
    "SourceCalls",
    "SourceLimits",
    "Stored",
    "StoredFolder",
    "Summary",
]
