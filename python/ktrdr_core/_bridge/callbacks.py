"""Functions that others give us to call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _bridge
from ..errors import InvalidArgumentError
from .texts import shown

if TYPE_CHECKING:
    from collections.abc import Callable


def refuse_coroutine(callback: object) -> None:
    """Raise for what cannot be called as a plain function.

    Raises
    ------
    InvalidArgumentError
        For a coroutine function, and for what is no function.
    """
    import inspect

    if inspect.iscoroutinefunction(callback):
        raise InvalidArgumentError(
            f"callback {callback!r} is a coroutine function: use `async for state in operation.events()` instead"
        )
    if not callable(callback):
        raise InvalidArgumentError(f"callback must be a function, not {callback!r}")


def guarded(
    callback: Callable[[Any], object],
    view: Callable[[Any], Any] | None = None,
    *,
    what: str = "progress callback",
) -> Callable[[Any], None]:
    """Report a callback that raises once, and do not call it again; the work goes on. ``view`` makes what it gets.

    ``SystemExit`` passes, as it does everywhere, and so does a Ctrl-C that came while the callback ran, which is not the
    callback's fault.
    """
    broken: list[bool] = []

    def call(value: Any) -> None:
        if broken:
            return
        try:
            callback(value if view is None else view(value))
        except KeyboardInterrupt:
            raise
        except SystemExit:
            broken.append(True)
            raise
        except BaseException as error:  # noqa: BLE001 - what a user's callback raises is unknown
            broken.append(True)
            # What a person knows by name, not what is put around it.
            known = getattr(callback, "__wrapped__", callback)
            _bridge.report(f"{what} {shown(known)} raised and is switched off", error)

    return call
