"""The command ``ktrdr-core serve ib-simulator``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from ..._tables import text_table
from ...errors import KtrdrError
from ...hosts.command import CommandParser, cannot_listen, refuse
from .faults import ANSWERS, PLACES
from .messages import NEWEST
from .pacing import PacingRules
from .samples import made_up, of_folder
from .simulator import IbGatewaySimulator
from .texts import HISTORY
from .troubles import TROUBLES, Written


def main(arguments: list[str] | None = None, prog: str = "ktrdr-core serve ib-simulator") -> int:
    """Run a simulated gateway until Ctrl-C, SIGTERM, or the end of its parent; the exit status."""
    options = _parser(prog).parse_args(arguments)
    if options.list_faults:
        print(_listed())
        return 0
    ended = threading.Event()
    try:
        troubles = [Written(text) for text in options.fault]
        bars = made_up(options.days) if options.folder is None else of_folder(options.folder)
        gateway = IbGatewaySimulator(
            bars,
            host=options.host,
            port=options.port,
            version=options.version,
            language=options.language,
            zone=options.zone,
            zone_name=options.zone_name,
            answer_seconds=options.answer_seconds,
            pacing=PacingRules(enforced=not options.no_pacing),
        )
    except KtrdrError as error:
        return refuse(error.message)
    except (OSError, OverflowError) as error:
        return refuse(cannot_listen(options.host, options.port, error))
    except ValueError as error:
        return refuse(str(error))
    with gateway:
        note = ", ".join(f"{symbol} {size}" for symbol, size in bars)
        for trouble in troubles:
            trouble.happens(gateway, options.language, ended)
        with suppress(OSError):
            print(f"simulated IB Gateway ({note}) at {gateway.host}:{gateway.port}", flush=True)
        _wait(options.until_stdin_closes, ended)
    return 0


def _listed() -> str:
    rows = [[name, each.about] for name, each in TROUBLES.items()]
    return "\n".join(text_table(rows))


def _wait(until_stdin_closes: bool, ended: threading.Event) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    if until_stdin_closes:

        def watch() -> None:
            sys.stdin.buffer.read()
            ended.set()

        threading.Thread(target=watch, daemon=True).start()
    ended.wait()


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=prog,
        description="A gateway of Interactive Brokers that is none: it speaks the protocol of TWS and IB Gateway, "
        "from bars of CSV files or made-up ones.",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where {SYMBOL}_{timeframe}.csv lie; without it minutes of AAPL, MSFT and EUR.USD are made up",
    )
    parser.add_argument(
        "--days", type=_days, default=30, help="how many days are made up, up to now (default: 30)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=4002, help="0 takes a free one (default: 4002, as IB's own)"
    )
    parser.add_argument(
        "--version",
        type=int,
        default=NEWEST,
        help=f"newest version of the protocol (default: {NEWEST})",
    )
    parser.add_argument(
        "--language", choices=sorted(HISTORY), default="en", help="of error texts (default: en)"
    )
    parser.add_argument(
        "--zone", default="America/New_York", help="the machine's clock (default: America/New_York)"
    )
    parser.add_argument(
        "--zone-name", default="", help="under which name it tells it (default: that of --zone)"
    )
    parser.add_argument(
        "--answer-seconds",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long each request for bars takes (default: 0)",
    )
    parser.add_argument(
        "--no-pacing", action="store_true", help="answer also what is over the pacing rules"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=SECONDS][@ANSWER[:PLACE]][*TIMES]",
        help=f"what goes wrong, again for each: {', '.join(TROUBLES)}; the answers are {', '.join(ANSWERS)}, the places "
        f"{', '.join(PLACES)}, TIMES is a number or always",
    )
    parser.add_argument(
        "--list-faults", action="store_true", help="say what each of them is, and end"
    )
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when standard input closes, so that it does not outlive its parent",
    )
    return parser


def _days(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 3660:
        raise argparse.ArgumentTypeError(f"must be 1 to 3660, not {text}")
    return value
