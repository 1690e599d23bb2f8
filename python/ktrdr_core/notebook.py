"""An operation in a notebook: a bar that moves and a button that cancels; without ipywidgets, a bar in HTML.

An operation as the last expression of a cell shows itself; ``show(operation)`` does so anywhere else. The button works
while no cell runs; a cell that awaits the operation, or waits in ``result()``, is interrupted instead, which cancels it.
"""

from __future__ import annotations

import html
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._core import ProgressState

__all__ = ["show"]


class Shown(Protocol):
    """What an ``Operation`` has that is shown here."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def status(self) -> str:
        """Its state, in a word."""

    @property
    def progress(self) -> ProgressState:
        """The progress as it stands now."""

    def done(self) -> bool:
        """Say whether it has ended."""

    def cancel(self, reason: str = "") -> bool:
        """Ask it to stop."""

    def on_change(self, tell: Callable[[], None]) -> None:
        """Have ``tell()`` called at each progress, and at the end."""


_COLOURS = {
    "completed": "success",
    "failed": "danger",
    "timed_out": "danger",
    "cancelled": "warning",
}


def show(operation: Shown) -> None:
    """Display a bar that follows the operation until it ends, and a button that cancels it.

    Parameters
    ----------
    operation : Operation
        It goes on whatever becomes of the display.

    Raises
    ------
    FeatureNotAvailableError
        When IPython is not installed; an ImportError.
    """
    from ._extras import needed_by

    with needed_by("show()"):
        from IPython import display as ipython

    html_of: Any = ipython.HTML  # neither is typed
    display: Any = ipython.display
    if find_spec("ipywidgets") is not None:
        display(_widget(operation))
        return
    handle = display(html_of(as_html(operation)), display_id=True)
    if handle is not None:
        operation.on_change(lambda: handle.update(html_of(as_html(operation))))


def mimebundle(operation: Shown) -> dict[str, Any]:
    """Give what a notebook shows for the operation: the widget where there are widgets, and always HTML and text."""
    bundle: dict[str, Any] = {"text/plain": repr(operation), "text/html": as_html(operation)}
    if not operation.done() and find_spec("ipywidgets") is not None:
        bundle |= _widget(operation)._repr_mimebundle_() or {}
    return bundle


def as_html(operation: Shown) -> str:
    """Draw the operation as it stands."""
    state = operation.progress
    words = html.escape(f"{operation.status}: {state.message}")
    return (
        f'<div><progress value="{state.percentage:.1f}" max="100" style="width: 20em"></progress> '
        f"{state.percentage:.0f} % {words} <code>{html.escape(operation.id)}</code></div>"
    )


def _widget(operation: Shown) -> Any:
    ipywidgets: Any = import_module("ipywidgets")
    bar = ipywidgets.FloatProgress(max=100.0)
    words = ipywidgets.Label()
    button = ipywidgets.Button(description="Cancel", icon="stop", tooltip=operation.id)

    def cancel(_: object) -> None:
        operation.cancel("the cancel button in the notebook")

    def update() -> None:
        state = operation.progress
        bar.value = state.percentage
        words.value = f"{operation.status}: {state.message}"
        if operation.done():
            bar.bar_style = _COLOURS.get(operation.status, "")
            button.disabled = True
            # ipywidgets keeps every widget: let go of the operation and of its result.
            button.on_click(cancel, remove=True)

    button.on_click(cancel)
    update()
    operation.on_change(update)
    return ipywidgets.HBox([bar, button, words])
