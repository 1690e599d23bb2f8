"""Standard input, output and error of a process that is a command, whatever stands behind them.

A command does its work whether somebody listens or not. What is closed when it starts is ``/dev/null``, so that no file of
its own gets the number of a standard stream and is written into by who means the terminal. What cannot be written later, on
a full disk or to a reader that has left, is dropped: nothing raises in the middle of the work, and at the end the command
says of its output what became of it.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, TextIO

#: Exit status of a command whose reader has left before it had all of the output: 128 and SIGPIPE, as of other tools.
READER_LEFT = 141
_INPUT, _OUTPUT, _ERROR = 0, 1, 2


class _Descriptor(io.RawIOBase):
    """Writes to a descriptor until that fails, then to nobody."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        #: Why the rest was dropped; None while everything is written.
        self.failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write all of it, or drop it."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left and self.failure is None:
            try:
                left = left[os.write(self._number, left) :]
            except BlockingIOError:
                # Somebody else has made the pipe or terminal so; the words still belong there.
                select.select([], [self._number], [])
            except OSError as error:
                self.failure = error
        return size

    def fileno(self) -> int:
        """Give its number."""
        return self._number

    def isatty(self) -> bool:
        """Say whether a terminal is behind it."""
        return os.isatty(self._number)

    def writable(self) -> bool:
        """Say yes."""
        return True


_output = _Descriptor(_OUTPUT)


def secure() -> None:
    """Make the standard streams fit to be used to the end; called first by a process that is a command."""
    for number in (_INPUT, _OUTPUT, _ERROR):
        _fill(number)
    if sys.stdin is None:
        nothing = io.BufferedReader(io.FileIO(_INPUT, closefd=False))
        sys.stdin = io.TextIOWrapper(nothing, encoding="utf-8")
    sys.stdout = _text(_output, sys.stdout)
    sys.stderr = _text(_Descriptor(_ERROR), sys.stderr)


def run(main: Callable[[], int]) -> NoReturn:
    """Run ``main`` as all that the process does, with streams that are fit for it, and end with its status."""
    secure()
    try:
        status = main()
    except SystemExit as end:
        # argparse ends so, after the help as after a wrong option.
        status = end.code if isinstance(end.code, int) else 0
    sys.exit(finish(status))


def _fill(number: int) -> None:
    """Open ``/dev/null`` under a number that is closed; those below it are open."""
    try:
        os.fstat(number)
    except OSError:
        # The lowest number that is free, so this one. Children get it as they get the others.
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _text(raw: _Descriptor, before: TextIO | None) -> io.TextIOWrapper:
    """Give texts their way to a descriptor, in the encoding that Python has chosen."""
    encoding = getattr(before, "encoding", None) or "utf-8"
    if before is not None:
        before.flush()
    buffer = io.BufferedWriter(raw)
    return io.TextIOWrapper(
        buffer,
        encoding=encoding,
        # A name that the terminal's encoding lacks is no reason to fail.
        errors="backslashreplace",
        line_buffering=raw.isatty() or raw.fileno() == _ERROR,
    )


def finish(status: int) -> int:
    """Write what is left and give the exit status: that of the work, unless its output is wanted and was lost.

    As GNU's tools do it: output that a full disk did not take is an error, which standard error names, a reader that has
    left before the end is status 141 without a word, and a command that was started with its output closed has none to
    lose. What is lost on standard error alone changes nothing: the work is done, and its result delivered.
    """
    sys.stdout.flush()
    failure = _output.failure
    if failure is not None and status == 0:
        if failure.errno == errno.EPIPE:
            status = READER_LEFT
        else:
            status = 1
            print(f"error: standard output: {failure.strerror}", file=sys.stderr)
    sys.stderr.flush()
    return status
