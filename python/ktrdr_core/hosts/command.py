"""What the commands that serve have in common."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn


class CommandParser(argparse.ArgumentParser):
    """Says what is wrong as every command of ours does."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the mistake, and end with 2."""
        self.print_usage(sys.stderr)
        self.exit(2, f"error: {message}\n")
