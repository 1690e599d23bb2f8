"""Interactive Brokers by TWS or IB Gateway themselves."""

from .options import GatewayHealth, GatewayOptions
from .source import IbGatewaySource

__all__ = ["GatewayHealth", "GatewayOptions", "IbGatewaySource"]
