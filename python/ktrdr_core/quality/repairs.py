"""Mending bars where what is right follows from the bar itself."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.arguments import explained
from .._bridge.foreign import asked_meanwhile
from .._frames import native_bars
from ..bars import Bars

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from .._frames import Frame
    from ..protocols import CancellationToken
    from .findings import QualityReport


@dataclass(frozen=True)
class Change:
    """What was done, and what says that it may be.

    Attributes
    ----------
    kind : str
        value: one number was replaced. row: a row that was there twice was dropped. place: a row was put where its
        timestamp belongs.
    index : int
        The row of the bars that were given.
    column : str
        Of a value; of rows ``timestamp``.
    before, after : float
        Of a value the numbers; of a dropped row the rows it was and was like; of a place the rows before and after.
    finding : int
        Which of the report's findings names it.
    why : str
        What it follows from.
    """

    kind: str
    index: int
    column: str
    before: float
    after: float
    finding: int
    why: str


class Repair:
    """Bars that were mended, and how; see ``repair``. Iterating gives each ``Change``, by row."""

    def __init__(self, given: Bars, mended: _core.Bars, native: _core.Repair) -> None:
        self._given = given
        self._native = native
        self._bars = Bars(mended)
        self._changes = [Change(*facts) for facts in native.changes]

    @property
    def bars(self) -> Bars:
        """The bars, mended."""
        return self._bars

    @property
    def changes(self) -> list[Change]:
        """What was done."""
        return list(self._changes)

    def undo(self) -> Bars:
        """Give the bars as they were, to the byte."""
        return Bars(self._native.undone(self._given._native))

    def to_pandas(self) -> pd.DataFrame:
        """Give a row a change, columns as ``Change`` has them."""
        import pandas

        columns = list(Change.__dataclass_fields__)
        return pandas.DataFrame([asdict(change) for change in self._changes], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON, a number that is none as null."""
        return {"bars": len(self._bars), "changes": [_plain(change) for change in self._changes]}

    def __iter__(self) -> Iterator[Change]:
        return iter(self._changes)

    def __len__(self) -> int:
        return len(self._changes)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Repair)
            and self._bars == other._bars
            and self.to_dict() == other.to_dict()
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Repair {len(self._changes)} changes of {len(self._given)} bars>"


def _plain(change: Change) -> dict[str, Any]:
    numbers = {
        name: value if math.isfinite(value) else None
        for name, value in (("before", change.before), ("after", change.after))
    }
    return {**asdict(change), **numbers}


@explained
def repair(
    bars: Frame, report: QualityReport, *, cancellation_token: CancellationToken | None = None
) -> Repair:
    """Mend what findings name, where what is right follows from the bar itself; give new bars and what was done.

    - Rows out of order are put where their timestamps belong.
    - Of rows that are the same to the bit one stays.
    - High and low change places where they are each other's.
    - A high or low that misses another price of the bar by rounding becomes it.
    - A volume that is no number becomes -1, the one that nobody has given.

    Nothing else is touched: no price is made up, no row filled in. Each number is looked at once more, so a report of
    other bars repairs nothing that is right.

    Parameters
    ----------
    bars : Bars or frame
        Those that were checked.
    report : QualityReport
        What ``check_quality`` found.
    cancellation_token : CancellationToken or anything like one, optional
        Cancels the repair when it is cancelled, on another thread.

    Raises
    ------
    InvalidArgumentError
        For what are no bars, and a report about so many others.
    OperationCancelledError
        When the token is cancelled; it is asked every few thousand rows.

    Examples
    --------
    >>> from ktrdr_core.quality import check_quality, repair
    >>> frame = {
    ...     "date": ["2024-01-02", "2024-01-03"], "open": [10.0, 11], "high": [12.0, 10], "low": [9.0, 12],
    ...     "close": [11.0, 11],
    ... }
    >>> done = repair(frame, check_quality(frame, timeframe="1d"))
    >>> [(change.column, change.before, change.after) for change in done]
    [('high', 10.0, 12.0), ('low', 12.0, 10.0)]
    >>> done.undo().high.tolist()
    [12.0, 10.0]
    """
    given = Bars(native_bars(bars)[0])
    with asked_meanwhile(cancellation_token) as token:
        mended, native = _core.repair(given._native, report._native, token)
    return Repair(given, mended, native)
