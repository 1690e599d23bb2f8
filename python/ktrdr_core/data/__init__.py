"""Market data: what is stored, loads of what is not, and bars of your own."""

from ..dates import Date
from .frames import Frame
from .keeping import BarCheck, BarDamage, Change, Compacted
from .manager import BarSource, DataManager, DataProgressRenderer
from .stored import Series, Stored

__all__ = [
    "BarCheck",
    "BarDamage",
    "BarSource",
    "Change",
    "Compacted",
    "DataManager",
    "DataProgressRenderer",
    "Date",
    "Frame",
    "Series",
    "Stored",
]
