"""``ktrdr-core data export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from .arguments import (
    data_dir_option,
    series_options,
    symbol_argument,
    timeframe_argument,
    words_of,
)
from .data_commands import check_stored, data, end_option, start_option
from .session import Session, command

if TYPE_CHECKING:
    from ..data.files import Format


@data.command()
@symbol_argument
@timeframe_argument
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@start_option
@end_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(("csv", "parquet", "arrow")),
    help="What to write; parquet and arrow need pyarrow. [default: what the file's name ends with, else csv]",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@series_options
@data_dir_option
@command
def export(
    session: Session,
    symbol: str,
    timeframe: str,
    path: Path,
    start: str | None,
    end: str | None,
    kind: str | None,
    overwrite: bool,
    data_dir: Path | None,
    **asked: Any,
) -> None:
    """Write the stored bars of SYMBOL in TIMEFRAME into the file PATH.

    Where PATH is a folder, and by default in this one, the file is named SYMBOL_TIMEFRAME.csv. It is seen when it is
    whole. `ktrdr-core data import` reads a CSV file back; one that was imported comes out as it was.
    """
    from ..data import DataManager

    series = words_of(asked)
    check_stored(symbol, timeframe, data_dir, start, end, series)
    with DataManager(data_dir, use_ib_host_service=False) as manager:
        operation = manager.export(
            symbol,
            timeframe,
            path,
            start,
            end,
            format=cast("Format | None", kind),
            overwrite=overwrite,
            **series,
        )
        session.follow({f"{symbol} {timeframe}": operation})
        exported = operation.result()
    session.say(
        f"{exported.symbol} {exported.timeframe}: {exported.bars:,} bars, "
        f"{exported.first:%Y-%m-%d} to {exported.last:%Y-%m-%d}"
    )
    session.say(f"{exported.bytes:,} bytes in {exported.path}")
    session.answer(
        {
            "path": str(exported.path),
            "symbol": exported.symbol,
            "timeframe": exported.timeframe,
            "bars": exported.bars,
            "bytes": exported.bytes,
            "first": f"{exported.first:%Y-%m-%dT%H:%M:%SZ}",
            "last": f"{exported.last:%Y-%m-%dT%H:%M:%SZ}",
        }
    )
