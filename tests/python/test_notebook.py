"""The notebook runs from top to bottom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_first_model.ipynb"


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


@pytest.mark.slow
def test_it_runs_and_ends_in_a_model(tmp_path: Path) -> None:
    notebook = read()
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    streams = [output for output in outputs if output.output_type == "stream"]
    printed = "".join(output.text for output in streams if output.name == "stdout")
    assert "3270 bars, 0 requests" in printed
    assert "always saying the most frequent class" in printed
    assert "model.safetensors" in printed
    assert [output.text for output in streams if output.name == "stderr"] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2


def test_it_is_kept_without_outputs() -> None:
    notebook = read()
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
