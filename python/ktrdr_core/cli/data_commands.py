"""``ktrdr-core data``."""

from __future__ import annotations

import os
import shlex
import time
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import click

from .arguments import (
    data_dir_option,
    database_of,
    load_command,
    series_options,
    symbol_argument,
    timeframe_argument,
    words_of,
)
from .gateway_options import environment_of, gateway_of, source_options
from .pictures import check_plot, draw, plot_option
from .session import Session, command

if TYPE_CHECKING:
    from pathlib import Path

    from ..bars import Bars
    from ..data import IbGatewaySource, SeriesWords


start_option = click.option("--start", help="First day or time (ISO 8601, UTC).")
end_option = click.option("--end", help="Last day, or the time it ends before.")


@click.group()
def data() -> None:
    """Load bars, bring your own, look at those that are stored, and take them away."""


@data.command()
@symbol_argument
@timeframe_argument
@start_option
@end_option
@click.option(
    "--mode",
    type=click.Choice(("full", "tail", "backfill", "local")),
    default="full",
    show_default=True,
    help="full: all that is not stored. tail: what is newer. backfill: what is older, and holes. local: no service.",
)
@series_options
@click.option("--strict", is_flag=True, help="Fail where bars are wrong, or missing.")
@click.option("--repair", is_flag=True, help="Show what can be mended mended; stored as it came.")
@click.option("--no-validate", is_flag=True, help="Do not look for what is wrong with the bars.")
@click.option("--refresh", is_flag=True, help="Ask for what is stored, too, and take what comes.")
@source_options
@plot_option
@data_dir_option
@command
def load(
    session: Session,
    symbol: str,
    timeframe: str,
    start: str | None,
    end: str | None,
    no_validate: bool,
    source: Literal["host", "gateway"] | None,
    ib_url: str | None,
    plot: Path | None,
    data_dir: Path | None,
    **asked: Any,
) -> None:
    """Load the bars of SYMBOL in TIMEFRAME into the database."""
    series = words_of(asked)
    gateway = gateway_of(asked, source, ib_url)
    load_bars(
        session,
        (symbol, timeframe, start, end),
        {**asked, "validate": not no_validate},
        series,
        ib_url,
        gateway,
        plot,
        data_dir,
        environment_of(source),
    )


@data.command()
@symbol_argument
@timeframe_argument
@click.option("--start", required=True, help="First day or time (ISO 8601, UTC).")
@click.option("--end", required=True, help="Last day, or the time it ends before.")
@series_options
@source_options
@plot_option
@data_dir_option
@command
def refresh(
    session: Session,
    symbol: str,
    timeframe: str,
    start: str,
    end: str,
    source: Literal["host", "gateway"] | None,
    ib_url: str | None,
    plot: Path | None,
    data_dir: Path | None,
    **asked: Any,
) -> None:
    """Ask for the bars of SYMBOL in TIMEFRAME anew, those that are stored too, and take what comes.

    Heals a series whose provider has changed its history, after a split for example. The same as `data load --refresh`.
    """
    gateway = gateway_of(asked, source, ib_url)
    load_bars(
        session,
        (symbol, timeframe, start, end),
        {"mode": "full", "refresh": True},
        words_of(asked),
        ib_url,
        gateway,
        plot,
        data_dir,
        environment_of(source),
    )


def _check_one(symbol: str, timeframe: str) -> None:
    """Refuse a list: it would be asked for as one symbol, which no provider has."""
    several = [name.strip() for name in symbol.split(",") if name.strip()]
    if "," in symbol:
        loop = f'for symbol in {shlex.join(several)}; do ktrdr-core data load "$symbol" {shlex.quote(timeframe)}; done'
        raise click.UsageError(
            f"one symbol is loaded at a time, and {symbol!r} is a list: `{loop}`, or all at once in Python: "
            f"DataManager.load_many({several}, {timeframe!r})"
        )


