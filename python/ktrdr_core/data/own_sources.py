"""Sources that are there: an IB host service, a folder of CSV files, and bars that are given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import _bridge, _core
from .._bridge.arguments import checked_environment, explained
from .._frames import native_bars
from ..errors import ConfigurationError
from .ib_gateway import IbGatewaySource
from .sources import NativeSource

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from .._frames import Frame


class IbDataAdapter(NativeSource):
    """The bars of Interactive Brokers, as a source: of an IB host service, or of a gateway where none is to be used.

    A ``DataManager`` that is given a URL asks the service by itself. This one is for those who ask it by themselves
    (``SourceCalls``), test a service with ``SourceSuite``, serve it on, or choose by a setting: ``DataManager(source=IbDataAdapter())``.

    =======================================================  ===========================================================
    said                                                     whose bars
    =======================================================  ===========================================================
    ``host_service_url``, or ``use_host_service=True``        the service's
    ``use_host_service=False``                               a gateway's: ``IbGatewaySource`` with its own settings
    neither, ``USE_IB_HOST_SERVICE`` true or a URL is set    the service's
    neither, ``USE_IB_HOST_SERVICE`` false                   a gateway's
    =======================================================  ===========================================================

    Parameters
    ----------
    host_service_url : str, optional
        URL of the service. Else ``IB_HOST_SERVICE_URL``, unless ``USE_IB_HOST_SERVICE`` is false; else, when that is true,
        ``http://localhost:5001``.
    use_host_service : bool, optional
        Overrides ``USE_IB_HOST_SERVICE``; giving the URL means True. False is a TWS or IB Gateway at ``IB_GATEWAY_HOST`` and
        ``IB_GATEWAY_PORT``.
    env : mapping, optional
        Read in place of ``os.environ``.

    Raises
    ------
    ConfigurationError
        For a URL or a setting that cannot be used, and where nothing says whom to ask.
    FeatureNotAvailableError
        Where a gateway is to be asked and ``ib_async`` is not installed, naming the extra ``ib``.

    Examples
    --------
    >>> import asyncio
    >>> from ktrdr_core.data import IbDataAdapter
    >>> from ktrdr_core.hosts.child import HostProcess
    >>> async def main(url):
    ...     return (await IbDataAdapter(url).fetch("AAPL", "1d", "2005-01-03", "2005-01-07")).bars
    >>> with HostProcess(delay=0.0) as host:
    ...     asyncio.run(main(host.url))
    <Bars AAPL 1d: 5 from 2005-01-03T00:00:00Z to 2005-01-07T00:00:00Z>
    """

    @explained
    def __init__(
        self,
        host_service_url: str | None = None,
        *,
        use_host_service: bool | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        _bridge.start()
        given = checked_environment(env)
        native = _core.open_ib_source(host_service_url, use_host_service, given)
        self._gateway: IbGatewaySource | None = None
        if native is None:
            # No service is used: because somebody says so, or because nobody said anything.
            if use_host_service is None and not given.get("USE_IB_HOST_SERVICE"):
                raise ConfigurationError(
                    "no IB host service is named: give host_service_url or set IB_HOST_SERVICE_URL; "
                    "USE_IB_HOST_SERVICE=false asks a TWS or IB Gateway directly"
                )
            self._gateway = IbGatewaySource(env=given)
            native = self._gateway._opened()
        self._native = native

    @property
    def gateway(self) -> IbGatewaySource | None:
        """The gateway that is asked directly; None where a service is."""
        return self._gateway

    def close(self) -> None:
        """End the connection to a gateway, where there is one."""
        if self._gateway is not None:
            self._gateway.close()

    def __enter__(self) -> IbDataAdapter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class CsvSource(NativeSource):
    """Bars from a folder of CSV files, one a series: ``{SYMBOL}_{timeframe}.csv``.

    They are read as ``DataManager.import_csv`` reads them, on the core's threads, when a load asks for them; what a
    file's name cannot hold stands in it as in a URL (``BTC%2FUSDT_1h.csv``), and so may more (``BRK%20B_1d.csv``). A file that
    was replaced is seen by the next load that asks; a last bar that is not closed yet is left out.

    Parameters
    ----------
    folder : path
        Where the files lie.
    provider : str
        Under which name the bars are stored.

    Raises
    ------
    NotFoundError
        When there is no such folder.
    InvalidArgumentError
        For a provider that cannot be. From a load, for a file that is broken anywhere, naming file, line and column.
    SymbolNotFoundError
        From a load, when there is no file of the series, naming those that there are.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ktrdr_core import DataManager
    >>> from ktrdr_core.data import CsvSource
    >>> Path("files").mkdir()
    >>> text = "timestamp,open,high,low,close,volume\\n2024-01-02T00:00:00Z,10,12,9,11,100\\n"
    >>> _ = Path("files/ACME_1d.csv").write_text(text)
    >>> with DataManager(data_dir="bars", source=CsvSource("files"), env={}) as data:
    ...     data.load_data("ACME", "1d", "2024-01-01", "2024-01-31", mode="full").result()
    <Bars ACME 1d: 1 from 2024-01-02T00:00:00Z to 2024-01-02T00:00:00Z>
    """

    _native: _core.CsvSource

    @explained
    def __init__(self, folder: str | os.PathLike[str], provider: str = "csv") -> None:
        _bridge.start()
        self._native = _core.CsvSource(Path(folder), provider)
        self._folder = Path(folder)

    def __repr__(self) -> str:
        return f"<CsvSource {self._folder}>"


class ReplaySource(NativeSource):
    """Bars that are there already, given as a source: for demonstrations and tests.

    Parameters
    ----------
    bars : mapping
        ``{(symbol, timeframe): frame}``, each in any form that ``DataManager.store`` takes, oldest first. They are copied
        (``Bars`` are shared). One that is not closed yet is given when it is.
    provider : str
        Under which name the bars are stored.

    Raises
    ------
    InvalidArgumentError
        For what is no frame, an impossible symbol or timeframe, and bars out of order.

    Examples
    --------
    >>> from ktrdr_core import DataManager
    >>> from ktrdr_core.data import ReplaySource
    >>> days = {"timestamp": ["2024-01-02", "2024-01-03"], "open": [1, 2], "high": [2, 3], "low": [1, 1], "close": [2, 2]}
    >>> with DataManager(data_dir="bars", source=ReplaySource({("ACME", "1d"): days}), env={}) as data:
    ...     data.load_data("ACME", "1d", "2024-01-01", "2024-01-31", mode="full").result()
    <Bars ACME 1d: 2 from 2024-01-02T00:00:00Z to 2024-01-03T00:00:00Z>
    """

    _native: _core.ScriptedSource

    def __init__(
        self, bars: Mapping[tuple[str, str], Frame] | None = None, *, provider: str = "replay"
    ) -> None:
        _bridge.start()
        self._native = _core.ScriptedSource(provider)
        self._series: list[tuple[str, str]] = []
        for (symbol, timeframe), frame in (bars or {}).items():
            self.give(symbol, timeframe, frame)

    def give(self, symbol: str, timeframe: str, frame: Frame) -> None:
        """Give a series its bars, in place of what it had.

        Raises
        ------
        InvalidArgumentError
            As when it is made.
        """
        self._native.give(symbol, timeframe, native_bars(frame)[0])
        if (symbol, timeframe) not in self._series:
            self._series.append((symbol, timeframe))

    @property
    def series(self) -> list[tuple[str, str]]:
        """What it has, as (symbol, timeframe)."""
        return list(self._series)

    def __repr__(self) -> str:
        return f"<ReplaySource {len(self._series)} series>"
