"""What is said and drawn of a training: what it was, what came out, and what to make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from ktrdr_core.report import draw_report, training_lines

VERDICT = "45.0 % of the test rows are right, and that is for the training to judge."


def result(
    *, right: float | None, prior: float | None, rows: int = 970, beats: bool | None = False
) -> dict[str, Any]:
    """A result as trainings give it, with what reports read."""
    summary = {
        "rows": {"train": 4512, "validation": 960, "test": rows},
        "symbols": [
            {
                "symbol": symbol,
                "bars": bars,
                "undecided": 5,
                "first_bar": f"{first}T00:00:00.000Z",
                "last_bar": f"{last}T00:00:00.000Z",
            }
            for symbol, bars, first, last in (
                ("AAPL", 3270, "2000-03-01", "2013-03-01"),
                ("MSFT", 1000, "2005-01-03", "2013-04-12"),
            )
        ],
    }
    epoch = {"train_loss": 1.0, "val_loss": 1.1, "train_accuracy": 0.4, "val_accuracy": 0.41}
    return {
        "training_metrics": {
            "epochs_completed": 2,
            "best_epoch": 1,
            "early_stopped": True,
            "training_time_minutes": 0.25,
        },
        "validation_metrics": {"val_accuracy": 0.46},
        "test_metrics": {
            "test_accuracy": right,
            "classes": ["buy", "hold", "sell"],
            "confusion_matrix": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
        },
        "baselines": {"class_prior": prior},
        "confidence": {"beats_prior": beats, "verdict": VERDICT},
        "history": [{"epoch": number, **epoch} for number in (1, 2)],
        "artifacts": {"model_path": "/models/momentum_mlp/AAPL-MSFT_1d_v1"},
        "session_info": {
            "strategy_name": "momentum_mlp",
            "symbols": ["AAPL", "MSFT"],
            "timeframes": ["1d"],
            "data_summary": summary,
        },
        "model_info": {"architecture": "mlp 22-50-25-3"},
    }


def said(report: dict[str, Any]) -> dict[str, str]:
    """Its lines by their first word."""
    lines = [line for line in training_lines(report) if not line.startswith(" ")]
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}


def test_a_report_names_strategy_symbols_dates_and_rows() -> None:
    lines = said(result(right=0.5, prior=0.45))
    assert lines["strategy"] == "momentum_mlp"
    assert lines["symbols"] == "AAPL, MSFT; 1d"
    assert lines["dates"] == "2000-03-01 to 2013-04-12, 4,270 bars"
    assert lines["rows"] == "4,512 to train, 960 to validate, 970 to test"
    assert lines["trained"] == "mlp 22-50-25-3, 2 epochs in 15.0 s, stopped early"


def test_the_picture_names_them_too() -> None:
    figure = Figure(figsize=(13, 4))
    draw_report(result(right=0.5, prior=0.45), figure)
    title = figure.get_suptitle()
    for named in ("momentum_mlp", "AAPL, MSFT", "2000-03-01 to 2013-04-12", "4,512 to train"):
        assert named in title


def test_dollar_signs_of_symbols_are_no_formulas_in_the_picture() -> None:
    figure = Figure(figsize=(13, 4))
    report = result(right=0.5, prior=0.45)
    for config in (report, *report.values()):
        if isinstance(config, dict) and "symbols" in config:
            config["symbols"] = ["$A_{", "$B"]
    draw_report(report, figure)
    figure.draw_without_rendering()
    assert "$A_{, $B" in figure.get_suptitle()


# Whatever the figures are: the training judges them, and nobody else does.
@pytest.mark.parametrize(("right", "prior"), [(0.40, 0.45), (0.45, 0.45), (0.99, 0.01)])
def test_no_knowledge_is_said_with_its_reason_and_what_to_try(right: float, prior: float) -> None:
    lines = said(result(right=right, prior=prior, beats=False))
    assert lines["verdict"] == VERDICT
    assert "the test rows come after all" in lines["why"]
    for key in ("indicators", "fuzzy_sets", "threshold", "label_lookahead"):
        assert key in lines["try"]


@pytest.mark.parametrize(("right", "prior"), [(0.53, 0.45), (0.1, 0.9)])
def test_knowledge_is_what_the_training_calls_so(right: float, prior: float) -> None:
    lines = said(result(right=right, prior=prior, beats=True))
    assert lines["verdict"] == VERDICT
    assert not {"why", "try"} & set(lines)


@pytest.mark.parametrize(("right", "prior"), [(None, 0.45), (0.45, None), (None, None)])
def test_what_is_not_known_is_not_judged(right: float | None, prior: float | None) -> None:
    report = result(right=right, prior=prior, rows=0, beats=None)
    assert "unknown" in said(report)["test"]
    assert not {"why", "try"} & set(said(report))
    report["confidence"] = None
    assert not {"verdict", "why", "try"} & set(said(report))


def test_a_model_below_the_working_directory_is_named_by_its_way_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = result(right=0.5, prior=0.45)
    assert said(report)["model"] == "/models/momentum_mlp/AAPL-MSFT_1d_v1"
    report["artifacts"]["model_path"] = str(tmp_path / "models" / "m")
    assert said(report)["model"] == str(Path("models", "m"))


def test_what_the_same_training_scores_on_a_random_walk_stands_beside_it() -> None:
    report = result(right=0.435, prior=0.452)
    assert "walk" not in said(report)
    report["baselines"]["random_walk"] = {"test_accuracy": None, "class_prior": None}
    assert "walk" not in said(report)
    report["baselines"]["random_walk"] = {"test_accuracy": 0.331, "class_prior": 0.365}
    assert said(report)["walk"] == (
        "33.1 % right after the same training on a random walk; its most frequent class: 36.5 %"
    )
