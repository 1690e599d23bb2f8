"""Looking at bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.arguments import explained
from .._bridge.foreign import asked_meanwhile
from ..calendars.instants import nanos
from .findings import QualityReport
from .gaps import Evidence, facts_of
from .grids import between, named_bars, whole_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._frames import Frame
    from ..calendars import Instant
    from ..protocols import CancellationToken
    from .grids import Calendar


@explained
def check_quality(
    bars: Frame,
    *,
    calendar: Calendar = None,
    timeframe: str | None = None,
    start: Instant | None = None,
    end: Instant | None = None,
    evidence: Sequence[Evidence] = (),
    revisions: _core.Revisions | None = None,
    now: Instant | None = None,
    longer: Frame | None = None,
    longer_calendar: Calendar = None,
    negative_prices: bool = False,
    jump: float | None = None,
    least_jump: float | None = None,
    equal_bars: int | None = None,
    still_bars: int | None = None,
    stale_bars: int | None = None,
    most_of_a_rule: int | None = None,
    cancellation_token: CancellationToken | None = None,
) -> QualityReport:
    """Go over bars once and say what is wrong, odd or missing. Nothing is changed.

    What each rule looks for stands in the guide, *Gaps and quality*.

    Parameters
    ----------
    bars : Bars or frame
        In any state; as ``DataManager.store`` takes them, but for what it refuses.
    calendar : str, SessionCalendar or BarGrid, optional
        When the market trades. Without it nothing is said about closed hours, missing bars and the clock.
    timeframe : str, optional
        How long a bar is, where the bars do not say.
    start, end : time, optional
        Between which times bars should exist, the end excluded; by default from the first bar to the end of the last.
    evidence : sequence of Evidence
        What the provider answered; it says why bars are missing.
    revisions : optional
        Other numbers that it gave for these bars, as ``DataManager.check_quality`` takes them from its database.
    now : time, optional
        Against it the newest bar is found stale.
    longer : Bars, optional
        Longer bars of the same series (1h of 1m), against which these are held.
    longer_calendar : str, SessionCalendar or BarGrid, optional
        When those begin and end; by default as these do, by ``calendar``.
    negative_prices : bool
        Prices may fall below zero: futures, spreads.
    jump : float, optional
        A move is a jump from so many times the usual one on; by default 12.
    least_jump : float, optional
        And from this share of the price on; by default 0.03.
    equal_bars : int, optional
        So many equal bars in a row are found; by default 3, of bars without volume twice as many.
    still_bars : int, optional
        So many bars in a row at one price are found; by default 30.
    stale_bars : int, optional
        So many bars that have closed since the newest one are found; by default 3.
    most_of_a_rule : int, optional
        Of one rule no more findings are listed, the others are counted; by default 10,000.
    cancellation_token : CancellationToken or anything like one, optional
        Cancels the check when it is cancelled, on another thread.

    Raises
    ------
    InvalidArgumentError
        For what are no bars, a calendar that is not known, a limit out of range, and longer bars that are out of order
        or no multiple.
    OperationCancelledError
        When the token is cancelled; it is asked every few thousand rows.

    Examples
    --------
    >>> from ktrdr_core.quality import check_quality
    >>> frame = {
    ...     "date": ["2024-01-02", "2024-01-03", "2024-01-05"], "open": [10.0, 11, 12],
    ...     "high": [12.0, 10.5, 14], "low": [9.0, 10, 11], "close": [11.0, 10, 13],
    ... }
    >>> report = check_quality(frame, calendar="XNYS", timeframe="1d")
    >>> report
    <QualityReport 3 bars: 1 ohlc, 1 missing>
    >>> report.findings[0].evidence
    'high 10.5 is below open 11'
    """
    given, grid = named_bars(bars, timeframe, calendar)
    asked: dict[str, Any] = {
        "evidence": facts_of(evidence),
        "revisions": revisions,
        "negative_prices": negative_prices,
        "range": between(start, end, whole_of(given, grid)),
        "now": None if now is None else nanos("now", now),
        "jump": jump,
        "least_jump": least_jump,
        "equal_bars": equal_bars,
        "still_bars": still_bars,
        "stale_bars": stale_bars,
        "most_of_a_rule": most_of_a_rule,
    }
    if longer is not None:
        other, other_grid = named_bars(longer, None, longer_calendar)
        if longer_calendar is None:
            # Its provider cuts those as it does these.
            other_grid = grid._with_timeframe(other_grid.timeframe)
        asked["longer"] = (other._native, other_grid._native)
    options = _core.QualityOptions(
        **{name: value for name, value in asked.items() if value is not None}
    )
    with asked_meanwhile(cancellation_token) as token:
        return QualityReport(_core.check_quality(given._native, grid._native, options, token))
