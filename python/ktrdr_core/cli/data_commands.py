"""``ktrdr-core data``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from .session import Session, command

if TYPE_CHECKING:
    from ..bars import Bars
    from ..data.manager import Mode

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Where the database lies. [default: $KTRDR_DATA_DIR, else ~/.ktrdr/data]",
)


@click.group()
def data() -> None:
    """Load bars, and look at those that are stored."""


@data.command()
@click.argument("symbol")
@click.argument("timeframe")
@click.option("--start", help="First day or time (ISO 8601, UTC).")
@click.option("--end", help="Last day, or the time it ends before.")
@click.option(
    "--mode",
    default="full",
    show_default=True,
    help="full: ask the service for what is not stored. local: only what is stored.",
)
@click.option(
    "--ib-url",
    help="URL of the IB host service. [default: $IB_HOST_SERVICE_URL with $USE_IB_HOST_SERVICE=true]",
)
@data_dir_option
@command
def load(
    session: Session,
    symbol: str,
    timeframe: str,
    start: str | None,
    end: str | None,
    mode: str,
    ib_url: str | None,
    data_dir: Path | None,
) -> None:
    """Load the bars of SYMBOL in TIMEFRAME into the database."""
    from ..data import DataManager

    began = time.monotonic()
    with DataManager(data_dir, ib_url) as manager:
        # Whatever a person wrote: the core says which there are.
        operation = manager.load_data(symbol, timeframe, start, end, cast("Mode", mode))
        session.follow({f"{symbol} {timeframe}": operation})
        bars = _some(operation.result(), symbol, timeframe, manager.database_path)
        requests = manager.pool_stats()["requests"]
        database = manager.database_path
    seconds = time.monotonic() - began
    for warning in operation.warnings:
        session.warn(warning)
    session.say(f"{symbol} {timeframe}: {_range(bars)}")
    session.say(f"{requests} requests, {seconds:.1f} s, stored in {database}")
    session.answer(
        {
            "operation_id": operation.id,
            "symbol": symbol,
            "timeframe": timeframe,
            "mode": mode,
            "bars": len(bars),
            "first": _stamp(bars, 0),
            "last": _stamp(bars, -1),
            "requests": requests,
            "seconds": seconds,
            "database": str(database),
            "warnings": operation.warnings,
        }
    )


@data.command()
@click.argument("symbol")
@click.argument("timeframe")
@click.option("--start", help="First day or time (ISO 8601, UTC).")
@click.option("--end", help="Last day, or the time it ends before.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Show only the newest; 0 shows all.",
)
@data_dir_option
@command
def show(
    session: Session,
    symbol: str,
    timeframe: str,
    start: str | None,
    end: str | None,
    limit: int,
    data_dir: Path | None,
) -> None:
    """Show the stored bars of SYMBOL in TIMEFRAME."""
    from ..data import DataManager

    with DataManager(data_dir) as manager:
        operation = manager.load_data(symbol, timeframe, start, end, "local")
        session.follow({f"{symbol} {timeframe}": operation}, quietly=True)
        bars = _some(operation.result(), symbol, timeframe, manager.database_path)
    rows = _rows(bars, limit)
    session.say(f"{symbol} {timeframe}: {_range(bars)}")
    if len(rows) < len(bars):
        session.say(f"the newest {len(rows)}:")
    names = ("open", "high", "low", "close")
    session.say(f"{'time (UTC)':<20}" + "".join(f"{name:>12}" for name in (*names, "volume")))
    for row in rows:
        prices = "".join(f"{row[name]:>12,.4f}" for name in names)
        session.say(f"{row['time']:<20}{prices}{row['volume']:>12,.0f}")
    session.answer({"symbol": symbol, "timeframe": timeframe, "bars": len(bars), "rows": rows})


def _some(bars: Bars, symbol: str, timeframe: str, database: Path) -> Bars:
    from ..errors import NoDataError

    if len(bars):
        return bars
    raise NoDataError(
        f"{database} has no bars of {symbol} {timeframe} in that range: "
        f"`ktrdr-core data load {symbol} {timeframe} --start … --end … --ib-url …` brings them",
        context={"symbol": symbol, "timeframe": timeframe, "database": str(database)},
    )


def _rows(bars: Bars, limit: int) -> list[dict[str, Any]]:
    first = max(0, len(bars) - limit) if limit else 0
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    names = ("open", "high", "low", "close", "volume")
    return [
        {
            "time": _stamp(bars, index),
            **{name: float(column[index]) for name, column in zip(names, columns, strict=True)},
        }
        for index in range(first, len(bars))
    ]


def _stamp(bars: Bars, index: int) -> str:
    return f"{bars.time[index].astype('M8[s]')}Z"


def _range(bars: Bars) -> str:
    days = (str(bars.time[index].astype("M8[D]")) for index in (0, -1))
    return f"{len(bars):,} bars, {' to '.join(days)}"
