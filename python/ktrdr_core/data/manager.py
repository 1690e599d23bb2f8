"""Loading market data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .. import _bridge, _core
from .._bridge.arguments import checked_environment, explained
from .._frames import Frame, native_bars
from ..bars import Bars
from ..calendars.calendar import text_of
from ..dates import Date, iso
from ..errors import ConfigurationError, InvalidArgumentError
from ..operations import Operation, ProgressCallback
from ..progress import ProgressRenderer
from .checked import StoredChecks
from .files import Files
from .ib_gateway.when_asked import GatewayWhenAsked, chooses_gateway
from .jobs import DataJobManager
from .keeping import Keeping
from .place import default_data_dir
from .reading import Reading
from .sources import BarSource
from .stored import Series, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import ClassVar, Literal, Unpack

    from ..protocols import CancellationToken
    from .naming import SeriesWords

    Mode = Literal["local", "tail", "backfill", "full"]


class DataProgressRenderer(ProgressRenderer):
    """``Loading AAPL 1h data (backfill mode) [3/5]``, from symbol, timeframe and mode of the context."""

    _native: ClassVar[_core.ProgressRenderer] = _core.DataProgressRenderer()


def _calendars(
    file: str | os.PathLike[str] | None, env: Mapping[str, str]
) -> tuple[str, str] | None:
    named = file or env.get("KTRDR_CALENDARS")
    if not named:
        return None
    try:
        return text_of(named), str(named)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(
            f"the calendars of {os.fspath(named)!r} cannot be read ({why}): give calendars= or KTRDR_CALENDARS a file",
            context={"argument": "calendars", "variables": ["KTRDR_CALENDARS"]},
        ) from None


class DataManager(Files, Reading, StoredChecks, Keeping):
    """Market data of one directory, loaded from an IB host service on demand.

    Parameters
    ----------
    data_dir : path, optional
        Where ``ktrdr.db`` lies; made if it is not there, for its owner alone unless ``KTRDR_SHARED_FILES`` is true. Else
        ``KTRDR_DATA_DIR``, else ``~/.ktrdr/data``.
    ib_url : str, optional
        URL of the IB host service. Else ``IB_HOST_SERVICE_URL``, unless ``USE_IB_HOST_SERVICE`` is false; else, when that
        is true, ``http://localhost:5001``.
    use_ib_host_service : bool, optional
        Overrides ``USE_IB_HOST_SERVICE``; giving ``ib_url`` means True. False is a TWS or IB Gateway, with no service
        between: ``IbGatewaySource`` with the settings ``IB_GATEWAY_HOST``, ``IB_GATEWAY_PORT`` and ``IB_GATEWAY_CLIENT_ID``,
        made by the first load that asks it (the extra ``ib``).
    max_connections : int, optional
        Most connections to the service at once. Else ``IB_HOST_SERVICE_POOL_LIMIT``, else 10.
    source : BarSource, optional
        Asked in place of the service: one of yours, ``ktrdr_core.data.CsvSource`` or ``ReplaySource``, a
        ``ktrdr_core.testing.FakeSource``.
    env : mapping, optional
        Read in place of ``os.environ``.
    calendars : path, optional
        A file of your own calendars, changes of those that ship, and which series have which (the guide, *Sessions and
        periods*): for loads, dates without a time, ``find_gaps`` and ``check_quality``. Else ``KTRDR_CALENDARS``.
    pool_size : int, optional
        The older name of ``max_connections``.

    Raises
    ------
    ConfigurationError
        When a setting, or the file of calendars, cannot be read.
    InvalidArgumentError
        For ``max_connections`` below 1, what is no source, a source beside a service, and a line of the file of calendars
        that is not as it must be, naming file and line.
    StorageError
        When the directory or the database cannot be made or opened.

    Examples
    --------
    >>> from ktrdr_core import DataManager
    >>> from ktrdr_core.hosts.child import HostProcess
    >>> with HostProcess(delay=0.0) as host, DataManager(data_dir="bars", ib_url=host.url) as data:
    ...     data.load_data("AAPL", "1d", "2005-01-01", "2010-01-01", mode="full").result()
    <Bars AAPL 1d: 1259 from 2005-01-03T00:00:00Z to 2009-12-31T00:00:00Z>
    """

    _native: _core.DataManager
    #: The gateway that the settings choose; None where they choose another source, or none.
    _gateway: GatewayWhenAsked | None = None

    @explained
    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        ib_url: str | None = None,
        *,
        use_ib_host_service: bool | None = None,
        max_connections: int | None = None,
        source: BarSource | None = None,
        calendars: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        pool_size: int | None = None,
    ) -> None:
        env = checked_environment(env)
        super().__init__(
            use_host_service=use_ib_host_service if source is None else False,
            host_service_url=ib_url,
            env=env,
        )
        if source is None and chooses_gateway(use_ib_host_service, ib_url, env):
            source = self._gateway = GatewayWhenAsked(env)
        if data_dir is None:
            data_dir = default_data_dir(env)
        for name, most in (("max_connections", max_connections), ("pool_size", pool_size)):
            if most is not None and most < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, not {most}")
        if not isinstance(source, BarSource | None):
            raise InvalidArgumentError(
                f"source must be a BarSource, not {type(source).__name__}: subclass ktrdr_core.BarSource",
                context={"field": "source"},
            )
        _bridge.start()
        self._source = source
        self._native = _core.DataManager(
            Path(data_dir),
            ib_url,
            use_ib_host_service if self._gateway is None else None,
            pool_size if max_connections is None else max_connections,
            None if source is None else source._opened(),
            env,
            _calendars(calendars, env),
        )
        self._register_starter("data_load", DataManager._load_again)

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return self._native.database_path

    @property
    def jobs(self) -> DataJobManager:
        """Its loads as jobs: made before they are started, and taken up again after a crash."""
        return DataJobManager(self)

    def pool_stats(self) -> dict[str, int]:
        """Count the connections to the service and the requests sent so far."""
        return self._native.pool_stats()

    @explained
    def load_data(
        self,
        symbol: str,
        timeframe: str,
        start_date: Date | None = None,
        end_date: Date | None = None,
        mode: Mode = "local",
        validate: bool = True,
        repair: bool = False,
        strict: bool = False,
        *,
        instrument_type: str | None = None,
        what_to_show: str | None = None,
        session: str | None = None,
        exchange: str | None = None,
        currency: str | None = None,
        refresh: bool = False,
        priority: int = 0,
        cancellation_token: CancellationToken | None = None,
        progress_callback: ProgressCallback | None = None,
        operation_id: str = "",
    ) -> Operation[Bars]:
        """Start loading bars and return at once.

        What an answer proves is stored with its bars: what was asked for and did not come is asked for again, and taken
        for nothing only when another load is told the same. What a load knows of that is in the operation's warnings.

        Parameters
        ----------
        symbol : str
            As the provider names it: ``AAPL``, ``BRK B``, ``BTC/USDT:USDT``, an option's ``AAPL  250117C00150000``. Any
            printable text of at most 128 bytes; blanks around it are left out.
        timeframe : str
            1m 2m 3m 5m 10m 15m 20m 30m 1h 2h 3h 4h 8h 1d 1w or 1M.
        start_date, end_date : str, date or datetime, optional
            ISO 8601; without an offset UTC. A date without a time is the session of that date in the series' calendar
            (forex's begins 17:00 in New York on the evening before), where its calendar is known, else that day in UTC;
            as an end it is included.
        mode : str
            ``local``: only what is stored, which may be nothing; nothing is written, no record either, unless
            ``operation_id`` is given. ``tail``: from the newest stored bar on, of a series without bars the last 30 days.
            ``backfill``: up to the newest stored bar, and every hole. ``full``: all that is not stored. Without a start
            ``backfill`` and ``full`` begin at the provider's first bar, without an end all end at the last closed one.
        validate : bool
            Look for what is wrong, odd or missing (``quality.check_quality``), and sum it up in a warning of the operation.
        repair : bool
            Hand out bars that are mended as ``quality.repair`` mends them, with a warning that says how many values. What
            is stored stays as it is: ``DataManager.repair`` changes that.
        strict : bool
            Fail where a finding is an error, or bars are missing; what came is stored all the same.
        instrument_type : str, optional
            stock, etf, index, future, option, forex or crypto: what the symbol is to be. By default what the provider says.
        what_to_show : str, optional
            TRADES, MIDPOINT, BID, ASK, BID_ASK, ADJUSTED_LAST (adjusted for splits and dividends),
            HISTORICAL_VOLATILITY or OPTION_IMPLIED_VOLATILITY, each a series of its own. By default TRADES, of forex
            MIDPOINT.
        session : str, optional
            ``regular``, the default, or ``extended``: before and after the sessions' hours, too; a series of its own.
        exchange, currency : str, optional
            Of the contract, as the provider names them; needed where the symbol is stored as several.
        refresh : bool
            Ask for all of the range, what is stored too; bars that come take the place of those stored.
        priority : int
            Where loads wait for the source, requests of those with a higher one go first, and turns are kept for them:
            one below another asks only where that leaves room.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels the load when it is cancelled.
        progress_callback : callable, optional
            Called with a ``ProgressState``, on the running loop, else inside ``result()``.
        operation_id : str
            Your own id; the same id with the same request answers the same operation, after a restart too.

        Raises
        ------
        InvalidArgumentError
            For an unknown timeframe, mode, instrument type, session or thing to show, an impossible symbol or date,
            ``start_date >= end_date``, ``refresh`` in mode ``local``, what the source does not have, and where several
            stored series are meant, listing them; at once. In the operation: without a start, when the provider cannot
            say where bars begin, and when it says that the symbol is something else.
        NotEnoughDataError
            From the operation: ``strict``, and something is wrong or missing.
        ConfigurationError
            When the mode needs a service and none is configured, and for a setting of the gateway that cannot be; at once.
        FeatureNotAvailableError
            When the settings choose the gateway and ``ib_async`` is not installed, naming the extra ``ib``; at once.
        ConflictError
            When the id belongs to another request; at once.
        """
        asked = {
            "symbol": symbol,
            "timeframe": timeframe,
            "start_date": iso("start_date", start_date),
            "end_date": iso("end_date", end_date),
            "mode": mode,
            "validate": validate,
            "repair": repair,
            "strict": strict,
            "instrument_type": instrument_type,
            "what_to_show": what_to_show,
            "session": session,
            "exchange": exchange,
            "currency": currency,
            "refresh": refresh,
            "priority": priority,
            "operation_id": operation_id,
        }
        return self._load(asked, cancellation_token, progress_callback)

    def _load_again(self, record: _core.OperationRecord, *, resume: bool) -> Operation[Bars]:
        operation_id = record.id if resume else ""
        return self._load({**record.parameters, "operation_id": operation_id, "resume": resume})

    def _load(
        self,
        asked: dict[str, Any],
        token: CancellationToken | None = None,
        callback: ProgressCallback | None = None,
    ) -> Operation[Bars]:
        if asked["mode"] != "local":
            self._check_gateway()

        def start(parent: str, native_token: _core.CancellationToken | None) -> _core.Operation:
            self._ask_here()
            request = _core.LoadRequest(**asked, parent_id=parent)
            return self._native.load_data(request, native_token)

        native = self._begin(token, start)
        return self._track_operation(Operation(native, Bars, progress_callback=callback))

    def _ask_here(self) -> None:
        if self._source is not None:
            self._source._asked_here()

    def _check_gateway(self) -> None:
        """Refuse a load at once where the gateway that the settings choose cannot be asked."""
        if self._gateway is not None:
            self._gateway.gateway()

    @explained
    def store(
        self,
        symbol: str,
        timeframe: str,
        frame: Frame,
        *,
        cancellation_token: CancellationToken | None = None,
        **series: Unpack[SeriesWords],
    ) -> Operation[Stored]:
        """Check bars of your own, start storing them and return at once; ``load_data`` and trainings then find them.

        Wait for it with ``result()`` or ``await``; a ``with`` block of the manager that ends well waits, too, ``close()``
        cancels it. Bars that were stored before keep their place; one of the same timestamp is replaced. All are stored or none. A
        later load in mode ``full`` asks for what lies before the first of them, after the last and in gaps of more than
        a week; shorter gaps count as closed markets.

        Parameters
        ----------
        symbol, timeframe : str
            As in ``load_data``.
        frame : Bars, DataFrame, table, mapping or structured array
            Of pandas, polars or pyarrow, anything with ``__arrow_c_stream__``, a dict of columns, a structured numpy
            array. Columns go by their names, whatever their case: ``timestamp`` (or ``time``, ``date``, ``datetime``, or
            pandas' ``DatetimeIndex``), ``open``, ``high``, ``low``, ``close``, ``volume``; others are left out, with a
            warning on the operation. Timestamps are the bars' starts, oldest first, UTC where they have no zone. A volume
            may be missing (null, NaN, -1), or the whole column. It is copied before this returns.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels the storing when it is cancelled; nothing is stored then.
        **series
            Which series of the symbol they are, see ``SeriesWords``; what a load asks for by default.

        Raises
        ------
        InvalidArgumentError
            For what is no such frame, and for the first bar that cannot be, naming row, timestamp and column: out of
            order or there twice, at a time at which no bar of the timeframe starts, not closed yet, without a price, with
            a high that is not the highest or a low that is not the lowest, with a negative volume; at once.
        StorageError
            From the operation, when the disk does not take them.

        Examples
        --------
        >>> import pandas as pd
        >>> from ktrdr_core import DataManager
        >>> frame = pd.DataFrame(
        ...     {"open": [10.0, 11.0], "high": [12.0, 13.0], "low": [9.0, 10.0], "close": [11.0, 12.0], "volume": [100, 200]},
        ...     index=pd.DatetimeIndex(["2024-01-02", "2024-01-03"]),
        ... )
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     data.store("ACME", "1d", frame).result()
        Stored(symbol='ACME', timeframe='1d', bars=2, added=2, replaced=0, first=datetime.datetime(2024, 1, 2, 0, 0, tzinfo=datetime.timezone.utc), last=datetime.datetime(2024, 1, 3, 0, 0, tzinfo=datetime.timezone.utc))
        """
        native, ignored = native_bars(frame)
        return self._store(
            cancellation_token,
            lambda parent, token: self._native.store_bars(
                _core.StoreRequest(
                    symbol=symbol,
                    timeframe=timeframe,
                    ignored=ignored,
                    parent_id=parent,
                    **series,
                ),
                native,
                token,
            ),
        )

    @explained
    def import_csv(
        self,
        file: str | os.PathLike[str],
        symbol: str | None = None,
        timeframe: str | None = None,
        *,
        cancellation_token: CancellationToken | None = None,
        **series: Unpack[SeriesWords],
    ) -> Operation[Stored]:
        """Start storing the bars of a CSV file and return at once; else as ``store``.

        Of a folder it is ``import_folder``, and its result that one's (which type checkers learn by that name only).

        Parameters
        ----------
        file : path
            Its first line names the columns as in ``store``; they are parted by commas, semicolons or tabs. Times are ISO
            8601, in UTC where they have no offset, and may be a ``date`` beside a ``time``.
        symbol, timeframe : str, optional
            Else what the file's name says: ``AAPL_1d.csv``, ``BTC%2FUSDT_1h.csv``.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels the import when it is cancelled; nothing is stored then.
        **series
            As in ``store``; not of a folder.

        Raises
        ------
        NotFoundError
            When there is no such file; at once.
        InvalidArgumentError
            When neither the name nor an argument says symbol and timeframe: at once. For a line that cannot be read, or a
            bar that cannot be, naming file, line and column: from the operation.
        StorageError
            When the file may not be read, or the disk does not take the bars.

        Examples
        --------
        >>> from pathlib import Path
        >>> from ktrdr_core import DataManager
        >>> text = "timestamp,open,high,low,close,volume\\n2024-01-02T00:00:00Z,10,12,9,11,100\\n"
        >>> _ = Path("ACME_1d.csv").write_text(text)
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     data.import_csv("ACME_1d.csv").result().bars
        1
        """
        if Path(file).is_dir():
            for field, word in {"symbol": symbol, **series}.items():
                if word is not None:
                    raise InvalidArgumentError(
                        f"{os.fspath(file)} is a folder: what each file's name says counts, so leave {field} out",
                        context={"field": field},
                    )
            return cast(
                "Operation[Stored]",
                self.import_folder(file, timeframe, cancellation_token=cancellation_token),
            )
        return self._store(
            cancellation_token,
            lambda parent, token: self._native.import_csv(
                _core.ImportRequest(
                    file=Path(file),
                    symbol=symbol,
                    timeframe=timeframe,
                    parent_id=parent,
                    **series,
                ),
                token,
            ),
        )

    def _store(
        self,
        token: CancellationToken | None,
        start: Callable[[str, _core.CancellationToken | None], _core.Operation],
    ) -> Operation[Stored]:
        return self._track_operation(Operation(self._begin(token, start), Stored.of))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            for storing in self._storing() if kind is None else ():
                storing._block(None)
        finally:
            super().__exit__(kind, error, trace)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            for storing in self._storing() if kind is None else ():
                await storing._finished()
        finally:
            await super().__aexit__(kind, error, trace)

    def _storing(self) -> list[Operation[Any]]:
        """What is being stored: a ``with`` block that ends well waits for it, for nobody would miss it before long."""
        return [
            running
            for running in self._running_operations()
            if running._native.type == "data_store"
        ]

    def series(self) -> list[Series]:
        """List what is stored, by provider, symbol and length of the bars; reads a few numbers of each, no bars.

        Raises
        ------
        StorageError
            When the database cannot be read.
        ClientClosedError
            When the manager is closed.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     data.series()
        []
        """
        return [Series(*row) for row in self._native.series()]

    def _release_resources(self) -> None:
        super()._release_resources()
        self._native.close()
        if self._gateway is not None:
            self._gateway.close()

    def __repr__(self) -> str:
        stats = self.pool_stats()
        return f"<DataManager {str(self.database_path)!r} {stats['open']} connections, {stats['requests']} requests>"
