"""The bars of running operations on a terminal, redrawn in place: figures beside the bar, the sentence below it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from .reporters import BaseReporter
from .shown import shown
from .words import figures_text, left_text, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import RenderableType
    from rich.progress import TaskID
    from rich.progress_bar import ProgressBar

    from .._core import ProgressState
    from .reporters import Reporter

_COLOURS = {"": "cyan", "completed": "green", "cancelled": "yellow", "timed_out": "yellow"}
# The lines are redrawn this often. Seconds.
_REDRAW = 0.1
# On a narrower terminal the figures go below the bar, in front of the sentence. Columns.
_WIDE = 70
_INDENT = 2
# Most of a sentence: below more than a screen of it the bars could not be redrawn. Characters.
_SENTENCE = 400
_LABEL = 40


class _Bar(BarColumn):
    """A bar as wide as there is room, in the colour of how the operation ended."""

    def render(self, task: Task) -> ProgressBar:
        bar = super().render(task)
        bar.complete_style = bar.finished_style = _COLOURS.get(task.fields["status"], "red")
        return bar


class _Ending(ProgressColumn):
    """The time left; how it ended, once it has."""

    def render(self, task: Task) -> Text:
        status: str = task.fields["status"]
        if status:
            return Text(status.replace("_", " "), _COLOURS.get(status, "red"))
        state: ProgressState | None = task.fields["state"]
        return Text("" if state is None else left_text(state), "cyan", justify="right")


class _Figures(ProgressColumn):
    """What has been done so far, and how fast."""

    def render(self, task: Task) -> Text:
        state: ProgressState | None = task.fields["state"]
        return Text("" if state is None else shown(figures_text(state)))


class _Lines(Progress):
    """Two lines for each operation."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            state: ProgressState | None = task.fields["state"]
            if state is not None and not task.fields["status"]:
                yield Padding(self._words(task, state), (0, 0, 0, _INDENT))

    def _words(self, task: Task, state: ProgressState) -> Text:
        words = Text(shown(sentence(state), _SENTENCE), overflow="fold")
        figures = shown(figures_text(state))
        if figures and self.console.width < _WIDE:
            words = Text(f"{figures}  ").append(words)
        if len(self.tasks) > 1:
            words = Text(f"{task.description}: ", "bold").append(words)
        return words


class LiveReporter(BaseReporter):
    """A bar for each operation, and below the bars what each says of itself."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        console = Console(file=stream, force_terminal=True, highlight=False)
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}", style="bold", markup=False),
            _Bar(bar_width=None),
            TextColumn("{task.percentage:3.0f} %"),
            _Ending(),
        ]
        if console.width >= _WIDE:
            columns.append(_Figures())
        self._lines = _Lines(*columns, console=console, auto_refresh=False, expand=True)
        self._tasks: dict[str, TaskID] = {}
        self._clock = clock
        self._drawn = clock() - _REDRAW

    def __enter__(self) -> Reporter:
        self._lines.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.stop()

    def show(self, label: str, state: ProgressState) -> None:
        self._lines.update(self._task(label), completed=state.percentage, state=state)

    def end(self, label: str, status: str) -> None:
        self._lines.update(self._task(label), status=status)

    def tick(self) -> None:
        now = self._clock()
        if now - self._drawn >= _REDRAW:
            self._drawn = now
            self._lines.refresh()

    def say(self, text: str) -> None:
        # A style of the call's own would be that of the bars below it too.
        self._lines.console.print(Text(shown(text), "yellow"))

    def _task(self, label: str) -> TaskID:
        if label not in self._tasks:
            self._tasks[label] = self._lines.add_task(
                shown(label, _LABEL), total=100, state=None, status=""
            )
        return self._tasks[label]
