"""``ktrdr-core models train``; the commands for models that are there stand in ``saved_model_commands``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from .arguments import database_of, load_command, names, training_options
from .saved_model_commands import compare, evaluate, list_, predict, report, schema, show
from .session import Session, command

if TYPE_CHECKING:
    from pathlib import Path

    from ..data import SeriesWords
    from ..errors import NoDataError
    from ..strategies import Strategy


@click.group()
def models() -> None:
    """Train models, look at them, predict with them, judge them."""


for _command in (list_, show, compare, predict, evaluate, report, schema):
    models.add_command(_command)


@models.command()
@training_options
@command
def train(
    session: Session,
    strategy: Path,
    symbols: tuple[str, ...],
    timeframes: tuple[str, ...],
    what_to_show: str | None,
    hours: str | None,
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

    asked = names(symbols), names(timeframes)
    series: SeriesWords = {"what_to_show": what_to_show, "session": hours}
    check_database(load_strategy(strategy), *asked, data_dir, start, end, series)
    with (
        DataManager(data_dir, use_ib_host_service=False) as data,
        TrainingManager(data, models_dir) as manager,
    ):
        operation = manager.train_multi_symbol_strategy(
            strategy, *asked, start, end, what_to_show=what_to_show, session=hours
        )
        session.follow({strategy.stem: operation})
        try:
            result = operation.result()
        except NoDataError as error:
            if "symbol" not in error.context:
                # Of a host, which has bars of its own.
                raise
            raise _with_advice(error, data_dir, start, end, series) from error
    for warning in operation.warnings:
        session.warn(warning)
    for line in training_lines(result):
        session.say(line)
    session.answer(result)


def check_database(
    strategy: Strategy,
    symbols: list[str] | None,
    timeframes: list[str] | None,
    data_dir: Path | None,
    start: str | None,
    end: str | None,
    series: SeriesWords,
) -> None:
    """Refuse to train where there is no database: opening it would make one, with nothing in it to train on.

    Where a host service trains, the bars are there, and none are needed here.
    """
    from .. import _core
    from ..errors import NoDataError

    _core.check_series_words(series["what_to_show"], series["session"])
    if _core.TrainingManager.is_on_host(dict(os.environ)):
        return
    database = database_of(data_dir)
    if not database.exists():
        symbol = (symbols or strategy.training_data.symbols.names)[0]
        timeframe = (timeframes or strategy.training_data.timeframes.names)[0]
        raise NoDataError(
            f"there is no {database}: "
            f"`{load_command(symbol, timeframe, data_dir, start, end, series)}` brings bars of {symbol}",
            context={"symbol": symbol, "timeframe": timeframe},
        )


def _with_advice(
    error: NoDataError,
    data_dir: Path | None,
    start: str | None,
    end: str | None,
    series: SeriesWords,
) -> NoDataError:
    """Have it name the command that brings the bars, and not the call."""
    symbol, timeframe = (str(error.context[name]) for name in ("symbol", "timeframe"))
    said = [f"{name} {word}" for name, word in series.items() if word is not None]
    kind = f" ({', '.join(said)})" if said else ""
    return type(error)(
        f"no {timeframe} bars of {symbol}{kind} are stored in {database_of(data_dir)}: "
        f"`{load_command(symbol, timeframe, data_dir, start, end, series)}` brings them",
        context=error.context,
    )
