"""The command ``ktrdr-core``. The groups in ``ktrdr_core.cli.app`` can be mounted in another click command."""

from .command_line import main

__all__ = ["main"]
