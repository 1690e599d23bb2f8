"""Runs the demo in a pseudo-terminal and draws what a person sees in the middle of the training.

.venv/bin/python docs/images/make.py
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path

import pexpect  # type: ignore[import-untyped]
from rich.console import Console
from rich.text import Text

WIDTH = 96
MOMENT = r"epoch 1\d\d/"


def screen(output: str) -> str:
    """Carry out the few cursor moves of rich's live display; colours stay."""
    lines = [""]
    row = 0
    for part in re.split(r"(\r\n|\r|\n|\x1b\[\d*A|\x1b\[2K|\x1b\[\?25[lh])", output):
        up = re.fullmatch(r"\x1b\[(\d*)A", part)
        if up:
            row -= int(up[1] or 1)
        elif part in ("\n", "\r\n"):
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part and part != "\r" and not part.startswith("\x1b[?"):
            lines[row] += part
    return "\n".join(lines)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        demo = pexpect.spawn(
            sys.executable,
            ["-m", "ktrdr_core.cli", "demo"],
            cwd=folder,
            encoding="utf-8",
            dimensions=(40, WIDTH),
            timeout=120,
        )
        demo.expect(MOMENT)
        seen = demo.before + demo.after
        demo.expect("\n")
        demo.sendintr()
        demo.expect(pexpect.EOF)
    # The frame in work is cut off in the middle: the one before it is whole. Each begins by going up to its first line.
    whole = seen[: seen.rindex("\r\x1b[2K\x1b[1A")]
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print("[bold green]$[/] ktrdr-core demo")
    console.print(Text.from_ansi(screen(whole)))
    console.save_svg(str(Path(__file__).with_name("demo.svg")), title="ktrdr-core demo")


if __name__ == "__main__":
    main()
