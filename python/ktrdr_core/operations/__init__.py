"""Long pieces of work: their handles, their records, and the service that looks them up, follows and cancels them."""

from .._core import OperationEvent, OperationRecord
from .context import OperationContext, current_operation
from .handle import Operation, ProgressCallback
from .service import MetricsPage, OperationPage, OperationsService, OperationStarter, Retention

__all__ = [
    "MetricsPage",
    "Operation",
    "OperationContext",
    "OperationEvent",
    "OperationPage",
    "OperationRecord",
    "OperationStarter",
    "OperationsService",
    "ProgressCallback",
    "Retention",
    "current_operation",
]
