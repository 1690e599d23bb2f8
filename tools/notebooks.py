"""Execute notebooks and keep what they show.

    tools/notebooks.py [--in-place] [FILE...]     without files those of notebooks/; what `make outputs` runs

Each runs in an empty folder, so that what is stored is what a newcomer sees; with --in-place, in its own. A bar is stored as it
ends, also for front ends that show no widgets.
"""

from __future__ import annotations

import html
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ASK = "import json, ipywidgets; print(json.dumps(ipywidgets.Widget.get_manager_state()['state']))"
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def execute(path: Path, folder: Path) -> Any:
    """Run a notebook from top to bottom in a folder; it, with its outputs."""
    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    kept = notebook.metadata.copy()
    where = {"metadata": {"path": str(folder)}}
    # A bar may end while a later cell runs, which is told to no cell: the kernel is asked at the end.
    notebook.cells.append(nbformat.v4.new_code_cell(ASK))  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=600, record_timing=False, resources=where).execute()
    states = json.loads(notebook.cells.pop().outputs[0].text)
    notebook.metadata.widgets = {STATE: {"state": states, "version_major": 2, "version_minor": 0}}
    # The version of this machine's Python is nobody's business, and would change with each.
    notebook.metadata.language_info = kept.language_info
    end_bars(notebook, states)
    return notebook


def end_bars(notebook: Any, states: dict[str, Any]) -> None:
    """Write under each widget, as text and as HTML, how it ended: a page that shows no widgets shows that."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(WIDGET)
            if view is None:
                continue
            box = states[view["model_id"]]["state"]
            parts = [states[child.removeprefix("IPY_MODEL_")]["state"] for child in box["children"]]
            [share] = [
                part["value"] for part in parts if part["_model_name"] == "FloatProgressModel"
            ]
            words = "".join(part["value"] for part in parts if part["_model_name"] == "HTMLModel")
            output.data["text/plain"] = html.unescape(words)
            output.data["text/html"] = (
                f'<div><progress value="{share:.1f}" max="100" style="width: 20em"></progress> {words}</div>'
            )


def main(arguments: list[str]) -> None:
    """Execute the notebooks that are named, or all."""
    in_place = "--in-place" in arguments
    named = [Path(one).resolve() for one in arguments if one != "--in-place"]
    for path in named or sorted(NOTEBOOKS.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as empty:
            notebook = execute(path, path.parent if in_place else Path(empty))
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
        print(path.name)


if __name__ == "__main__":
    main(sys.argv[1:])
