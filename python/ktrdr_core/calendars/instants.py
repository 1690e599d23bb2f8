"""Times and dates as people give them, as the numbers the core counts in, and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy as np

    Instant = str | date | datetime | np.datetime64
else:
    #: A time: ISO 8601, a ``datetime`` or a ``datetime64``. Without a zone it is UTC; a date is its 00:00.
    Instant = str | date | datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LEAST, _MOST = -(2**63), 2**63 - 1


def nanos(field: str, value: Instant) -> int:
    """Give nanoseconds since 1970 UTC; what 64 bits do not hold is the nearest that they do."""
    if value != value:  # what numpy and pandas have for no time
        raise InvalidArgumentError(f"{field} must be a time, not NaT")
    if type(value).__name__ == "datetime64":
        return _of_numpy(value)
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise InvalidArgumentError(
            f"{field} {value!r} is not a date: write it like 2024-01-31 or 2024-01-31T09:30:00Z"
        ) from None
    if isinstance(time, date) and not isinstance(time, datetime):
        time = datetime(time.year, time.month, time.day, tzinfo=UTC)
    if not isinstance(time, datetime):
        raise InvalidArgumentError(
            f"{field} must be a str, date, datetime or datetime64, not {type(value).__name__}"
        )
    since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
    return _held(since // _MICROSECOND * 1000)


def days(field: str, value: Instant) -> int:
    """Give days since 1970: of a date that date's, of a time that of its date in UTC."""
    return nanos(field, value) // (24 * 3600 * 10**9)


def time_of(since: int) -> datetime:
    """Give an aware ``datetime`` in UTC."""
    return _EPOCH + timedelta(microseconds=since // 1000)


def date_of(since: int) -> date:
    """Give the date so many days after 1970-01-01."""
    return _EPOCH.date() + timedelta(days=since)


def _of_numpy(value: Any) -> int:
    whole = int(value.astype("datetime64[us]").astype("int64")) * 1000
    if _held(whole) != whole:
        # Asked for its nanoseconds numpy would give those of some other time.
        return _held(whole)
    return int(value.astype("datetime64[ns]").astype("int64"))


def _held(since: int) -> int:
    return min(max(since, _LEAST), _MOST)
