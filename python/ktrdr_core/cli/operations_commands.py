"""``ktrdr-core operations``."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import click

from .data_commands import data_dir_option
from .session import FAILED, Session, command

if TYPE_CHECKING:
    from pathlib import Path

    from ..operations import StoreDamage


@click.group()
def operations() -> None:
    """Look after the operations that are stored."""


@operations.command()
@data_dir_option
@command
def verify(session: Session, data_dir: Path | None) -> None:
    """Read the whole database and list what of it is damaged; status 1 when something is."""
    from ..data.manager import default_data_dir
    from ..errors import NotFoundError
    from ..operations import OperationsService

    file = (data_dir or default_data_dir(os.environ)) / "ktrdr.db"
    if not file.exists():
        raise NotFoundError(f"there is no {file}", context={"file": str(file)})
    check = OperationsService(file, default=False).verify()
    for one in check.damage:
        session.say(f"{_name(one)}: {one.what}")
    found = f"{len(check.damage)} damaged" if check.damage else "all sound"
    session.say(f"{file}: {check.operations:,} operations, {check.events:,} events: {found}")
    session.answer(dataclasses.asdict(check))
    if check.damage:
        click.get_current_context().exit(FAILED)


def _name(damage: StoreDamage) -> str:
    event = f" event {damage.seq}" if damage.seq else ""
    return f"{damage.operation_id}{event}" if damage.operation_id else "the file"
