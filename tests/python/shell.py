"""A shell in a pseudo-terminal, with a person who pastes lines into it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

import pexpect  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Shown when a line has been carried out, with its status; an environment that is active puts its name before it.
PROMPT = re.compile(r"(?:\(\S+\) )?\[ready (\d+)\]")
# Colours, cursor moves and window titles.
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")


class Said(NamedTuple):
    """What a line printed, both streams as the terminal shows them, and its status."""

    text: str
    status: int

    @property
    def interrupted(self) -> bool:
        """Whether make ended as Ctrl-C ends it.

        A child that is dead before make hears of the same Ctrl-C, make waits for twice, and then says 2 for 130.
        """
        return self.status == 130 or (
            self.status == 2 and "*** wait: No child processes" in self.text
        )


class Shell:
    """bash, interactive, in a folder.

    Parameters
    ----------
    folder : path
        Where it starts.
    settings : mapping
        Environment variables besides those of the tests; None takes one away.
    columns : int
        The terminal's width.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str | None] | None = None, *, columns: int = 100
    ) -> None:
        # Make hands its own settings on to those that it runs; this shell is run by none.
        env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        for name, value in ({"PS1": "[ready $?]"} | dict(settings or {})).items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = value
        self._shell = pexpect.spawn(
            "bash",
            ["--norc", "--noprofile", "--noediting"],
            cwd=str(folder),
            env=env,
            timeout=120,
            encoding="utf-8",
            dimensions=(40, columns),
            echo=False,
        )
        self._shell.delaybeforesend = None
        self.rest()

    def start(self, line: str) -> None:
        """Paste a line and do not wait for its end."""
        self._shell.sendline(line)

    def wait_for(self, text: str) -> str:
        """Read until a text, which comes before the line's end; what came before it, escapes included."""
        ended = self._shell.expect([re.escape(text), PROMPT])
        assert not ended, f"{text!r} did not come:\n{self._shell.before}"
        return str(self._shell.before)

    def hear(self, pattern: str) -> None:
        """Read until what runs in the background has said something, a regular expression."""
        self._shell.expect(pattern)

    def rest(self) -> Said:
        """Read until the line that was started is carried out."""
        self._shell.expect(PROMPT)
        text = ESCAPES.sub("", self._shell.before).replace("\r", "")
        return Said(text, int(self._shell.match[1]))

    def paste(self, line: str) -> Said:
        """Paste a line and wait for its end."""
        self.start(line)
        return self.rest()

    def press_ctrl_c(self) -> None:
        self._shell.sendintr()

    def close(self) -> None:
        """End the shell and what it has left in the background."""
        self._shell.close(force=True)
