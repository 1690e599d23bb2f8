"""Texts of others on a terminal: what a terminal would obey is shown instead."""

from __future__ import annotations

import unicodedata

# Control characters, invisible ones that order or hide text, halves of surrogate pairs, ends of lines.
_OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# They join letters and pictures of living scripts, and move nothing.
_JOINERS = "\u200c\u200d"
#: Most characters of one line.
LONGEST = 4000


def shown(text: object, longest: int = LONGEST) -> str:
    r"""Make one line of a text from elsewhere: a message, a name, a path, a service's error.

    A terminal takes some characters as orders: to change its title or colours, to go up a line and write there, to turn
    the reading direction. They are shown as Python writes them, the end of a line too, and what is left out of a very
    long text is counted.

    Examples
    --------
    >>> from ktrdr_core.display.shown import shown
    >>> print(shown("bars\x1b[2J of\nAAPL"))
    bars\x1b[2J of\nAAPL
    """
    given = str(text)
    if len(given) <= longest and given.isprintable():
        return given
    line, taken = "", 0
    for one in given:
        looks = _character(one)
        if len(line) + len(looks) > longest:
            return f"{line}… ({len(given) - taken:,} characters more)"
        line, taken = line + looks, taken + 1
    return line


def _character(one: str) -> str:
    if unicodedata.category(one) not in _OBEYED or one in _JOINERS:
        return one
    return one.encode("unicode_escape").decode("ascii")
