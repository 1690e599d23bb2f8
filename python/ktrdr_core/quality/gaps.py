"""Which bars are absent, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.arguments import explained
from .._bridge.foreign import asked_meanwhile
from ..calendars.instants import nanos, time_of
from .grids import between, named_bars, stamp, whole_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import pandas as pd

    from .._frames import Frame
    from ..calendars import Instant
    from ..protocols import CancellationToken
    from .grids import Calendar


@dataclass(frozen=True)
class Evidence:
    """One answer of a provider; where several are about one time, the newest that is no failure counts.

    Attributes
    ----------
    start, end : datetime or str
        What it is about, the end excluded, UTC.
    kind : str
        bars: bars came, and this is what they cover. empty: there is nothing, and it was confirmed. unconfirmed: nothing
        came, and nobody has asked twice. failed: an error. denied: this account may not have it.
    asked_at : datetime or str
        When, UTC.
    """

    start: Instant
    end: Instant
    kind: str
    asked_at: Instant


@dataclass(frozen=True)
class Gap:
    """A stretch of time without bars, as long as it has one reason.

    Attributes
    ----------
    start, end : datetime.datetime
        From the first absent bar's timestamp to the end of the last one's period (excluded), UTC.
    kind : str
        closed: the market is, and no bar is missing. early_close: its session ended before its weekday's usual time, and
        no bar is missing. no_trade: nothing need have traded. provider_empty: the provider confirmed that it has nothing.
        failed: it answered with an error. unknown: nobody knows.
    bars : int
        How many bars are absent; 0 of a closed market.
    index : int
        The row that follows.
    label : str
        The name that ktrdr had for it: expected_weekend, expected_holiday, expected_trading_hours, market_closure or
        unexpected.
    evidence : str
        What says so.
    """

    start: datetime
    end: datetime
    kind: str
    bars: int
    index: int
    label: str
    evidence: str


class GapReport:
    """Which bars are absent, and why; see ``find_gaps``. Iterating gives each ``Gap``, oldest first."""

    def __init__(self, native: _core.GapReport) -> None:
        self._native = native

    @cached_property
    def _gaps(self) -> list[Gap]:
        return [
            Gap(time_of(start), time_of(end), kind, bars, index, label, evidence)
            for start, end, kind, bars, index, label, evidence in self._native.gaps
        ]

    @property
    def start(self) -> datetime:
        """From when on bars were looked for, UTC."""
        return time_of(self._native.range[0])

    @property
    def end(self) -> datetime:
        """Until when bars were looked for, excluded, UTC."""
        return time_of(self._native.range[1])

    @property
    def expected(self) -> int:
        """How many bars should exist; 0 without a calendar, which alone knows."""
        return self._native.expected

    @property
    def present(self) -> int:
        """How many of them do."""
        return self._native.present

    @property
    def absent(self) -> int:
        """How many bars are absent, but for those for which nothing need have traded."""
        return self._native.absent

    @property
    def gaps(self) -> list[Gap]:
        """Every gap, closed hours too, oldest first."""
        return list(self._gaps)

    @property
    def missing(self) -> list[Gap]:
        """Gaps in which bars are absent for which something may have traded."""
        return [gap for gap in self._gaps if gap.bars and gap.kind != "no_trade"]

    def by_class(self) -> dict[str, int]:
        """Count absent bars by class, those of which there are any."""
        counts = dict.fromkeys(_core.gap_classes(), 0)
        for gap in self._gaps:
            counts[gap.kind] += gap.bars
        return {kind: count for kind, count in counts.items() if count}

    def to_pandas(self) -> pd.DataFrame:
        """Give a row a gap, columns as ``Gap`` has them."""
        import pandas

        columns = list(Gap.__dataclass_fields__)
        return pandas.DataFrame([asdict(gap) for gap in self._gaps], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON: times as text, gaps as objects."""
        return {
            "start": stamp(self.start),
            "end": stamp(self.end),
            "expected": self.expected,
            "present": self.present,
            "absent": self.absent,
            "by_class": self.by_class(),
            "gaps": [
                {**asdict(gap), "start": stamp(gap.start), "end": stamp(gap.end)}
                for gap in self._gaps
            ],
        }

    def __iter__(self) -> Iterator[Gap]:
        return iter(self._gaps)

    def __len__(self) -> int:
        return len(self._gaps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GapReport) and self._native == other._native

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.by_class().items())
        of = f" of {self.expected}" if self.expected else ""
        return f"<GapReport {self.absent}{of} bars absent{f': {kinds}' if kinds else ''}>"


@explained
def find_gaps(
    bars: Frame,
    *,
    calendar: Calendar = None,
    timeframe: str | None = None,
    start: Instant | None = None,
    end: Instant | None = None,
    evidence: Sequence[Evidence] = (),
    closed: bool = True,
    cancellation_token: CancellationToken | None = None,
) -> GapReport:
    """Say which bars are absent, and why.

    With a calendar every bar that should exist is looked for; in extended hours those of the session's own hours, for
    before and after them a stretch without trades has no bar. Without one a gap is where the next bar begins later than
    this one ends, nights and weekends too.

    Parameters
    ----------
    bars : Bars or frame
        In order; as ``DataManager.store`` takes them.
    calendar : str, SessionCalendar or BarGrid, optional
        When the market trades. A ``BarGrid`` where bars are cut otherwise than ``BarGrid(timeframe, calendar)`` does, or
        of extended hours.
    timeframe : str, optional
        How long a bar is, where the bars do not say.
    start, end : time, optional
        Between which times to look, the end excluded; by default from the first bar to the end of the last. A date is its
        00:00 UTC.
    evidence : sequence of Evidence
        What the provider answered; it says why bars are absent.
    closed : bool
        List closed hours, too.
    cancellation_token : CancellationToken or anything like one, optional
        Cancels the search when it is cancelled, on another thread.

    Raises
    ------
    InvalidArgumentError
        For what are no bars, bars out of order, and a calendar or kind of evidence that is not known.
    OperationCancelledError
        When the token is cancelled; it is asked every few thousand rows.

    Examples
    --------
    >>> import numpy as np
    >>> from ktrdr_core.calendars import BarGrid, get_calendar
    >>> from ktrdr_core.quality import find_gaps
    >>> hour = BarGrid("1h", get_calendar("XNYS"))
    >>> stamps = np.delete(hour.expected("2024-07-03", "2024-07-06"), [1, 2])
    >>> prices = dict.fromkeys(("open", "high", "low", "close"), np.full(len(stamps), 10.0))
    >>> report = find_gaps({"time": stamps, **prices}, calendar=hour)
    >>> report
    <GapReport 2 of 11 bars absent: 2 unknown>
    >>> [(gap.kind, gap.bars, gap.label) for gap in report]
    [('unknown', 2, 'unexpected'), ('early_close', 0, 'expected_trading_hours'), ('closed', 0, 'expected_holiday')]
    """
    given, grid = named_bars(bars, timeframe, calendar)
    whole = between(start, end, whole_of(given, grid))
    with asked_meanwhile(cancellation_token) as token:
        return GapReport(
            _core.find_gaps(given._native, grid._native, whole, facts_of(evidence), closed, token)
        )


def facts_of(evidence: Sequence[Evidence]) -> list[tuple[int, int, str, int]]:
    """Give answers as the core takes them."""
    return [
        (
            nanos("evidence", one.start),
            nanos("evidence", one.end),
            one.kind,
            nanos("evidence", one.asked_at),
        )
        for one in evidence
    ]
