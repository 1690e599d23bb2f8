"""Market data: what is stored, and loads of what is not."""

from .dates import Date
from .manager import DataManager, DataProgressRenderer

__all__ = ["DataManager", "DataProgressRenderer", "Date"]
