"""The asynchronous core of KTRDR: load market data, train neuro-fuzzy models on it.

Importing this package starts no thread, reads no file and loads neither numpy nor torch. Its names are loaded at first
use, so that the command line owns its signals before anything takes time.
"""

from __future__ import annotations

from importlib import import_module

# Not typing's own: importing that takes longer than all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from . import errors
    from ._core import CancelReason, ProgressState, timeframes
    from .adapter import AsyncHostService, AsyncServiceAdapter, HostServiceConfig, ServiceCall
    from .bars import Bars
    from .cancellation import CancellationSystem, CancellationToken
    from .data import BarSource, DataManager, IbDataAdapter
    from .errors import KtrdrError
    from .http import Client
    from .notebook import show
    from .operations import Operation, OperationsService
    from .orchestrator import OperationContext, ServiceOrchestrator, current_operation
    from .progress import GenericProgressManager, ProgressRenderer
    from .sweeps import sweep, walk_forward
    from .training import TrainingManager

__version__ = "0.1.0"

__all__ = [
    "AsyncHostService",
    "AsyncServiceAdapter",
    "BarSource",
    "Bars",
    "CancelReason",
    "CancellationSystem",
    "CancellationToken",
    "Client",
    "DataManager",
    "GenericProgressManager",
    "HostServiceConfig",
    "IbDataAdapter",
    "KtrdrError",
    "Operation",
    "OperationContext",
    "OperationsService",
    "ProgressRenderer",
    "ProgressState",
    "ServiceCall",
    "ServiceOrchestrator",
    "TrainingManager",
    "__version__",
    "current_operation",
    "errors",
    "show",
    "sweep",
    "timeframes",
    "walk_forward",
]

_HOMES = {
    "AsyncHostService": "adapter",
    "AsyncServiceAdapter": "adapter",
    "BarSource": "data",
    "Bars": "bars",
    "CancelReason": "_core",
    "CancellationSystem": "cancellation",
    "CancellationToken": "cancellation",
    "Client": "http",
    "DataManager": "data",
    "GenericProgressManager": "progress",
    "HostServiceConfig": "adapter",
    "IbDataAdapter": "data",
    "KtrdrError": "errors",
    "Operation": "operations",
    "OperationContext": "orchestrator",
    "OperationsService": "operations",
    "ProgressRenderer": "progress",
    "ProgressState": "_core",
    "ServiceCall": "adapter",
    "ServiceOrchestrator": "orchestrator",
    "TrainingManager": "training",
    "current_operation": "orchestrator",
    "show": "notebook",
    "sweep": "sweeps",
    "timeframes": "_core",
    "walk_forward": "sweeps",
}


# Not for type checkers, which would then take any name for one of ours.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "errors":
            return import_module(".errors", __name__)
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
