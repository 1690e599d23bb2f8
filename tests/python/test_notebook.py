"""The notebooks run from top to bottom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def read(name: str) -> Any:
    return nbformat.read(NOTEBOOKS / name, as_version=4)  # type: ignore[no-untyped-call]


def execute(name: str, folder: Path) -> Any:
    notebook = read(name)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


@pytest.mark.slow
def test_it_runs_and_ends_in_a_model(tmp_path: Path) -> None:
    notebook = execute("01_first_model.ipynb", tmp_path)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    streams = [output for output in outputs if output.output_type == "stream"]
    printed = "".join(output.text for output in streams if output.name == "stdout")
    assert "3270 bars, 0 requests" in printed
    assert "always saying the most frequent class" in printed
    assert "model.safetensors" in printed
    assert [output.text for output in streams if output.name == "stderr"] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2


@pytest.mark.slow
def test_a_job_of_one_s_own_shows_itself_and_is_cancelled(tmp_path: Path) -> None:
    notebook = execute("02_your_own_job.ipynb", tmp_path)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "that is enough" in printed
    assert "state completed" in printed
    shown = [output.data for output in outputs if "data" in output]
    assert sum("application/vnd.jupyter.widget-view+json" in data for data in shown) == 2
    assert any(data.get("text/plain") == "{'Ada': 3, 'Alan': 4, 'Grace': 5}" for data in shown)


@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("*.ipynb")))
def test_it_is_kept_without_outputs(name: str) -> None:
    notebook = read(name)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
