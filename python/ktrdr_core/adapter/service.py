"""JSON calls to a host service over a pool of connections."""

from __future__ import annotations

import inspect
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar

from .. import _bridge, _core
from .._bridge.arguments import checked_environment, described, explained, text_of_hook
from .._bridge.awaited import gives_awaited
from .._bridge.foreign import split_token
from .._core import HostServiceConfig
from ..errors import InvalidArgumentError
from ..http import EventStream
from ..http.auth import Auth, with_auth
from ..http.responses import checked_patience
from .calls import ServiceCall, call_options, options_or_none, row_of, with_query
from .pending import PendingBatch, PendingCall, PendingHealth

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping

    from .._bridge.replies import Pending
    from ..protocols import CancellationToken as AnyToken


@explained
def read_host_service_config(
    prefix: str, *, env: Mapping[str, str] | None = None, defaults: HostServiceConfig | None = None
) -> HostServiceConfig:
    """Read how a host service is reached from the environment.

    Parameters
    ----------
    prefix : str
        ``IB`` for ``IB_HOST_SERVICE_TIMEOUT`` (seconds), ``…_MAX_RETRIES``, ``…_POOL_LIMIT`` and ``…_KEEPALIVE``
        (seconds).
    env : mapping, optional
        Read in place of ``os.environ``.
    defaults : HostServiceConfig, optional
        What holds where a variable is not set; its ``base_url`` stays.

    Raises
    ------
    ConfigurationError
        For a variable that cannot be read, naming variable, value and what is allowed.
    """
    found = checked_environment(env)
    return _core.read_host_service_config(defaults or HostServiceConfig(), prefix, found)


