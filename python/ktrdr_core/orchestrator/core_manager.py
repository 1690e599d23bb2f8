"""What the managers share whose work the core does: it knows their names too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..operations import foreign
from ..operations.context import under_current
from .service import ServiceOrchestrator

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import _core
    from ..adapter import AsyncServiceAdapter
    from ..protocols import CancellationToken


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

    def _begin(
        self,
        token: CancellationToken | None,
        start: Callable[[str, _core.CancellationToken | None], _core.Operation],
    ) -> _core.Operation:
        """Begin work of the core: ``start`` is given the operation that it belongs to, or "", and the token as the core's."""
        native_token, watch = foreign.as_token("cancellation_token", token)
        native = under_current(lambda parent: start(parent, native_token))
        try:
            watch(native)
        except BaseException:
            native.cancel("nothing can ask the token that its caller gave", "error")
            raise
        return native

    def _get_service_name(self) -> str:
        return self._native.service_names[0]

    def _get_default_host_url(self) -> str:
        return self._native.service_names[1]

    def _get_env_var_prefix(self) -> str:
        return self._native.service_names[2]
