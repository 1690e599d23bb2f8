"""``ktrdr-core models list|show|compare|predict|evaluate|report|schema``: models that are there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .arguments import data_dir_option, symbol_argument
from .data_commands import check_stored, nothing
from .session import Session, command

if TYPE_CHECKING:
    from ..bars import Bars
    from ..data import SeriesWords
    from ..models import BarPrediction, Model, ModelInfo

models_dir_option = click.option(
    "--models-dir",
    type=click.Path(path_type=Path),
    help="Where models lie. [default: $KTRDR_MODELS_DIR, else ~/.ktrdr/models]",
)
model_argument = click.argument("model", type=click.Path(path_type=Path))


@click.command("list")
@models_dir_option
@command
def list_(session: Session, models_dir: Path | None) -> None:
    """List the saved models with their test figures."""
    from ..models import list_models

    found = list_models(models_dir)
    if found:
        head = ("strategy", "symbols", "version", "test", "prior", "path")
        rows = [
            (
                one.strategy,
                _short(", ".join(one.symbols), 24),
                str(one.version),
                _percent(one.test_accuracy),
                _percent(one.class_prior),
                str(one.path),
            )
            for one in found
        ]
        session.table([head, *rows])
    else:
        session.print("there are no models: `ktrdr-core models train` makes one")
    session.answer([_facts(one) for one in found])


@click.command()
@model_argument
@command
def show(session: Session, model: Path) -> None:
    """Show what the model in the folder MODEL is, and how well it did."""
    from ..models import load

    loaded = load(model)
    info = loaded.info
    lines = (
        *_shown(info),
        ("features", str(len(loaded.feature_names))),
        ("classes", ", ".join(loaded.classes)),
        ("history", f"{loaded.history} bars before the first prediction"),
    )
    for name, text in lines:
        session.print(f"{name:<11}{text}")
    session.answer(
        {
            **_facts(info),
            "feature_names": loaded.feature_names,
            "classes": loaded.classes,
            "history": loaded.history,
        }
    )


@click.command()
@click.argument(
    "folders", metavar="MODEL...", type=click.Path(path_type=Path), nargs=-1, required=True
)
@command
def compare(session: Session, folders: tuple[Path, ...]) -> None:
    """Put several models beside each other."""
    from ..models import ModelInfo

    found = [ModelInfo.read(folder) for folder in folders]
    columns = [dict(_shown(one)) for one in found]
    head = ("", *(f"{one.strategy} v{one.version}" for one in found))
    lines = [(name, *(_short(column[name], 40) for column in columns)) for name in columns[0]]
    session.table([head, *lines])
    session.answer([_facts(one) for one in found])


@click.command()
@model_argument
@symbol_argument
@click.option("--start", help="First day of the stored bars to use, its history among them.")
@click.option("--end", help="Last day of the stored bars to use.")
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="How many bars to show.",
)
@click.option(
    "--what-to-show",
    help="Which of the symbol's series: TRADES, ADJUSTED_LAST, …. [default: what the model was trained on]",
)
@click.option(
    "--session", "hours", help="regular or extended. [default: what the model was trained on]"
)
@data_dir_option
@command
def predict(
    session: Session,
    model: Path,
    symbol: str,
    start: str | None,
    end: str | None,
    last: int,
    what_to_show: str | None,
    hours: str | None,
    data_dir: Path | None,
) -> None:
    """Predict with the model in the folder MODEL for the stored bars of SYMBOL."""
    from ..models import load

    loaded = load(model)
    asked: SeriesWords = {"what_to_show": what_to_show, "session": hours}
    bars, warnings = _stored(session, loaded, symbol, (start, end), asked, data_dir)
    found = loaded.predict_bars(bars)
    warnings += found.warnings
    for warning in warnings:
        session.warn(warning)
    predicted = list(found)
    rows = predicted[-last:]
    lines = [
        (
            f"{one.time:%Y-%m-%d %H:%M}",
            one.predicted,
            *(f"{chance:.3f}" for chance in one.chances.values()),
        )
        for one in rows
    ]
    session.table([("time (UTC)", "predicted", *loaded.classes), *lines])
    session.answer(
        {
            "symbol": symbol,
            "bars": len(predicted),
            "predictions": [_row(one) for one in rows],
            "warnings": warnings,
        }
    )


@click.command()
@model_argument
@click.argument("symbols", nargs=-1)
@click.option(
    "--start", help="First day that is judged. [default: where the model's own test began]"
)
@click.option("--end", help="Last day that is judged. [default: the newest stored]")
@click.option(
    "--what-to-show",
    help="Which of the symbols' series: TRADES, ADJUSTED_LAST, …. [default: what the model was trained on]",
)
@click.option(
    "--session", "hours", help="regular or extended. [default: what the model was trained on]"
)
@data_dir_option
@command
def evaluate(
    session: Session,
    model: Path,
    symbols: tuple[str, ...],
    start: str | None,
    end: str | None,
    what_to_show: str | None,
    hours: str | None,
    data_dir: Path | None,
) -> None:
    """Judge the model in the folder MODEL on the stored bars of SYMBOLS, by default those that it was trained on."""
    from ..data import DataManager
    from ..errors import NoDataError
    from ..models import load
    from ..training import TrainingManager

    loaded = load(model)
    series: SeriesWords = {"what_to_show": what_to_show, "session": hours}
    for symbol in symbols or loaded.info.symbols:
        for timeframe in loaded.timeframes:
            check_stored(symbol, timeframe, data_dir, start, end, series)
    with (
        DataManager(data_dir, use_ib_host_service=False) as data,
        TrainingManager(data, model.parent, use_training_host_service=False) as training,
    ):
        operation = training.evaluate_model(
            model, list(symbols) or None, start, end, what_to_show=what_to_show, session=hours
        )
        session.follow({model.name: operation}, quietly=True)
        try:
            judged = operation.result()
        except NoDataError as error:
            symbol, timeframe = (str(error.context[name]) for name in ("symbol", "timeframe"))
            raise nothing(symbol, timeframe, data_dir, start, end, series) from error
    for warning in judged["warnings"]:
        session.warn(warning)
    figures, prior = judged["test_metrics"], judged["baselines"]["class_prior"]
    rows = [
        (name, str(one["rows"]), _percent(one["test_accuracy"]), _percent(one["class_prior"]))
        for name, one in judged["per_symbol"].items()
    ]
    whole = ("all", str(judged["rows"]), _percent(figures["test_accuracy"]), _percent(prior))
    session.table([("symbol", "rows", "right", "prior"), *rows, whole])
    session.print(f"{judged['from']} to {judged['to']}: {judged['confidence']['verdict']}")
    session.answer(judged)


@click.command()
@model_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="The file; one that is there is replaced.",
)
@command
def report(session: Session, model: Path, output: Path) -> None:
    """Write what the training of the model in the folder MODEL came to, as one HTML file with its plots inside."""
    from ..models import ModelInfo
    from ..training.html_report import save_html_report

    info = ModelInfo.read(model)
    save_html_report(info.result, output)
    session.say(f"wrote {output}")
    session.answer({"model": str(info.path), "report": str(output)})


@click.command()
@command
def schema(session: Session) -> None:
    """Print the JSON schema of what a training gives back."""
    from ..training.result import schema as made

    for line in json.dumps(made(), indent=2).splitlines():
        session.print(line)
    session.answer(made())


def _stored(
    session: Session,
    model: Model,
    symbol: str,
    dates: tuple[str | None, str | None],
    asked: SeriesWords,
    data_dir: Path | None,
) -> tuple[dict[str, Bars], list[str]]:
    """Read the bars that a model needs, and what the store knows against them."""
    from .. import _core
    from ..data import DataManager

    series: dict[str, SeriesWords] = {}
    for timeframe in model.timeframes:
        show, hours = model._native.choose_series(
            symbol, timeframe, asked.get("what_to_show"), asked.get("session")
        )
        series[timeframe] = {"what_to_show": show, "session": hours}
        check_stored(symbol, timeframe, data_dir, *dates, series[timeframe])
    found: dict[str, Bars] = {}
    warnings: list[str] = []
    with DataManager(data_dir, use_ib_host_service=False) as manager:
        for timeframe, words in series.items():
            operation = manager.load_data(
                symbol, timeframe, *dates, "local", validate=False, **words
            )
            session.follow({f"{symbol} {timeframe}": operation}, quietly=True)
            bars = found[timeframe] = operation.result()
            if not len(bars):
                raise nothing(symbol, timeframe, data_dir, *dates, words)
            first, last = (int(bars.time[place].astype("int64")) for place in (0, -1))
            warnings += _core.break_warnings(
                manager._native,
                symbol,
                timeframe,
                bars.what_to_show,
                words["session"],
                first,
                last,
            )
    return found, warnings


def _row(one: BarPrediction) -> dict[str, Any]:
    return {"time": one.time.isoformat(), "predicted": one.predicted, "chances": one.chances}


def _facts(info: ModelInfo) -> dict[str, Any]:
    return {
        "path": str(info.path),
        "strategy": info.strategy,
        "symbols": list(info.symbols),
        "timeframes": list(info.timeframes),
        "version": info.version,
        "created": info.created,
        "architecture": info.architecture,
        "test_accuracy": info.test_accuracy,
        "class_prior": info.class_prior,
        "beats_prior": info.beats_prior,
    }


def _shown(info: ModelInfo) -> tuple[tuple[str, str], ...]:
    training = info.metrics.get("training_metrics") or {}
    checked = info.metrics.get("validation_metrics") or {}
    return (
        ("strategy", info.strategy),
        ("symbols", f"{', '.join(info.symbols)}; {', '.join(info.timeframes)}"),
        ("version", str(info.version)),
        ("created", info.created),
        ("network", info.architecture),
        ("epochs", str(training.get("epochs_completed", "unknown"))),
        ("validation", _percent(checked.get("val_accuracy"))),
        ("test", _percent(info.test_accuracy)),
        ("prior", _percent(info.class_prior)),
        ("knows more", {None: "unknown", True: "yes", False: "no"}[info.beats_prior]),
    )


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.1f} %"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
