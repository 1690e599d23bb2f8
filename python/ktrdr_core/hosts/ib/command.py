"""The command ``python -m ktrdr_core.hosts.ib``: its options, and what it announces."""

from __future__ import annotations

import argparse
import ipaddress
import socket
import sys
from contextlib import suppress
from typing import NoReturn

from ..._extras import require
from ...errors import KtrdrError
from ...guard import RequestRules
from .replay import sampledata


def main(arguments: list[str] | None = None) -> int:
    """Run the service; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        require("the IB host service", "fastapi", "uvicorn", "bokeh_sampledata")
        rules = RequestRules(allowed_hosts=[*options.allow_host, *_reached_by(options.host)])
        source = sampledata()
    except KtrdrError as error:
        return _refuse(error.message)
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listener = socket.create_server((options.host, options.port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        return _refuse(
            f"cannot listen on {options.host} port {options.port}: {error}; --port 0 takes a free one"
        )
    from ..serve import serve
    from ..traffic import Gate
    from .app import create_app

    app = create_app(
        source, delay=options.delay, gate=Gate() if options.gate else None, rules=rules
    )
    serve(
        app,
        listener,
        announce=lambda url: _announce(f"IB host service (replay: {source.note}) at {url}\n"),
        until_stdin_closes=options.until_stdin_closes,
    )
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong as every command of ours does."""
        self.print_usage(sys.stderr)
        self.exit(2, f"error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m ktrdr_core.hosts.ib",
        description="An IB host service that replays the daily AAPL and MSFT bars of bokeh_sampledata.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=5001, help="0 takes a free one (default: 5001)")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="also answer requests for this name, *.example for all below it, * for any; may be repeated",
    )
    parser.add_argument(
        "--delay",
        type=_seconds,
        default=0.15,
        metavar="SECONDS",
        help="how long each answer of /data/historical takes (default: 0.15)",
    )
    parser.add_argument(
        "--gate",
        action="store_true",
        help="for tests: hold /data/historical until POST /control/release",
    )
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when standard input closes, so that the service does not outlive its parent",
    )
    return parser


def _reached_by(host: str) -> list[str]:
    """Name the address to bind as a request names it; all addresses of the machine have no such name."""
    try:
        everything = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        everything = not host
    return [] if everything else [host]


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 3600:
        raise argparse.ArgumentTypeError(f"must be 0 to 3600 seconds, not {text}")
    return value


def _announce(line: str) -> None:
    # Who does not read it may reach the service all the same.
    with suppress(OSError):
        print(line, end="", flush=True)


def _refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1
