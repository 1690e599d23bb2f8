"""The asynchronous core of KTRDR: load market data, train neuro-fuzzy models on it.

Importing this package starts no thread, reads no file and loads neither numpy nor torch.
"""

from __future__ import annotations

from . import errors
from ._core import CancellationToken, CancelReason, ProgressState, timeframes
from .adapter import AsyncServiceAdapter
from .bars import Bars
from .data import DataManager
from .errors import KtrdrError
from .operation import Operation
from .training import TrainingManager

__version__ = "0.1.0"

__all__ = [
    "AsyncServiceAdapter",
    "Bars",
    "CancelReason",
    "CancellationToken",
    "DataManager",
    "KtrdrError",
    "Operation",
    "ProgressState",
    "TrainingManager",
    "__version__",
    "errors",
    "timeframes",
]
