"""Rows of texts as a table, in a terminal and on a page."""

from __future__ import annotations

import html
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence


def text_table(rows: Iterable[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """Write rows as lines whose columns stand below each other; a row may be shorter than others.

    Parameters
    ----------
    rows : iterable of sequences of str
        A head too, where there is one.
    right : container of int
        The columns that stand to the right of their place, as numbers do.
    """
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    return [
        "  ".join(
            text.rjust(width) if place in right else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in rows
    ]


def html_row(tag: str, cells: Iterable[str]) -> str:
    """Write a row of a table in HTML, each text escaped; ``tag`` is ``th`` or ``td``."""
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
