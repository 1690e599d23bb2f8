"""Keeping stored bars whole: changes and their undo, forgetting, a look for damage, compacting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.arguments import explained
from ..dates import Date, iso
from ..operations import Operation, ProgressCallback
from ..orchestrator.core_manager import CoreManager

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Unpack

    from ..protocols import CancellationToken
    from .naming import SeriesWords


@dataclass(frozen=True, slots=True)
class Change:
    """A write that changed or removed bars and can be undone; see ``DataManager.undo``."""

    start: datetime
    """Where its range begins, UTC."""
    end: datetime
    """Before what time its range ends, UTC."""
    cause: str
    """``loaded``: an answer of a provider; ``stored``: bars that somebody brought; ``forgotten``: ``forget``."""
    changed_at: datetime
    """When it was, UTC."""
    added: int
    """Bars that were not there before."""
    revised: int
    """Bars whose numbers became others."""
    removed: int
    """Bars that it took away."""


@dataclass(frozen=True, slots=True)
class BarDamage:
    """Something in a database that cannot be what was written."""

    provider: str
    """Of the series; empty where it is the file's own."""
    symbol: str
    """As the provider names it; empty where it is the file's own."""
    timeframe: str
    """How long each bar is; empty where it is the file's own."""
    chunk: str
    """The part of the series, as errors name it: ``the chunk of 2024-01``; empty where it is none of one part."""
    what: str
    """What is wrong, in words."""
    what_to_show: str = ""
    """Of the series: what its prices are of; empty where it is the file's own."""
    session: str = ""
    """Of the series: of which hours; empty where it is the file's own."""


