"""What ``ktrdr-core --help`` says, written without click: importing that takes longer than all the rest of it."""

from __future__ import annotations

import os
import textwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Each command: the module that has it under its name, and what it does.
COMMANDS = {
    "data": (
        "data_group",
        "Load bars, bring your own, look at those that are stored, and take them away.",
    ),
    "demo": ("demo_command", "Load real bars, train a model on them and report, in one go."),
    "models": ("model_commands", "Train models, look at them, predict with them, judge them."),
    "serve": ("serve_commands", "Run a host service that others load from, or train on."),
    "operations": ("operations_commands", "List, show and cancel the operations that are stored."),
    "sweep": ("sweep_command", "Train one strategy with many settings, and compare them."),
    "strategies": ("strategy_commands", "Check, list and describe strategy files."),
}
ABOUT = "Load market data and train neuro-fuzzy models on it."
STATUSES = (
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 124 timed out, 130 cancelled (Ctrl-C once cancels, "
    "twice abandons), 141 nobody reads the output any more."
)
OPTIONS = {
    "--version": "Show the version and exit.",
    "-h, --help": "Show this message and exit.",
}
# Wider lines are hard to read. Columns.
_WIDEST = 80
_NARROWEST = 30


def columns() -> int:
    """Say how wide the terminal is that standard output goes to; 80 where there is none."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(1).columns or _WIDEST
    except OSError:
        return _WIDEST


def root_help(width: int, name: str = "ktrdr-core", others: Mapping[str, str] | None = None) -> str:
    """Write the help of the command itself.

    Parameters
    ----------
    width : int
        Columns there are; no more than 80 are used.
    name : str
        What the command is called where it was found.
    others : mapping, optional
        Commands beside ours, with what they do.
    """
    width = max(_NARROWEST, min(width, _WIDEST) - 2)
    commands = {name: text for name, (_, text) in COMMANDS.items()} | dict(others or {})
    lines = [f"Usage: {name} [OPTIONS] COMMAND [ARGS]...", ""]
    lines += [*_wrapped(ABOUT, width), "", *_wrapped(STATUSES, width), "", "Options:"]
    lines += [*_table(OPTIONS.items(), width), "", "Commands:"]
    lines += _table(sorted(commands.items()), width)
    return "\n".join(lines) + "\n"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ")


def _table(rows: Iterable[tuple[str, str]], width: int) -> list[str]:
    rows = list(rows)
    first = max(len(name) for name, _ in rows) + 4
    lines = []
    for name, text in rows:
        head = f"  {name}".ljust(first)
        lines += textwrap.wrap(text, width, initial_indent=head, subsequent_indent=" " * first)
    return lines
