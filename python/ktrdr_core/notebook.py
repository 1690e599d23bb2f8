"""An operation in a notebook: a bar that moves and a button that cancels; without ipywidgets, a bar in HTML.

An operation as the last expression of a cell shows itself; ``show(operation)`` does so anywhere else. The button works
while no cell runs; a cell that awaits the operation, or waits in ``result()``, is interrupted instead, which cancels it.
"""

from __future__ import annotations

import html
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .operation import Operation

__all__ = ["show"]

_COLOURS = {
    "completed": "success",
    "failed": "danger",
    "timed_out": "danger",
    "cancelled": "warning",
}


def show(operation: Operation[Any]) -> None:
    """Display a bar that follows the operation until it ends, and a button that cancels it.

    Parameters
    ----------
    operation : Operation
        It goes on whatever becomes of the display.

    Raises
    ------
    ImportError
        Outside IPython.
    """
    from IPython import display as ipython

    html_of: Any = ipython.HTML  # neither is typed
    display: Any = ipython.display
    if find_spec("ipywidgets") is not None:
        display(_widget(operation))
        return
    handle = display(html_of(as_html(operation)), display_id=True)
    if handle is not None:
        _follow(operation, lambda: handle.update(html_of(as_html(operation))))


def mimebundle(operation: Operation[Any]) -> dict[str, Any]:
    """Give what a notebook shows for the operation: the widget where there are widgets, and always HTML and text."""
    bundle: dict[str, Any] = {"text/plain": repr(operation), "text/html": as_html(operation)}
    if not operation.done() and find_spec("ipywidgets") is not None:
        bundle |= _widget(operation)._repr_mimebundle_() or {}
    return bundle


def as_html(operation: Operation[Any]) -> str:
    """Draw the operation as it stands."""
    state = operation.progress
    words = html.escape(f"{operation.status}: {state.message}")
    return (
        f'<div><progress value="{state.percentage:.1f}" max="100" style="width: 20em"></progress> '
        f"{state.percentage:.0f} % {words} <code>{html.escape(operation.id)}</code></div>"
    )


def _widget(operation: Operation[Any]) -> Any:
    ipywidgets: Any = import_module("ipywidgets")
    bar = ipywidgets.FloatProgress(max=100.0)
    words = ipywidgets.Label()
    button = ipywidgets.Button(description="Cancel", icon="stop", tooltip=operation.id)
    button.on_click(lambda _: operation.cancel("the cancel button in the notebook"))

    def update() -> None:
        state = operation.progress
        bar.value = state.percentage
        words.value = f"{operation.status}: {state.message}"
        if operation.done():
            bar.bar_style = _COLOURS.get(operation.status, "")
            button.disabled = True

    update()
    _follow(operation, update)
    return ipywidgets.HBox([bar, button, words])


def _follow(operation: Operation[Any], update: Callable[[], None]) -> None:
    operation._watch(lambda _: update())
    operation.add_done_callback(lambda _: update())
