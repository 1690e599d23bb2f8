"""``ktrdr-core data range``, ``resample`` and ``delete``: one stored series."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from .arguments import (
    SERIES_WORDS,
    Trimmed,
    data_dir_option,
    database_of,
    series_options,
    symbol_argument,
    timeframe_argument,
    words_of,
)
from .data_commands import check_stored, data, end_option, nothing, range_of, start_option
from .pictures import check_plot, draw, plot_option
from .session import Session, command

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@data.command("range")
@symbol_argument
@timeframe_argument
@series_options
@data_dir_option
@command
def show_range(
    session: Session, symbol: str, timeframe: str, data_dir: Path | None, **asked: Any
) -> None:
    """Say from when to when the bars of SYMBOL in TIMEFRAME are stored, and what is known in between."""
    from ..data import DataManager

    series = words_of(asked)
    check_stored(symbol, timeframe, data_dir, None, None, series)
    with DataManager(data_dir, use_ib_host_service=False) as manager:
        found = manager.get_summary(symbol, timeframe, **series)
    volume = "none" if found.volume is None else f"{found.volume:,.0f}"
    rows = [
        ("bars", f"{found.bars:,}"),
        ("first", _minute(found.first)),
        ("last", _minute(found.last)),
        ("lowest", f"{found.lowest:,.10g}"),
        ("highest", f"{found.highest:,.10g}"),
        ("last close", f"{found.last_close:,.10g}"),
        (
            "volume",
            volume + (f" ({found.without_volume:,} without)" if found.without_volume else ""),
        ),
        ("provider", found.provider),
        ("shows", f"{found.what_to_show}, {found.session} hours"),
    ]
    contract = (found.instrument_type, found.exchange, found.currency)
    rows += [("contract", " ".join(word for word in contract if word))] if any(contract) else []
    rows += [("known", f"{_minute(start)} to {_minute(end)}") for start, end in found.known]
    session.print(f"{found.symbol} {found.timeframe} (times UTC)")
    for name, text in rows:
        session.print(f"{name:<12}{text}")
    session.answer(
        {
            "provider": found.provider,
            "symbol": found.symbol,
            "timeframe": found.timeframe,
            **{name: getattr(found, name) for name in SERIES_WORDS},
            "bars": found.bars,
            "first": _stamp(found.first),
            "last": _stamp(found.last),
            "lowest": found.lowest,
            "highest": found.highest,
            "last_close": found.last_close,
            "volume": found.volume,
            "without_volume": found.without_volume,
            "known": [[_stamp(start), _stamp(end)] for start, end in found.known],
        }
    )


@data.command()
@symbol_argument
@click.argument("from_timeframe", type=Trimmed())
@click.argument("to_timeframe", type=Trimmed())
@click.option(
    "--calendar",
    type=Trimmed(),
    help="On whose session boundaries: XNYS, FOREX, CRYPTO, … [default: days begin at 00:00 UTC]",
)
@start_option
@end_option
@series_options
@plot_option
@data_dir_option
@command
def resample(
    session: Session,
    symbol: str,
    from_timeframe: str,
    to_timeframe: str,
    calendar: str | None,
    start: str | None,
    end: str | None,
    plot: Path | None,
    data_dir: Path | None,
    **asked: Any,
) -> None:
    """Make bars of SYMBOL in TO_TIMEFRAME out of those stored in FROM_TIMEFRAME, and store them.

    A period has a bar only where the store knows all of it, so none is made of half its time.
    """
    from ..data import DataManager

    series = words_of(asked)
    check_plot(plot)
    check_stored(symbol, from_timeframe, data_dir, start, end, series)
    with DataManager(data_dir, use_ib_host_service=False) as manager:
        operation = manager.resample(
            symbol,
            from_timeframe,
            to_timeframe,
            start,
            end,
            calendar=calendar,
            store=True,
            **series,
        )
        session.follow({f"{symbol} {from_timeframe} to {to_timeframe}": operation})
        bars = operation.result()
        database = manager.database_path
    for warning in operation.warnings:
        session.warn(warning)
    session.say(f"{bars.symbol} {bars.timeframe}: {range_of(bars)}, stored in {database}")
    draw(session, bars, plot)
    session.answer(
        {
            "symbol": bars.symbol,
            "from": from_timeframe,
            "timeframe": bars.timeframe,
            "bars": len(bars),
            "first": f"{bars.time[0].astype('M8[s]')}Z",
            "last": f"{bars.time[-1].astype('M8[s]')}Z",
            "database": str(database),
            "warnings": operation.warnings,
        }
    )


@data.command()
@click.argument("symbol")
@click.argument("timeframe")
@click.option(
    "--provider", default="IB", show_default=True, help="Whose bars, as `data list` shows it."
)
@series_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_dir_option
@command
def delete(
    session: Session,
    symbol: str,
    timeframe: str,
    provider: str,
    yes: bool,
    data_dir: Path | None,
    **asked: Any,
) -> None:
    """Forget the stored bars of SYMBOL in TIMEFRAME for good.

    Symbol, timeframe and provider must be exactly those that `data list` shows, and the options where it shows several.
    Unless --yes is given, they are asked for once more.
    """
    from ..data import DataManager
    from ..errors import NotFoundError

    words = words_of(asked)
    key = " ".join((provider, symbol, timeframe, *(str(word) for word in words.values())))
    if not database_of(data_dir).exists():
        raise nothing(symbol, timeframe, data_dir, None, None)
    with DataManager(data_dir, use_ib_host_service=False) as manager:
        series = [
            one
            for one in manager.series()
            if (one.provider, one.symbol, one.timeframe) == (provider, symbol, timeframe)
            and all(getattr(one, name) == word for name, word in words.items())
        ]
        if not series:
            raise NotFoundError(
                f"nothing is deleted: there is no series {key}; `ktrdr-core data list` shows those that there are",
                context={"provider": provider, "symbol": symbol, "timeframe": timeframe},
            )
        if not yes and len(series) == 1:
            _ask(key, series[0].bars)
        gone = manager.delete(symbol, timeframe, provider=provider, **words)
    session.say(f"{key}: {gone:,} bars deleted")
    session.answer(
        {"provider": provider, "symbol": symbol, "timeframe": timeframe, "deleted": gone}
    )


def _ask(key: str, bars: int) -> None:
    if not os.isatty(sys.stdin.fileno()):
        raise click.UsageError(
            f"to delete {bars:,} bars of {key} nobody can be asked here: give --yes"
        )
    answer: Any = click.prompt(f"type {key} to delete its {bars:,} bars", err=True, default="")
    if answer != key:
        raise click.UsageError(f"nothing is deleted: {answer!r} is not {key!r}")


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _stamp(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
