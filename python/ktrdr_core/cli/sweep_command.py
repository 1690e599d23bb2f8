"""``ktrdr-core sweep``: one strategy trained with every combination of some settings."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from .arguments import names, training_options
from .model_commands import check_database
from .session import Session, command

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    from ..data import SeriesWords


@click.command()
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=A,B,…",
    help="A key of the strategy and its values: model.training.learning_rate=0.01,0.001.",
)
@click.option(
    "--walk-forward",
    metavar="train=2y,test=3mo[,step=3mo][,anchored]",
    help="Train on each of these windows between --start and --end, and test on what follows it.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=0,
    help="Train in so many processes of their own; 0 trains in this one. [default: 0]",
)
@training_options
@command
def sweep(
    session: Session,
    strategy: Path,
    settings: tuple[str, ...],
    walk_forward: str | None,
    workers: int,
    symbols: tuple[str, ...],
    timeframes: tuple[str, ...],
    what_to_show: str | None,
    hours: str | None,
    start: str | None,
    end: str | None,
    data_dir: Path | None,
    models_dir: Path | None,
) -> None:
    """Train one strategy with many settings, and compare them.

    The file STRATEGY is trained with every combination of what --set says; what is best is so on the validation part. With
    --walk-forward each combination is trained on every window, and the tests of all windows are judged together.
    """
    from ..data import DataManager
    from ..errors import TrainingError
    from ..strategies import load_strategy
    from ..sweeps import sweep as start_sweep
    from ..training import TrainingManager
    from ..training.report import short_path

    grid = _runs(settings, walk_forward, start, end)
    asked = names(symbols), names(timeframes)
    series: SeriesWords = {"what_to_show": what_to_show, "session": hours}
    check_database(load_strategy(strategy), *asked, data_dir, start, end, series)
    with ExitStack() as stack:
        data = stack.enter_context(DataManager(data_dir, use_ib_host_service=False))
        manager = stack.enter_context(TrainingManager(data, models_dir))
        operation = start_sweep(
            grid,
            stack.enter_context(_processes(workers)) if workers else None,
            strategy=strategy,
            training=manager,
            symbols=asked[0],
            timeframes=asked[1],
            start_date=start,
            end_date=end,
            what_to_show=what_to_show,
            session=hours,
        )
        session.follow({strategy.stem: operation})
        table = operation.result()
    for warning in operation.warnings:
        session.warn(warning)
    if not any(row["status"] == "completed" for row in table):
        for row in table:
            session.fault(f"run {row['run']}: {row['error']['message']}")
        raise TrainingError(
            f"none of {len(table)} runs completed", context={"runs": table.to_json()["runs"]}
        )
    for line in table.lines():
        session.print(line)
    best = None
    # A host that knows only its contract's table may tell neither figures nor where its model is.
    if not table.has_windows and any(
        row["metrics"].get("val_accuracy") is not None for row in table
    ):
        best = table.best()
        path = best["model_path"]
        where = "" if path is None else f", {short_path(path)}"
        session.say(f"best on validation: run {best['run']}{where}")
    session.answer({**table.to_json(), "best": best and best["run"]})


def _runs(
    settings: tuple[str, ...], windows: str | None, start: str | None, end: str | None
) -> dict[str, list[Any]] | list[dict[str, Any]]:
    from ..sweeps import combinations
    from ..sweeps.windows import DATES

    if windows is None:
        if not settings:
            raise click.UsageError(
                "say what to try: --set KEY=A,B,… or --walk-forward train=2y,test=3mo"
            )
        return _grid(settings)
    if start is None or end is None:
        raise click.UsageError("--walk-forward needs --start and --end: the days that it divides")
    grid = _grid(settings) if settings else {}
    for key in DATES:
        if key in grid:
            raise click.UsageError(f"--set {key} and --walk-forward both say it: leave one out")
    every = combinations(grid) if grid else [{}]
    return [{**one, **window} for one in every for window in _windows(windows, start, end)]


def _windows(text: str, start: str, end: str) -> list[dict[str, str]]:
    """Read ``train=2y,test=3mo,step=3mo,anchored``."""
    from ..errors import InvalidArgumentError
    from ..sweeps import walk_forward

    words = [word.strip() for word in text.split(",")]
    spans = dict(word.split("=", 1) for word in words if "=" in word)
    others = {word for word in words if "=" not in word}
    known = {"train", "test"} <= set(spans) <= {"train", "test", "step"}
    if not known or others - {"anchored"} or len(words) > len(spans) + len(others):
        raise click.UsageError(
            f"--walk-forward takes train=2y,test=3mo[,step=3mo][,anchored], not {text!r}"
        )
    try:
        return walk_forward(
            start,
            end,
            train=spans["train"],
            test=spans["test"],
            step=spans.get("step"),
            anchored="anchored" in others,
        )
    except InvalidArgumentError as error:
        raise click.UsageError(f"--walk-forward {text}: {error.message}") from None


def _grid(settings: tuple[str, ...]) -> dict[str, list[Any]]:
    """Read ``KEY=A,B`` as the strategy file would: numbers, texts, lists in brackets."""
    from ..strategies.document import DocumentError, read_document

    grid: dict[str, list[Any]] = {}
    for text in settings:
        key, equals, values = text.partition("=")
        key = key.strip()
        if not equals or not key or not values.strip():
            raise click.UsageError(f"--set takes KEY=VALUE,VALUE,…, not {text!r}")
        if key in grid:
            raise click.UsageError(f"--set {key} was given twice: name all its values in one")
        try:
            grid[key] = list(read_document(f"x: [{values}]").data["x"])
        except DocumentError as error:
            raise click.UsageError(f"--set {text}: {error.what}") from None
    return grid


def _processes(count: int) -> Executor:
    import multiprocessing
    import signal
    from concurrent.futures import ProcessPoolExecutor

    # Spawned: a fork would copy the core without its threads.
    # Ctrl-C reaches every process of a terminal; this one tells the others.
    return ProcessPoolExecutor(
        count,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
