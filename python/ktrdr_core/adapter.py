"""JSON calls to a host service over a pool of connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from . import _bridge, _core
from .errors import from_record

if TYPE_CHECKING:
    from types import TracebackType

_Send = Callable[[_core.Mailbox, int], _core.CancellationToken]


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
        return await self._call(lambda box, key: self._native.get(endpoint, box, key))

    async def call_post(self, endpoint: str, data: Mapping[str, Any]) -> Any:
        """Send ``POST endpoint`` with ``data`` as JSON and decode the JSON answer.

        Raises
        ------
        HostServiceError
            What went wrong; see the tree in ``ktrdr_core.errors``.
        """
        return await self._call(lambda box, key: self._native.post(endpoint, data, box, key))

    async def _call(self, send: _Send) -> Any:
        post = _bridge.loop_post()
        answer = post.loop.create_future()

        def hear(_: str, value: Any) -> None:
            if not answer.done():
                answer.set_result(value)

        key = post.add(hear)
        token = send(post.mailbox, key)
        try:
            succeeded, value = await answer
        except BaseException:
            # The task was cancelled: the socket is closed, and nobody waits for the answer.
            token.cancel("the task that awaited it was cancelled")
            raise
        finally:
            post.remove(key)
        if succeeded:
            return value
        raise from_record(*value)

    def pool_stats(self) -> dict[str, int]:
        """Count connections and requests."""
        return self._native.stats()

    def close(self) -> None:
        """Close the idle connections and refuse further calls."""
        self._native.close()

    async def __aenter__(self) -> AsyncServiceAdapter:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
