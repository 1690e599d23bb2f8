"""Progress of running operations on a terminal, in a log, or as JSON lines."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, TextIO

from .. import _bridge
from .reporters import JsonReporter, PlainReporter, Reporter, SilentReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..operations import Operation

#: What ``--progress`` takes.
KINDS = ("auto", "tty", "plain", "json", "none")
# How long the wait for news is at most, so that an interrupt is seen. Seconds.
_SLICE = 0.05


def reporter(kind: str, stream: TextIO) -> Reporter:
    """Make the reporter of one of ``KINDS``; ``auto`` is live on a terminal that can move its cursor, else plain."""
    if kind == "auto":
        movable = stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
        kind = "tty" if movable else "plain"
    if kind == "tty":
        from .live import LiveReporter

        return LiveReporter(stream)
    if kind == "plain":
        return PlainReporter(stream)
    return JsonReporter(stream) if kind == "json" else SilentReporter(stream)


def follow(
    operations: Mapping[str, Operation[Any]],
    report: Reporter,
    *,
    interrupted: Callable[[], str] = lambda: "",
    grace: float = 1.0,
) -> bool:
    """Show operations until all have ended, by the label each is given.

    Once ``interrupted()`` gives the code of a cancel (user or shutdown) they are cancelled and get ``grace`` seconds. Nothing is raised for an
    operation that fails: ask it for its result.

    Returns
    -------
    bool
        Whether all have ended.
    """
    post = _bridge.ThreadPost()
    running = dict(operations)
    listeners = []
    for label, operation in operations.items():
        key = post.add(_Hearer(label, operation, running, report))
        listeners.append((operation, operation._native.listen(post.mailbox, key, True)))
    deadline: float | None = None
    try:
        while running and (deadline is None or time.monotonic() < deadline):
            post.wait(_SLICE)
            code = interrupted()
            if deadline is None and code:
                deadline = time.monotonic() + grace
                report.say("cancelling…")
                why = "interrupted" if code == "user" else "the process was asked to end"
                for operation in operations.values():
                    operation._native.cancel(why, code)
            report.tick()
    finally:
        for operation, listener in listeners:
            operation._native.unlisten(listener)
    return not running


class _Hearer:
    def __init__(
        self,
        label: str,
        operation: Operation[Any],
        running: dict[str, Operation[Any]],
        report: Reporter,
    ) -> None:
        self._label = label
        self._operation = operation
        self._running = running
        self._report = report

    def __call__(self, kind: str, value: Any) -> None:
        if kind == "progress":
            self._report.show(self._label, value)
        elif kind == "finished" and self._running.pop(self._label, None) is not None:
            self._report.end(self._label, self._operation.status)
