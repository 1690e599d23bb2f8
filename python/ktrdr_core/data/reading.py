"""Bars that are stored: reading, summing up, resampling and deleting them; and the loads of a watch list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.arguments import explained
from ..bars import Bars
from ..dates import Date, iso
from ..errors import InvalidArgumentError
from ..operations import Operation, ProgressCallback
from ..orchestrator.core_manager import CoreManager
from .naming import named_calendar
from .stored import LoadedMany, Summary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal, Unpack

    from ..calendars import SessionCalendar
    from ..protocols import CancellationToken
    from .naming import SeriesWords

    Mode = Literal["local", "tail", "backfill", "full"]
    Cut = Literal["open_then_clock", "from_open", "clock"]

# What the instruments of shipped calendars are; of any other market stocks.
_ASSET_CLASSES = {"FOREX": "forex", "CRYPTO": "crypto"}


class Reading(CoreManager):
    """What a ``DataManager`` does with bars that are stored."""

    _native: _core.DataManager

    def _check_gateway(self) -> None:
        """Refuse a load at once where the gateway that the settings choose cannot be asked."""

    @explained
    def get_data(
        self,
        symbol: str,
        timeframe: str,
        start_date: Date | None = None,
        end_date: Date | None = None,
        limit: int | None = None,
        **series: Unpack[SeriesWords],
    ) -> Bars:
        """Read stored bars, here and now; ``load_data`` does it as an operation.

        Other threads run meanwhile; on an event loop ``await asyncio.to_thread(data.get_data, …)``.

        Parameters
        ----------
        symbol, timeframe : str
            As in ``load_data``.
        start_date, end_date : str, date or datetime, optional
            As in ``load_data``; all there are by default.
        limit : int, optional
            Only so many, the newest of the range. At least 1.
        **series
            Which of the symbol's series, where there are several: see ``SeriesWords``.

        Raises
        ------
        InvalidArgumentError
            For an impossible symbol, timeframe, date or limit.
        NoDataError
            When no bars are stored in that range.
        StorageError
            When the database cannot be read.
        ClientClosedError
            When the manager is closed.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> columns = {
        ...     "date": ["2024-01-02", "2024-01-03"], "open": [10.0, 11.0], "high": [12.0, 13.0], "low": [9.0, 10.0],
        ...     "close": [11.0, 12.0],
        ... }
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     _ = data.store("ACME", "1d", columns).result()
        ...     data.get_data("ACME", "1d", limit=1)
        <Bars ACME 1d: 1 from 2024-01-03T00:00:00Z to 2024-01-03T00:00:00Z>
        """
        if limit is not None and (isinstance(limit, bool) or limit < 1):
            raise InvalidArgumentError(
                f"limit must be at least 1, not {limit}", context={"field": "limit"}
            )
        asked = _core.LoadRequest(
            symbol=symbol,
            timeframe=timeframe,
            start_date=iso("start_date", start_date),
            end_date=iso("end_date", end_date),
            **series,
        )
        return Bars(self._native.get_data(asked, limit, None))

    @explained
    def get_summary(self, symbol: str, timeframe: str, **series: Unpack[SeriesWords]) -> Summary:
        """Say what is known of a stored series; reads its bars.

        Parameters
        ----------
        symbol, timeframe, **series
            As in ``get_data``.

        Raises
        ------
        InvalidArgumentError
            For an impossible symbol or timeframe.
        NoDataError
            When no bars of it are stored.
        StorageError
            When the database cannot be read.
        ClientClosedError
            When the manager is closed.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> columns = {"date": ["2024-01-02"], "open": [10.0], "high": [12.0], "low": [9.0], "close": [11.0]}
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     _ = data.store("ACME", "1d", columns).result()
        ...     summary = data.get_summary("ACME", "1d")
        >>> summary.bars, summary.lowest, summary.highest, summary.without_volume
        (1, 9.0, 12.0, 1)
        """
        asked = _core.SeriesRequest(symbol=symbol, timeframe=timeframe, **series)
        values: list[Any] = [
            tuple(fact) if isinstance(fact, list) else fact
            for fact in self._native.get_summary(asked)
        ]
        return Summary(*values)

    @explained
    def resample(
        self,
        symbol: str,
        from_timeframe: str,
        to_timeframe: str,
        start_date: Date | None = None,
        end_date: Date | None = None,
        *,
        calendar: SessionCalendar | str | None = None,
        asset_class: str | None = None,
        cut: Cut = "open_then_clock",
        store: bool = False,
        cancellation_token: CancellationToken | None = None,
        **series: Unpack[SeriesWords],
    ) -> Operation[Bars]:
        """Start making longer bars of stored ones and return at once: 1m to anything, 1h to 4h or 1d.

        The first open, the highest high, the lowest low, the last close, the sum of volumes (-1 where one is not given).
        Only a period that lies whole in times of which the store knows what there is (``Summary.known``) has a bar, so
        none is made of half its time; a warning of the operation counts the bars that were left out.

        Parameters
        ----------
        symbol, from_timeframe, to_timeframe : str
            Of which bars which are made.
        start_date, end_date : str, date or datetime, optional
            As in ``load_data``; of all there are by default.
        calendar : SessionCalendar or str, optional
            On whose session boundaries, ``"XNYS"`` for example, or a name of the manager's own ``calendars``: a day is
            then a session. By default a day begins at 00:00 UTC.
        asset_class : str, optional
            stock, etf, index, future, option, forex or crypto: where the provider's bars of a session begin. By default
            what is traded by that calendar, ``stock`` where that is not known.
        cut : str
            How the provider cuts sessions into bars shorter than a day; see ``calendars.BarGrid``.
        store : bool
            Keep them as a series of the symbol too, over those that are there; else they are handed back only.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels it when it is cancelled; nothing is stored then.
        **series
            As in ``get_data``; the longer bars are of the same.

        Raises
        ------
        InvalidArgumentError
            For an impossible symbol, timeframe, date, calendar or option, and where the bars to make are not the longer
            ones: at once. From the operation, when a bar reaches over the end of a longer one: the longer timeframe is
            no multiple, or cut otherwise.
        NoDataError
            From the operation, when no bars are stored in that range, or no period is known whole.
        StorageError
            From the operation, when the database does not take the bars.

        Examples
        --------
        >>> import numpy as np
        >>> from ktrdr_core import DataManager
        >>> hours = np.datetime64("2024-01-01") + np.arange(48) * np.timedelta64(1, "h")
        >>> prices = {name: np.arange(48.0) for name in ("open", "high", "low", "close")}
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     _ = data.store("BTC/USD", "1h", {"timestamp": hours, **prices}).result()
        ...     days = data.resample("BTC/USD", "1h", "1d", calendar="CRYPTO").result()
        >>> days.high
        array([23., 47.])
        """
        if isinstance(calendar, str):
            calendar = named_calendar(self._native, calendar)
        if asset_class is None:
            asset_class = _ASSET_CLASSES.get("" if calendar is None else calendar.name, "stock")
        asked: dict[str, Any] = {
            "symbol": symbol,
            "from_timeframe": from_timeframe,
            "to_timeframe": to_timeframe,
            "start_date": iso("start_date", start_date),
            "end_date": iso("end_date", end_date),
            "calendar": None if calendar is None else calendar._native,
            "asset_class": asset_class,
            "cut": cut,
            "store": store,
            **series,
        }
        native = self._begin(
            cancellation_token,
            lambda parent, token: self._native.resample(
                _core.ResampleRequest(**asked, parent_id=parent), token
            ),
        )
        return self._track_operation(Operation(native, Bars))

    @explained
    def load_many(
        self,
        symbols: Sequence[str],
        timeframes: Sequence[str] | str,
        start_date: Date | None = None,
        end_date: Date | None = None,
        mode: Mode = "local",
        *,
        at_once: int | None = None,
        priority: int = 0,
        validate: bool = True,
        repair: bool = False,
        strict: bool = False,
        cancellation_token: CancellationToken | None = None,
        progress_callback: ProgressCallback | None = None,
        **series: Unpack[SeriesWords],
    ) -> Operation[LoadedMany]:
        """Start the loads of a watch list and return at once.

        Each is an operation of its own under this one, and is cancelled with it. All requests to the source wait in one
        queue, in which the loads take turns, so that a long series does not keep the short ones waiting.
        One that fails does not stop the others: the result has what came and says why the rest did not.

        Parameters
        ----------
        symbols : sequence of str
            Whose bars; one that is named twice is loaded once.
        timeframes : sequence of str, or str
            Of each symbol.
        start_date, end_date, mode
            As in ``load_data``.
        at_once : int, optional
            Most loads at the same time, at least 1; by default all. More do not send more requests at once.
        priority : int
            As in ``load_data``, of all of them.
        validate, repair, strict : bool
            As in ``load_data``; each load has its own warnings.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels all of them when it is cancelled; what was stored by then stays.
        progress_callback : callable, optional
            Called with a ``ProgressState`` that counts the loads, on the running loop, else inside ``result()``.
        **series
            Of each, as in ``load_data``: see ``SeriesWords``.

        Raises
        ------
        InvalidArgumentError
            As ``load_data``, and for an empty list: at once, before any load.
        ConfigurationError
            When the mode needs a service and none is configured; at once.
        KtrdrError
            From the operation, when not one could be loaded: the error of the first.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> from ktrdr_core.hosts.child import HostProcess
        >>> with HostProcess(delay=0.0) as host, DataManager(data_dir="bars", ib_url=host.url) as data:
        ...     loaded = data.load_many(["AAPL", "MSFT", "NOPE"], "1d", "2005-01-01", "2006-01-01", mode="full").result()
        >>> len(loaded["MSFT"]), list(loaded.failed)
        (252, [('NOPE', '1d')])
        """
        if isinstance(symbols, str):
            raise InvalidArgumentError(
                "symbols must be a sequence of str, not str", context={"field": "symbols"}
            )
        if at_once is not None and (isinstance(at_once, bool) or at_once < 1):
            raise InvalidArgumentError(
                f"at_once must be at least 1, not {at_once}", context={"field": "at_once"}
            )
        asked: dict[str, Any] = {
            "symbols": list(symbols),
            "timeframes": [timeframes] if isinstance(timeframes, str) else list(timeframes),
            "start_date": iso("start_date", start_date),
            "end_date": iso("end_date", end_date),
            "mode": mode,
            "at_once": at_once,
            "priority": priority,
            "validate": validate,
            "repair": repair,
            "strict": strict,
            **series,
        }
        if mode != "local":
            self._check_gateway()
        native = self._begin(
            cancellation_token,
            lambda parent, token: self._native.load_many(
                _core.LoadManyRequest(**asked, parent_id=parent), token
            ),
        )
        return self._track_operation(
            Operation(native, LoadedMany.of, progress_callback=progress_callback)
        )

    @explained
    def delete(
        self, symbol: str, timeframe: str, *, provider: str, **series: Unpack[SeriesWords]
    ) -> int:
        """Forget a stored series for good: its bars, and what was asked for. How many bars went.

        Parameters
        ----------
        symbol, timeframe, provider : str
            Exactly as ``series()`` has them; nothing is trimmed or guessed.
        **series
            The rest of the series' key, as ``series()`` has it; what is left out where only one is there.

        Raises
        ------
        NotFoundError
            When there is no such series; nothing is deleted.
        InvalidArgumentError
            For an unknown timeframe; where several are meant, listing them.
        StorageError
            When the database cannot be written.
        ClientClosedError
            When the manager is closed.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> columns = {"date": ["2024-01-02"], "open": [10.0], "high": [12.0], "low": [9.0], "close": [11.0]}
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     _ = data.store("ACME", "1d", columns).result()
        ...     data.delete("ACME", "1d", provider="IB")
        1
        """
        return self._native.delete_series(
            provider, _core.SeriesRequest(symbol=symbol, timeframe=timeframe, **series)
        )
