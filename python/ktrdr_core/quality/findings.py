"""What is to be said about bars."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .. import _core
from ..calendars.instants import time_of
from .gaps import GapReport
from .grids import stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pandas as pd

_SEVERITIES = ("note", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """Something about rows that follow each other.

    Attributes
    ----------
    rule : str
        order, duplicate, not_finite, ohlc, price, volume, out_of_session, off_grid, missing, equal_bars, jump, stale,
        disagreement, clock, revision or basis.
    severity : str
        note: worth knowing, may be as it should. warning: look at it before these bars are used. error: it cannot be.
    index : int
        The first row; of what is missing the row that follows.
    rows : int
        How many rows; of what is missing how many bars.
    time : datetime.datetime
        The timestamp of the first row, UTC; of what is missing that of the first absent bar.
    column : str or None
        The column that it is about; None where it is the whole row.
    value : float
        What was found there: a price, a volume, a ratio, a count.
    evidence : str
        What says so.
    """

    rule: str
    severity: str
    index: int
    rows: int
    time: datetime
    column: str | None
    value: float
    evidence: str


class QualityReport:
    """What is to be said about bars; see ``check_quality``. Iterating gives each ``Finding``, by rule and row."""

    def __init__(self, native: _core.QualityReport) -> None:
        self._native = native

    @cached_property
    def _findings(self) -> list[Finding]:
        return [
            Finding(rule, severity, index, rows, time_of(time), column, value, evidence)
            for rule, severity, index, rows, time, column, value, evidence in self._native.findings
        ]

    @property
    def bars(self) -> int:
        """How many bars were looked at."""
        return self._native.bars

    @property
    def start(self) -> datetime:
        """The first timestamp, UTC."""
        return time_of(self._native.range[0])

    @property
    def end(self) -> datetime:
        """The end of the last bar, UTC."""
        return time_of(self._native.range[1])

    @property
    def findings(self) -> list[Finding]:
        """Every finding that is listed."""
        return list(self._findings)

    @property
    def left_out(self) -> dict[str, int]:
        """By rule how many findings are not listed, being too many."""
        return self._native.left_out

    @property
    def gaps(self) -> GapReport:
        """Which bars are absent, and why."""
        return GapReport(self._native.gaps)

    @property
    def worst(self) -> str | None:
        """The gravest severity; None where nothing was found."""
        severities = {finding.severity for finding in self._findings}
        return max(severities, key=_SEVERITIES.index, default=None)

    def of(self, rule: str) -> list[Finding]:
        """Give the findings of one rule."""
        return [finding for finding in self._findings if finding.rule == rule]

    def counts(self) -> dict[str, int]:
        """Count findings by rule, those that are left out too."""
        counted = Counter(finding.rule for finding in self._findings)
        counted.update(self.left_out)
        return {rule: counted[rule] for rule in _core.quality_rules() if counted[rule]}

    def to_pandas(self) -> pd.DataFrame:
        """Give a row a finding, columns as ``Finding`` has them."""
        import pandas

        columns = list(Finding.__dataclass_fields__)
        return pandas.DataFrame([asdict(one) for one in self._findings], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON: times as text, findings as objects, a value that is no number as null."""
        return {
            "bars": self.bars,
            "start": stamp(self.start),
            "end": stamp(self.end),
            "worst": self.worst,
            "counts": self.counts(),
            "left_out": self.left_out,
            "findings": [_plain(finding) for finding in self._findings],
        }

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._findings)

    def __len__(self) -> int:
        return len(self._findings)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QualityReport) and self._native == other._native

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {rule}" for rule, count in self.counts().items())
        return f"<QualityReport {self.bars} bars: {counts or 'nothing found'}>"


def _plain(finding: Finding) -> dict[str, Any]:
    value = finding.value if math.isfinite(finding.value) else None
    return {**asdict(finding), "time": stamp(finding.time), "value": value}
