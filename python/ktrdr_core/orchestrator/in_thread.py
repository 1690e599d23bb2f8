"""Blocking work under an operation: in a thread of its own, for what it holds up."""

from __future__ import annotations

from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

from ..operations.failure import beginning, on_paper

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import _core


def carry_out_in_thread(native: _core.Operation, work: Callable[[], Any], name: str) -> None:
    """Carry out the work of a new operation, and end it with that; the value is plain JSON.

    Raises
    ------
    RuntimeError
        When no thread can be started; the operation has failed then.
    """
    thread = Thread(target=partial(_carry_out, native, work), name=name, daemon=True)
    with beginning(native):
        thread.start()


def _carry_out(native: _core.Operation, work: Callable[[], Any]) -> None:
    if not native.start():
        native.end()
        return
    failure = None
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001 - whoever holds the operation is told
        failure = on_paper(error)
    # The error is gone, and with it what it kept open.
    if failure is None:
        native.succeed(value)
    else:
        native.fail(*failure)
