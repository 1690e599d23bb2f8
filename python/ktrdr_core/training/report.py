"""What came out of a training, in words and in pictures."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._extras import needed_by

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def training_lines(result: Mapping[str, Any]) -> list[str]:
    """Say the result of a training in a few lines; the accuracy stands beside what a constant answer would score.

    Where the model does no better than that, the lines say why this is the answer, and what to try. A model below the
    working directory is named by its way from there.
    """
    metrics = result["training_metrics"]
    epochs, best = metrics["epochs_completed"], metrics["best_epoch"]
    stopped = ", stopped early" if metrics["early_stopped"] else ""
    checked = result["validation_metrics"]["val_accuracy"]
    minutes = metrics["training_time_minutes"]
    seconds = "" if minutes is None else f" in {60 * minutes:.1f} s"
    return [
        f"strategy   {result['session_info']['strategy_name']}",
        f"symbols    {_symbols(result)}",
        f"dates      {_dates(result)}",
        f"rows       {_rows(result)}",
        *_basis_lines(result),
        f"trained    {result['model_info']['architecture']}, {epochs} epochs{seconds}{stopped}",
        f"validation {_percent(checked)} right with the weights of epoch {best}, which are kept",
        *_test_lines(result),
        *_walk_lines(result),
        f"model      {short_path(result['artifacts']['model_path'])}",
    ]


def short_path(path: str | os.PathLike[str]) -> str:
    """Name a path below the working directory by its way from there, another one whole."""
    whole, here = Path(path), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def _symbols(result: Mapping[str, Any]) -> str:
    session = result["session_info"]
    return f"{', '.join(session['symbols'])}; {', '.join(session['timeframes'])}"


def _dates(result: Mapping[str, Any]) -> str:
    symbols = result["session_info"]["data_summary"]["symbols"]
    first = min(one["first_bar"] for one in symbols)
    last = max(one["last_bar"] for one in symbols)
    bars = sum(one["bars"] for one in symbols)
    return f"{first[:10]} to {last[:10]}, {bars:,} bars"


def _basis_lines(result: Mapping[str, Any]) -> list[str]:
    """Name where prices change their basis: a service that has no such word says nothing."""
    breaks = result["session_info"]["data_summary"].get("basis_breaks", [])
    lines = [
        f"basis      {one['symbol']} {one['timeframe']}: prices from {one['at'][:10]} on are {one['ratio']:.6g} times "
        "those before; load the range anew with refresh"
        for one in breaks[:5]
    ]
    return lines + ([f"           and {len(breaks) - 5} more"] if len(breaks) > 5 else [])


def _rows(result: Mapping[str, Any]) -> str:
    rows = result["session_info"]["data_summary"]["rows"]
    return (
        f"{rows['train']:,} to train, {rows['validation']:,} to validate, {rows['test']:,} to test"
    )


def _test_lines(result: Mapping[str, Any]) -> list[str]:
    accuracy = result["test_metrics"]["test_accuracy"]
    prior = result["baselines"]["class_prior"]
    text = (
        f"test       {_percent(accuracy)} right; "
        f"always saying the most frequent class: {_percent(prior)}"
    )
    if accuracy is None or prior is None:
        return [text]
    luck = _luck(prior, result["session_info"]["data_summary"])
    difference = accuracy - prior
    if difference > luck:
        return [
            f"{text} ({100 * difference:+.1f} points; chance alone gives up to {100 * luck:.1f})"
        ]
    verdict = "the model knows no more than that"
    if difference > 0:
        verdict = (
            f"{100 * difference:+.1f} points: chance alone gives that; the model knows no more"
        )
    return [
        f"{text} ({verdict})",
        "why        the test rows come after all that it learnt from, so no hindsight is in the figure; and past prices",
        "           say little about the next ones",
        "try        other indicators and fuzzy_sets, another threshold or label_lookahead in the strategy file, more",
        "           symbols or years; choose by validation, and look at test last",
    ]


def _walk_lines(result: Mapping[str, Any]) -> list[str]:
    """Say what the same training scores where nothing can be learnt; a service that has not tried says nothing."""
    walk = result["baselines"].get("random_walk") or {}
    if walk.get("test_accuracy") is None:
        return []
    return [
        f"walk       {_percent(walk['test_accuracy'])} right after the same training on a random walk; its most frequent class: "
        f"{_percent(walk['class_prior'])}"
    ]


def _luck(prior: float, data: Mapping[str, Any]) -> float:
    """Say what a model that knows nothing gains on the test rows by luck, in one case of forty: two standard errors.

    A label looks some bars ahead, as many as the series' end has without one: rows so near each other share their answer,
    and count as one.
    """
    shared = max(1, *(one["undecided"] for one in data["symbols"]))
    return 2 * sqrt(prior * (1 - prior) * shared / data["rows"]["test"])


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.1f} %"


def save_report(result: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Draw loss and accuracy per epoch and the confusion matrix into a PNG file.

    Raises
    ------
    FeatureNotAvailableError
        When matplotlib is not installed; an ImportError. The message has the command that installs it.
    """
    with needed_by("save_report()"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    # Without pyplot: no window system is asked for, and no global figure is left behind.
    figure = Figure(figsize=(13, 4), layout="constrained")
    FigureCanvasAgg(figure)
    draw_report(result, figure)
    target = Path(path)
    partial = target.with_name(target.name + ".part")
    try:
        figure.savefig(partial, format="png")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def draw_report(result: Mapping[str, Any], figure: Figure) -> None:
    """Draw the three pictures side by side into a figure, under what was trained on which bars."""
    strategy = result["session_info"]["strategy_name"]
    title = figure.suptitle(
        f"{strategy}: {_symbols(result)}, {_dates(result)}; {_rows(result)}", fontsize="medium"
    )
    # A symbol may hold dollar signs, between which matplotlib reads formulas.
    title.set_parse_math(False)
    loss, accuracy, confusion = figure.subplots(1, 3)
    draw_loss(result, loss)
    draw_accuracy(result, accuracy)
    draw_confusion(result, confusion)


def draw_loss(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw the loss of each epoch."""
    _draw_history(result, axes, "loss", 1.0)
    axes.set_title("loss (cross-entropy)")


def draw_accuracy(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw the accuracy of each epoch, and that of a constant answer on the test part."""
    _draw_history(result, axes, "accuracy", 100.0)
    prior = result["baselines"]["class_prior"]
    if prior is not None:
        axes.axhline(100 * prior, color="grey", linestyle=":", label="most frequent class (test)")
    tested = result["test_metrics"]["test_accuracy"]
    if tested is not None:
        axes.axhline(100 * tested, color="tab:green", linestyle="--", label="test")
    axes.set_title("accuracy (%)")
    axes.legend(fontsize="small")


def _draw_history(result: Mapping[str, Any], axes: Axes, figure: str, scale: float) -> None:
    history = result["history"]
    epochs = [report["epoch"] for report in history]
    for part, label in (("train", "train"), ("val", "validation")):
        values = [report[f"{part}_{figure}"] for report in history]
        axes.plot(epochs, [float("nan") if v is None else scale * v for v in values], label=label)
    best = result["training_metrics"]["best_epoch"]
    if best is not None:
        axes.axvline(best, color="grey", linewidth=0.8)
        axes.annotate("kept", (best, 1), xycoords=("data", "axes fraction"), fontsize="small")
    axes.set_xlabel("epoch")
    axes.legend(fontsize="small")


def draw_confusion(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw how often each true class was predicted as which, on the test part."""
    tested = result["test_metrics"]
    matrix, classes = tested["confusion_matrix"], tested["classes"]
    axes.imshow(matrix, cmap="Blues")
    largest = max((count for row in matrix for count in row), default=0)
    for true, row in enumerate(matrix):
        for predicted, count in enumerate(row):
            colour = "white" if 2 * count > largest else "black"
            axes.text(predicted, true, f"{count:,}", ha="center", va="center", color=colour)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes)
    axes.set_yticks(ticks, classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title("test rows")
