"""Bars as people have them, in frames and columns, for the core."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from . import _core
from ._numbers import NO_NUMBERS, unmasked
from .bars import Bars
from .dates import iso
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd


class ArrowStream(Protocol):
    """What gives its rows by Arrow's C stream interface: frames of polars, tables of pyarrow, relations of DuckDB, …"""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give a capsule with the stream."""


#: ``Bars``, a frame of pandas or polars, a table of pyarrow or anything else with ``__arrow_c_stream__``, columns by
#: name, or a structured array of numpy.
Frame: TypeAlias = "Bars | ArrowStream | pd.DataFrame | Mapping[str, Any] | npt.NDArray[np.void]"

_NUMBERS = ("open", "high", "low", "close", "volume")
# What numpy has for days and shorter, and the core takes; others are made nanoseconds.
_UNITS = ("D", "s", "ms", "us", "ns")
# Shorter than the core counts; the others fit into it only in part.
_FINER = ("ps", "fs", "as")
# What an index that holds no datetimes is named where it holds times all the same.
_TIMES = ("timestamp", "time", "date", "datetime")


def native_bars(frame: Frame) -> tuple[_core.Bars, list[str]]:
    """Copy a frame's bars into the core; those of ``Bars`` are shared. Also the names of columns that no bar has.

    Raises
    ------
    InvalidArgumentError
        For anything that is no frame, and for a column that is missing or cannot be what it is named, naming it.
    """
    if isinstance(frame, Bars):
        return frame._native, []
    # Another thread may be in the middle of importing it: what has no such class yet has made no frame.
    data_frame = getattr(sys.modules.get("pandas"), "DataFrame", None)
    if data_frame is not None and isinstance(frame, data_frame):
        return _of_pandas(frame)
    if hasattr(frame, "__arrow_c_stream__"):
        return _core.bars_of_arrow_stream(frame.__arrow_c_stream__())
    if isinstance(frame, Mapping):
        return _of_columns([str(name) for name in frame], list(frame.values()).__getitem__)
    array = getattr(sys.modules.get("numpy"), "ndarray", None)
    names = frame.dtype.names if array is not None and isinstance(frame, array) else None
    if names is not None:
        return _of_columns(list(names), lambda index: frame[names[index]])
    raise InvalidArgumentError(
        f"frame cannot be {type(frame).__name__}: give Bars, a DataFrame of pandas or polars, a table of pyarrow or "
        "anything else with __arrow_c_stream__, a dict of columns, or a structured numpy array",
        context={"field": "frame"},
    )


def _of_pandas(frame: Any) -> tuple[_core.Bars, list[str]]:
    if frame.columns.nlevels > 1:
        raise InvalidArgumentError(
            f"frame has columns of {frame.columns.nlevels} levels: take those of one symbol, "
            "frame.xs(symbol, axis=1, level=1) for example",
            context={"field": "frame"},
        )
    columns = [str(name) for name in frame.columns]
    if _holds_times(frame.index):
        return _of_columns(
            ["timestamp", *columns],
            lambda index: frame.index if index == 0 else frame.iloc[:, index - 1],
        )
    return _of_columns(columns, lambda index: frame.iloc[:, index])


def _holds_times(index: Any) -> bool:
    pandas = sys.modules["pandas"]
    if isinstance(index, pandas.DatetimeIndex):
        return True
    return isinstance(index.name, str) and index.name.strip().lower() in _TIMES


def _of_columns(names: list[str], column: Callable[[int], Any]) -> tuple[_core.Bars, list[str]]:
    plan, ignored = _core.plan_columns(names)
    stamps, unit = _stamps(column(_place(plan[0])))
    numbers = [
        None if index is None else _numbers(name, column(index))
        for name, index in zip(_NUMBERS, plan[1:], strict=True)
    ]
    return _core.bars_of_columns(stamps, unit, numbers), ignored


def _place(index: int | None) -> int:
    """Only the volume may be missing, says the plan."""
    assert index is not None  # nosec B101
    return index


