"""The group ``data``, with the commands of every file that adds some to it."""

from . import keeping_commands, quality_commands
from .import_commands import data

__all__ = ["data", "keeping_commands", "quality_commands"]
