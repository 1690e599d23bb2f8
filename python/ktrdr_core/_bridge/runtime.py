"""Starts the native runtime and ends it before the interpreter does."""

from __future__ import annotations

import atexit
import os
from collections import deque
from typing import TYPE_CHECKING

from .. import _bridge, _core

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

# How long the interpreter's exit waits for native threads. Seconds.
_EXIT_LIMIT = 2.0

#: What log records carry beside Python's own attributes: the operation that was worked for, or nothing.
OPERATION_ID = "ktrdr_operation_id"

# Taken from the core and not handed over yet: (level, room, message, operation_id).
_records: deque[tuple[int, str, str, str]] = deque()
# Where handing over has failed: file and line.
_failed: set[tuple[str, int]] = set()

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
    """Hand the native side's log records to ``logging.getLogger("ktrdr_core.<room>")``.

    A handler that raises, or its filter, loses this record and stays where its owner put it: the others have the record,
    and it has the next one. What a logger's filter or a record factory raises costs everybody the record. Each is told
    once; Ctrl-C and ``SystemExit`` pass, and the other records come with the next call.
    """
    rows = _core.take_logs()
    if rows:
        _records.extend(rows)
    while _records:
        try:
            row = _records.popleft()
        except IndexError:  # another thread has had it
            return
        try:
            _forward(*row)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - what somebody's logging raises is unknown
            _tell_once(error)


def _forward(level: int, room: str, message: str, operation_id: str) -> None:
    import logging

    logger = logging.getLogger(f"ktrdr_core.{room}")
    if logger.isEnabledFor(level):
        # Not by `extra`: that raises where a record factory has given the record an attribute of the same name.
        record = logger.makeRecord(
            logger.name, level, __file__, 0, "%s: %s", (room, message), None, "forward_logs"
        )
        record.__dict__[OPERATION_ID] = operation_id
        try:
            logger.handle(record)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - what a handler raises is unknown
            _tell_once(error)
            _hand_to_the_rest(logger, record, error)


def _hand_to_the_rest(
    logger: logging.Logger, record: logging.LogRecord, error: BaseException
) -> None:
    """Go on behind the handler that raised: logging itself stops there."""
    handlers = list(_handlers_of(logger))
    failed = _handler_that_raised(error)
    rest = handlers[handlers.index(failed) + 1 :] if failed in handlers else []
    for handler in rest:
        if record.levelno < handler.level:
            continue
        try:
            handler.handle(record)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as further:  # noqa: BLE001 - as above
            _tell_once(further)


def _handlers_of(logger: logging.Logger) -> Iterator[logging.Handler]:
    """Give those that a record of this logger goes to, in logging's order."""
    above: logging.Logger | None = logger
    while above is not None:
        yield from above.handlers
        above = above.parent if above.propagate else None


def _handler_that_raised(error: BaseException) -> logging.Handler | None:
    """Find the handler that logging was at; None where it was at none yet."""
    import logging
    import traceback

    for frame, _ in traceback.walk_tb(error.__traceback__):
        # So `Logger.callHandlers` names it.
        handler = frame.f_locals.get("hdlr")
        if isinstance(handler, logging.Handler):
            return handler
    return None


def _tell_once(error: BaseException) -> None:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ("", 0) if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    if place not in _failed:
        _failed.add(place)
        _bridge.report("a log record was lost: a handler, filter or record factory raised", error)


def _forked() -> None:
    global orphaned
    orphaned = _started


def _stop() -> None:
    _core.shutdown(_EXIT_LIMIT)
    forward_logs()


os.register_at_fork(after_in_child=_forked)
