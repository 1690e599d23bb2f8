"""JupyterLab in a headless Chromium: a notebook of given cells, and a person's hands on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from playwright.sync_api import Locator, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Page

# Generous: the machine may be busy.
LIMIT = 60
CHROMIUM = shutil.which("chromium")


class LabPage:
    """One open notebook whose kernel runs."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._cells = page.locator(".jp-Notebook .jp-CodeCell")

    def run(self, number: int) -> Locator:
        """Run a cell as one does with the mouse; the place of its output."""
        cell = self._cells.nth(number)
        cell.locator(".cm-content").click()
        self._press("notebook:run-cell-and-select-next")
        return cell.locator(".jp-Cell-outputArea")

    def interrupt(self) -> None:
        """Press the button that interrupts the kernel, and wait until it is free again."""
        self._press("notebook:interrupt-kernel")
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait for the kernel; a cell that is run before it has started, or in the wake of an error, is forgotten."""
        self._page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()

    def _press(self, command: str) -> None:
        self._page.locator(f'.jp-NotebookPanel-toolbar [data-command="{command}"]').click()

    def picture(self, path: Path) -> None:
        """Keep what is seen, for who looks into a failure."""
        self._page.screenshot(path=path)


@contextmanager
def lab_page(folder: Path, cells: Sequence[str]) -> Iterator[LabPage]:
    """Start JupyterLab in a folder, write a notebook of the cells there, and open it."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium; on Debian `make setup` installs it")
    notebook: Any = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],  # type: ignore[no-untyped-call]
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, folder / "tried.ipynb")  # type: ignore[no-untyped-call]
    with _server(folder) as (url, token), sync_playwright() as playwright:
        # Chromium's own sandbox refuses to run for root.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(1000 * LIMIT)
        page.goto(f"{url}lab/tree/tried.ipynb?token={token}&reset")
        lab = LabPage(page)
        lab.wait_until_idle()
        yield lab
        browser.close()


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, str]]:
    """Start the server on a free port, with settings of its own; its address and its token."""
    own = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "RUNTIME")}
    options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={folder}"],
            cwd=folder,
            env=os.environ | own | {"IPYTHONDIR": str(folder / "ipython")},
            stdout=log,
            stderr=log,
        )
    try:
        told = folder / "runtime" / f"jpserver-{server.pid}.json"
        deadline = time.monotonic() + LIMIT
        while not (told.exists() and told.read_text().endswith("}")):
            assert server.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < deadline, (folder / "server.log").read_text()
            time.sleep(0.02)
        info = json.loads(told.read_text())
        yield info["url"], info["token"]
    finally:
        server.terminate()
        server.wait(LIMIT)