@dataclass(frozen=True, slots=True)
class BarCheck:
    """What of a database's bars was read, and what of it is damaged; see ``DataManager.verify``."""

    series: int
    """How many series there are, those without a bar too."""
    chunks: int
    """In how many months, years or whole series their bars lie."""
    bars: int
    """How many could be read."""
    ledger_entries: int
    """What is noted of ranges that were asked for."""
    versions: int
    """Earlier ones of chunks, which ``undo`` would put back."""
    damage: list[BarDamage]
    """The first thousand; empty when all is sound."""

    @classmethod
    def of(cls, value: dict[str, Any]) -> BarCheck:
        """Read what the core says."""
        return cls(**{**value, "damage": [BarDamage(**one) for one in value["damage"]]})


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compacting a database gave back; see ``DataManager.compact``."""

    bytes_before: int
    """On the disk, the write-ahead log too."""
    bytes_after: int
    """On the disk since."""
    changes_freed: int
    """That cannot be undone any more."""

    @classmethod
    def of(cls, value: dict[str, Any]) -> Compacted:
        """Read what the core says."""
        return cls(**value)


def _named(symbol: str, timeframe: str, series: SeriesWords) -> _core.SeriesRequest:
    return _core.SeriesRequest(symbol=symbol, timeframe=timeframe, **series)


class Keeping(CoreManager):
    """What a ``DataManager`` does to keep stored bars whole."""

    _native: _core.DataManager

    @explained
    def changes(self, symbol: str, timeframe: str, **series: Unpack[SeriesWords]) -> list[Change]:
        """List the writes that changed or removed bars of a series and can be undone, the newest first.

        A write that only adds bars is none of them. Of each month of bars of 1m to 5m, year of longer intraday ones, and
        whole series of any longer, the last three are kept.

        Parameters
        ----------
        symbol, timeframe, **series
            As in ``get_data``.

        Raises
        ------
        InvalidArgumentError
            For an impossible symbol or an unknown timeframe.
        StorageError
            When the database cannot be read.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     data.changes("ACME", "1d")
        []
        """
        return [
            Change(*fields) for fields in self._native.changes(_named(symbol, timeframe, series))
        ]

    @explained
    def undo(self, symbol: str, timeframe: str, **series: Unpack[SeriesWords]) -> Change:
        """Put back what the newest of ``changes`` has changed or removed, and say what that was.

        In its range bars are what they were before it, and so is what counts as loaded. Bars that came later beside that
        range stay; what came later inside it goes, and the next load asks for it again. A damaged chunk becomes what it
        was before the change.

        Parameters
        ----------
        symbol, timeframe, **series
            As in ``get_data``.

        Raises
        ------
        InvalidArgumentError
            For an impossible symbol or an unknown timeframe.
        NotFoundError
            When there is nothing to undo.
        StorageError
            When the database cannot be read or written.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> def bar(close):
        ...     prices = {name: [close] for name in ("open", "high", "low", "close")}
        ...     return {"timestamp": ["2024-01-02"], **prices, "volume": [100]}
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     _ = data.store("ACME", "1d", bar(427.0)).result()
        ...     _ = data.store("ACME", "1d", bar(107.0)).result()
        ...     data.undo("ACME", "1d").revised
        ...     data.load_data("ACME", "1d").result().close
        1
        array([427.])
        """
        return Change(*self._native.undo(_named(symbol, timeframe, series)))

    @explained
    def forget(
        self,
        symbol: str,
        timeframe: str,
        start_date: Date | None,
        end_date: Date | None,
        **series: Unpack[SeriesWords],
    ) -> int:
        """Drop the bars of a range and what is known of it, so that the next load asks for it, and say how many bars.

        ``undo`` brings them back, unless their chunk was damaged.

        Parameters
        ----------
        symbol, timeframe, **series
            As in ``get_data``.
        start_date, end_date : str, date or datetime, or None
            As in ``load_data``; None for a range that begins, or ends, where the bars do.

        Raises
        ------
        InvalidArgumentError
            For an impossible symbol or date, an unknown timeframe, ``start_date >= end_date``.
        StorageError
            When the database cannot be written, or a damaged chunk lies in the range in part: forget all of it then.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     data.forget("ACME", "1d", "2024-01-01", "2024-12-31")
        0
        """
        return self._native.forget(
            _core.LoadRequest(
                symbol=symbol,
                timeframe=timeframe,
                start_date=iso("start_date", start_date),
                end_date=iso("end_date", end_date),
                **series,
            )
        )

    @explained
    def verify(
        self,
        *,
        cancellation_token: CancellationToken | None = None,
        progress_callback: ProgressCallback | None = None,
    ) -> Operation[BarCheck]:
        """Start reading all stored bars, to say what of them is damaged, and return at once; nothing is changed.

        Looked at are the file itself, each chunk (its checksum, the order of its bars, their count, first and last) and
        earlier version, and whether the bars are there that the ledger says came. A damaged chunk does not keep others
        from being read. It takes as long as the file is large.

        Parameters
        ----------
        cancellation_token : CancellationToken or anything like one, optional
            Cancels it when it is cancelled.
        progress_callback : callable, optional
            As in ``load_data``.

        Raises
        ------
        StorageError
            From the operation, when the file cannot be read at all.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     data.verify().result()
        BarCheck(series=0, chunks=0, bars=0, ledger_entries=0, versions=0, damage=[])
        """
        native = self._begin(cancellation_token, self._native.verify)
        return self._track_operation(
            Operation(native, BarCheck.of, progress_callback=progress_callback)
        )

    @explained
    def compact(
        self,
        *,
        cancellation_token: CancellationToken | None = None,
        progress_callback: ProgressCallback | None = None,
    ) -> Operation[Compacted]:
        """Start freeing what ``undo`` would put back and giving unused space back to the disk, and return at once.

        It takes as long as there is to give back; loads may go on meanwhile. A database whose file was made by a version
        that could not do this is written anew, which needs room for a copy of it.

        Parameters
        ----------
        cancellation_token : CancellationToken or anything like one, optional
            Cancels it when it is cancelled. What could be undone is then all there or all gone, and
            space that was given back stays so.
        progress_callback : callable, optional
            As in ``load_data``.

        Raises
        ------
        StorageError
            From the operation, when another process keeps the database locked, or there is no room for the copy; nothing
            is lost then.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     data.compact().result().changes_freed
        0
        """
        native = self._begin(cancellation_token, self._native.compact)
        return self._track_operation(
            Operation(native, Compacted.of, progress_callback=progress_callback)
        )