class AsyncServiceAdapter:
    """Calls one host service; base of the adapters of the domains.

    A subclass may give the hooks ``get_service_name``, ``get_service_type``, ``get_base_url`` and
    ``get_health_check_endpoint`` in place of the arguments; each is asked once, when it is made, and the last one by the
    first ``check_health``: it may be async, and may make calls of the adapter's own. It may do without calling ``super().__init__()``: then it is made when it is first used, with a
    ``HostServiceConfig`` that it keeps as ``_config``.

    A call made under an operation (``current_operation()``) is made for it: the operation's cancel stops it, its id
    travels as ``X-Operation-Id`` and stands in errors, and attempts that failed stand in its event log.

    Parameters
    ----------
    service_name : str
        As errors and log records name it.
    config : HostServiceConfig or str
        How it is reached; a string is the base URL, ``http[s]://host[:port][/prefix]``.
    service_type : str
        What kind of work it does: ``data``, ``training``.
    start_hint : str
        How a person gets one, for the error when there is no connection; ``{port}`` in it is the URL's.
    health_endpoint : str
        What ``check_health`` asks.
    headers : mapping, optional
        Sent with every call; they win over the fields that a call puts in, whatever the case of their names.
    auth : (user, password) or Bearer, optional
        Sent with every call as ``Authorization``; no log, error or ``repr`` shows it.

    Raises
    ------
    ConfigurationError
        For a URL or a config that cannot be used, naming field, value and rule.

    Notes
    -----
    Thread safety: every member from any thread; ``await`` on any event loop.

    Examples
    --------
    >>> import asyncio
    >>> from ktrdr_core import AsyncServiceAdapter
    >>> from ktrdr_core.testing import FaultServer, ok
    >>> class Quotes(AsyncServiceAdapter):
    ...     def get_service_name(self):
    ...         return "quotes"
    ...     def get_base_url(self):
    ...         return service.url
    ...     async def last(self, symbol):
    ...         return (await self.call_get("/last", {"symbol": symbol}))["price"]
    >>> async def main():
    ...     async with Quotes() as quotes:
    ...         return await quotes.last("AAPL")
    >>> with FaultServer(ok('{"price": 101.5}')) as service:
    ...     asyncio.run(main())
    101.5
    """

    # What the arguments said. The names _service_name and _config belong to subclasses.
    _given_name = ""
    _given_type = ""
    _given_health_endpoint = "/health"
    # What its hook has answered.
    _health_endpoint = ""
    _given_config = HostServiceConfig()
    _making: ClassVar[Any] = RLock()

    @explained
    def __init__(
        self,
        service_name: str = "",
        config: HostServiceConfig | str = "",
        *,
        service_type: str = "",
        start_hint: str = "",
        health_endpoint: str = "/health",
        headers: Mapping[str, str] | None = None,
        auth: Auth | None = None,
    ) -> None:
        if isinstance(config, str):
            config = HostServiceConfig(base_url=config)
        if not isinstance(config, HostServiceConfig):
            raise InvalidArgumentError(
                f"config must be a HostServiceConfig or a URL, not {described(config)}",
                context={"field": "config"},
            )
        _bridge.start()
        self._given_name = service_name
        self._given_type = service_type
        self._given_health_endpoint = health_endpoint
        self._given_config = config
        name = text_of_hook(self.get_service_name, or_none=True) or type(self).__name__
        self._native = _core.ServiceCalls(
            name,
            text_of_hook(self.get_service_type),
            start_hint or f"is {name} running at that address?",
            self._given_health_endpoint,
            list(with_auth(headers, auth).items()),
            text_of_hook(self.get_base_url),
            config,
        )

    def __getattr__(self, name: str) -> Any:
        """Make what a subclass that does not call ``super().__init__()`` has not made."""
        if name != "_native":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        with AsyncServiceAdapter._making:
            if name not in self.__dict__:
                own = self.__dict__.get("_config")
                given = own if isinstance(own, HostServiceConfig) else ""
                AsyncServiceAdapter.__init__(self, config=given)
            return self.__dict__[name]

    @classmethod
    def over(cls, native: _core.ServiceCalls) -> AsyncServiceAdapter:
        """Make one over the pool by which a manager of the core reaches its host service."""
        adapter = cls.__new__(cls)
        adapter._given_name, adapter._given_type = native.name, native.type
        adapter._given_health_endpoint = native.health_endpoint
        adapter._given_config = native.config
        adapter._native = native
        return adapter

    # ---- hooks

    def get_service_name(self) -> str:
        """Name the service for errors and log records."""
        return self._given_name

    def get_service_type(self) -> str:
        """Say what kind of work the service does."""
        return self._given_type

    def get_base_url(self) -> str:
        """Give ``http[s]://host[:port][/prefix]``."""
        return self._given_config.base_url

    def get_health_check_endpoint(self) -> str | Awaitable[str]:
        """Give the endpoint that ``check_health`` asks."""
        return self._given_health_endpoint

    # ---- calls

    @gives_awaited
    def call_get(
        self,
        endpoint: str,
        params: Mapping[str, Any] | None = None,
        *,
        cancellation_token: AnyToken | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        urgent: bool = False,
    ) -> Pending[Any]:
        """Make a ``GET endpoint`` whose answer is decoded from JSON: ``await`` it, or wait with ``.result()``.

        An integer beyond 64 bits comes as a float.

        Parameters
        ----------
        endpoint : str
            A path below the service's URL, beginning with ``/``.
        params : mapping, optional
            Put behind the endpoint as its query, encoded; a list is one pair for each of its values.
        cancellation_token : CancellationToken or anything like one, optional
            Stops the call; in place of the running operation's own.
        timeout : float, optional
            Seconds for the whole call, all attempts together; never more than the config's.
        deadline : float, optional
            The moment of ``time.monotonic()`` by which it must be over.
        urgent : bool
            Goes before others that wait for a connection: for calls that stop work.

        Raises
        ------
        HostServiceError
            What went wrong; see the tree in ``ktrdr_core.errors``. ``__cause__`` is the service's own error where it
            sent a record of it.
        OperationCancelledError
            When the token was cancelled.
        """
        options, foreign = options_or_none(cancellation_token, timeout, deadline, False, "", urgent)
        url = with_query(endpoint, params)
        return PendingCall(self._native, url, None, options, foreign)

    @gives_awaited
    def call_post(
        self,
        endpoint: str,
        data: Any = None,
        *,
        cancellation_token: AnyToken | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        idempotent: bool = False,
        idempotency_key: str = "",
        urgent: bool = False,
    ) -> Pending[Any]:
        """Make a ``POST endpoint`` with ``data`` as JSON, ``{}`` without; as ``call_get`` in all else.

        Parameters
        ----------
        endpoint : str
            See ``call_get``.
        data : optional
            Any plain value.
        cancellation_token, timeout, deadline, urgent : optional
            See ``call_get``.
        idempotent : bool
            Twice is as good as once: it may be sent again after a failure that leaves it open whether it was carried out.
        idempotency_key : str
            Sent as ``Idempotency-Key``: the service knows by it that a call came twice, so it may be sent again.

        Raises
        ------
        HostServiceError
            See ``call_get``.
        """
        options, foreign = options_or_none(
            cancellation_token, timeout, deadline, idempotent, idempotency_key, urgent
        )
        data = {} if data is None else data
        return PendingCall(self._native, endpoint, data, options, foreign)

    @gives_awaited
    @explained
    def call_batch(
        self,
        calls: Iterable[ServiceCall],
        *,
        return_exceptions: bool = False,
        cancellation_token: AnyToken | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
    ) -> Pending[list[Any]]:
        """Make many calls with one crossing, as many at a time as there are connections.

        Answers come back in parts while others are under way, so that a large batch does not hold the event loop up.

        Parameters
        ----------
        calls : iterable of ServiceCall
            What to call.
        return_exceptions : bool
            Put the error of a call that failed in its place of the list. Without it the first failure stops the others
            and is raised.
        cancellation_token : CancellationToken or anything like one, optional
            Stops the batch.
        timeout, deadline : float, optional
            Of the whole batch; see ``call_get``. Each call has the config's timeout besides.

        Returns
        -------
        Pending of list
            The answers in the order of the calls.

        Raises
        ------
        HostServiceError
            The first failure, unless ``return_exceptions``.
        """
        rows = [row_of(call) for call in calls]
        token, foreign = split_token(cancellation_token)
        options = call_options(token, timeout, deadline)
        return PendingBatch(self._native, rows, options, foreign, return_exceptions)

    @explained
    def events(
        self,
        endpoint: str,
        params: Mapping[str, Any] | None = None,
        *,
        last_event_id: str = "",
        reconnect_for: float | None = None,
        cancellation_token: AnyToken | None = None,
    ) -> EventStream:
        """Follow the server-sent events of an endpoint; it goes on by itself where the connection breaks.

        Parameters
        ----------
        endpoint, params
            See ``call_get``.
        last_event_id : str
            Go on after this event.
        reconnect_for : float, optional
            Seconds that the service may stay away once its events have begun: refused, broken off, 502 to 504.
            ``math.inf`` for as long as it takes. Without it until the deadline of the operation that it is made under,
            where it has one; else as ``max_retries`` says.
        cancellation_token : CancellationToken or anything like one, optional
            Ends it with ``OperationCancelledError``.
        """
        token, foreign = split_token(cancellation_token)
        options = call_options(token)
        return EventStream(
            self._native.events(
                with_query(endpoint, params),
                last_event_id,
                options,
                checked_patience(reconnect_for),
            ),
            foreign,
        )

    @gives_awaited
    @explained
    def check_health(
        self,
        timeout: float = 5.0,
        cache_ttl: float = 5.0,
        *,
        cancellation_token: AnyToken | None = None,
    ) -> Pending[dict[str, Any]]:
        """Ask the service how it is, before calls that wait for a connection.

        Parameters
        ----------
        timeout : float
            Seconds that an answer may take.
        cache_ttl : float
            An answer younger than these seconds is given again; 0 asks anew.
        cancellation_token : CancellationToken or anything like one, optional
            Stops it.

        Returns
        -------
        Pending of dict
            ``healthy``, ``detail`` (what the service says of itself), ``error`` (``{"code", "message"}`` of one that
            did not answer, else None), ``checked_at`` (UTC), ``response_time_ms`` and ``cached``. A service that does
            not answer is not healthy; it is no exception.

        Raises
        ------
        InvalidArgumentError
            For a timeout that is not more than 0, or a negative ``cache_ttl``; where ``get_health_check_endpoint`` gives
            no text.
        OperationTimeoutError
            Where ``get_health_check_endpoint`` takes longer than ``timeout``.
        """
        if not timeout > 0 or not cache_ttl >= 0:
            raise InvalidArgumentError(
                f"timeout must be more than 0 seconds and cache_ttl at least 0, not {timeout!r} and {cache_ttl!r}"
            )
        token, foreign = split_token(cancellation_token)
        options = call_options(token)
        return PendingHealth(
            self._native, self._find_health_endpoint, timeout, cache_ttl, options, token, foreign
        )

    async def _find_health_endpoint(self) -> str:
        if not self._health_endpoint:
            said = self.get_health_check_endpoint()
            endpoint = await said if inspect.isawaitable(said) else said
            if not isinstance(endpoint, str):
                raise InvalidArgumentError(
                    f"get_health_check_endpoint of {type(self).__name__} must give str, not {described(endpoint)}",
                    context={"field": "health_endpoint"},
                )
            self._health_endpoint = endpoint
        return self._health_endpoint

    # ---- what it is and what it has done

    @property
    def config(self) -> HostServiceConfig:
        """How the service is reached, with which limits."""
        return self._native.config

    def pool_stats(self) -> dict[str, int]:
        """Count connections and requests."""
        return self._native.stats()

    def get_statistics(self) -> dict[str, Any]:
        """Sum up what was done since it was made: who the service is, requests, failures, retries, connections."""
        metrics = self._native.metrics()
        return {
            "service_name": self.get_service_name(),
            "service_type": self.get_service_type(),
            "base_url": self._native.url,
            "failures": sum(metrics["http.client.errors"].values()),
            "retries": sum(metrics["retry.attempts"].values()),
            **self._native.stats(),
        }

    def get_detailed_metrics(self) -> dict[str, Any]:
        """Give times and reasons, by OpenTelemetry's names where there are such.

        Returns
        -------
        dict
            ``http.client.request.duration`` and ``pool.wait_time``: count, sum, p50, p90, p99 and max in seconds.
            ``http.client.open_connections`` by state, ``http.client.responses`` by class of status,
            ``http.client.errors`` by code, ``pool.pending_requests``, ``pool.connections_created``,
            ``pool.connections_closed`` by reason, ``pool.dials_failed``, ``retry.attempts`` by what went wrong before.
        """
        return self._native.metrics()

    def close(self) -> None:
        """Close the idle connections and refuse further calls; those in flight end by themselves."""
        self._native.close()

    async def __aenter__(self) -> AsyncServiceAdapter:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __enter__(self) -> AsyncServiceAdapter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        stats = self.pool_stats()
        return (
            f"<{type(self).__name__} {self.get_service_name()} at {self._native.url}: {stats['idle']} idle, "
            f"{stats['active']} active, {stats['waiting']} waiting, {stats['requests']} requests>"
        )

    #: The names of older documents.
    call_host_service_get = call_get
    call_host_service_post = call_post


#: The name of older documents.
AsyncHostService = AsyncServiceAdapter
