"""How a command of this process ends: its status, and the one form in which it says why there is no result."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from ..display.shown import shown
from .interrupts import CANCELLED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .interrupts import Interrupts


# What a newer click raises where a group is called without a command.
_HELP: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())


def failure(code: str, message: str, context: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give what ``--json`` prints in place of a result."""
    return {"error": {"code": code, "message": message, "context": dict(context or {})}}


def cancelled() -> bytes:
    """Give the line that ``--json`` prints where an interrupt came before there was anything to cancel."""
    return json.dumps(failure("cancelled", "interrupted")).encode() + b"\n"


def run(interrupts: Interrupts) -> int:
    """Run the command that the arguments of this process name; its exit status."""
    from .app import cli

    status: object = 0
    try:
        status = cli.main(prog_name="ktrdr-core", standalone_mode=False)
    except click.ClickException as error:
        refuse(error, as_json="--json" in sys.argv)
        interrupts.last_words = b""
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        status = CANCELLED
    if interrupts.count or status == CANCELLED:
        interrupts.speak()
        return CANCELLED
    return status if isinstance(status, int) else 0


def refuse(error: click.ClickException, *, as_json: bool) -> None:
    """Say what is wrong with the arguments; it repeats what was given, which may be another program's output."""
    if isinstance(error, _HELP):
        # Nothing is wrong but that it ends here.
        click.echo("\n".join(map(shown, error.format_message().splitlines())), err=True)
        return
    said = shown(error.format_message())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        context = error.ctx
        click.echo("\n".join(map(shown, context.get_usage().splitlines())), err=True)
        if context.help_option_names:
            hint = f"Try '{context.command_path} {context.help_option_names[-1]}' for help."
            click.echo(f"{shown(hint)}\n", err=True)
    click.echo(f"error: {said}", err=True)
    if as_json:
        click.echo(json.dumps(failure("invalid_argument", said)))
