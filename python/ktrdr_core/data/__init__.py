"""Market data: what is stored, loads of what is not, and bars of your own."""

from ..dates import Date
from .frames import Frame
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
