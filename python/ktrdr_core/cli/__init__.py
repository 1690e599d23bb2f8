"""The command ``ktrdr-core``. The groups in ``ktrdr_core.cli.app`` can be mounted in another click command."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and end the process with its status."""
    from .interrupts import CANCELLED, installed
    from .shown import show_everything_else

    show_everything_else()
    with installed() as interrupts:
        try:
            status = _run()
        except KeyboardInterrupt:
            status = CANCELLED
        if interrupts.count:
            status = CANCELLED
        status = _flush(status)
        if interrupts.count:
            # Somebody waits for the prompt: nothing that the interpreter's exit would wait for holds it up.
            os._exit(status)
    # What is left is the interpreter's exit; an interrupt there ends it without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(status)


def _run() -> int:
    import click

    from .app import cli
    from .shown import shown

    try:
        status = cli.main(prog_name="ktrdr-core", standalone_mode=False)
    except click.ClickException as error:
        # It repeats what was given, which may be another program's output.
        said = shown(error.format_message())
        tame = click.ClickException(said)
        if isinstance(error, click.UsageError):
            tame = click.UsageError(said, error.ctx)
        tame.show()
        return error.exit_code
    except click.Abort:
        return 1
    return status if isinstance(status, int) else 0


def _flush(status: int) -> int:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        # The reader went away (`| head`); the interpreter's own flush would say so in a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return status or 1
    return status
