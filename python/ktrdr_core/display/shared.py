"""One drawing for all who show operations at the same time: two that move their bars would write over each other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .terminal import reporter

if TYPE_CHECKING:
    from typing import TextIO

    from .._core import ProgressState
    from .reporters import Reporter


class _Drawing:
    """What is drawn in this process, and for how many."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._report: Reporter | None = None
        self._users = 0
        self._labels: set[str] = set()

    def join(self, stream: TextIO | None) -> Reporter:
        """Take part."""
        if self._report is None:
            self._report = reporter("auto", stream)
            self._report.__enter__()
        self._users += 1
        return self._report

    def label(self, wanted: str) -> str:
        """Give a label that nobody else has."""
        label, number = wanted, 1
        while label in self._labels:
            number += 1
            label = f"{wanted} {number}"
        self._labels.add(label)
        return label

    def leave(self) -> None:
        """Take part no longer; with the last the drawing stands still."""
        self._users -= 1
        if self._users == 0 and self._report is not None:
            ended, self._report = self._report, None
            self._labels.clear()
            ended.__exit__(None, None, None)


_drawing = _Drawing()


class SharedReporter:
    """Shows operations on a terminal or in a log, beside those that others show meanwhile. From any thread.

    Parameters
    ----------
    stream : text stream, optional
        Where whoever is first has all of them drawn; None shows nothing.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._report: Reporter | None = None
        self._labels: dict[str, str] = {}

    def __enter__(self) -> SharedReporter:
        with _drawing.lock:
            self._report = _drawing.join(self._stream)
        return self

    def __exit__(self, *_: object) -> None:
        with _drawing.lock:
            if self._report is not None:
                self._report = None
                _drawing.leave()

    def show(self, label: str, state: ProgressState) -> None:
        """Take a new state; a label that somebody else has gets a number."""
        with _drawing.lock:
            if self._report is not None:
                self._report.show(self._own(label), state)

    def end(self, label: str, status: str) -> None:
        """Take the end of an operation."""
        with _drawing.lock:
            if self._report is not None:
                self._report.end(self._own(label), status)

    def tick(self) -> None:
        """Redraw what is due."""
        with _drawing.lock:
            if self._report is not None:
                self._report.tick()

    def say(self, text: str) -> None:
        """Print a line beside the progress."""
        with _drawing.lock:
            if self._report is not None:
                self._report.say(text)

    def _own(self, label: str) -> str:
        if label not in self._labels:
            self._labels[label] = _drawing.label(label)
        return self._labels[label]
