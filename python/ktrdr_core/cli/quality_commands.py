"""``ktrdr-core data gaps``, ``data check`` and ``data repair``: what is to be said of stored bars."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from .arguments import (
    data_dir_option,
    database_of,
    series_options,
    symbol_argument,
    timeframe_argument,
    words_of,
)
from .data_commands import data
from .session import Session, command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..calendars import BarGrid
    from ..data import DataManager

_RANGE = "[default: all that is stored]"


def _series_options(function: Callable[..., None]) -> Callable[..., None]:
    """Which stored bars, and when their market trades."""
    for option in (
        data_dir_option,
        click.option(
            "--cut", help="How its provider cuts a session: open_then_clock, from_open or clock."
        ),
        series_options,
        click.option(
            "--calendar",
            help="When the market trades: XNYS, FOREX, CRYPTO, … [default: what is known of the series]",
        ),
        click.option("--end", help=f"Last day, or the time it ends before. {_RANGE}"),
        click.option("--start", help=f"First day or time (ISO 8601, UTC). {_RANGE}"),
        timeframe_argument,
        symbol_argument,
    ):
        function = option(function)
    return function


@data.command()
@_series_options
@click.option("--closed", is_flag=True, help="List closed hours, too.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="List so many; 0 lists all.",
)
@command
def gaps(
    session: Session,
    symbol: str,
    timeframe: str,
    closed: bool,
    limit: int,
    data_dir: Path | None,
    **asked: Any,
) -> None:
    """Say which bars of SYMBOL in TIMEFRAME are absent, and why."""
    series = words_of(asked)
    start, end, grid_by = _asked(timeframe, series.get("session"), **asked)
    with _manager(symbol, timeframe, data_dir) as manager:
        report = manager.find_gaps(
            symbol, timeframe, start, end, calendar=grid_by(manager), closed=closed, **series
        )
    of = f" of {report.expected:,}" if report.expected else ""
    session.print(f"{symbol} {timeframe}: {report.absent:,}{of} bars are absent")
    for kind, count in report.by_class().items():
        session.print(f"  {count:,} {kind}")
    listed = report.gaps if closed else report.missing
    _list(
        session,
        ("from (UTC)", "to (UTC)", "class", "bars", "evidence"),
        [
            (_minute(gap.start), _minute(gap.end), gap.kind, f"{gap.bars:,}", gap.evidence)
            for gap in listed
        ],
        limit,
    )
    session.answer({"symbol": symbol, "timeframe": timeframe, **report.to_dict()})


@data.command()
@_series_options
@click.option(
    "--against",
    "longer",
    metavar="TIMEFRAME",
    help="Longer stored bars that these must make: 1h of 1m.",
)
@click.option(
    "--negative-prices", is_flag=True, help="Prices may fall below zero: futures, spreads."
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="List so many; 0 lists all.",
)
@command
def check(
    session: Session,
    symbol: str,
    timeframe: str,
    longer: str | None,
    negative_prices: bool,
    limit: int,
    data_dir: Path | None,
    **asked: Any,
) -> None:
    """Say what is wrong, odd or missing of the stored bars of SYMBOL in TIMEFRAME."""
    series = words_of(asked)
    start, end, grid_by = _asked(timeframe, series.get("session"), **asked)
    with _manager(symbol, timeframe, data_dir) as manager:
        report = manager.check_quality(
            symbol,
            timeframe,
            start,
            end,
            calendar=grid_by(manager),
            longer=longer,
            negative_prices=negative_prices,
            **series,
        )
    session.print(f"{symbol} {timeframe}: {report.bars:,} bars, {len(report) or 'no'} findings")
    for rule, count in report.counts().items():
        session.print(f"  {count:,} {rule}")
    graver = sorted(report, key=lambda one: ("error", "warning", "note").index(one.severity))
    _list(
        session,
        ("severity", "rule", "row", "rows", "time (UTC)", "column", "evidence"),
        [
            (
                one.severity,
                one.rule,
                str(one.index),
                f"{one.rows:,}",
                _minute(one.time),
                one.column or "",
                one.evidence,
            )
            for one in graver
        ],
        limit,
    )
    session.answer({"symbol": symbol, "timeframe": timeframe, **report.to_dict()})


@data.command()
@_series_options
@click.option(
    "--apply", "applies", is_flag=True, help="Store it; else only say what would be done."
)
@command
def repair(
    session: Session,
    symbol: str,
    timeframe: str,
    applies: bool,
    data_dir: Path | None,
    **asked: Any,
) -> None:
    """Mend stored bars of SYMBOL in TIMEFRAME where what is right follows from the bar itself.

    High and low that stand in each other's place, prices that miss another of their bar by rounding, volumes that are no
    number. No price is made up.
    """
    series = words_of(asked)
    start, end, grid_by = _asked(timeframe, series.get("session"), **asked)
    with _manager(symbol, timeframe, data_dir) as manager:
        done = manager.repair(
            symbol, timeframe, start, end, calendar=grid_by(manager), apply=applies, **series
        )
        bars = len(done.bars)
        stamps = [f"{done.bars.time[change.index].astype('M8[s]')}Z" for change in done]
    what = "changes are stored" if applies else "changes would be made; --apply stores them"
    session.print(
        f"{symbol} {timeframe}: {bars:,} bars, {len(done) or 'no'} {what}"
        if len(done)
        else f"{symbol} {timeframe}: {bars:,} bars, nothing to mend"
    )
    _list(
        session,
        ("time (UTC)", "column", "before", "after", "why"),
        [
            (stamp[:16].replace("T", " "), one.column, f"{one.before:g}", f"{one.after:g}", one.why)
            for stamp, one in zip(stamps, done, strict=True)
        ],
        0,
    )
    changes = [
        {**change, "time": stamp}
        for change, stamp in zip(done.to_dict()["changes"], stamps, strict=True)
    ]
    session.answer(
        {
            "symbol": symbol,
            "timeframe": timeframe,
            "bars": bars,
            "applied": applies and bool(changes),
            "changes": changes,
        }
    )


def _asked(
    timeframe: str,
    hours: str | None,
    start: str | None,
    end: str | None,
    calendar: str | None,
    cut: str | None,
) -> tuple[str | None, str | None, Callable[[DataManager], BarGrid | None]]:
    """Give the range and what gives the grid, none where the series' own is meant.

    Refused before a database is looked for, but for a calendar that the user's own file may have.
    """
    from ..calendars import BarGrid, get_calendar
    from ..data.naming import named_calendar

    if cut is not None and calendar is None:
        raise click.UsageError("--cut says something of a calendar: give --calendar, too")
    if calendar is None:
        BarGrid(timeframe)
        return start, end, lambda manager: None
    options = {
        name: value for name, value in (("session", hours), ("cut", cut)) if value is not None
    }
    BarGrid(timeframe, None, **options)
    if not os.environ.get("KTRDR_CALENDARS"):
        get_calendar(calendar)
    return (
        start,
        end,
        lambda manager: BarGrid(timeframe, named_calendar(manager._native, calendar), **options),
    )


def _manager(symbol: str, timeframe: str, data_dir: Path | None) -> DataManager:
    """Open what is there; a database that is not is not made."""
    from ..data import DataManager
    from ..errors import NoDataError

    database = database_of(data_dir)
    if not database.exists():
        raise NoDataError(
            f"there is no {database}, so no bars of {symbol} {timeframe}",
            context={"symbol": symbol, "timeframe": timeframe, "database": str(database)},
        )
    return DataManager(data_dir, use_ib_host_service=False)


def _list(session: Session, head: tuple[str, ...], rows: list[tuple[str, ...]], limit: int) -> None:
    if not rows:
        return
    shown = rows[:limit] if limit else rows
    session.table([head, *shown])
    if len(shown) < len(rows):
        session.print(f"… and {len(rows) - len(shown):,} more; --limit 0 lists them")


def _minute(time: Any) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
