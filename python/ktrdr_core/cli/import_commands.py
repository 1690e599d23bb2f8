"""``ktrdr-core data import`` and ``data list``: bars of one's own, and what is stored."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import click

from .arguments import (
    SERIES_WORDS,
    Trimmed,
    data_dir_option,
    database_of,
    series_options,
    words_of,
)
from .data_commands import data
from .session import FAILED, Session, command

if TYPE_CHECKING:
    from .. import _core
    from ..data import Series, Stored

__all__ = ["data"]


@data.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--symbol", type=Trimmed(), help="Whose bars they are. [default: what the file's name says]"
)
@click.option(
    "--timeframe",
    type=Trimmed(),
    help="How long each bar is, 1d for example. [default: what the file's name says]",
)
@series_options
@data_dir_option
@command
def import_bars(
    session: Session,
    file: Path,
    symbol: str | None,
    timeframe: str | None,
    data_dir: Path | None,
    **asked: Any,
) -> None:
    """Store the bars of the CSV file FILE, named SYMBOL_timeframe.csv (AAPL_1d.csv), or of each in the folder FILE.

    Of a folder what is wrong with one file does not keep the others from being stored; the status is 1 then. A file's
    first line names the columns timestamp (or date, time), open, high, low, close and volume. Times are ISO 8601,
    in UTC where they have no offset. Bars of the same time are replaced, others stay. All of a file are stored or none.
    """
    from .. import _core
    from ..data import DataManager
    from ..errors import NotFoundError

    if not file.exists():
        # Before there is a manager, which makes a database.
        raise NotFoundError(f"there is no file {file}", context={"file": str(file)})
    series = words_of(asked)
    if file.is_dir():
        if series:
            raise click.UsageError(
                "of a folder each file is the usual series of its symbol, so leave "
                + ", ".join(f"--{name.replace('_', '-')}" for name in series)
                + " out"
            )
        _import_folder(session, file, symbol, timeframe, data_dir)
        return
    if not database_of(data_dir).exists():
        _refuse_broken(_core.ImportRequest(file=file, symbol=symbol, timeframe=timeframe))
    with DataManager(data_dir, use_ib_host_service=False) as manager:
        operation = manager.import_csv(file, symbol, timeframe, **series)
        session.follow({file.name: operation})
        stored = operation.result()
        database = manager.database_path
    for warning in operation.warnings:
        session.warn(f"{file.name}: {warning}")
    session.say(f"{stored.symbol} {stored.timeframe}: {stored.bars:,} bars, {_days(stored)}")
    session.say(f"{stored.added:,} new, {stored.replaced:,} replaced, stored in {database}")
    session.answer({**_facts(stored), "database": str(database), "warnings": operation.warnings})


def _refuse_broken(asked: _core.ImportRequest | _core.ImportFolderRequest) -> None:
    """Read what is to be imported: where it cannot be, no database is made for it."""
    from .. import _core

    token = _core.CancellationToken()
    refused: list[BaseException] = []

    def read() -> None:
        try:
            if isinstance(asked, _core.ImportRequest):
                _core.check_import(asked, token)
            else:
                _core.check_import_folder(asked, token)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            refused.append(error)

    # In a thread: an interrupt reaches this one while it waits, and not while it reads.
    reader = Thread(target=read, name="ktrdr-check", daemon=True)
    reader.start()
    try:
        reader.join()
    finally:
        token.cancel()
    if refused:
        raise refused[0]


def _import_folder(
    session: Session, folder: Path, symbol: str | None, timeframe: str | None, data_dir: Path | None
) -> None:
    from .. import _core
    from ..data import DataManager

    if symbol is not None:
        raise click.UsageError("--symbol: of a folder each file's name says it, so leave it out")
    if not database_of(data_dir).exists():
        _refuse_broken(_core.ImportFolderRequest(folder=folder, timeframe=timeframe))
    with DataManager(data_dir, use_ib_host_service=False) as manager:
        operation = manager.import_folder(folder, timeframe)
        session.follow({folder.name or str(folder): operation})
        imported = operation.result()
        database = manager.database_path
    for warning in operation.warnings:
        session.warn(warning)
    files = len(imported.stored) + len(imported.failed)
    for stored in imported.stored:
        session.say(f"{stored.symbol} {stored.timeframe}: {stored.bars:,} bars, {_days(stored)}")
    session.say(
        f"{len(imported.stored)} of {files} files: {imported.bars:,} bars, {imported.added:,} new, "
        f"{imported.replaced:,} replaced, stored in {database}"
    )
    for failed in imported.failed:
        session.fault(failed.message)
    session.answer(
        {
            "folder": imported.folder,
            "bars": imported.bars,
            "added": imported.added,
            "replaced": imported.replaced,
            "stored": [_facts(one) for one in imported.stored],
            "failed": [vars(one) for one in imported.failed],
            "database": str(database),
            "warnings": operation.warnings,
        }
    )
    if imported.failed:
        click.get_current_context().exit(FAILED)


def _facts(stored: Stored) -> dict[str, Any]:
    return {**vars(stored), "first": _stamp(stored.first), "last": _stamp(stored.last)}


def _days(stored: Stored) -> str:
    return f"{stored.first:%Y-%m-%d} to {stored.last:%Y-%m-%d}"


@data.command("list")
@data_dir_option
@command
def list_stored(session: Session, data_dir: Path | None) -> None:
    """List the stored series."""
    from ..data import DataManager

    database = database_of(data_dir)
    series: list[Series] = []
    if database.exists():
        with DataManager(data_dir, use_ib_host_service=False) as manager:
            series = manager.series()
    nothing = f"no bars are stored in {database}: `ktrdr-core data import FILE.csv` brings some"
    if series:
        head = ("symbol", "timeframe", "bars", "first (UTC)", "last (UTC)", "provider", "series")
        session.table([head, *map(_row, series)], right={2})
    else:
        session.print(nothing)
    session.answer(
        [
            {
                "provider": one.provider,
                "symbol": one.symbol,
                "timeframe": one.timeframe,
                "bars": one.bars,
                "first": _stamp(one.first),
                "last": _stamp(one.last),
                **{name: getattr(one, name) for name in SERIES_WORDS},
            }
            for one in series
        ]
    )


def _row(one: Series) -> tuple[str, ...]:
    return (
        one.symbol,
        one.timeframe,
        f"{one.bars:,}",
        f"{one.first:%Y-%m-%d %H:%M}",
        f"{one.last:%Y-%m-%d %H:%M}",
        one.provider,
        " ".join(
            word
            for word in (
                one.what_to_show,
                one.session,
                one.instrument_type,
                one.exchange,
                one.currency,
            )
            if word
        ),
    )


def _stamp(time: Any) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}Z"
