"""Checks and repairs of stored series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .. import _core
from .._bridge.arguments import explained
from .._bridge.foreign import asked_meanwhile
from ..bars import Bars
from ..calendars import BarGrid
from ..calendars.instants import time_of
from ..dates import Date, iso
from ..errors import ConflictError
from ..quality import Evidence, GapReport, QualityReport, Repair, check_quality, find_gaps, repair
from ..quality.grids import grid_of
from .naming import SeriesWords, named_calendar

if TYPE_CHECKING:
    from typing import Unpack

    from ..protocols import CancellationToken
    from ..quality import Calendar


class StoredChecks:
    """What ``DataManager`` says of stored series: which bars are absent, what is wrong, what can be mended.

    Each call reads the series on the calling thread; inside a coroutine ``await asyncio.to_thread(…)`` keeps the loop
    free.
    """

    _native: _core.DataManager

    @explained
    def find_gaps(
        self,
        symbol: str,
        timeframe: str,
        start_date: Date | None = None,
        end_date: Date | None = None,
        *,
        calendar: Calendar = None,
        closed: bool = True,
        cancellation_token: CancellationToken | None = None,
        **series: Unpack[SeriesWords],
    ) -> GapReport:
        """Say which bars of a stored series are absent, and why: ``quality.find_gaps`` with the ledger as its evidence.

        Parameters
        ----------
        symbol, timeframe : str
            As in ``load_data``.
        start_date, end_date : str, date or datetime, optional
            Between which times to look; by default from the first stored bar to the end of the last, and never what has
            not closed yet. A date without a time is the session of that date, and as an end is included.
        calendar : str, SessionCalendar or BarGrid, optional
            When the market trades. By default what is known of the series: by its contract, and the manager's own
            ``calendars``.
        closed : bool
            List closed hours, too.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels the search when it is cancelled, on another thread: reading and every pass over the bars.
        **series
            Which of the symbol's series, where there are several: see ``SeriesWords``.

        Raises
        ------
        InvalidArgumentError
            For a symbol, timeframe, date or calendar that cannot be, and a range that is empty.
        NoDataError
            When nothing of the series is stored.
        StorageError
            When the database cannot be read.
        ClientClosedError
            When the manager is closed.
        OperationCancelledError
            When the token is cancelled.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> frame = {
        ...     "date": ["2024-07-02", "2024-07-05"], "open": [1.0, 1], "high": [1.0, 1], "low": [1.0, 1], "close": [1.0, 1],
        ... }
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     _ = data.store("ACME", "1d", frame).result()
        ...     data.find_gaps("ACME", "1d", calendar="XNYS")
        <GapReport 1 of 3 bars absent: 1 unknown>
        """
        with asked_meanwhile(cancellation_token) as token:
            bars, whole, evidence, grid, _ = self._to_check(
                symbol, timeframe, start_date, end_date, calendar, series, token
            )
            return find_gaps(
                bars,
                calendar=grid,
                start=whole[0],
                end=whole[1],
                evidence=evidence,
                closed=closed,
                cancellation_token=token,
            )

    @explained
    def check_quality(
        self,
        symbol: str,
        timeframe: str,
        start_date: Date | None = None,
        end_date: Date | None = None,
        *,
        calendar: Calendar = None,
        longer: str | None = None,
        cancellation_token: CancellationToken | None = None,
        **limits: Any,
    ) -> QualityReport:
        """Say what is wrong, odd or missing of a stored series: ``quality.check_quality`` with the ledger as its evidence.

        Other numbers that the provider gave for stored bars are findings, too (``revision``, ``basis``).

        Parameters
        ----------
        symbol, timeframe, start_date, end_date, calendar
            As in ``find_gaps``.
        longer : str, optional
            The timeframe of longer bars of the symbol that are stored, too: these must make those.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels the check when it is cancelled, on another thread: reading and every pass over the bars.
        **limits
            The words of ``SeriesWords``, as in ``find_gaps``; and ``now``, ``negative_prices``, ``jump`` and the others of ``quality.check_quality``.

        Raises
        ------
        InvalidArgumentError
            As ``find_gaps``; and for a limit out of range.
        NoDataError
            When nothing of the series, or of the longer bars, is stored.
        StorageError
            When the database cannot be read.
        ClientClosedError
            When the manager is closed.
        OperationCancelledError
            When the token is cancelled.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> frame = {
        ...     "date": ["2024-07-02", "2024-07-05"], "open": [1.0, 1], "high": [1.0, 1], "low": [1.0, 1], "close": [1.0, 1],
        ... }
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     _ = data.store("ACME", "1d", frame).result()
        ...     data.check_quality("ACME", "1d", calendar="XNYS")
        <QualityReport 2 bars: 1 missing>
        """
        series = cast(
            "SeriesWords",
            {name: limits.pop(name) for name in SeriesWords.__annotations__ if name in limits},
        )
        with asked_meanwhile(cancellation_token) as token:
            bars, whole, evidence, grid, revisions = self._to_check(
                symbol, timeframe, start_date, end_date, calendar, series, token
            )
            if longer is not None:
                other = grid._with_timeframe(longer)
                limits["longer"], *_ = self._to_check(
                    symbol, longer, None, None, other, series, token
                )
                limits["longer_calendar"] = other
            return check_quality(
                bars,
                calendar=grid,
                start=whole[0],
                end=whole[1],
                evidence=evidence,
                revisions=revisions,
                cancellation_token=token,
                **limits,
            )

    @explained
    def repair(
        self,
        symbol: str,
        timeframe: str,
        start_date: Date | None = None,
        end_date: Date | None = None,
        *,
        calendar: Calendar = None,
        apply: bool = False,
        cancellation_token: CancellationToken | None = None,
        **series: Unpack[SeriesWords],
    ) -> Repair:
        """Mend a stored series where what is right follows from the bar itself: ``quality.repair``.

        Parameters
        ----------
        symbol, timeframe, start_date, end_date, calendar, **series
            As in ``find_gaps``.
        apply : bool
            Store the rows that were changed, all or none; else only say what would be done. ``undo_repair`` takes it
            back.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels the repair when it is cancelled, on another thread: reading and every pass over the bars.

        Raises
        ------
        InvalidArgumentError
            As ``find_gaps``.
        NoDataError
            When nothing of the series is stored.
        ConflictError
            When what is stored has changed meanwhile; nothing is stored then.
        StorageError
            When the database cannot be read, or the disk does not take the rows.
        ClientClosedError
            When the manager is closed.
        OperationCancelledError
            When the token is cancelled.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> frame = {"date": ["2024-07-02"], "open": [1.0], "high": [1.0], "low": [1.0], "close": [1.0]}
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     _ = data.store("ACME", "1d", frame).result()
        ...     data.repair("ACME", "1d")
        <Repair 0 changes of 1 bars>
        """
        with asked_meanwhile(cancellation_token) as token:
            bars, whole, _, grid, _ = self._to_check(
                symbol, timeframe, start_date, end_date, calendar, series, token
            )
            report = check_quality(
                bars, calendar=grid, start=whole[0], end=whole[1], cancellation_token=token
            )
            done = repair(bars, report, cancellation_token=token)
        if apply and len(done):
            self._exchange(done, bars, done.bars, series)
        return done

    @explained
    def undo_repair(self, done: Repair, **series: Unpack[SeriesWords]) -> None:
        """Store the rows of a repair as they were before it, to the byte.

        Parameters
        ----------
        done : Repair
            What ``repair`` has stored.
        **series
            As they were given to ``repair``.

        Raises
        ------
        ConflictError
            When what is stored is no longer what the repair left; nothing is stored then.
        StorageError
            When the disk does not take the rows.
        ClientClosedError
            When the manager is closed.
        """
        if len(done):
            self._exchange(done, done.bars, done.undo(), series)

    def _exchange(self, done: Repair, before: Bars, after: Bars, series: SeriesWords) -> None:
        if any(change.kind != "value" for change in done):
            raise ConflictError(
                "stored bars are in order, each of another timestamp: these were checked elsewhere",
                context={"field": "done"},
            )
        rows = sorted({change.index for change in done})
        asked = _core.SeriesRequest(symbol=before.symbol, timeframe=before.timeframe, **series)
        _core.exchange_rows(
            self._native,
            asked,
            _core.rows_at(before._native, rows),
            _core.rows_at(after._native, rows),
        )

    def _grid_of(
        self, symbol: str, timeframe: str, calendar: Calendar, series: SeriesWords
    ) -> BarGrid:
        if calendar is None:
            asked = _core.SeriesRequest(symbol=symbol, timeframe=timeframe, **series)
            return BarGrid._of(timeframe, *_core.grid_of_series(self._native, asked))
        return grid_of(
            timeframe,
            named_calendar(self._native, calendar) if isinstance(calendar, str) else calendar,
        )

    def _to_check(
        self,
        symbol: str,
        timeframe: str,
        start: Date | None,
        end: Date | None,
        calendar: Calendar,
        series: SeriesWords,
        token: _core.CancellationToken | None,
    ) -> tuple[Bars, tuple[Any, Any], list[Evidence], Any, _core.Revisions]:
        grid = self._grid_of(symbol, timeframe, calendar, series)
        bars, whole, facts, revisions = _core.series_to_check(
            self._native,
            _core.SeriesRequest(symbol=symbol, timeframe=timeframe, **series),
            grid._native,
            iso("start_date", start),
            iso("end_date", end),
            token,
        )
        evidence = [
            Evidence(time_of(first), time_of(last), kind, time_of(asked))
            for first, last, kind, asked in facts
        ]
        return Bars(bars), (time_of(whole[0]), time_of(whole[1])), evidence, grid, revisions
