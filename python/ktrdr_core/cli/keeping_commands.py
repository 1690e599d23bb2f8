"""``ktrdr-core data verify`` and ``data compact``: whether stored bars are whole, and what they take on the disk."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from .arguments import data_dir_option, database_of
from .data_commands import data
from .session import FAILED, Session, command

if TYPE_CHECKING:
    from pathlib import Path

    from ..data import BarDamage, DataManager


@data.command()
@data_dir_option
@command
def verify(session: Session, data_dir: Path | None) -> None:
    """Read all stored bars and list what of them is damaged; status 1 when something is."""
    with _manager(data_dir) as manager:
        operation = manager.verify()
        session.follow({"verify": operation})
        check = operation.result()
        database = manager.database_path
    for one in check.damage:
        session.print(f"{_name(one)}: {one.what}")
    found = f"{len(check.damage)} damaged" if check.damage else "all sound"
    session.print(
        f"{database}: {check.series:,} series, {check.chunks:,} chunks, {check.bars:,} bars, "
        f"{check.ledger_entries:,} ledger entries, {check.versions:,} earlier versions: {found}"
    )
    session.answer({**dataclasses.asdict(check), "database": str(database)})
    if check.damage:
        click.get_current_context().exit(FAILED)


@data.command()
@data_dir_option
@command
def compact(session: Session, data_dir: Path | None) -> None:
    """Free what could be undone and give unused space back to the disk."""
    with _manager(data_dir) as manager:
        operation = manager.compact()
        session.follow({"compact": operation})
        compacted = operation.result()
        database = manager.database_path
    session.say(
        f"{database}: {compacted.bytes_before:,} bytes before, {compacted.bytes_after:,} after; "
        f"{compacted.changes_freed:,} changes cannot be undone any more"
    )
    session.answer({**dataclasses.asdict(compacted), "database": str(database)})


def _manager(data_dir: Path | None) -> DataManager:
    """Open a database that is there; one that is not is not made."""
    from ..data import DataManager
    from ..errors import NotFoundError

    file = database_of(data_dir)
    if not file.exists():
        raise NotFoundError(f"there is no {file}", context={"file": str(file)})
    return DataManager(data_dir, use_ib_host_service=False)


def _name(damage: BarDamage) -> str:
    if not damage.symbol:
        return "the file"
    series = f"{damage.symbol} {damage.timeframe}"
    return f"{series}: {damage.chunk}" if damage.chunk else series
