"""``ktrdr-core data``, with all its commands."""

from __future__ import annotations

from . import (
    export_commands,
    import_commands,
    keeping_commands,
    quality_commands,
    series_commands,
)
from .data_commands import data

__all__ = [
    "data",
    "export_commands",
    "import_commands",
    "keeping_commands",
    "quality_commands",
    "series_commands",
]
