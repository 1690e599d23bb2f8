"""The commands ``ktrdr-core serve training`` and ``python -m ktrdr_core.hosts.training``: options and announcement."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..._extras import require
from ...errors import KtrdrError
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

if TYPE_CHECKING:
    import argparse

    from fastapi import FastAPI

# How long sessions may take to end when the service does. Seconds.
_END_LIMIT = 10.0


def main(
    arguments: list[str] | None = None, prog: str = "python -m ktrdr_core.hosts.training"
) -> int:
    """Run the service; the exit status."""
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    folder: Path | None = options.strategies_dir
    if folder is not None and not folder.is_dir():
        parser.error(f"--strategies-dir {folder}: there is no such folder")
    with ExitStack() as ending:
        try:
            require("the training host service", "fastapi", "uvicorn", "sse_starlette")
            rules = RequestRules(allowed_hosts=[*options.allow_host, *reached_by(options.host)])
            app, note = _app(options, rules, ending)
            listener = listen(options.host, options.port)
        except KtrdrError as error:
            return refuse(error.message)
        from ..serve import serve

        log_as(options.log)
        serve(
            app,
            listener,
            announce=lambda url: announce(f"training host service ({note}) at {url}\n"),
            until_stdin_closes=options.until_stdin_closes,
        )
        app.state.sessions.finish(_END_LIMIT)
    return 0


def _app(
    options: argparse.Namespace, rules: RequestRules, ending: ExitStack
) -> tuple[FastAPI, str]:
    """Open what the service stands on, and make it."""
    from ...data import DataManager
    from ...operations import OperationsService
    from ...training import TrainingManager
    from .app import create_app
    from .sessions import HostLimits

    # This process is the host: what the environment says of others is for clients.
    env = {name: value for name, value in os.environ.items() if "HOST_SERVICE" not in name}
    data = ending.enter_context(DataManager(options.data_dir, env=env))
    training = ending.enter_context(
        TrainingManager(
            data,
            options.models_dir,
            env=env,
            sessions=options.at_once,
            memory_limit=options.memory_limit,
        )
    )
    models: Path = training.models_dir
    operations = OperationsService(data.database_path, default=False)
    app = create_app(
        training,
        data,
        operations,
        models,
        rules=rules,
        limits=HostLimits(options.max_sessions, options.max_streams),
        strategies=options.strategies_dir,
    )
    return app, f"bars of {data.database_path.parent}, models in {models}"


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=prog,
        description="A training host service: it trains the strategies that clients send on the bars that are stored here.",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="where the bars are (default: $KTRDR_DATA_DIR, else ~/.ktrdr/data)",
    )
    parser.add_argument(
        "--models-dir",
        type=Path,
        help="where models are written (default: $KTRDR_MODELS_DIR, else ~/.ktrdr/models)",
    )
    parser.add_argument(
        "--strategies-dir",
        type=Path,
        metavar="FOLDER",
        help="strategies that clients may ask for by the name of their file; without it they send the strategy itself",
    )
    add_address(parser, 5002)
    parser.add_argument(
        "--max-sessions",
        type=at_least_one,
        default=100,
        metavar="N",
        help="sessions that run or wait for their turn (default: 100)",
    )
    parser.add_argument(
        "--at-once",
        type=at_least_one,
        metavar="N",
        help="sessions that train at once, at most 256 (default: 10, or one per core where there are more)",
    )
    parser.add_argument(
        "--memory-limit",
        type=at_least_one,
        metavar="BYTES",
        help="memory that all of those may take together (default: half of what this process may have)",
    )
    parser.add_argument(
        "--max-streams",
        type=at_least_one,
        default=1000,
        metavar="N",
        help="clients that follow events at once; others ask for the status (default: 1000)",
    )
    add_log(parser, "a line for each start, stop and clean-up")
    add_until_stdin_closes(parser)
    return parser
