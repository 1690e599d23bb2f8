"""``ktrdr-core`` in a pseudo-terminal, with a person at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pexpect  # type: ignore[import-untyped]

from commands import COMMAND, environment

if TYPE_CHECKING:
    from pathlib import Path

# Generous: the machine may be busy. The figure that is promised is 2 seconds.
LIMIT = 10


class PtyCommand:
    """A command in a pseudo-terminal.

    Parameters
    ----------
    arguments : str or path
        Of ``ktrdr-core``, or of another command.
    command : list of str
        The other one.
    columns, rows : int
        How large the terminal is.
    env : dict, optional
        Beside this process's own environment; an empty value takes a variable out.
    """

    def __init__(
        self,
        *arguments: str | Path,
        command: list[str] = COMMAND,
        columns: int = 100,
        rows: int = 24,
        env: dict[str, str] | None = None,
    ) -> None:
        # What a person's terminal says of itself; the one that the tests run in may say anything.
        around = environment()
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
            around.pop(name, None)
        wanted = {**around, "TERM": "xterm-256color", **(env or {})}
        self._process = pexpect.spawn(
            command[0],
            [*command[1:], *map(str, arguments)],
            timeout=60,
            encoding="utf-8",
            dimensions=(rows, columns),
            env={key: value for key, value in wanted.items() if value},
        )
        self._process.delaybeforesend = None
        self.text = ""

    def wait_for(self, pattern: str) -> str:
        """Read until the pattern; its first group."""
        self._process.expect(pattern)
        self.text += self._process.before + self._process.after
        return str(self._process.match.groups()[0])

    def type(self, line: str) -> None:
        """Type a line and press Enter."""
        self._process.sendline(line)

    def press_ctrl_c(self) -> None:
        self._process.sendintr()

    def signal(self, number: int) -> None:
        self._process.kill(number)

    def status(self, limit: float = LIMIT) -> int | None:
        """Read to the end, which comes within so many seconds; the exit status, None for a death by signal."""
        self._process.expect(pexpect.EOF, timeout=limit)
        self.text += self._process.before
        self._process.close()
        status: int | None = self._process.exitstatus
        return status
