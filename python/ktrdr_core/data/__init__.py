"""Market data: what is stored, loads of what is not, and bars of your own."""

from ..dates import Date
from .frames import Frame
from .manager import BarSource, DataManager, DataProgressRenderer
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
    "DataManager",
    "DataProgressRenderer",
    "Date",
    "Exported",
    "FailedFile",
    "Frame",
    "LoadedMany",
    "Series",
    "Stored",
    "StoredFolder",
    "Summary",
]
