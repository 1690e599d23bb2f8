"""The commands ``ktrdr-core serve ib`` and ``python -m ktrdr_core.hosts.ib``: their options, and what they announce."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._extras import require
from ...errors import ConfigurationError, KtrdrError
from ...guard import RequestRules
from ..command import (
    CommandParser,
    add_address,
    add_log,
    add_until_stdin_closes,
    announce,
    at_least_one,
    listen,
    log_as,
    reached_by,
    refuse,
)
from .replay import sampledata

if TYPE_CHECKING:
    from ...data import BarSource
    from .replay import Replay


def main(arguments: list[str] | None = None, prog: str = "python -m ktrdr_core.hosts.ib") -> int:
    """Run the service; the exit status."""
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    if options.source == "csv" and options.folder is None:
        parser.error("--source csv needs --folder")
    try:
        recorded = ["bokeh_sampledata"] if options.source == "replay" else []
        require("the IB host service", "fastapi", "uvicorn", *recorded)
        rules = RequestRules(allowed_hosts=[*options.allow_host, *reached_by(options.host)])
        source, note = _source(options)
        listener = listen(options.host, options.port)
    except KtrdrError as error:
        return refuse(error.message)
    from ..serve import serve
    from ..traffic import Gate
    from .app import create_app
    from .vendor import HostLimits

    log_as(options.log)
    app = create_app(
        source,
        delay=(
            (0.15 if options.source == "replay" else 0.0)
            if options.delay is None
            else options.delay
        ),
        gate=Gate() if options.gate else None,
        rules=rules,
        limits=HostLimits(options.max_requests, options.max_parts),
    )
    serve(
        app,
        listener,
        announce=lambda url: announce(f"IB host service ({note}) at {url}\n"),
        until_stdin_closes=options.until_stdin_closes,
    )
    return 0


def _source(options: argparse.Namespace) -> tuple[BarSource | Replay, str]:
    """Make the source that was named, and say in words what it is.

    Raises
    ------
    ConfigurationError
        For a class that cannot be made a source, and a gateway's port or client id that is none.
    FeatureNotAvailableError
        For a gateway, where ib_async is not installed.
    """
    name: str = options.source
    folder: Path | None = options.folder
    if name == "gateway":
        from ...data import IbGatewaySource

        gateway = IbGatewaySource(options.gateway_host, options.gateway_port, options.client_id)
        return gateway, f"TWS or IB Gateway at {gateway.address}"
    if name == "replay":
        replay = sampledata()
        return replay, f"replay: {replay.note}"
    from ...data import CsvSource

    if name == "csv":
        csv = CsvSource(folder or Path())
        return csv, f"csv: {folder}"
    source = _of_class(name.removeprefix("python:"))
    return source, f"{name.removeprefix('python:')}: {source.provider}"


def _of_class(path: str) -> BarSource:
    from ...data import BarSource, SourceCalls

    module, _, name = path.rpartition(".")
    # As `python -m` does: what lies where one is.
    sys.path.insert(0, os.getcwd())
    try:
        thing: Any = getattr(importlib.import_module(module), name)
        made = thing if isinstance(thing, BarSource) else thing()
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"--source python:{path} cannot be made: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(made, BarSource):
        raise ConfigurationError(
            f"--source python:{path} is no source: subclass ktrdr_core.BarSource"
        )
    try:
        SourceCalls(made)
    except KtrdrError as error:
        raise ConfigurationError(
            f"--source python:{path} cannot be asked: {error.message}"
        ) from error
    return made


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=prog,
        description="An IB host service over recorded bars, a folder of CSV files, a running TWS or IB Gateway, or a source "
        "of yours.",
    )
    parser.add_argument(
        "--source",
        type=_source_name,
        default="replay",
        metavar="replay|csv|gateway|python:module.Class",
        help="replay: daily bars of AAPL and MSFT of bokeh_sampledata (default); csv: the files of --folder; "
        "gateway: a running TWS or IB Gateway; "
        "python:module.Class: a BarSource that is made without arguments",
    )
    parser.add_argument(
        "--folder", type=Path, help="of --source csv: where {SYMBOL}_{timeframe}.csv lie"
    )
    parser.add_argument(
        "--gateway-host",
        metavar="HOST",
        help="of --source gateway (default: $IB_GATEWAY_HOST, else 127.0.0.1)",
    )
    parser.add_argument(
        "--gateway-port",
        type=int,
        metavar="PORT",
        help="of --source gateway: 4001 and 4002 are IB Gateway's, live and paper, 7496 and 7497 those of TWS "
        "(default: $IB_GATEWAY_PORT, else 4002)",
    )
    parser.add_argument(
        "--client-id",
        type=int,
        metavar="N",
        help="of --source gateway: the first to connect with (default: $IB_GATEWAY_CLIENT_ID, else 1)",
    )
    add_address(parser, 5001)
    parser.add_argument(
        "--max-requests",
        type=at_least_one,
        default=32,
        metavar="N",
        help="requests for bars that are worked on at once; as many others wait (default: 32)",
    )
    parser.add_argument(
        "--max-parts",
        type=at_least_one,
        default=100,
        metavar="N",
        help="into how many of the source's longest ranges one request may be cut (default: 100)",
    )
    add_log(parser, "a line for each request for bars")
    parser.add_argument(
        "--delay",
        type=_seconds,
        default=None,
        metavar="SECONDS",
        help="how long each answer of /data/historical takes besides (default: 0.15 for the replay, else 0)",
    )
    parser.add_argument(
        "--gate",
        action="store_true",
        help="for tests: hold /data/historical until POST /control/release",
    )
    add_until_stdin_closes(parser)
    return parser


def _source_name(text: str) -> str:
    module, _, name = text.removeprefix("python:").rpartition(".")
    if text in ("replay", "csv", "gateway") or (text.startswith("python:") and module and name):
        return text
    raise argparse.ArgumentTypeError(
        f"must be replay, csv, gateway or python:module.Class, not {text!r}"
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 3600:
        raise argparse.ArgumentTypeError(f"must be 0 to 3600 seconds, not {text}")
    return value
