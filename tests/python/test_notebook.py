"""The notebooks are stored with what they show, and show what they are for; ``test_played.py`` executes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"
#: By notebook: what it prints or shows as text, pictures, live bars.
SHOWS: dict[str, tuple[list[str], int, int]] = {
    "01_first_model.ipynb": (
        [
            "100 % · completed: Loading AAPL 1d data",
            "3270 bars, 0 requests",
            "strategy   momentum_mlp",
            "always saying the most frequent class",
            "model      ktrdr-demo/models/momentum_mlp/AAPL-MSFT_1d_v1",
            "model.safetensors",
        ],
        2,
        3,
    ),
    "02_data.ipynb": (
        [
            "{'AAPL': 1259, 'MSFT': 1259}",
            "SymbolNotFoundError",
            "1259 bars, 0 requests",
            "MSFT 1d 1259 2005-01-03 to 2009-12-31",
            "Stored(symbol='ACME', timeframe='1h'",
            "2023-11-14 14:30 to 2023-11-14 21:00: unknown, 7 bars",
            "QualityReport 3269 bars: 4 jump",
            "Bars ACME 1d:",
            "('AAPL.parquet', 1259)",
            "timestamp,open,high,low,close,volume",
        ],
        4,
        0,
    ),
    "02_your_own_job.ipynb": (
        [
            "100 % · completed: Asked Grace [3/3]",
            "{'Ada': 3, 'Alan': 4, 'Grace': 5}",
            "cancelled: operation",
            "that is enough",
            "state completed",
        ],
        0,
        2,
    ),
    "03_training.ipynb": (
        [
            "100 % · completed: ",
            "60 epochs drawn, completed",
            "(training) was cancelled by its user: seen enough",
            "verdict    ",
            "report.html with its pictures inside",
        ],
        2,
        1,
    ),
    "04_sweep.ipynb": (
        [
            "100 % · completed: 4 of 4 runs have ended [4/4]",
            "<SweepResult 4 of 4 runs completed>",
            "chosen: {'model.training.learning_rate'",
            "is a leak: its accuracy is then the luckiest of 4",
            "always saying what was most frequent before each test",
        ],
        2,
        1,
    ),
}


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def missing(notebook: Any, name: str) -> list[str]:
    """What a notebook that has been executed does not show as it should."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    data = [output.data for output in outputs if "data" in output]
    text = "\n".join(
        [output.text for output in outputs if output.output_type == "stream"]
        + [one["text/plain"] for one in data if "text/plain" in one]
    )
    words, pictures, bars = SHOWS[name]
    wrong = [word for word in words if word not in text]
    for mime, count in (("image/png", pictures), (WIDGET, bars)):
        if (found := sum(mime in one for one in data)) != count:
            wrong.append(f"{count} of {mime}, not {found}")
    wrong += [one.text for one in outputs if one.get("name") == "stderr"]
    wrong += [one.evalue for one in outputs if one.output_type == "error"]
    return wrong


@pytest.mark.parametrize("name", NAMES)
def test_it_is_kept_with_what_it_shows(name: str) -> None:
    notebook = read(NOTEBOOKS / name)
    assert missing(notebook, name) == []
    # From top to bottom, in one go.
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_it_tells_nothing_of_the_machine_it_was_executed_on(name: str) -> None:
    text = (NOTEBOOKS / name).read_text()
    assert not [word for word in ("/tmp/", "/home/", "/root/", "/work/") if word in text]
    assert read(NOTEBOOKS / name).metadata.language_info == {"name": "python"}


def test_the_training_that_is_kept_stopped_by_itself() -> None:
    assert ", stopped early" in (NOTEBOOKS / "01_first_model.ipynb").read_text()
