"""For the tests of those who use the package.

What every kind of operation, and every source of bars, must do, ready to run against yours; a server that breaks off where
you want; a source of bars without a server; a gateway of Interactive Brokers that is none; a plain domain.
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
from .ib_gateway import (
    Fault,
    Hours,
    IbGatewaySimulator,
    PacingRules,
    SeenRequest,
    SimulatedContract,
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
    "Fault",
    "FaultRequest",
    "FaultServer",
    "Hours",
    "IbGatewaySimulator",
    "OperationKind",
    "OperationSuite",
    "PacingRules",
    "SeenRequest",
    "SimulatedContract",
    "SourceCase",
    "SourceSuite",
    "Step",
    "ok",
    "status",
    "until_running",
]
