"""Dates as people give them, as ISO 8601 for the core."""

from __future__ import annotations

import sys
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy as np

#: ISO 8601 text, a date, a datetime (pandas' ``Timestamp`` is one) or a numpy ``datetime64``; without an offset UTC.
Date: TypeAlias = "str | date | datetime | np.datetime64"


def iso(field: str, value: Date | None) -> str | None:
    """Give ISO 8601 as it is, a date or datetime of Python, pandas or numpy as ISO 8601, None as None.

    Raises
    ------
    InvalidArgumentError
        For anything else, a time that is not there (``NaT``), and a ``datetime64`` of months or years, naming the field.
    """
    if value is None or isinstance(value, str):
        return value
    if value != value:  # what numpy and pandas have for no time
        raise InvalidArgumentError(f"{field} must be a time, not NaT", context={"field": field})
    if isinstance(value, date):
        return value.isoformat()
    if is_numpy_date(value):
        return _numpy_iso(field, value)
    raise InvalidArgumentError(
        f"{field} must be a str, date, datetime or numpy datetime64, not {type(value).__name__}",
        context={"field": field},
    )


def is_numpy_date(value: object) -> bool:
    """Say whether it is a ``datetime64``; nobody has one without numpy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.datetime64)


def _numpy_iso(field: str, value: Any) -> str:
    import numpy

    unit, _ = numpy.datetime_data(value.dtype)
    if unit in ("Y", "M", "generic"):
        raise InvalidArgumentError(
            f"{field} is a datetime64[{unit}], which names no day: give a day or a time",
            context={"field": field},
        )
    if unit in ("W", "D"):
        return str(value.astype("M8[D]"))
    # Hours and minutes alone are no ISO 8601 that the core reads; finer than nanoseconds there is nothing.
    return str(value.astype("M8[s]" if unit in ("h", "m", "s") else "M8[ns]"))
