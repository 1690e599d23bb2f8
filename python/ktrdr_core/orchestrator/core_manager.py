"""What the managers share whose work the core does: it knows their names too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .service import ServiceOrchestrator

if TYPE_CHECKING:
    from .. import _core
    from ..adapter import AsyncServiceAdapter


class CoreManager(ServiceOrchestrator):
    """A manager with a native one behind it, which reaches the host service: ``adapter`` is a face of that."""

    _native: _core.DataManager | _core.TrainingManager

    def _initialize_adapter(self) -> AsyncServiceAdapter | None:
        native = self._native.service
        if native is None:
            return None
        from ..adapter import AsyncServiceAdapter

        return AsyncServiceAdapter.over(native)

    def _made_adapter(self) -> AsyncServiceAdapter | None:
        adapter: AsyncServiceAdapter | None = self.adapter
        return adapter

    def _get_service_name(self) -> str:
        return self._native.service_names[0]

    def _get_default_host_url(self) -> str:
        return self._native.service_names[1]

    def _get_env_var_prefix(self) -> str:
        return self._native.service_names[2]
