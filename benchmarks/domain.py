"""The domain whose work the benchmarks measure."""

from __future__ import annotations

from ktrdr_core import ServiceOrchestrator


class Domain(ServiceOrchestrator):
    """Nothing but its names."""

    def _get_service_name(self) -> str:
        return "Bench"

    def _get_env_var_prefix(self) -> str:
        return "BENCH"
