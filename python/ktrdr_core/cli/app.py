"""The commands, each a thin layer over the managers, and imported when it is the one that was called."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

import click

from .help import ABOUT, COMMANDS, STATUSES, columns, root_help


class _Root(click.Group):
    """The group of all; it knows its commands by name alone until one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them."""
        return sorted({*COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f".{module}", __package__), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; one of no known name is told which there are that it may be, imported or not."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if hasattr(error, "possibilities"):
                error.possibilities = get_close_matches(args[0], self.list_commands(ctx)) or None
            raise

    def get_help(self, ctx: click.Context) -> str:
        """Write the help as ``ktrdr-core --help`` does."""
        others = {
            name: command.get_short_help_str()
            for name, command in self.commands.items()
            if not command.hidden
        }
        return root_help(ctx.terminal_width or columns(), ctx.command_path, others).rstrip("\n")


@click.group(
    cls=_Root,
    help=f"{ABOUT}\n\n{STATUSES}",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="ktrdr-core", prog_name="ktrdr-core")
def cli() -> None:
    """Hold the commands."""
