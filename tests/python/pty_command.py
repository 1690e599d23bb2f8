"""``ktrdr-core`` in a pseudo-terminal, with a person at it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pexpect  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "ktrdr_core.cli"]
# Generous: the machine may be busy. The figure that is promised is 2 seconds.
LIMIT = 10


class PtyCommand:
    """A command in a pseudo-terminal."""

    def __init__(self, *arguments: str | Path) -> None:
        self._process = pexpect.spawn(
            COMMAND[0],
            [*COMMAND[1:], *map(str, arguments)],
            timeout=60,
            encoding="utf-8",
            dimensions=(24, 100),
        )
        self._process.delaybeforesend = None
        self.text = ""

    def wait_for(self, pattern: str) -> str:
        """Read until the pattern; its first group."""
        self._process.expect(pattern)
        self.text += self._process.before + self._process.after
        return str(self._process.match.groups()[0])

    def press_ctrl_c(self) -> None:
        self._process.sendintr()

    def signal(self, number: int) -> None:
        self._process.kill(number)

    def status(self) -> int | None:
        """Read to the end; the exit status, None for a death by signal."""
        self._process.expect(pexpect.EOF, timeout=LIMIT)
        self.text += self._process.before
        self._process.close()
        status: int | None = self._process.exitstatus
        return status