def _numbers(name: str, values: Any) -> npt.NDArray[Any]:
    import numpy

    try:
        array = _array(values)
        if array.dtype.kind in NO_NUMBERS:
            raise TypeError(f"it holds {array.dtype}")
        if (
            array.dtype.kind not in "iuf"
            or array.dtype.itemsize not in (1, 2, 4, 8)
            or array.dtype == numpy.float16
        ):
            array = array.astype(numpy.float64)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(
            f"column {name} does not hold numbers: {error}", context={"column": name}
        ) from None
    return _one_dimension(name, array.astype(array.dtype.newbyteorder("="), copy=False))


def _array(values: Any) -> npt.NDArray[Any]:
    """Take the values as numpy has them; what pandas knows to be missing becomes no number."""
    import numpy

    if hasattr(values, "to_numpy") and hasattr(values, "isna"):
        has_own_missing = not isinstance(values.dtype, numpy.dtype)
        array: npt.NDArray[Any] = (
            values.to_numpy(dtype=numpy.float64, na_value=numpy.nan)
            if has_own_missing
            else values.to_numpy()
        )
        return array
    return unmasked(values if isinstance(values, numpy.ma.MaskedArray) else numpy.asarray(values))


def _stamps(values: Any) -> tuple[npt.NDArray[Any] | list[str | None], str]:
    """Give whole numbers and their unit, or text."""
    import numpy

    if hasattr(values, "isna"):
        return _pandas_stamps(values)
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    array = unmasked(values if isinstance(values, numpy.ndarray) else _dates(values))
    if array.dtype.kind == "M":
        return _whole(_one_dimension("timestamp", array))
    if array.dtype.kind in "OUT":
        return _texts(_one_dimension("timestamp", array).tolist()), "ns"
    raise _no_stamps(str(array.dtype))


def _dates(values: Any) -> npt.NDArray[Any]:
    """Make an array of a list; dates and aware times stay what they are, for numpy would drop their zone."""
    import numpy

    listed = list(values)
    if listed and all(isinstance(value, numpy.datetime64) for value in listed):
        return numpy.array(listed)
    array = numpy.empty(len(listed), dtype=object)
    array[:] = listed
    return array


def _pandas_stamps(values: Any) -> tuple[npt.NDArray[Any] | list[str | None], str]:
    import pandas

    kind = getattr(values.dtype, "kind", "")
    if kind == "M":
        index = pandas.DatetimeIndex(values)
        naive = index.tz_convert("UTC").tz_localize(None) if index.tz is not None else index
        return _whole(naive.to_numpy())
    if kind in "OUT":
        known = values.astype(object).where(values.notna(), None)
        return _texts(known.tolist()), "ns"
    raise _no_stamps(str(values.dtype))


def _whole(times: npt.NDArray[np.datetime64]) -> tuple[npt.NDArray[np.int64], str]:
    import numpy

    unit, count = numpy.datetime_data(times.dtype)
    if unit == "generic" or count != 1 or unit not in _UNITS:
        # Hours, weeks and months are few, and whole seconds.
        finer = unit in _FINER
        unit = "s" if unit in ("Y", "M", "W", "h", "m", "D") else "ns"
        whole = times.astype(f"M8[{unit}]")
        if not finer:
            _check_whole(times, whole)
        times = whole
    times = times.astype(times.dtype.newbyteorder("="), copy=False)
    return times.view(numpy.int64), unit


def _check_whole(times: npt.NDArray[Any], whole: npt.NDArray[Any]) -> None:
    """Refuse what numpy has taken round its end, which it says nothing of."""
    import numpy

    wrapped = (whole.astype(times.dtype) != times) & ~numpy.isnat(times)
    if wrapped.any():
        row = int(wrapped.argmax())
        raise InvalidArgumentError(
            f"row {row}, column timestamp: the stamp lies outside of the years 1678 to 2261",
            context={"row": row, "column": "timestamp"},
        )


def _texts(values: list[Any]) -> list[str | None]:
    return [
        None if value is None or value != value else iso("timestamp", value) for value in values
    ]


def _no_stamps(kind: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"column timestamp does not hold times but {kind}: give datetimes or ISO 8601 text "
        "(of seconds since 1970, numpy.array(values).astype('M8[s]'))",
        context={"column": "timestamp"},
    )


def _one_dimension(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if array.ndim != 1:
        raise InvalidArgumentError(
            f"column {name} has {array.ndim} dimensions: give one row of values",
            context={"column": name},
        )
    # Fields of a packed structured array may stand at odd addresses, of which their buffers are of another type.
    return array if array.flags.aligned else array.copy()
