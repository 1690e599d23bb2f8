"""What the managers share whose work the core does: it knows their names too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .service import ServiceOrchestrator

if TYPE_CHECKING:
    from .. import _core


class CoreManager(ServiceOrchestrator):
    """A manager with a native one behind it."""

    _native: _core.DataManager | _core.TrainingManager

    def _get_service_name(self) -> str:
        return self._native.service_names[0]

    def _get_default_host_url(self) -> str:
        return self._native.service_names[1]

    def _get_env_var_prefix(self) -> str:
        return self._native.service_names[2]
