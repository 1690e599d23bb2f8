"""The commands, each a thin layer over the managers."""

from __future__ import annotations

import click

from .demo_command import demo
from .import_commands import data
from .model_commands import models
from .operations_commands import operations


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ktrdr-core", prog_name="ktrdr-core")
def cli() -> None:
    """Load market data and train neuro-fuzzy models on it.

    \b
    Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found,
    124 timed out, 130 cancelled (Ctrl-C once cancels, twice abandons).
    """


cli.add_command(data)
cli.add_command(models)
cli.add_command(operations)
cli.add_command(demo)
