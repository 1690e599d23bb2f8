"""``ktrdr-core models list|show|compare|predict``: models that are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .arguments import data_dir_option, symbol_argument
from .data_commands import check_stored, nothing
from .session import Session, command

if TYPE_CHECKING:
    from ..bars import Bars
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
        _table(
            session,
            ("strategy", "symbols", "version", "test", "prior", "path"),
            [
                (
                    one.strategy,
                    _short(", ".join(one.symbols), 24),
                    str(one.version),
                    _percent(one.test_accuracy),
                    _percent(one.class_prior),
                    str(one.path),
                )
                for one in found
            ],
        )
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
    _table(
        session,
        ("", *(f"{one.strategy} v{one.version}" for one in found)),
        [(name, *(_short(column[name], 40) for column in columns)) for name in columns[0]],
    )
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
@data_dir_option
@command
def predict(
    session: Session,
    model: Path,
    symbol: str,
    start: str | None,
    end: str | None,
    last: int,
    data_dir: Path | None,
) -> None:
    """Predict with the model in the folder MODEL for the stored bars of SYMBOL."""
    from ..models import load

    loaded = load(model)
    predicted = list(loaded.predict_bars(_stored(session, loaded, symbol, (start, end), data_dir)))
    rows = predicted[-last:]
    _table(
        session,
        ("time (UTC)", "predicted", *loaded.classes),
        [
            (
                f"{one.time:%Y-%m-%d %H:%M}",
                one.predicted,
                *(f"{chance:.3f}" for chance in one.chances.values()),
            )
            for one in rows
        ],
    )
    session.answer(
        {"symbol": symbol, "bars": len(predicted), "predictions": [_row(one) for one in rows]}
    )


def _stored(
    session: Session,
    model: Model,
    symbol: str,
    dates: tuple[str | None, str | None],
    data_dir: Path | None,
) -> dict[str, Bars]:
    """Read the bars that a model needs."""
    from ..data import DataManager

    for timeframe in model.timeframes:
        check_stored(symbol, timeframe, data_dir, *dates)
    found = {}
    with DataManager(data_dir, use_ib_host_service=False) as manager:
        for timeframe in model.timeframes:
            operation = manager.load_data(symbol, timeframe, *dates, "local", validate=False)
            session.follow({f"{symbol} {timeframe}": operation}, quietly=True)
            found[timeframe] = operation.result()
            if not len(found[timeframe]):
                raise nothing(symbol, timeframe, data_dir, *dates)
    return found


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


def _table(session: Session, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        session.print(
            "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        )
