"""What goes wrong on purpose at a simulated gateway, and where."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .recorded import Row

#: What can go wrong.
KINDS = (
    "delay",
    "stall",
    "mute",
    "fin",
    "rst",
    "drip",
    "silence",
    "error",
    "notice",
    "garbage",
    "overlong",
    "unordered",
    "repeated",
    "revised",
    "zone",
)
#: To which answers it can happen.
ANSWERS = ("connect", "contract", "head", "history", "time", "any")
#: Where in the answer's bytes.
PLACES = ("start", "first bar", "middle", "end")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    ================  ==================================================================================================
    kind              what happens
    ================  ==================================================================================================
    delay             this answer's bytes from ``at`` on come ``seconds`` later; others go on
    stall             the connection says nothing for ``seconds``, and then everything
    mute              the connection says nothing any more; it stays open, and takes what comes
    fin, rst          the connection is closed, or reset
    drip              the answer comes one byte at a time
    silence           this answer never comes; others do
    error             ``code`` and ``text`` in place of the answer
    notice            ``code`` (1100, 2105, …) at this place, about no request
    garbage           a frame of bytes that are no message in place of the answer
    overlong          the length of a frame that nobody may take in place of the answer
    unordered         the answer's bars are shuffled
    repeated          each bar comes twice
    revised           each bar comes twice, first with other prices
    zone              times are text with a zone named ``text``, even where seconds were asked for
    ================  ==================================================================================================

    Parameters
    ----------
    kind : str
        One of the above.
    on : str
        To which answer: ``connect`` (the greeting), ``contract``, ``head``, ``history``, ``time``, or ``any`` of them.
    at : str
        Where in its bytes: ``start``, ``first bar`` (behind it), ``middle``, ``end`` (before the last byte).
    seconds : float
        Of delay and stall.
    code, text
        Of error, notice and zone; without a text an error has the usual one of its code.
    times : int, optional
        How often; None for ever.

    Examples
    --------
    >>> from ktrdr_core.testing import Fault
    >>> Fault("rst", on="history", at="middle").times
    1
    """

    kind: str
    on: str = "history"
    at: str = "start"
    seconds: float = 0.0
    code: int = 0
    text: str = ""
    times: int | None = 1

    def __post_init__(self) -> None:
        for name, known in (("kind", KINDS), ("on", ANSWERS), ("at", PLACES)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(
                    f"{name} of a Fault must be one of {', '.join(known)}, not {value!r}"
                )
        if not self.seconds >= 0:
            raise ValueError(f"seconds of a Fault must be 0 or more, not {self.seconds!r}")
        if self.times is not None and self.times < 1:
            raise ValueError(
                f"times of a Fault must be 1 or more, or None for ever, not {self.times!r}"
            )
        if self.kind in ("error", "notice") and not self.code:
            raise ValueError(f"a Fault of kind {self.kind} needs a code")


#: Faults that change what an answer says, and those that change how its bytes come.
OF_BARS = frozenset({"unordered", "repeated", "revised", "zone"})
INSTEAD = frozenset({"silence", "error", "garbage", "overlong"})


class Faults:
    """Those that are still to happen, in the order in which they were given."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let it happen."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._waiting.clear()

    def of(self, answer: str) -> list[Fault]:
        """Take those that happen to an answer now."""
        found: list[Fault] = []
        left: list[Fault] = []
        for fault in self._waiting:
            if fault.on not in (answer, "any"):
                left.append(fault)
                continue
            found.append(fault)
            if fault.times is None:
                left.append(fault)
            elif fault.times > 1:
                left.append(replace(fault, times=fault.times - 1))
        self._waiting = left
        return found


def changed(rows: Sequence[Row], faults: Sequence[Fault]) -> list[Row]:
    """Give an answer's bars as its faults have them."""
    changed = list(rows)
    for fault in faults:
        if fault.kind == "unordered":
            random.Random(1).shuffle(changed)  # nosec B311
        elif fault.kind == "repeated":
            changed = [row for row in changed for _ in range(2)]
        elif fault.kind == "revised":
            changed = [each for row in changed for each in (_otherwise(row), row)]
    return changed


def _otherwise(row: Row) -> Row:
    prices = (row.open * 2, row.high * 2, row.low * 2, row.close * 2)
    return type(row)(row.start, *prices, row.volume, row.average, row.count)


def place_of(payload: bytes, at: str, *, bars: bool) -> int:
    """Give how many bytes of a message come before a place in it."""
    if at == "start":
        return 0
    if at == "end":
        return max(len(payload) - 1, 0)
    if at == "first bar" and bars:
        # The head of the message has five fields, a bar has eight.
        place = -1
        for _ in range(13):
            place = payload.find(b"\0", place + 1)
            if place < 0:
                break
        else:
            return place + 1
    return len(payload) // 2
