"""Calls to host services: JSON over a pool of connections, batches, events, health and metrics."""

from .._core import HostServiceConfig, TlsOptions
from ..http import EventStream
from .calls import ServiceCall
from .service import AsyncHostService, AsyncServiceAdapter, read_host_service_config

__all__ = [
    "AsyncHostService",
    "AsyncServiceAdapter",
    "EventStream",
    "HostServiceConfig",
    "ServiceCall",
    "TlsOptions",
    "read_host_service_config",
]
