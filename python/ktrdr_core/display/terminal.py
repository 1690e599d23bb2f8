"""Progress of running operations on a terminal, in a log, or as JSON lines."""

from __future__ import annotations

import io
import os
import time
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from .. import _bridge
from .lasting import Lasting
from .reporters import JsonReporter, PlainReporter, Reporter, SilentReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .. import _core

# How long the wait for news is at most, so that an interrupt is seen. Seconds.
_SLICE = 0.05


class Followed(Protocol):
    """What an ``Operation`` has that is followed here."""

    _native: _core.Operation

    @property
    def status(self) -> str:
        """Its state, in a word."""

    def _view(self, state: _core.ProgressState) -> _core.ProgressState:
        """Give the state in the words of its domain."""


def reporter(kind: str, stream: TextIO | None) -> Reporter:
    """Make the reporter of one of ``KINDS``; ``auto`` is live on a terminal that can move its cursor, else plain.

    What the stream does not take is not shown, and no error; None, of a process without one, shows nothing.
    """
    if stream is None:
        # To print into None is to print on standard output.
        return SilentReporter(io.StringIO())
    lasting = cast("TextIO", Lasting(stream))
    if kind == "auto":
        movable = lasting.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
        kind = "tty" if movable else "plain"
    if kind == "tty":
        from .live import LiveReporter

        return LiveReporter(lasting)
    if kind == "plain":
        return PlainReporter(lasting)
    return JsonReporter(lasting) if kind == "json" else SilentReporter(lasting)


def label_of(native: _core.Operation) -> str:
    """Give the name under which an operation is shown where nobody gives one."""
    record = native.record()
    return record.name or record.type.replace("_", " ")


def follow(
    operations: Mapping[str, Followed],
    report: Reporter,
    *,
    interrupted: Callable[[], str] = lambda: "",
    grace: float = 1.0,
) -> bool:
    """Show operations until all have ended, by the label each is given.

    Once ``interrupted()`` gives the code of a cancel (user or shutdown) they are cancelled and get ``grace`` seconds.
    Nothing is raised for an operation that fails: ask it for its result.

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
        self, label: str, operation: Followed, running: dict[str, Followed], report: Reporter
    ) -> None:
        self._label = label
        self._operation = operation
        self._running = running
        self._report = report

    def __call__(self, kind: str, value: Any) -> None:
        if kind == "progress":
            self._report.show(self._label, self._operation._view(value))
        elif kind == "finished" and self._running.pop(self._label, None) is not None:
            self._report.end(self._label, self._operation.status)
