"""JSON calls to a host service over a pool of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from . import _bridge, _core
from ._replies import reply

if TYPE_CHECKING:
    from collections.abc import Mapping


class AsyncServiceAdapter:
    """Calls one host service; base of the adapters of the domains.

    Parameters
    ----------
    service_name : str
        As errors and log records shall name it.
    base_url : str
        ``http://host:port``, with a path in front of every endpoint if the service has one.
    pool_size : int
        Most connections at once; further calls wait their turn.

    Raises
    ------
    ConfigurationError
        For a URL that cannot be used.
    """

    def __init__(self, service_name: str, base_url: str, *, pool_size: int = 20) -> None:
        _bridge.start()
        self._native = _core.ServiceCalls(service_name, base_url, pool_size)

    async def call_get(self, endpoint: str, params: Mapping[str, Any] | None = None) -> Any:
        """Send ``GET endpoint`` and decode the JSON answer.

        Raises
        ------
        HostServiceError
            What went wrong; see the tree in ``ktrdr_core.errors``.
        """
        if params:
            endpoint = f"{endpoint}?{urlencode(params)}"
        return await reply(lambda box, key: self._native.get(endpoint, box, key))

    async def call_post(self, endpoint: str, data: Mapping[str, Any]) -> Any:
        """Send ``POST endpoint`` with ``data`` as JSON and decode the JSON answer.

        Raises
        ------
        HostServiceError
            What went wrong; see the tree in ``ktrdr_core.errors``.
        """
        return await reply(lambda box, key: self._native.post(endpoint, data, box, key))

    def pool_stats(self) -> dict[str, int]:
        """Count connections and requests."""
        return self._native.stats()

    def close(self) -> None:
        """Close the idle connections and refuse further calls."""
        self._native.close()

    async def __aenter__(self) -> AsyncServiceAdapter:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
