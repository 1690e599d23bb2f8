"""``ktrdr-core strategies``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .session import Session, command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..strategies import StrategyProblem


@click.group()
def strategies() -> None:
    """Check, list and describe strategy files."""


@strategies.command()
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@command
def validate(session: Session, files: tuple[Path, ...]) -> None:
    """Tell all that is wrong in FILES, each with line, column, path and the nearest right name.

    With nothing wrong, it tells what a training would see. Status 1 where something is wrong.
    """
    from ..errors import StrategyError

    described = [_described(file) for file in files]
    good = [one for one in described if not one["problems"]]
    for one in described:
        for problem in one["problems"]:
            session.fault(str(problem))
    session.table([_row(one) for one in good])
    bad = [one for one in described if one["problems"]]
    answer = [{**one, "problems": [_plain(each) for each in one["problems"]]} for one in described]
    if bad:
        count = sum(len(one["problems"]) for one in bad)
        raise StrategyError(
            f"{count} {'problem' if count == 1 else 'problems'} in "
            f"{len(bad)} of {len(files)} {'file' if len(files) == 1 else 'files'}",
            context={"files": answer},
        )
    session.answer(answer)


@strategies.command("list")
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@command
def list_files(session: Session, folder: Path) -> None:
    """List the strategy files (*.yaml, *.yml) of FOLDER, the current one by default, and of those below it."""
    from ..errors import StrategyError

    if not folder.is_dir():
        raise StrategyError(f"{folder}: there is no such folder", context={"file": str(folder)})
    found = sorted(file for file in folder.rglob("*") if file.suffix in (".yaml", ".yml"))
    described = [_described(file) for file in found]
    if not described:
        session.say(f"there is no *.yaml or *.yml in {folder}")
    session.table([_row(one) for one in described])
    session.answer(
        [{**one, "problems": [_plain(each) for each in one["problems"]]} for one in described]
    )


@strategies.command()
@command
def schema(session: Session) -> None:
    """Print the JSON schema of strategy files, for editors."""
    from ..strategies import schema as made

    for line in json.dumps(made(), indent=2).splitlines():
        session.print(line)
    session.answer(made())


def _described(file: Path) -> dict[str, Any]:
    """What is wrong in a file, or what a training would see of it."""
    from ..strategies import describe, validate

    problems: Sequence[StrategyProblem] = validate(file)
    summary = None if problems else describe(file)
    return {"file": str(file), "problems": list(problems), "strategy": summary}


def _plain(problem: StrategyProblem) -> dict[str, Any]:
    return dataclasses.asdict(problem)


def _row(described: dict[str, Any]) -> tuple[str, ...]:
    summary = described["strategy"]
    if summary is None:
        count = len(described["problems"])
        return (described["file"], f"{count} {'problem' if count == 1 else 'problems'}")
    return (
        described["file"],
        summary["name"],
        ",".join(summary["symbols"]),
        ",".join(summary["timeframes"]),
        f"{len(summary['features'])} features",
        f"{summary['parameters']:,} parameters",
    )
