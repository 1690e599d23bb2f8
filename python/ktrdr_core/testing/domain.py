"""A domain for tests, and for measurements."""

from __future__ import annotations

from ..orchestrator import ServiceOrchestrator


class Domain(ServiceOrchestrator):
    """A domain with nothing but its names; what is run under it, each test brings along.

    Examples
    --------
    >>> from ktrdr_core.testing import Domain
    >>> async def work() -> int:
    ...     return 42
    >>> Domain().run_sync_operation("ANSWER", "answer", work)
    42
    """

    def _get_service_name(self) -> str:
        return "Domain"

    def _get_env_var_prefix(self) -> str:
        return "DOMAIN"
