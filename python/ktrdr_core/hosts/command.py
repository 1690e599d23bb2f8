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


def refuse(message: str) -> int:
    """Say why nothing is served; the exit status."""
    print(f"error: {message}", file=sys.stderr)
    return 1


def cannot_listen(host: str, port: int, error: Exception) -> str:
    """Say why nobody can listen there, and what to change."""
    return (
        f"cannot listen on {host} port {port}: {str(error).rstrip('.')}; --port 0 takes a free one"
    )
