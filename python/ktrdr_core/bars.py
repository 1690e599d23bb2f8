"""Price bars: as numpy looks at them, as rows, and as frames of other libraries."""

from __future__ import annotations

import html
import operator
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, cast, overload

from . import _core
from ._tables import html_row
from .dates import is_numpy_date, iso
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import polars as pl
    import pyarrow as pa  # type: ignore[import-untyped]
    from pydantic_core import CoreSchema

_PRICES = ("open", "high", "low", "close")
_COLUMNS = ("timestamp", *_PRICES, "volume")
# Rows that are made at once while one iterates.
_BLOCK = 4096
# Rows shown of a long series: so many of its beginning, and of its end.
_SHOWN = 5


class Bar(NamedTuple):
    """One bar: ``bar.close``, or ``timestamp, open, high, low, close, volume = bar``."""

    timestamp: datetime
    """When it starts, aware, UTC; to the microsecond."""
    open: float
    """First price."""
    high: float
    """Highest price."""
    low: float
    """Lowest price."""
    close: float
    """Last price."""
    volume: float
    """Units traded, NaN where the provider gives none."""

    @property
    def time(self) -> datetime:
        """The timestamp, by the name that ``Bars`` has for it."""
        return self.timestamp


class Bars:
    """Bars of one series, oldest first: six read-only columns of one length, shared with the core.

    Nothing is copied: the arrays look at the core's memory and keep it alive, and so do slices. Bars are never changed,
    so a copy of them (``copy``, ``deepcopy``) is they themselves; a pickle holds their numbers, and whose they are.

    ==============================  ====================================================================================
    expression                      gives
    ==============================  ====================================================================================
    ``bars[0]``, ``bars[-1]``       a ``Bar``
    ``bars[-5:]``, ``bars[::10]``   ``Bars``; a step must be positive, for bars are oldest first
    ``bars["2024-01-01":]``         ``Bars`` that start in a range of time: text, ``date``, ``datetime``, pandas'
                                    ``Timestamp``, numpy's ``datetime64``. As in ``load_data`` the end is not part of it,
                                    but an end that is a date without a time includes that day.
    ``for bar in bars``             each ``Bar``
    ``bars == others``              whether symbol, timeframe and every number are the same
    ==============================  ====================================================================================

    Frames get the columns ``timestamp, open, high, low, close, volume``, a missing volume as NaN (pandas) or null.
    ``pa.table(bars)``, ``pl.DataFrame(bars)``, DuckDB and whatever else knows Arrow's ``__arrow_c_stream__`` share the
    columns without a copy. ``pd.DataFrame(bars)`` works, but takes them row by row; ``bars.to_pandas()`` does not, and
    has the timestamps as its index.

    In a response of FastAPI, or any pydantic model, bars are an object: ``symbol``, ``timeframe`` and one list a column,
    timestamps as text, missing volumes null; such an object is read as bars, too (as the body of a request:
    ``Annotated[Bars, Body()]``).

    Examples
    --------
    >>> from ktrdr_core import DataManager
    >>> with DataManager(data_dir="bars", env={}) as data:
    ...     _ = data.store("ACME", "1d", {
    ...         "date": ["2024-01-02", "2024-01-03", "2024-01-04"], "open": [10.0, 11, 12],
    ...         "high": [12.0, 13, 14], "low": [9.0, 10, 11], "close": [11.0, 12, 13], "volume": [100.0, 200, 300],
    ...     }).result()
    ...     bars = data.load_data("ACME", "1d").result()
    >>> bars
    <Bars ACME 1d: 3 from 2024-01-02T00:00:00Z to 2024-01-04T00:00:00Z>
    >>> bars[-1].close
    13.0
    >>> [bar.open for bar in bars["2024-01-02":"2024-01-03"]]
    [10.0, 11.0]
    """

    __slots__ = ("__weakref__", "_native")

    def __init__(self, native: _core.Bars) -> None:
        self._native = native

    # ---- what they are

    @property
    def symbol(self) -> str:
        """Whose bars they are, empty where nobody has said."""
        return self._native.symbol

    @property
    def timeframe(self) -> str:
        """How long a bar is, ``1d`` for example, empty where nobody has said."""
        return self._native.timeframe

    @property
    def what_to_show(self) -> str:
        """What the prices are of, ``TRADES`` or ``ADJUSTED_LAST`` for example; empty where nobody has said.

        Bars that a ``DataManager`` has loaded say it; it is no part of what makes bars equal.
        """
        return self._native.what_to_show

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
        """Units traded, float64, -1 where the provider gives none; a ``Bar`` and frames have NaN or null there. Shape ``(n,)``."""
        return _view(self._native.volume)

    def __len__(self) -> int:
        return len(self._native)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bars):
            return NotImplemented
        return self._native == other._native

    def __hash__(self) -> int:
        ends = self._native.rows(0, 1) + self._native.rows(max(0, len(self) - 1), len(self))
        return hash((self.symbol, self.timeframe, len(self), *(row[0] for row in ends)))

    # ---- parts of them

    @overload
    def __getitem__(self, key: SupportsIndex) -> Bar: ...
    @overload
    def __getitem__(self, key: slice) -> Bars: ...
    def __getitem__(self, key: SupportsIndex | slice) -> Bar | Bars:
        if isinstance(key, slice):
            return self._slice(key)
        try:
            index = operator.index(key)
        except TypeError:
            raise _no_key(key) from None
        row = index + len(self) if index < 0 else index
        if not 0 <= row < len(self):
            raise IndexError(f"there is no bar {index}: there are {len(self)}")
        return Bar(*self._native.rows(row, row + 1)[0])

    def _slice(self, key: slice) -> Bars:
        if _is_time(key.start) or _is_time(key.stop):
            if key.step is not None:
                raise InvalidArgumentError(
                    "a slice of time has no step: take every so manyeth bar of it, [a:b][::10]"
                )
            return Bars(self._native.between(iso("start", key.start), iso("end", key.stop)))
        try:
            first, last, step = key.indices(len(self))
        except TypeError:
            raise _no_key(key.start if key.stop is None else key.stop) from None
        if step < 1:
            raise InvalidArgumentError(
                f"the step of a slice of bars must be at least 1, not {step}: bars are oldest first"
            )
        return Bars(self._native.every(first, max(first, last), step))

    def __iter__(self) -> Iterator[Bar]:
        make = cast("Any", partial(tuple.__new__, Bar))
        for first in range(0, len(self), _BLOCK):
            yield from map(make, self._native.rows(first, first + _BLOCK))

    # ---- copies

    def __copy__(self) -> Bars:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Bars:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        columns = (self.open, self.high, self.low, self.close, self.volume)
        numbers = (_view(self._native.time), *columns)
        return _restored_as, (self.what_to_show, self.symbol, self.timeframe, *numbers)

    # ---- frames

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give a capsule with the columns, as they lie, for whatever reads Arrow's C stream interface."""
        return self._native.to_arrow_stream()

    def to_arrow(self) -> pa.Table:
        """Share the columns with a pyarrow table: ``timestamp[ns, UTC]`` and five of doubles, a missing volume null.

        Raises
        ------
        FeatureNotAvailableError
            When pyarrow is not installed; an ImportError. The message has the command that installs it.
        """
        return _library("pyarrow", "to_arrow()").table(self)

    def to_polars(self) -> pl.DataFrame:
        """Share the columns with a polars frame: ``Datetime("ns", "UTC")`` and five of ``Float64``, a missing volume null.

        Raises
        ------
        FeatureNotAvailableError
            When polars is not installed; an ImportError. The message has the command that installs it.
        """
        frame: pl.DataFrame = _library("polars", "to_polars()").DataFrame(self)
        return frame

    def to_pandas(self) -> pd.DataFrame:
        """Copy into a DataFrame with a UTC ``DatetimeIndex`` named ``timestamp``, a missing volume as NaN.

        Raises
        ------
        FeatureNotAvailableError
            When pandas is not installed; an ImportError. The message has the command that installs it.
        """
        pandas = _library("pandas", "to_pandas()")
        columns = {name: getattr(self, name) for name in _PRICES} | {"volume": self._known_volume()}
        index = pandas.DatetimeIndex(self.time, tz="UTC", name="timestamp")
        frame: pd.DataFrame = pandas.DataFrame(columns, index=index, copy=True)
        return frame

    def _known_volume(self) -> npt.NDArray[np.float64]:
        import numpy

        volume = self.volume
        return numpy.where(volume == -1, numpy.nan, volume)

    # ---- answers of a service

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> CoreSchema:
        from pydantic_core import core_schema as schema

        def column(items: CoreSchema) -> Any:
            return schema.typed_dict_field(schema.list_schema(items))

        text = schema.typed_dict_field(schema.str_schema())
        written = schema.typed_dict_schema(
            {
                "symbol": text,
                "timeframe": text,
                "timestamp": column(schema.str_schema()),
                **{name: column(schema.float_schema()) for name in _PRICES},
                "volume": column(schema.nullable_schema(schema.float_schema())),
            },
            cls_name="Bars",
        )
        return schema.json_or_python_schema(
            json_schema=schema.no_info_after_validator_function(_of_columns, written),
            python_schema=schema.union_schema(
                [
                    schema.is_instance_schema(cls),
                    schema.no_info_after_validator_function(_of_columns, written),
                ]
            ),
            serialization=schema.plain_serializer_function_ser_schema(
                cls._columns, return_schema=written
            ),
        )

    def _columns(self) -> dict[str, Any]:
        known = [None if volume == -1 else volume for volume in self.volume.tolist()]
        stamps = _stamps(self.time)
        prices = {name: getattr(self, name).tolist() for name in _PRICES}
        return {
            "symbol": self.symbol,
            "timeframe": self.timeframe,
            "timestamp": stamps,
            **prices,
            "volume": known,
        }

    # ---- how they look

    def __repr__(self) -> str:
        series = " ".join(name for name in ("Bars", self.symbol, self.timeframe) if name)
        if len(self) == 0:
            return f"<{series}: none>"
        first, last = self.time[0], self.time[-1]
        return f"<{series}: {len(self)} from {first.astype('M8[s]')}Z to {last.astype('M8[s]')}Z>"

    def _repr_html_(self) -> str:
        left_out = len(self) - 2 * _SHOWN
        rows = [
            html_row("td", row)
            for row in self._shown_rows(0, len(self) if left_out <= 0 else _SHOWN)
        ]
        if left_out > 0:
            rows.append(html_row("td", ["…"] * len(_COLUMNS)))
            rows += [html_row("td", row) for row in self._shown_rows(len(self) - _SHOWN, len(self))]
        return (
            f"<table><caption>{html.escape(repr(self)[1:-1])}</caption>"
            f"<thead>{html_row('th', _COLUMNS)}</thead><tbody>{''.join(rows)}</tbody></table>"
        )

    def _shown_rows(self, first: int, last: int) -> Iterator[list[str]]:
        for stamp, *prices, volume in self._native.rows(first, last):
            shown = "" if volume != volume else f"{volume:,.10g}"
            yield [f"{stamp:%Y-%m-%d %H:%M:%S}", *(f"{price:.10g}" for price in prices), shown]


