"""For the tests of those who use the package.

What every kind of operation, and every source of bars, must do, ready to run against yours; a server that breaks off where
you want; a source of bars without a server; a plain domain.
"""

from .domain import Domain
from .fake_source import FakeSource
from .fault_server import (
    CLOSE,
    CUT,
    HOLD,
    RESET,
    Action,
    FaultRequest,
    FaultServer,
    Step,
    ok,
    status,
)
from .operation_suite import OperationKind, OperationSuite, until_running
from .source_suite import SourceCase, SourceSuite

__all__ = [
    "CLOSE",
    "CUT",
    "HOLD",
    "RESET",
    "Action",
    "Domain",
    "FakeSource",
    "FaultRequest",
    "FaultServer",
    "OperationKind",
    "OperationSuite",
    "SourceCase",
    "SourceSuite",
    "Step",
    "ok",
    "status",
    "until_running",
]
