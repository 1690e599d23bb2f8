"""Price bars as numpy looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from . import _core


class Bars:
    """Bars of one series, oldest first: six read-only columns of one length, shared with the core.

    Nothing is copied: the arrays look at the core's memory and keep it alive.
    """

    def __init__(self, native: _core.Bars) -> None:
        self._native = native

    def __len__(self) -> int:
        return len(self._native)

    @property
    def time(self) -> npt.NDArray[np.datetime64]:
        """The bars' starts, ``datetime64[ns]``, UTC. Shape ``(n,)``."""
        return _view(self._native.time).view("datetime64[ns]")

    @property
    def open(self) -> npt.NDArray[np.float64]:
        """First prices, float64. Shape ``(n,)``."""
        return _view(self._native.open)

    @property
    def high(self) -> npt.NDArray[np.float64]:
        """Highest prices, float64. Shape ``(n,)``."""
        return _view(self._native.high)

    @property
    def low(self) -> npt.NDArray[np.float64]:
        """Lowest prices, float64. Shape ``(n,)``."""
        return _view(self._native.low)

    @property
    def close(self) -> npt.NDArray[np.float64]:
        """Last prices, float64. Shape ``(n,)``."""
        return _view(self._native.close)

    @property
    def volume(self) -> npt.NDArray[np.float64]:
        """Units traded, float64, -1 where the provider gives none. Shape ``(n,)``."""
        return _view(self._native.volume)

    def to_pandas(self) -> pd.DataFrame:
        """Copy into a DataFrame with a UTC ``DatetimeIndex`` named ``timestamp``.

        Raises
        ------
        FeatureNotAvailableError
            When pandas is not installed; an ImportError. The message has the command that installs it.
        """
        from ._extras import needed_by

        with needed_by("to_pandas()"):
            import pandas

        columns = {name: getattr(self, name) for name in ("open", "high", "low", "close", "volume")}
        index = pandas.DatetimeIndex(self.time, tz="UTC", name="timestamp")
        return pandas.DataFrame(columns, index=index, copy=True)

    def __repr__(self) -> str:
        if len(self) == 0:
            return "<Bars: none>"
        first, last = self.time[0], self.time[-1]
        return f"<Bars: {len(self)} from {first.astype('M8[s]')}Z to {last.astype('M8[s]')}Z>"


def _view(column: _core.Column) -> npt.NDArray[Any]:
    import numpy

    return numpy.asarray(column)
