"""What came out of a training, in words and in pictures."""

from __future__ import annotations

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
        f"trained    {_known(result['model_info']['architecture'])}, {_known(epochs)} epochs{seconds}{stopped}",
        f"validation {_percent(checked)} right with the weights of epoch {_known(best)}, which are kept",
        *_test_lines(result),
        *_walk_lines(result),
        f"model      {_model(result)}",
    ]


def _known(figure: object) -> object:
    return "unknown" if figure is None else figure


def _model(result: Mapping[str, Any]) -> str:
    path = result["artifacts"]["model_path"]
    return "not handed over by its host" if path is None else short_path(path)


def short_path(path: str | os.PathLike[str]) -> str:
    """Name a path below the working directory by its way from there, another one whole."""
    whole, here = Path(path), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def _symbols(result: Mapping[str, Any]) -> str:
    session = result["session_info"]
    return f"{', '.join(session['symbols'])}; {', '.join(session['timeframes'])}"


def _dates(result: Mapping[str, Any]) -> str:
    summary = result["session_info"]["data_summary"]
    if not summary or not summary["symbols"]:
        return "unknown"
    symbols = summary["symbols"]
    first = min(one["first_bar"] for one in symbols)
    last = max(one["last_bar"] for one in symbols)
    bars = sum(one["bars"] for one in symbols)
    return f"{first[:10]} to {last[:10]}, {bars:,} bars"


def _basis_lines(result: Mapping[str, Any]) -> list[str]:
    """Name where prices change their basis: a service that has no such word says nothing."""
    breaks = (result["session_info"]["data_summary"] or {}).get("basis_breaks", [])
    lines = [
        f"basis      {one['symbol']} {one['timeframe']}: prices from {one['at'][:10]} on are {one['ratio']:.6g} times "
        "those before; load the range anew with refresh"
        for one in breaks[:5]
    ]
    return lines + ([f"           and {len(breaks) - 5} more"] if len(breaks) > 5 else [])


def _rows(result: Mapping[str, Any]) -> str:
    summary = result["session_info"]["data_summary"]
    if not summary:
        return "unknown"
    rows = summary["rows"]
    return (
        f"{rows['train']:,} to train, {rows['validation']:,} to validate, {rows['test']:,} to test"
    )


def _test_lines(result: Mapping[str, Any]) -> list[str]:
    """Say how good the model is; whether it beats the prior is judged by the training, once, and said in its words."""
    tested, prior = (
        _percent((result.get(part) or {}).get(name))
        for part, name in (("test_metrics", "test_accuracy"), ("baselines", "class_prior"))
    )
    lines = [f"test       {tested} right; always saying the most frequent class: {prior}"]
    judged = result.get("confidence") or {}
    if judged.get("verdict") is None:
        return lines
    lines.append(f"verdict    {judged['verdict']}")
    if judged["beats_prior"] is not False and judged.get("beats_random_walk") is not False:
        return lines
    return [
        *lines,
        "why        the test rows come after all that it learnt from, so no hindsight is in the figure; and past prices",
        "           say little about the next ones",
        "try        other indicators and fuzzy_sets, another threshold or label_lookahead in the strategy file, more",
        "           symbols or years; choose by validation, and look at test last",
    ]


def _walk_lines(result: Mapping[str, Any]) -> list[str]:
    """Say what the same training scores where nothing can be learnt; a service that has not tried says nothing."""
    walk = (result.get("baselines") or {}).get("random_walk") or {}
    if walk.get("test_accuracy") is None:
        return []
    return [
        f"walk       {_percent(walk['test_accuracy'])} right after the same training on a random walk; its most frequent class: "
        f"{_percent(walk['class_prior'])}"
    ]


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{100 * share:.1f} %"


def save_report(result: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Draw loss and accuracy per epoch and the confusion matrix into a PNG file; `save_html_report` writes all there is.

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
    prior = (result.get("baselines") or {}).get("class_prior")
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
    axes.set_title("test rows")
    matrix, classes = tested.get("confusion_matrix"), tested.get("classes")
    if not matrix or not classes:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "unknown", ha="center", transform=axes.transAxes)
        return
    # Shapes and no picture of pixels: the page of a report may load none, not even one that it holds.
    edges = [place - 0.5 for place in range(len(classes) + 1)]
    axes.pcolormesh(edges, edges, matrix, cmap="Blues")
    axes.invert_yaxis()
    axes.set_aspect("equal")
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


def draw_calibration(result: Mapping[str, Any], axes: Axes) -> None:
    """Draw how often the model is right where it is so sure, on the test part; on the diagonal its chances are honest."""
    axes.set_title("calibration (test)")
    bins = [one for one in (result.get("calibration") or {}).get("bins", []) if one["rows"]]
    axes.plot([0, 100], [0, 100], color="grey", linestyle=":")
    axes.plot(
        [100 * one["confidence"] for one in bins],
        [100 * one["accuracy"] for one in bins],
        marker="o",
    )
    axes.set_xlabel("largest chance (%)")
    axes.set_ylabel("right (%)")
