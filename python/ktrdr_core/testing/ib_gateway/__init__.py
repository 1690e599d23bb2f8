"""A simulated gateway of Interactive Brokers."""

from .contracts import Hours, SimulatedContract
from .faults import Fault
from .gateway import SeenRequest
from .pacing import PacingRules
from .simulator import IbGatewaySimulator

__all__ = [
    "Fault",
    "Hours",
    "IbGatewaySimulator",
    "PacingRules",
    "SeenRequest",
    "SimulatedContract",
]
