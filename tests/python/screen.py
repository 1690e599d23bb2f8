"""What stands on a terminal's screen once it has obeyed what was written to it."""

from __future__ import annotations

import re

# One order, or one character. Of orders that begin with ESC only those that are known below may come.
_TOKEN = re.compile(
    r"\x1b\[(?P<figures>[0-9;?]*)(?P<order>[A-Za-z])|\x1b\](?P<title>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|(?P<one>[^\x1b])|(?P<unknown>\x1b.?)",
    re.DOTALL,
)
# They change how characters look, or whether the cursor is seen, and move nothing.
_LOOKS = "mhl"


class Screen:
    """A terminal of so many columns and rows, and everything that has scrolled off its top."""

    def __init__(self, columns: int, rows: int = 24) -> None:
        self._columns, self._rows = columns, rows
        self._lines: list[list[str]] = [[]]
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        """Obey."""
        for found in _TOKEN.finditer(text):
            if found["unknown"]:
                raise AssertionError(f"an order that this screen does not know: {found[0]!r}")
            if found["one"]:
                self._write(found["one"])
            elif found["order"] and found["order"] not in _LOOKS:
                self._obey(found["order"], found["figures"])

    def lines(self) -> list[str]:
        """Give what is to be seen, from the first line that was ever written."""
        seen = ["".join(line).rstrip() for line in self._lines]
        while seen and not seen[-1]:
            seen.pop()
        return seen

    def _write(self, one: str) -> None:
        if one == "\r":
            self._column = 0
        elif one == "\n":
            self._down()
        elif one == "\b":
            self._column = max(0, self._column - 1)
        elif one >= " ":
            if self._column == self._columns:
                self._down()
                self._column = 0
            line = self._lines[self._row]
            line.extend(" " * (self._column + 1 - len(line)))
            line[self._column] = one
            self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append([])

    def _obey(self, order: str, figures: str) -> None:
        given = [int(figure) for figure in figures.strip("?").split(";") if figure]
        count = given[0] if given else 1
        top = max(0, len(self._lines) - self._rows)
        if order == "A":
            self._row = max(top, self._row - count)
        elif order == "B":
            self._row = min(len(self._lines) - 1, self._row + count)
        elif order == "C":
            self._column = min(self._columns - 1, self._column + count)
        elif order == "D":
            self._column = max(0, self._column - count)
        elif order == "G":
            self._column = count - 1
        elif order == "K":
            self._erase(given[0] if given else 0)
        elif order == "J" and not (given and given[0]):
            self._erase(0)
            del self._lines[self._row + 1 :]
        else:
            raise AssertionError(f"an order that this screen does not know: {order!r} {figures!r}")

    def _erase(self, what: int) -> None:
        line = self._lines[self._row]
        if what == 0:
            del line[self._column :]
        elif what == 1:
            line[: self._column + 1] = " " * (self._column + 1)
        else:
            line.clear()
