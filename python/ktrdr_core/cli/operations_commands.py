"""``ktrdr-core operations``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from .arguments import Trimmed, data_dir_option, database_of
from .own_words import in_own_words
from .session import FAILED, Session, command

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from .._core import OperationRecord
    from ..operations import OperationsService, StoreDamage

_STATES = (
    "pending",
    "running",
    "cancelling",
    "completed",
    "failed",
    "cancelled",
    "timed_out",
    "interrupted",
    "resuming",
)
operation_argument = click.argument("operation_id", type=Trimmed())


@click.group()
def operations() -> None:
    """List, show and cancel the operations that are stored."""


@operations.command(name="list")
@click.option("--active", is_flag=True, help="Only those that run or are about to.")
@click.option(
    "--status", multiple=True, type=click.Choice(_STATES), help="Only those; may be repeated."
)
@click.option("--type", "kind", help="Only of this type: data_load, training, …")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    help="At most so many, the newest.",
)
@data_dir_option
@command
def list_(
    session: Session,
    active: bool,
    status: tuple[str, ...],
    kind: str | None,
    limit: int,
    data_dir: Path | None,
) -> None:
    """List operations, the newest first."""
    file, service = _service(data_dir)
    page = service.list(status=status or None, operation_type=kind, active_only=active, limit=limit)
    shown = len(page.records)
    for record in page.records:
        done = f"{record.progress.percentage:.0f} %"
        session.print(f"{_time(record.created)}  {record.status:<11} {done:>5}  {record.id}")
        session.print(f"  {_about(record)}")
    rest = f", the newest {shown} of them" if shown < page.total_count else ""
    session.say(f"{file}: {page.total_count:,} operations{rest}; {page.active_count:,} active")
    session.answer(
        {
            "operations": [_plain(record) for record in page.records],
            "total_count": page.total_count,
            "active_count": page.active_count,
            "database": str(file),
        }
    )


@operations.command()
@operation_argument
@data_dir_option
@command
def show(session: Session, operation_id: str, data_dir: Path | None) -> None:
    """Show all that is known of OPERATION_ID."""
    file, service = _service(data_dir)
    record = _record(service, operation_id, file, data_dir)
    for name, value in _facts(record):
        session.print(f"{name:<10} {value}")
    session.answer(_plain(record) | {"parameters": record.parameters, "result": record.result})


@operations.command()
@operation_argument
@click.option("--reason", default="", help="Kept with the operation, for whoever looks at it.")
@data_dir_option
@command
def cancel(session: Session, operation_id: str, reason: str, data_dir: Path | None) -> None:
    """Ask OPERATION_ID to stop, in whatever process it runs.

    The process that runs it hears of it within a second. What it has finished stays.
    """
    file, service = _service(data_dir)
    _record(service, operation_id, file, data_dir)
    asked = service.cancel(operation_id, reason or "ktrdr-core operations cancel")
    session.say(
        f"{operation_id} is asked to stop" if asked else f"{operation_id} was asked to stop before"
    )
    session.answer({"operation_id": operation_id, "asked": asked})


@operations.command()
@data_dir_option
@command
def verify(session: Session, data_dir: Path | None) -> None:
    """Read the whole database and list what of it is damaged; status 1 when something is."""
    file, service = _service(data_dir)
    check = service.verify()
    for one in check.damage:
        session.print(f"{_name(one)}: {one.what}")
    found = f"{len(check.damage)} damaged" if check.damage else "all sound"
    session.print(f"{file}: {check.operations:,} operations, {check.events:,} events: {found}")
    session.answer(dataclasses.asdict(check))
    if check.damage:
        click.get_current_context().exit(FAILED)


def _service(data_dir: Path | None) -> tuple[Path, OperationsService]:
    """Open a database that is there; one that is not is not made."""
    from ..errors import NotFoundError
    from ..operations import OperationsService

    file = database_of(data_dir)
    if not file.exists():
        raise NotFoundError(f"there is no {file}", context={"file": str(file)})
    return file, OperationsService(file, default=False)


def _record(
    service: OperationsService, operation_id: str, file: Path, data_dir: Path | None
) -> OperationRecord:
    import shlex

    from ..errors import NotFoundError

    try:
        return service.get(operation_id)
    except NotFoundError as error:
        words = ["ktrdr-core", "operations", "list"]
        words += [] if data_dir is None else ["--data-dir", str(data_dir)]
        raise NotFoundError(
            f"{file} knows no operation {operation_id}: `{shlex.join(words)}` names those it knows",
            context={"operation_id": operation_id, "file": str(file)},
        ) from error


def _plain(record: OperationRecord) -> dict[str, Any]:
    reason, progress = record.reason, record.progress
    return {
        "operation_id": record.id,
        "operation_type": record.type,
        "operation_name": record.name,
        "status": record.status,
        "active": record.active,
        "parent_id": record.parent_id or None,
        "created": _stamp(record.created),
        "started": _stamp(record.started),
        "stopped": _stamp(record.stopped),
        "percentage": progress.percentage,
        "message": progress.message,
        "reason": None if reason is None else {"code": reason.code, "text": reason.text},
        "error": record.error,
        "warnings": record.warnings,
        "damage": record.damage,
    }


def _facts(record: OperationRecord) -> list[tuple[str, str]]:
    asked = (f"{in_own_words(key)} {value}" for key, value in record.parameters.items())
    wrong = "" if record.error is None else str(record.error.get("message", ""))
    said = record.progress.message
    facts = [
        ("id", record.id),
        ("is", _about(record)),
        ("status", f"{record.status}, {record.progress.percentage:.0f} %"),
        ("created", _time(record.created)),
        ("started", _time(record.started)),
        ("ended", _time(record.stopped)),
        ("says", said if said != wrong else ""),
        ("parent", record.parent_id),
        ("asked for", ", ".join(asked)),
        ("error", wrong),
    ]
    if record.reason is not None:
        facts.append(("cancelled", f"{record.reason.code}: {record.reason.text}"))
    facts += [("warning", warning) for warning in record.warnings]
    facts += [("damage", damage) for damage in record.damage]
    return [(name, value) for name, value in facts if value]


def _about(record: OperationRecord) -> str:
    words = [record.type.replace("_", " ")]
    # A load's name has them; work that its caller gave another name may lack them.
    asked = [str(record.parameters.get(name, "")) for name in ("symbol", "timeframe")]
    for word in (record.name, *asked):
        if word and word not in " ".join(words).split():
            words.append(word)
    return " ".join(words)


def _stamp(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%SZ}"


def _name(damage: StoreDamage) -> str:
    event = f" event {damage.seq}" if damage.seq else ""
    return f"{damage.operation_id}{event}" if damage.operation_id else "the file"
