"""Market data: what is stored, and loads of what is not."""

from .dates import Date
from .manager import BarSource, DataManager, DataProgressRenderer

__all__ = ["BarSource", "DataManager", "DataProgressRenderer", "Date"]