def _restored(
    symbol: str, timeframe: str, time: npt.NDArray[np.int64], *columns: npt.NDArray[np.float64]
) -> Bars:
    """Make bars of a pickle's numbers."""
    native = _core.bars_of_columns(time, "ns", columns)
    return Bars(native.named(symbol, timeframe))


def _restored_as(what_to_show: str, symbol: str, timeframe: str, *numbers: Any) -> Bars:
    """Make bars of a pickle that says what their prices are of, too."""
    native = _restored(symbol, timeframe, *numbers)._native
    return Bars(native.named(symbol, timeframe, what_to_show))


def _of_columns(value: dict[str, Any]) -> Bars:
    import numpy

    numbers = [numpy.asarray(value[name], dtype=numpy.float64) for name in (*_PRICES, "volume")]
    native = _core.bars_of_columns(value["timestamp"], "ns", numbers)
    return Bars(native.named(value["symbol"], value["timeframe"]))


def _stamps(time: npt.NDArray[np.datetime64]) -> list[str]:
    """Write them as ISO 8601; whole seconds, as nearly all are, without a fraction."""
    import numpy

    seconds = time.astype("M8[s]")
    shown = numpy.datetime_as_string(seconds if (seconds == time).all() else time)
    return [f"{stamp}Z" for stamp in shown.tolist()]


def _is_time(value: object) -> bool:
    return isinstance(value, str | date) or is_numpy_date(value)


def _no_key(key: object) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"bars are taken by an int, a slice of ints or a slice of times, not by {type(key).__name__}; "
        "to_pandas() and to_polars() know more ways"
    )


def _library(name: str, what: str) -> Any:
    from importlib import import_module

    from ._extras import needed_by

    with needed_by(what):
        return import_module(name)


def _view(column: _core.Column) -> npt.NDArray[Any]:
    import numpy

    return numpy.asarray(column)
