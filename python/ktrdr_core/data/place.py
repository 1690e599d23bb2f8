"""Where the database of bars lies where nobody says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def default_data_dir(env: Mapping[str, str]) -> Path:
    """Give the directory of the database where nobody names one."""
    return Path(env.get("KTRDR_DATA_DIR") or Path.home() / ".ktrdr" / "data")
