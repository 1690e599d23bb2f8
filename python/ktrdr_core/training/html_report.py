"""What came out of a training, as one HTML file that needs nothing but itself."""

from __future__ import annotations

import io
import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _core
from .._extras import needed_by
from .._tables import html_row
from ..errors import InvalidArgumentError, KtrdrError
from .report import (
    _dates,
    _percent,
    _rows,
    _symbols,
    draw_accuracy,
    draw_calibration,
    draw_confusion,
    draw_loss,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["html_report", "save_html_report"]

# The page may load nothing, whatever a name in it says.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
table { border-collapse: collapse; margin: 0.5em 0 1.5em }
th, td { text-align: left; padding: 0.2em 0.9em 0.2em 0; border-bottom: 1px solid #ddd; overflow-wrap: anywhere }
.verdict { font-size: 1.15em; border-left: 4px solid #888; padding-left: 0.8em }
svg { max-width: 100%; height: auto }
"""
_DROPPED = ("warm_up", "hole", "nan", "undecided", "purged")


def save_html_report(result: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """Write `html_report` into a file, which is there whole or as it was before.

    Parameters
    ----------
    result : mapping
        What a training gave back, or ``ModelInfo.read(folder).result``.
    path : path
        The file; its folder must be there.

    Raises
    ------
    FeatureNotAvailableError
        When matplotlib is not installed; an ImportError. The message has the command that installs it.
    InvalidArgumentError, NotFoundError, StorageError
        Where the path holds what is no plain file, where its folder is not there, where it cannot be written.
    """
    text = html_report(result)
    target = Path(path)
    file = _core.NewFile.open(target.absolute(), True, dict(os.environ))
    try:
        file.hidden.write_text(text, encoding="utf-8")
        file.commit(None)
    finally:
        file.discard()
    return target


def html_report(result: Mapping[str, Any]) -> str:
    """Make the report of a training: one HTML page, plots inside, that loads nothing and holds no script.

    It shows what was trained on which bars, the rows dropped by reason, whether the model beats the class prior, loss and
    accuracy of each epoch, the confusion matrix, calibration, baselines, each class and each symbol. There is no curve of
    money: what a strategy would have earned needs costs and fills, which a training does not know. What the result does not
    tell is shown as unknown.

    Parameters
    ----------
    result : mapping
        What a training gave back, or ``ModelInfo.read(folder).result``.

    Raises
    ------
    FeatureNotAvailableError
        When matplotlib is not installed; an ImportError. The message has the command that installs it.
    InvalidArgumentError
        For what is no result of a training: where a figure is none, or a part is missing.
    """
    try:
        return _page(result)
    except KtrdrError:
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InvalidArgumentError(
            f"this is no result of a training, so there is no report of it: {why}; `ktrdr-core models schema` prints what "
            "one looks like",
            context={"field": "result"},
        ) from error


def _page(result: Mapping[str, Any]) -> str:
    picture = _picture(result)
    name = escape(str(result["session_info"]["strategy_name"]))
    parts = [
        f'<h1>{name}</h1>\n<p class="verdict">{escape(_verdict(result))}</p>',
        _section("What was trained", _table((), _what(result))),
        _section("Epochs and test rows", picture),
        _section("Test accuracy beside what needs no model", _table((), _baselines(result))),
        _section("Each class, test rows", _classes(result)),
        _section("Each symbol", _each_symbol(result)),
        _section("Rows that were dropped, by reason", _dropped(result)),
        _section("Holes in the bars", _holes(result)),
        _section("Importance of features", _importance(result)),
        "<p>There is no curve of money here: it would need costs and fills, which a training does not know.</p>",
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _part(result: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return result.get(name) or {}


def _summary(result: Mapping[str, Any]) -> Mapping[str, Any]:
    return result["session_info"].get("data_summary") or {}


def _verdict(result: Mapping[str, Any]) -> str:
    told = _part(result, "confidence").get("verdict")
    return "Whether the model beats the class prior was not tested." if told is None else told


def _known(figure: object) -> str:
    return "unknown" if figure is None else str(figure)


def _what(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    session, training = result["session_info"], _part(result, "training_metrics")
    epochs = f"{_known(training.get('epochs_completed'))}, weights of epoch {_known(training.get('best_epoch'))} kept"
    if training.get("early_stopped"):
        epochs += ", stopped early"
    return [
        ("strategy", str(session["strategy_name"])),
        ("symbols", _symbols(result)),
        ("bars", _dates(result)),
        ("rows", _rows(result)),
        ("validation from", _known(_summary(result).get("validation_from"))),
        ("test from", _known(_summary(result).get("test_from"))),
        ("network", _known(_part(result, "model_info").get("architecture"))),
        ("epochs", epochs),
        ("validation", _percent(_part(result, "validation_metrics").get("val_accuracy"))),
        ("operation", _known(session.get("operation_id"))),
    ]


def _interval(ends: Sequence[float | None] | None) -> str:
    low, high = ends or (None, None)
    return "unknown" if low is None else f"{_percent(low)} to {_percent(high)}"


def _baselines(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    sure, base = _part(result, "confidence"), _part(result, "baselines")
    walk = base.get("random_walk") or {}
    level = sure.get("level")
    interval = "interval" if level is None else f"{100 * level:g} % interval, {sure['method']}"
    walked = f"{_percent(walk.get('test_accuracy'))}; its class prior {_percent(walk.get('class_prior'))}"
    if walk.get("reason"):
        walked = str(walk["reason"])
    return [
        ("the model", _percent(_part(result, "test_metrics").get("test_accuracy"))),
        (interval, _interval(sure.get("test_accuracy"))),
        ("gain over the prior, same interval", _interval(sure.get("gain_over_prior"))),
        (
            f"class prior: always {_known(base.get('most_frequent_class'))}",
            _percent(base.get("class_prior")),
        ),
        ("majority of the test rows themselves", _percent(base.get("majority"))),
        ("persistence: the last label known", _percent(base.get("persistence"))),
        ("the same training on a random walk", walked),
        (
            "expected calibration error",
            _percent(_part(result, "calibration").get("expected_calibration_error")),
        ),
    ]


def _classes(result: Mapping[str, Any]) -> str:
    figures = ("precision", "recall", "f1_score")
    rows = [
        (one["class"], f"{one['rows']:,}", *(_percent(one[figure]) for figure in figures))
        for one in _part(result, "test_metrics").get("per_class") or []
    ]
    return _table(("class", "rows", "precision", "recall", "F1"), rows)


def _each_symbol(result: Mapping[str, Any]) -> str:
    rows = [
        (
            symbol,
            f"{one['rows']:,}",
            _percent(one["test_accuracy"]),
            _percent(one.get("class_prior")),
        )
        for symbol, one in _part(result, "per_symbol").items()
    ]
    return _table(("symbol", "test rows", "right", "class prior"), rows)


def _dropped(result: Mapping[str, Any]) -> str:
    rows = [
        (one["symbol"], f"{one['bars']:,}", *(_known(one.get(reason)) for reason in _DROPPED))
        for one in _summary(result).get("symbols", [])
    ]
    return _table(("symbol", "bars", "warm-up", "hole", "NaN", "undecided", "purged"), rows)


def _holes(result: Mapping[str, Any]) -> str:
    rows = [
        (one["symbol"], one["timeframe"], one["from"], one["to"], _known(one["sessions"]))
        for one in _summary(result).get("holes", [])
    ]
    return _table(("symbol", "timeframe", "from", "to", "sessions missing"), rows)


def _importance(result: Mapping[str, Any]) -> str:
    lost = _part(result, "feature_importance")
    rows = [
        (name, "unknown" if value is None else f"{100 * value:+.2f} points")
        for name, value in sorted(lost.items(), key=lambda one: -(one[1] or 0.0))
    ]
    return _table(("feature", "accuracy lost when it is shuffled"), rows)


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{content}" if content else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Make a table of texts, each escaped; without a head the first column is one. Empty without rows."""
    listed = list(rows)
    if not listed:
        return ""
    if head:
        lines = [html_row("th", head), *(html_row("td", row) for row in listed)]
    else:
        lines = [_named_row(*row) for row in listed]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _named_row(name: str, *cells: str) -> str:
    said = "".join(f"<td>{escape(text)}</td>" for text in cells)
    return f"<tr><th>{escape(name)}</th>{said}</tr>"


def _picture(result: Mapping[str, Any]) -> str:
    """Draw the four plots as one SVG element; the same result gives the same text."""
    with needed_by("html_report()"):
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    FigureCanvasSVG(figure)
    (loss, accuracy), (confusion, calibration) = figure.subplots(2, 2)
    draw_loss(result, loss)
    draw_accuracy(result, accuracy)
    draw_confusion(result, confusion)
    draw_calibration(result, calibration)
    drawn = io.StringIO()
    # Text as outlines: the page needs no font, and no name can become markup.
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "ktrdr"}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(drawn, format="svg", metadata=nothing)
    text = drawn.getvalue()
    # The XML prologue before it names a document type by its address, which HTML does not want.
    return text[text.index("<svg") :].strip()
