"""What the commands that serve have in common."""

from __future__ import annotations

import argparse
import ipaddress
import json
import logging
import socket
import sys
import time
from contextlib import suppress
from typing import NoReturn

from ..errors import ConfigurationError


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


def listen(host: str, port: int) -> socket.socket:
    """Open the socket that the service is to be reached at.

    Raises
    ------
    ConfigurationError
        When nobody can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(cannot_listen(host, port, error)) from error


def add_address(parser: argparse.ArgumentParser, port: int) -> None:
    """Add the options that say where the service is reached, and by which names."""
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=port, help=f"0 takes a free one (default: {port})"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="also answer requests for this name, *.example for all below it, * for any; may be repeated",
    )


def add_log(parser: argparse.ArgumentParser, lines: str) -> None:
    """Add the option that says how ``lines`` are written."""
    parser.add_argument(
        "--log",
        choices=("none", "text", "json"),
        default="none",
        help=f"{lines}, on standard error (default: none)",
    )


def add_until_stdin_closes(parser: argparse.ArgumentParser) -> None:
    """Add the option of services that somebody else starts."""
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when standard input closes, so that the service does not outlive its parent",
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
        For one below, and for what is none.
    """
    try:
        value = int(text)
    except ValueError:
        # argparse itself would name this function.
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None
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
