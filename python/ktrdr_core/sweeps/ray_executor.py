"""Ray as an executor: its tasks by the interface that a sweep, and others, know."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from .._extras import require
from ..errors import ClientClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class RayExecutor(Executor):
    """Hands calls to Ray, on this machine; leaving it shuts down what it started of Ray.

    Where ``ray.init`` was called before, it uses that; else it starts Ray here. A call whose worker dies is not tried
    again by itself. A sweep's workers reach it over a socket of this machine, so they cannot be on another one.

    Parameters
    ----------
    num_cpus : int, optional
        How many calls run at once, where Ray is started here; by default one a core.

    Raises
    ------
    FeatureNotAvailableError
        When Ray is not installed: ``pip install ktrdr-core[ray]``.
    """

    def __init__(self, num_cpus: int | None = None) -> None:
        require("RayExecutor", "ray")
        self._ray: Any = import_module("ray")
        self._is_ours = not self._ray.is_initialized()
        self._closed = False
        if self._is_ours:
            self._ray.init(num_cpus=num_cpus, include_dashboard=False, log_to_driver=False)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have Ray make a call; function, arguments and what it answers travel.

        Raises
        ------
        ClientClosedError
            After ``shutdown``.
        """
        if self._closed:
            raise ClientClosedError("this RayExecutor was shut down: make another one")
        task = self._ray.remote(max_retries=0)(fn)
        future: Future[T] = task.remote(*args, **kwargs).future()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and end Ray where it was started here: its calls end with it, waited for or not."""
        self._closed = True
        if self._is_ours:
            self._is_ours = False
            self._ray.shutdown()
