"""What every command shares: options for output, the wait for operations, errors and exit statuses."""

from __future__ import annotations

import functools
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from .._tables import text_table
from ..display.kinds import KINDS
from ..display.shown import shown
from .interrupts import CANCELLED, Cancelled, Interrupts, installed
from .own_words import in_own_words
from .refusals import cancelled, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from .. import errors
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
        One of ``display.KINDS``; progress goes to standard error.
    quiet : bool
        Nothing but errors, and what the command was asked to print.
    verbose : int
        How much of its log is on standard error too: 1 what happens, 2 each request as well.
    """

    def __init__(
        self,
        *,
        as_json: bool,
        progress: str,
        interrupts: Interrupts,
        quiet: bool = False,
        verbose: int = 0,
    ) -> None:
        self.as_json = as_json
        self._quiet = quiet
        self._verbose = verbose
        self._progress = "none" if quiet else progress
        self._interrupts = interrupts
        self._followed: dict[str, str] = {}

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
        from ..display.terminal import follow, reporter

        self._followed = {label: operation.id for label, operation in operations.items()}
        for label, operation_id in self._followed.items():
            self.tell(f"{label} is operation {operation_id}")
        with (
            self._interrupts.waiting(),
            reporter("none" if quietly else self._progress, sys.stderr) as report,
        ):
            follow(operations, report, interrupted=lambda: self._interrupts.code)

    def say(self, text: str = "") -> None:
        """Print a line about the work for a person; what a terminal would obey is shown (``shown``)."""
        if not self._quiet:
            self.print(text)

    def print(self, text: str = "") -> None:
        """Print a line that was asked for, by the same rule; ``--quiet`` leaves it there."""
        if not self.as_json:
            click.echo(shown(text))

    def table(self, rows: Iterable[Sequence[str]], right: Container[int] = ()) -> None:
        """Print rows of texts so that their columns stand below each other; those of ``right`` to the right."""
        for line in text_table(rows, right):
            self.print(line)

    def tell(self, text: str) -> None:
        """Print what only somebody who asks for more wants to know, on standard error."""
        if self._verbose:
            click.echo(f"info: {shown(text)}", err=True)

    def warn(self, text: str) -> None:
        """Print a warning on standard error, by the same rule."""
        if not self._quiet:
            click.echo(f"warning: {shown(in_own_words(text))}", err=True)

    def fault(self, text: str) -> None:
        """Say on standard error what of the work failed where the rest did not; ``--quiet`` does not hide it."""
        click.echo(f"error: {shown(text)}", err=True)

    def answer(self, value: Any) -> None:
        """Print the result for a program."""
        if self.as_json:
            # From here on there is an answer, whatever interrupts what is left.
            self._interrupts.last_words = b""
            click.echo(json.dumps(value))

    def refuse(self, code: str, message: str, context: Mapping[str, Any]) -> None:
        """Say why there is no result, to a person and to a program."""
        click.echo(f"error: {shown(message)}", err=True)
        self.answer(failure(code, message, context))

    def was_cancelled(self) -> None:
        """Tell a program that its command was; a person has been told."""
        why = "asked to end" if self._interrupts.code == "shutdown" else "interrupted"
        self.answer(failure("cancelled", why, {"operations": self._followed}))


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that all have, a ``Session`` as its first argument, and exit statuses."""

    @click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON value.")
    @click.option(
        "--progress",
        type=click.Choice(KINDS),
        default="auto",
        show_default=True,
        help="How progress is shown on standard error.",
    )
    @click.option(
        "-q", "--quiet", is_flag=True, help="Print nothing but errors and what was asked for."
    )
    @click.option(
        "-v", "--verbose", count=True, help="Say more on standard error; -vv names each request."
    )
    @functools.wraps(function)
    def run(*, as_json: bool, progress: str, quiet: bool, verbose: int, **arguments: Any) -> None:
        if quiet and verbose:
            raise click.UsageError("--quiet and --verbose were given together: leave one out")
        if verbose:
            from .everything_else import say_more

            say_more(verbose)
        with installed() as interrupts:
            session = Session(
                as_json=as_json,
                progress=progress,
                interrupts=interrupts,
                quiet=quiet,
                verbose=verbose,
            )
            interrupts.last_words = cancelled() if as_json else b""
            status = _guarded(session, lambda: function(session, **arguments))
            if interrupts.count:
                status = CANCELLED
        if status:
            click.get_current_context().exit(status)

    return run


def _guarded(session: Session, body: Callable[[], None]) -> int:
    from .. import errors

    try:
        body()
    except Cancelled:
        session.was_cancelled()
        return CANCELLED
    except errors.KtrdrError as error:
        session.refuse(error.code, in_own_words(error.message, error.context), error.context)
        return exit_status(error)
    except BrokenPipeError:
        raise
    except OSError as error:
        session.refuse("os", str(error), {})
        return FAILED
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        # Nobody expects it, so it is told with all its lines; a program gets its one value as ever.
        session.answer(failure("internal", f"{type(error).__name__}: {error}"))
        raise
    return 0


def exit_status(error: errors.KtrdrError) -> int:
    """Choose the exit status of an error."""
    from .. import errors

    if isinstance(error, errors.OperationCancelledError):
        return CANCELLED
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    if isinstance(error, errors.InvalidArgumentError | errors.ConfigurationError):
        return USAGE
    if isinstance(error, LookupError | errors.SymbolNotFoundError | errors.NoDataError):
        return NOT_FOUND
    return FAILED
