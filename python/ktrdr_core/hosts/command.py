"""What the commands that serve have in common."""

from __future__ import annotations

import argparse
import ipaddress
import json
import logging
import sys
import time
from contextlib import suppress
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


def announce(line: str) -> None:
    """Print the line that ends in the service's URL; who does not read it may reach the service all the same."""
    with suppress(OSError):
        print(line, end="", flush=True)


def at_least_one(text: str) -> int:
    """Read a whole number above 0, for ``argparse``.

    Raises
    ------
    argparse.ArgumentTypeError
        For one below.
    """
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return value


def reached_by(host: str) -> list[str]:
    """Name the address to bind as a request names it; all addresses of the machine have no such name."""
    try:
        everything = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        everything = not host
    return [] if everything else [host]


class _JsonLines(logging.Formatter):
    """One JSON object a record; the facts of a request are its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_as(form: str) -> None:
    """Write the records of the package to standard error: ``text``, ``json`` or ``none``."""
    if form == "none":
        return
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(levelname)s: %(name)s: %(message)s")
    handler.setFormatter(_JsonLines() if form == "json" else plain)
    logger = logging.getLogger("ktrdr_core")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # The command line has a handler of its own at the root.
    logger.propagate = False
