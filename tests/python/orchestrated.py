"""Domains as a user writes them, for tests of the orchestrator."""

from __future__ import annotations

import asyncio
from typing import Any

from ktrdr_core.orchestrator import ServiceOrchestrator


class Domain(ServiceOrchestrator):
    """As a user writes one: the hooks, no ``super().__init__()``."""

    def __init__(self, **env: str) -> None:
        self._env = env

    def _initialize_adapter(self) -> Any:
        return object()

    def _get_service_name(self) -> str:
        return "Domain"

    def _get_default_host_url(self) -> str:
        return "http://localhost:5009"

    def _get_env_var_prefix(self) -> str:
        return "DOMAIN"


async def sleep_for_ever() -> None:
    await asyncio.Event().wait()
