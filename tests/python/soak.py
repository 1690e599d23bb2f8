"""How often a test repeats itself."""

from __future__ import annotations

import os


def count(quick: int, full: int) -> int:
    """Answer ``full`` under ``make soak`` (KTRDR_SOAK is set), else ``quick``."""
    return full if os.environ.get("KTRDR_SOAK") else quick
