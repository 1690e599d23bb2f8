"""A source of bars that has what a test gave it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _bridge, _core
from ..data.sources import NativeSource
from ..errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from ..errors import KtrdrError

_PRICES = ("open", "high", "low", "close", "volume")


class FakeSource(NativeSource):
    """Bars for a ``DataManager`` in tests: no server, no network, and failures when you want them.

    Loads go the whole way, from the plan over segments to the database; only who answers is made up.

    Thread safety: every member from any thread.

    Parameters
    ----------
    bars : mapping, optional
        ``{(symbol, timeframe): columns}``; see ``set_bars``.
    provider : str
        Under which name the bars are stored; a manager without a source looks for those of ``IB``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from ktrdr_core import DataManager
    >>> from ktrdr_core.testing import FakeSource
    >>> days = np.arange("2024-01-01", "2024-01-11", dtype="datetime64[D]")
    >>> prices = {name: np.arange(10.0) for name in ("open", "high", "low", "close", "volume")}
    >>> source = FakeSource({("AAPL", "1d"): {"time": days, **prices}})
    >>> with TemporaryDirectory() as folder, DataManager(folder, source=source, env={}) as data:
    ...     bars = data.load_data("AAPL", "1d", "2024-01-02", "2024-01-05", mode="full").result()
    >>> bars.close
    array([1., 2., 3., 4.])
    >>> source.fetches
    1
    """

    _native: _core.ScriptedSource

    def __init__(
        self,
        bars: Mapping[tuple[str, str], Mapping[str, ArrayLike]] | None = None,
        *,
        provider: str = "IB",
    ) -> None:
        _bridge.start()
        self._native = _core.ScriptedSource(provider)
        for (symbol, timeframe), columns in (bars or {}).items():
            self.set_bars(symbol, timeframe, columns)

    def set_bars(self, symbol: str, timeframe: str, columns: Mapping[str, ArrayLike]) -> None:
        """Give a series its bars, in place of what it had.

        Parameters
        ----------
        symbol, timeframe : str
            As in ``DataManager.load_data``.
        columns : mapping
            ``time`` (the bars' starts, oldest first: ``datetime64`` or ISO 8601, UTC), ``open``, ``high``, ``low``,
            ``close``, ``volume``; each of shape ``(n,)``. They are copied.

        Raises
        ------
        InvalidArgumentError
            For a column that is missing or of another shape, and for bars out of order.
        """
        import numpy as np

        missing = [name for name in ("time", *_PRICES) if name not in columns]
        if missing:
            raise InvalidArgumentError(
                f"bars of {symbol} {timeframe} need the columns time, {', '.join(_PRICES)}; "
                f"{', '.join(missing)} missing",
                context={"field": "columns"},
            )
        time = np.ascontiguousarray(columns["time"], dtype="datetime64[ns]").view(np.int64)
        prices = [np.ascontiguousarray(columns[name], dtype=np.float64) for name in _PRICES]
        self._native.set_bars(symbol, timeframe, time, prices)

    def fail(self, error: type[KtrdrError], message: str = "the test wants it so") -> None:
        """Let every fetch end with this error from now on, until ``recover``.

        The manager does with it what it does with a real one: an answer that was refused is a gap, what says that the
        service cannot be reached ends the load.
        """
        self._native.fail_with(error.code, message)

    def recover(self) -> None:
        """Let fetches bring bars again."""
        self._native.fail_with(None, "")

    def hold(self) -> None:
        """Keep every fetch that comes from now on, until ``release``; a cancel ends one that is kept."""
        self._native.hold()

    def release(self) -> None:
        """Let go of what is held, and hold no more."""
        self._native.release()

    def wait_until_held(self, timeout: float = 10.0) -> None:
        """Block until a fetch is held; on an event loop ``await asyncio.to_thread(source.wait_until_held)``.

        Raises
        ------
        TimeoutError
            When none came within ``timeout`` seconds.
        """
        if not self._native.wait_until_held(timeout):
            raise TimeoutError(f"no fetch was held within {timeout} s")

    @property
    def fetches(self) -> int:
        """How many fetches it was asked for, failed and held ones too."""
        return self._native.fetches

    def __repr__(self) -> str:
        return f"<FakeSource {self.fetches} fetches>"
