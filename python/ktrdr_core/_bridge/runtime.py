"""Starts the native runtime and ends it before the interpreter does."""

from __future__ import annotations

import atexit
import os

from .. import _core

# How long the interpreter's exit waits for native threads. Seconds.
_EXIT_LIMIT = 2.0

_started = False
#: This process is a fork of one where the runtime had started.
orphaned = False


def start() -> None:
    """Start the native runtime, once, and have it end before the interpreter does."""
    import logging

    global _started
    _core.start(logging.getLogger("ktrdr_core").getEffectiveLevel())
    if not _started:
        _started = True
        atexit.register(_stop)


def ensure_started() -> None:
    """``start`` for calls that are made often: the log level is taken at the first."""
    if not _started:
        start()


def forward_logs() -> None:
    """Hand the native side's log records to ``logging.getLogger("ktrdr_core.<room>")``."""
    rows = _core.take_logs()
    if not rows:
        return
    import logging

    for level, room, message, operation_id in rows:
        logging.getLogger(f"ktrdr_core.{room}").log(
            level, "%s: %s", room, message, extra={"operation_id": operation_id}
        )


def _forked() -> None:
    global orphaned
    orphaned = _started


def _stop() -> None:
    _core.shutdown(_EXIT_LIMIT)
    forward_logs()


os.register_at_fork(after_in_child=_forked)
