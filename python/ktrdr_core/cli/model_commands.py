"""``ktrdr-core models``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .data_commands import data_dir_option
from .session import Session, command

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group()
def models() -> None:
    """Train models."""


@models.command()
@click.argument("strategy", type=click.Path(path_type=Path))
@click.option("--symbols", multiple=True, help="In place of the strategy's own: AAPL,MSFT.")
@click.option("--timeframes", multiple=True, help="In place of the strategy's own: 1d.")
@click.option("--start", help="First day of the stored bars to use.")
@click.option("--end", help="Last day of the stored bars to use.")
@data_dir_option
@click.option(
    "--models-dir",
    type=click.Path(path_type=Path),
    help="Where the model is written. [default: $KTRDR_MODELS_DIR, else ~/.ktrdr/models]",
)
@command
def train(
    session: Session,
    strategy: Path,
    symbols: Sequence[str],
    timeframes: Sequence[str],
    start: str | None,
    end: str | None,
    data_dir: Path | None,
    models_dir: Path | None,
) -> None:
    """Train the model of the file STRATEGY on stored bars."""
    from ..data import DataManager
    from ..training import TrainingManager
    from ..training.report import training_lines

    with DataManager(data_dir) as data, TrainingManager(data, models_dir) as manager:
        operation = manager.train_multi_symbol_strategy(
            strategy, _names(symbols), _names(timeframes), start, end
        )
        session.follow({strategy.stem: operation})
        result = operation.result()
    for warning in operation.warnings:
        session.warn(warning)
    for line in training_lines(result):
        session.say(line)
    session.answer(result)


def _names(given: Sequence[str]) -> list[str] | None:
    return [name for text in given for name in text.split(",") if name] or None
