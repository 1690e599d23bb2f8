"""What every command shares: options for output, the wait for operations, errors and exit statuses."""

from __future__ import annotations

import functools
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from .. import errors
from .interrupts import CANCELLED, Cancelled, Interrupts, installed
from .shown import shown
from .terminal import KINDS, follow, reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..operations import Operation

FAILED = 1
USAGE = 2
NOT_FOUND = 3
TIMED_OUT = 124


class Session:
    """One command's run.

    Parameters
    ----------
    as_json : bool
        The command's result is one JSON value on standard output, and nothing else is there.
    progress : str
        One of ``terminal.KINDS``; progress goes to standard error.
    """

    def __init__(self, *, as_json: bool, progress: str, interrupts: Interrupts) -> None:
        self.as_json = as_json
        self._progress = progress
        self._interrupts = interrupts

    def follow(self, operations: Mapping[str, Operation[Any]], *, quietly: bool = False) -> None:
        """Wait until all operations have ended; their results and errors stay with them.

        Parameters
        ----------
        operations : mapping
            By the label under which each is shown.
        quietly : bool
            Show no progress: for what is over in a moment.

        Raises
        ------
        Cancelled
            After an interrupt, once they have stopped.
        """
        with (
            self._interrupts.waiting(),
            reporter("none" if quietly else self._progress, sys.stderr) as report,
        ):
            follow(operations, report, interrupted=lambda: self._interrupts.code)

    def say(self, text: str = "") -> None:
        """Print a line of the result for a person; what a terminal would obey is shown (``shown``)."""
        if not self.as_json:
            click.echo(shown(text))

    def warn(self, text: str) -> None:
        """Print a warning on standard error, by the same rule."""
        click.echo(f"warning: {shown(text)}", err=True)

    def answer(self, value: Any) -> None:
        """Print the result for a program."""
        if self.as_json:
            click.echo(json.dumps(value))


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--json`` and ``--progress``, a ``Session`` as its first argument, and exit statuses."""

    @click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON value.")
    @click.option(
        "--progress",
        type=click.Choice(KINDS),
        default="auto",
        show_default=True,
        help="How progress is shown on standard error.",
    )
    @functools.wraps(function)
    def run(*, as_json: bool, progress: str, **arguments: Any) -> None:
        with installed() as interrupts:
            session = Session(as_json=as_json, progress=progress, interrupts=interrupts)
            status = _guarded(session, lambda: function(session, **arguments))
            if interrupts.count:
                status = CANCELLED
        if status:
            click.get_current_context().exit(status)

    return run


def _guarded(session: Session, body: Callable[[], None]) -> int:
    try:
        body()
    except Cancelled:
        return CANCELLED
    except errors.KtrdrError as error:
        click.echo(f"error: {shown(error.message)}", err=True)
        record = {"code": error.code, "message": error.message, "context": error.context}
        session.answer({"error": record})
        return exit_status(error)
    except BrokenPipeError:
        raise
    except OSError as error:
        click.echo(f"error: {shown(error)}", err=True)
        session.answer({"error": {"code": "os", "message": str(error), "context": {}}})
        return FAILED
    return 0


def exit_status(error: errors.KtrdrError) -> int:
    """Choose the exit status of an error."""
    if isinstance(error, errors.OperationCancelledError):
        return CANCELLED
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    if isinstance(error, errors.InvalidArgumentError | errors.ConfigurationError):
        return USAGE
    if isinstance(error, LookupError | errors.SymbolNotFoundError | errors.NoDataError):
        return NOT_FOUND
    return FAILED
