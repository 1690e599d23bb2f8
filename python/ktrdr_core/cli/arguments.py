"""Arguments and options that several commands take, and what is checked of them before any work."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..data import SeriesWords

# What a load is advised for where nobody has said: what the replay service has, and any other.
_START, _END = "2005-01-01", "2010-01-01"
_URL = "http://localhost:5001"


class Trimmed(click.types.StringParamType):
    """A name without the spaces around it, which a spreadsheet or a shell variable leaves there."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take them away."""
        text = str(value).strip()
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{text!r} is not UTF-8", param, ctx)
        return text


#: What says which of a symbol's series is meant.
SERIES_WORDS = ("instrument_type", "what_to_show", "session", "exchange", "currency")
symbol_argument = click.argument("symbol", type=Trimmed())
timeframe_argument = click.argument("timeframe", type=Trimmed())
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Where the database lies. [default: $KTRDR_DATA_DIR, else ~/.ktrdr/data]",
)


#: Last first, as decorators stand.
_SERIES = (
    click.option(
        "--session", "hours", help="regular or extended: before and after the sessions' hours."
    ),
    click.option(
        "--what-to-show",
        help="TRADES, MIDPOINT, BID, ASK, ADJUSTED_LAST, …, each a series of its own.",
    ),
)


def training_options(function: Callable[..., None]) -> Callable[..., None]:
    """What is trained: the file STRATEGY, on which of the stored bars, and where models go."""
    for option in (
        click.option(
            "--models-dir",
            type=click.Path(path_type=Path),
            help="Where models are written. [default: $KTRDR_MODELS_DIR, else ~/.ktrdr/models]",
        ),
        data_dir_option,
        click.option("--end", help="Last day of the stored bars to use."),
        click.option("--start", help="First day of the stored bars to use."),
        *_SERIES,
        click.option("--timeframes", multiple=True, help="In place of the strategy's own: 1d."),
        click.option("--symbols", multiple=True, help="In place of the strategy's own: AAPL,MSFT."),
        click.argument("strategy", type=click.Path(path_type=Path)),
    ):
        function = option(function)
    return function


def series_options(function: Callable[..., None]) -> Callable[..., None]:
    """Which of a symbol's series, where there are several; ``words_of`` takes them."""
    for option in (
        click.option("--currency", help="Of the contract, as the provider names it."),
        click.option("--exchange", help="Of the contract, as the provider names it."),
        *_SERIES,
        click.option(
            "--instrument-type", help="stock, etf, index, future, option, forex or crypto."
        ),
    ):
        function = option(function)
    return function


def words_of(asked: dict[str, Any]) -> SeriesWords:
    """Take the words of ``series_options`` out of a command's options."""
    given = {name: asked.pop({"session": "hours"}.get(name, name)) for name in SERIES_WORDS}
    return cast("SeriesWords", {name: word for name, word in given.items() if word is not None})


def names(given: tuple[str, ...]) -> list[str] | None:
    """Take an option that may be repeated, and holds several names between commas; None where it was not given."""
    return [name.strip() for text in given for name in text.split(",") if name.strip()] or None


def database_of(data_dir: Path | None) -> Path:
    """Say where the database lies, whether it is there or not."""
    from ..data.place import default_data_dir

    return (data_dir or default_data_dir(os.environ)) / "ktrdr.db"


def load_command(
    symbol: str,
    timeframe: str,
    data_dir: Path | None,
    start: str | None = None,
    end: str | None = None,
    series: SeriesWords | None = None,
) -> str:
    """Give the command that loads a series, as it can be pasted."""
    words = ["ktrdr-core", "data", "load", symbol, timeframe]
    words += ["--start", start or _START, "--end", end or _END]
    for name, word in (series or {}).items():
        if word is None:
            continue
        words += [f"--{name.replace('_', '-')}", str(word)]
    if not os.environ.get("IB_HOST_SERVICE_URL"):
        words += ["--ib-url", _URL]
    if data_dir is not None:
        words += ["--data-dir", str(data_dir)]
    return shlex.join(words)