def load_bars(
    session: Session,
    asked_for: tuple[str, str, str | None, str | None],
    how: dict[str, Any],
    series: SeriesWords,
    ib_url: str | None,
    gateway: IbGatewaySource | None,
    plot: Path | None,
    data_dir: Path | None,
    env: dict[str, str],
) -> None:
    """Load symbol, timeframe, from start to end, and say what came; from a gateway, where one is given."""
    symbol, timeframe, start, end = asked_for
    _check_one(symbol, timeframe)
    from .. import _core
    from ..data import DataManager

    check_plot(plot)
    began = time.monotonic()
    mode = how["mode"]
    asked = _core.LoadRequest(
        symbol=symbol,
        timeframe=timeframe,
        start_date=start,
        end_date=end,
        **how,
        **series,
    )
    # Before there is a manager, which makes a database: what is refused leaves nothing behind.
    _core.check_load(asked, ib_url, env, has_source=gateway is not None)
    if mode == "local":
        check_stored(symbol, timeframe, data_dir, start, end, series)
    with (
        closing(gateway) if gateway else nullcontext(),
        DataManager(data_dir, ib_url, source=gateway, env=env) as manager,
    ):
        operation = manager.load_data(symbol, timeframe, start, end, **how, **series)
        session.follow({f"{symbol} {timeframe}": operation})
        bars = operation.result()
        if not len(bars):
            raise nothing(symbol, timeframe, data_dir, start, end, series)
        requests = gateway.health.requests if gateway else manager.pool_stats()["requests"]
        database = manager.database_path
    seconds = time.monotonic() - began
    for warning in operation.warnings:
        session.warn(warning)
    session.say(f"{symbol} {timeframe}: {range_of(bars)}")
    asked_of = f"from {gateway.address}, " if gateway else ""
    session.say(f"{asked_of}{requests} requests, {seconds:.1f} s, stored in {database}")
    draw(session, bars, plot)
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
@symbol_argument
@timeframe_argument
@start_option
@end_option
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Show only the newest; 0 shows all.",
)
@series_options
@plot_option
@data_dir_option
@command
def show(
    session: Session,
    symbol: str,
    timeframe: str,
    start: str | None,
    end: str | None,
    limit: int,
    plot: Path | None,
    data_dir: Path | None,
    **asked: Any,
) -> None:
    """Show the stored bars of SYMBOL in TIMEFRAME."""
    from ..data import DataManager

    series = words_of(asked)
    check_plot(plot)
    check_stored(symbol, timeframe, data_dir, start, end, series)
    with DataManager(data_dir, use_ib_host_service=False) as manager:
        operation = manager.load_data(
            symbol, timeframe, start, end, "local", validate=False, **series
        )
        session.follow({f"{symbol} {timeframe}": operation}, quietly=True)
        bars = operation.result()
    if not len(bars):
        raise nothing(symbol, timeframe, data_dir, start, end, series)
    rows = _rows(bars, limit)
    session.print(f"{symbol} {timeframe}: {range_of(bars)}")
    if len(rows) < len(bars):
        session.print(f"the newest {len(rows)}:")
    names = ("open", "high", "low", "close")
    session.print(f"{'time (UTC)':<20}" + "".join(f"{name:>12}" for name in (*names, "volume")))
    for row in rows:
        prices = "".join(f"{row[name]:>12,.4f}" for name in names)
        session.print(f"{row['time']:<20}{prices}{row['volume']:>12,.0f}")
    draw(session, bars, plot)
    session.answer({"symbol": symbol, "timeframe": timeframe, "bars": len(bars), "rows": rows})


def check_stored(
    symbol: str,
    timeframe: str,
    data_dir: Path | None,
    start: str | None,
    end: str | None,
    series: SeriesWords | None = None,
) -> None:
    """Refuse what cannot be, and a database that is not there: opening it would make one."""
    from .. import _core

    asked = _core.LoadRequest(
        symbol=symbol,
        timeframe=timeframe,
        start_date=start,
        end_date=end,
        mode="local",
        **(series or {}),
    )
    _core.check_load(asked, None, dict(os.environ))
    if not database_of(data_dir).exists():
        raise nothing(symbol, timeframe, data_dir, start, end, series)


def nothing(
    symbol: str,
    timeframe: str,
    data_dir: Path | None,
    start: str | None,
    end: str | None,
    series: SeriesWords | None = None,
) -> Exception:
    """Say that there are no such bars, and how they come."""
    from ..errors import NoDataError

    database = database_of(data_dir)
    where = f"{database} has no bars of {symbol} {timeframe} in that range"
    if not database.exists():
        where = f"there is no {database}, so no bars of {symbol} {timeframe}"
    return NoDataError(
        f"{where}: `{load_command(symbol, timeframe, data_dir, start, end, series)}` brings them",
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


def range_of(bars: Bars) -> str:
    """Say how many there are, and from when to when."""
    days = (str(bars.time[index].astype("M8[D]")) for index in (0, -1))
    return f"{len(bars):,} bars, {' to '.join(days)}"
