"""An operation where a person sits: a bar in a notebook, with a button that cancels, and the same on a terminal.

In a notebook an operation as the last expression of a cell shows itself; ``show(operation)`` does so anywhere. The button
works while no cell runs; a cell that awaits the operation, or waits in ``result()``, is interrupted instead, which cancels
it. Text stands beside every widget, for front ends that show none.
"""

from __future__ import annotations

import atexit
import html
import sys
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, cast

from . import _bridge

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import _core
    from ._core import ProgressState

__all__ = ["show"]


class Shown(Protocol):
    """What an ``Operation`` has that is shown here."""

    _native: _core.Operation

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def status(self) -> str:
        """Its state, in a word."""

    @property
    def progress(self) -> ProgressState:
        """The progress as it stands now."""

    def _view(self, state: ProgressState) -> ProgressState:
        """Give a state in the words of its domain."""

    def done(self) -> bool:
        """Say whether it has ended."""

    def cancel(self, reason: str = "") -> bool:
        """Ask it to stop."""

    def on_change(self, tell: Callable[[], None]) -> None:
        """Have ``tell()`` called at each progress, and at the end."""


# How often a bar is redrawn beside a loop. Seconds.
_BEAT = 0.1
_COLOURS = {
    "completed": "success",
    "failed": "danger",
    "timed_out": "danger",
    "cancelled": "warning",
}


def show(operation: Shown) -> None:
    """Display a bar that follows the operation until it ends.

    In a notebook it stands below the cell, with a button that cancels, and the call returns at once. On a terminal it is
    the bar of the command line, in a log its lines, both on standard error: where an event loop runs on this thread the
    call returns at once too, and the bar moves while that loop does; elsewhere it returns when the operation has ended,
    or with the ``KeyboardInterrupt`` of a Ctrl-C. Whatever becomes of the display, the operation goes on, and what came
    of it is told by ``result()`` alone.

    Parameters
    ----------
    operation : Operation
        Of this process.

    Examples
    --------
    >>> import ktrdr_core
    >>> from ktrdr_core.testing import FakeSource
    >>> with ktrdr_core.DataManager("bars", source=FakeSource()) as data:
    ...     load = data.load_data("AAPL", "1d")
    ...     ktrdr_core.show(load)
    ...     len(load.result())
    0
    """
    if has_kernel():
        _display(operation)
    elif _bridge.running_loop() is not None:
        _draw_beside_the_loop(operation)
    else:
        from .display.shared import SharedReporter
        from .display.terminal import follow, label_of

        with SharedReporter(sys.stderr) as report:
            follow({label_of(operation._native): operation}, report)


def has_kernel() -> bool:
    """Say whether this is a notebook's kernel, whose front end may show widgets; a terminal's IPython shows text."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(cast("Any", ipython).get_ipython(), "kernel")


def _display(operation: Shown) -> None:
    from IPython import display as ipython

    display: Any = ipython.display  # not typed
    handle = display(mimebundle(operation), raw=True, display_id=True)
    if handle is not None and not _widgets():
        operation.on_change(lambda: handle.update(mimebundle(operation), raw=True))


def _draw_beside_the_loop(operation: Shown) -> None:
    import asyncio

    from .display.shared import SharedReporter
    from .display.terminal import label_of

    label, report = label_of(operation._native), SharedReporter(sys.stderr)
    drawing = ExitStack()
    drawing.enter_context(report)
    # A loop may end before the operation does: the terminal gets its cursor back whatever comes.
    drawing.callback(atexit.unregister, drawing.close)
    atexit.register(drawing.close)

    ended = False

    def draw() -> None:
        nonlocal ended
        if ended:
            return
        report.show(label, operation.progress)
        report.tick()
        if operation.done():
            ended = True
            report.end(label, operation.status)
            drawing.close()

    def beat() -> None:
        # What came too soon after another picture to be drawn is drawn now, and time goes on.
        if not ended:
            report.tick()
            loop.call_later(_BEAT, beat)

    loop = asyncio.get_running_loop()
    draw()
    operation.on_change(draw)
    beat()


def _widgets() -> bool:
    return has_kernel() and find_spec("ipywidgets") is not None


def mimebundle(operation: Shown) -> dict[str, Any]:
    """Give what is displayed of the operation: the widget where there are widgets, and always HTML and text."""
    bundle: dict[str, Any] = {}
    if not operation.done() and _widgets():
        bundle |= _widget(operation)._repr_mimebundle_() or {}
    # A front end without widgets takes the best it knows of these; a widget's own text is its attributes.
    return bundle | {"text/plain": repr(operation), "text/html": as_html(operation)}


def figures(operation: Shown, state: ProgressState) -> str:
    """Say how far it is: ``54 % · 0:03 left``."""
    from .display.words import left_text

    left = "" if operation.done() else left_text(state)
    return f"{state.percentage:.0f} % · {left}" if left else f"{state.percentage:.0f} %"


def _words(operation: Shown, state: ProgressState) -> str:
    """Say in HTML how far it is, and what it does."""
    return html.escape(f"{figures(operation, state)} · {operation.status}: {state.message}")


def as_html(operation: Shown) -> str:
    """Draw the operation as it stands."""
    state = operation.progress
    return (
        f'<div><progress value="{state.percentage:.1f}" max="100" style="width: 20em"></progress> '
        f"{_words(operation, state)} <code>{html.escape(operation.id)}</code></div>"
    )


def _widget(operation: Shown) -> Any:
    ipywidgets: Any = import_module("ipywidgets")
    bar = ipywidgets.FloatProgress(max=100.0)
    # Of HTML and not a label, which is cut where the line ends; it takes the rest of the line, else a line below.
    words = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 24em", width="auto"))
    button = ipywidgets.Button(description="Cancel", icon="stop", tooltip=operation.id)

    def cancel(_: object) -> None:
        operation.cancel("the cancel button in the notebook")

    def update() -> None:
        state = operation.progress
        bar.value = state.percentage
        words.value = _words(operation, state)
        if operation.done():
            bar.bar_style = _COLOURS.get(operation.status, "")
            button.disabled = True
            # ipywidgets keeps every widget: let go of the operation and of its result.
            button.on_click(cancel, remove=True)

    button.on_click(cancel)
    update()
    operation.on_change(update)
    layout = ipywidgets.Layout(flex_flow="row wrap", align_items="center", width="100%")
    return ipywidgets.HBox([bar, button, words], layout=layout)
