"""``ktrdr-core models train``; the commands for models that are there stand in ``saved_model_commands``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .arguments import data_dir_option, database_of, load_command, names
from .saved_model_commands import compare, list_, predict, show
from .session import Session, command

if TYPE_CHECKING:
    from ..errors import NoDataError


@click.group()
def models() -> None:
    """Train models, look at them, predict with them."""


for _command in (list_, show, compare, predict):
    models.add_command(_command)


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
    symbols: tuple[str, ...],
    timeframes: tuple[str, ...],
    start: str | None,
    end: str | None,
    data_dir: Path | None,
    models_dir: Path | None,
) -> None:
    """Train the model of the file STRATEGY on stored bars."""
    from ..data import DataManager
    from ..errors import NoDataError
    from ..strategies import load_strategy
    from ..training import TrainingManager
    from ..training.report import training_lines

    said = load_strategy(strategy).training_data
    asked = names(symbols), names(timeframes)
    database = database_of(data_dir)
    if not database.exists():
        # Opening it would make one, with nothing in it to train on.
        symbol = (asked[0] or said.symbols.names)[0]
        timeframe = (asked[1] or said.timeframes.names)[0]
        raise NoDataError(
            f"there is no {database}: "
            f"`{load_command(symbol, timeframe, data_dir, start, end)}` brings bars of {symbol}",
            context={"symbol": symbol, "timeframe": timeframe},
        )
    with (
        DataManager(data_dir, use_ib_host_service=False) as data,
        TrainingManager(data, models_dir) as manager,
    ):
        operation = manager.train_multi_symbol_strategy(strategy, *asked, start, end)
        session.follow({strategy.stem: operation})
        try:
            result = operation.result()
        except NoDataError as error:
            raise _with_advice(error, data_dir, start, end) from error
    for warning in operation.warnings:
        session.warn(warning)
    for line in training_lines(result):
        session.say(line)
    session.answer(result)


def _with_advice(
    error: NoDataError, data_dir: Path | None, start: str | None, end: str | None
) -> NoDataError:
    """Have it name the command that brings the bars, and not the call."""
    symbol, timeframe = (str(error.context[name]) for name in ("symbol", "timeframe"))
    return type(error)(
        f"no {timeframe} bars of {symbol} are stored in {database_of(data_dir)}: "
        f"`{load_command(symbol, timeframe, data_dir, start, end)}` brings them",
        context=error.context,
    )
