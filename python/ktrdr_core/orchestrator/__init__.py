"""Your own service under the core: progress, cancellation, a record and retries for any work written in Python."""

from ..operations import OperationContext, current_operation
from .service import ServiceOrchestrator

__all__ = ["OperationContext", "ServiceOrchestrator", "current_operation"]
