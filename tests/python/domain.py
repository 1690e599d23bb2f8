"""A domain as a user writes one, with nothing but its names."""

from __future__ import annotations

from ktrdr_core import ServiceOrchestrator


class Domain(ServiceOrchestrator):
    """What is run under it, each test brings along."""

    def _get_service_name(self) -> str:
        return "Domain"

    def _get_env_var_prefix(self) -> str:
        return "DOMAIN"
