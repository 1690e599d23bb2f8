"""Where a service's work is done, here or by a host service, as its arguments and the environment say."""

from __future__ import annotations

import asyncio
import inspect
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.arguments import checked_environment, explained, text_of_hook
from .._bridge.texts import said
from ..errors import InvalidArgumentError, KtrdrError, OperationCancelledError

if TYPE_CHECKING:
    from collections.abc import Mapping


class RoutedService:
    """What a service knows of its host service: four hooks, the configuration and its health."""

    _use_host_service: bool | None = None
    _host_service_url: str | None = None
    _env: Mapping[str, str] | None = None

    def __init__(
        self,
        *,
        use_host_service: bool | None = None,
        host_service_url: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._use_host_service = use_host_service
        self._host_service_url = host_service_url
        self._env = env

    # ---- hooks

    def _initialize_adapter(self) -> Any:
        """Make what calls the host service, None where the work is done here; called at the first use of ``adapter``.

        Closing the service calls its ``close()``, where it has a plain one.
        """
        used, url = self._resolved_route()
        if not used:
            return None
        from ..adapter import AsyncServiceAdapter, HostServiceConfig, read_host_service_config

        config = read_host_service_config(
            self._get_env_var_prefix(),
            env=self._given_environment(),
            defaults=HostServiceConfig(base_url=url),
        )
        return AsyncServiceAdapter(self._get_service_name(), config)

    def _get_service_name(self) -> str:
        """Name the domain for a person."""
        raise NotImplementedError(f"{type(self).__name__} must define _get_service_name()")

    def _get_default_host_url(self) -> str:
        """Give the host service's URL where none is set; empty for none."""
        return ""

    def _get_env_var_prefix(self) -> str:
        """Give ``IB`` for ``USE_IB_HOST_SERVICE`` and ``IB_HOST_SERVICE_URL``."""
        raise NotImplementedError(f"{type(self).__name__} must define _get_env_var_prefix()")

    # ---- configuration

    @cached_property
    def adapter(self) -> Any:
        """What ``_initialize_adapter`` made."""
        return self._initialize_adapter()

    def _made_adapter(self) -> Any:
        """Give ``adapter`` without making one."""
        return vars(self).get("adapter")

    def _release_resources(self) -> None:
        close = getattr(self._made_adapter(), "close", None)
        if close is not None and not inspect.iscoroutinefunction(close):
            close()

    def is_using_host_service(self) -> bool:
        """Say whether the work is done by a host service: argument before environment before "no".

        A URL says yes, be it an argument or a variable; a false ``USE_<PREFIX>_HOST_SERVICE`` switches the variable off.

        Raises
        ------
        ConfigurationError
            For a variable that cannot be read, naming it.
        """
        return self._resolved_route()[0]

    def get_host_service_url(self) -> str | None:
        """Give the host service's URL; None when the work is done here.

        Raises
        ------
        ConfigurationError
            For a variable that cannot be read, and for a URL that is missing, naming both ways to give it.
        """
        return self._resolved_route()[1] or None

    def get_configuration_info(self) -> dict[str, Any]:
        """Describe how the service is configured, errors and all.

        Returns
        -------
        dict
            ``service``, ``use_host_service``, ``host_service_url``, ``default_host_url``, ``environment`` (the variables
            of the choice), ``error`` and ``connection``: ``timeout``, ``max_retries``, ``max_connections`` and
            ``idle_timeout`` of ``adapter``, None while there is none.
        """
        problem = self._routing_problem()
        used, url = (None, None) if problem else self._resolved_route()
        prefix = self._get_env_var_prefix()
        env = self._given_environment()
        names = [f"USE_{prefix}_HOST_SERVICE", f"{prefix}_HOST_SERVICE_URL"]
        return {
            "service": self._get_service_name(),
            "use_host_service": used,
            "host_service_url": url or None,
            "default_host_url": self._get_default_host_url(),
            "environment": {name: env.get(name) for name in names},
            "error": problem,
            "connection": self._connection_limits(),
        }

    def _connection_limits(self) -> dict[str, Any] | None:
        config = getattr(self._made_adapter(), "config", None)
        if not isinstance(config, _core.HostServiceConfig):
            return None
        return {
            "timeout": config.timeout,
            "max_retries": config.max_retries,
            "max_connections": config.max_connections,
            "idle_timeout": config.idle_timeout,
        }

    def validate_configuration(self) -> dict[str, Any]:
        """Check the configuration without raising: ``{"valid": bool, "issues": [str]}``."""
        problem = self._routing_problem()
        return {"valid": problem is None, "issues": [] if problem is None else [problem]}

    async def health_check(self, timeout: float = 5.0) -> dict[str, Any]:
        """Say whether the service can work now.

        Parameters
        ----------
        timeout : float
            Seconds that an answer of the host service may take.

        Returns
        -------
        dict
            ``status`` (healthy or unhealthy), ``service``, ``mode`` (local or host_service), ``host_service_url``,
            ``details`` of the adapter and ``error``, each None where there is none.
        """
        if not isinstance(timeout, int | float) or not timeout > 0:
            raise InvalidArgumentError(f"timeout must be more than 0 seconds, not {timeout!r}")
        health: dict[str, Any] = {
            "service": type(self).__name__,
            "status": "unhealthy",
            "mode": None,
            "host_service_url": None,
            "details": None,
            "error": None,
        }
        try:
            health["service"] = text_of_hook(self._get_service_name)
            used, url = self._resolved_route()
            health["mode"] = "host_service" if used else "local"
            health["host_service_url"] = url or None
            async with asyncio.timeout(timeout):
                health["details"] = details = await self._adapter_health(used)
            if isinstance(details, dict) and details.get("healthy") is False:
                health["error"] = (details.get("error") or {}).get("message", "it says so itself")
            else:
                health["status"] = "healthy"
        except OperationCancelledError:
            raise
        except TimeoutError:
            health["error"] = f"no answer within {timeout} s"
        except Exception as error:  # noqa: BLE001 - what an adapter raises is unknown
            health["error"] = said(error)
        return health

    async def _adapter_health(self, used: bool) -> Any:
        adapter = self.adapter
        check = getattr(adapter, "check_health", None)
        if check is not None:
            found = check()
            return await found if inspect.isawaitable(found) else found
        if not used:
            return None
        get = getattr(adapter, "call_get", None)
        if get is None:
            raise NotImplementedError(
                f"{type(adapter).__name__} has neither check_health() nor call_get()"
            )
        return await get("/health")

    def _given_environment(self) -> dict[str, str]:
        return checked_environment(self._env)

    def _resolved_route(self) -> tuple[bool, str]:
        return resolved(
            text_of_hook(self._get_service_name),
            text_of_hook(self._get_default_host_url),
            text_of_hook(self._get_env_var_prefix),
            self._use_host_service,
            self._host_service_url,
            self._given_environment(),
        )

    def _routing_problem(self) -> str | None:
        try:
            self._resolved_route()
        except KtrdrError as error:
            return str(error)
        return None


@explained
def resolved(
    service: str,
    default_host_url: str,
    env_var_prefix: str,
    use_host_service: bool | None,
    host_service_url: str | None,
    env: Mapping[str, str],
) -> tuple[bool, str]:
    """Say whether a host service does the work, and at which URL; see ``is_using_host_service``."""
    return _core.resolve_route(
        service, default_host_url, env_var_prefix, use_host_service, host_service_url, dict(env)
    )
