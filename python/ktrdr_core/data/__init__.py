"""Market data: what is stored, loads of what is not, and bars of your own."""

from .._frames import Frame
from ..dates import Date
from .manager import BarSource, DataManager, DataProgressRenderer
from .stored import Series, Stored

__all__ = [
    "BarSource",
    "DataManager",
    "DataProgressRenderer",
    "Date",
    "Frame",
    "Series",
    "Stored",
]
