"""Long pieces of work: their handles, their records, and the service that looks them up, follows and cancels them."""

from .._core import OperationEvent, OperationRecord
from .context import OperationContext, OperationScope, current_operation
from .estimates import TimeEstimationEngine
from .handle import Operation, ProgressCallback
from .service import (
    MetricsPage,
    OperationPage,
    OperationsService,
    OperationStarter,
    Retention,
    StoreCheck,
    StoreDamage,
)

__all__ = [
    "MetricsPage",
    "Operation",
    "OperationContext",
    "OperationEvent",
    "OperationPage",
    "OperationRecord",
    "OperationScope",
    "OperationStarter",
    "OperationsService",
    "ProgressCallback",
    "Retention",
    "StoreCheck",
    "StoreDamage",
    "TimeEstimationEngine",
    "current_operation",
]
