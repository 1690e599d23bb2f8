"""What a process says beside its commands: log records, warnings, and what nobody has caught, in lines of one kind."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING

from ..display.shown import shown

if TYPE_CHECKING:
    from types import TracebackType


class ShownFormatter(logging.Formatter):
    """A log line of the command line: ``warning: ktrdr_core.http: …``, a traceback's lines below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        line = f"{record.levelname.lower()}: {record.name}: {record.getMessage().rstrip()}"
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        return "\n".join([shown(line), *_below(trace)])


def _below(trace: str) -> list[str]:
    """Indent the lines of a traceback: a text within it could begin one of them."""
    return [f"  {shown(line)}" for line in trace.split("\n") if line]


class _StandardError(logging.Handler):
    """Writes to what standard error is at the moment: a bar that is being drawn makes room for the line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except Exception:  # noqa: BLE001 - as logging's own handlers do
            self.handleError(record)


def show_everything_else() -> None:
    """Show log records, warnings and what nobody has caught by the same rule: for a process that is a command."""
    handler = _StandardError()
    handler.setFormatter(ShownFormatter())
    logging.getLogger().addHandler(handler)
    logging.captureWarnings(capture=True)
    sys.excepthook = _report


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    lines = [f"error: {kind.__name__}: {shown(error)}"]
    lines += _below("".join(traceback.format_exception(kind, error, trace)))
    print("\n".join(lines), file=sys.stderr)


def say_more(level: int) -> None:
    """Show what the core logs below a warning: 1 what happens, 2 each request as well."""
    logging.getLogger("ktrdr_core").setLevel(logging.INFO if level == 1 else logging.DEBUG)
