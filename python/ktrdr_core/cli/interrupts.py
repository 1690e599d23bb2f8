"""Ctrl-C and SIGTERM: the first cancels, the second abandons.

The library leaves the process's signal handlers alone; a command may own them.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

#: Exit status of a command that was cancelled.
CANCELLED = 130
# From the first interrupt until the process is gone whatever it does. Seconds.
_LIMIT = 1.7
_SHOW_CURSOR = b"\x1b[?25h"


class Cancelled(KeyboardInterrupt):
    """The first interrupt, where nothing else was there to take it."""


class Interrupts:
    """How often this process was interrupted, and what to do then. Belongs to the main thread."""

    def __init__(self) -> None:
        self.count = 0
        #: What the first one means, as the code of a cancel; empty before.
        self.code = ""
        #: What standard output gets where the command is not to say anything more; empty once it has said it.
        self.last_words = b""
        self._waiting = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal; outside ``waiting`` the first one raises ``Cancelled``."""
        self.count += 1
        self.code = self.code or ("shutdown" if number == signal.SIGTERM else "user")
        if self.count > 1:
            self.abandon()
        watchdog = threading.Timer(_LIMIT, self.abandon)
        watchdog.daemon = True
        watchdog.start()
        if not self._waiting:
            # Not print: the interrupt may have come in the middle of one.
            _write(2, "cancelling…\n".encode())
            raise Cancelled

    def speak(self) -> None:
        """Say the last words, once."""
        words, self.last_words = self.last_words, b""
        _write(1, words)

    def abandon(self) -> None:
        """End the process now; a terminal gets its cursor back."""
        self.speak()
        if os.isatty(2):
            _write(2, _SHOW_CURSOR)
        os._exit(CANCELLED)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let the body look at ``count`` itself: it waits for operations and cancels them.

        Raises
        ------
        Cancelled
            At the end of the body when there was an interrupt.
        """
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False
            if self.count:
                raise Cancelled


def _write(number: int, text: bytes) -> None:
    """Write where somebody reads; who does not is no reason to stop here."""
    with suppress(OSError):
        os.write(number, text)


_current: list[Interrupts] = []


@contextmanager
def installed() -> Iterator[Interrupts]:
    """Take SIGINT and SIGTERM for the body; inside another such body, and off the main thread, nothing changes."""
    if _current:
        yield _current[0]
        return
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    _current.append(interrupts)
    # A background job of a shell ignores SIGINT, and goes on doing so.
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, interrupts.handle) for number in numbers}
    try:
        yield interrupts
    finally:
        _current.clear()
        for number, handler in before.items():
            signal.signal(number, handler)
