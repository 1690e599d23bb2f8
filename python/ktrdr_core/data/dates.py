"""Dates as people give them, as ISO 8601 for the core."""

from __future__ import annotations

from datetime import date, datetime

from ..errors import InvalidArgumentError

Date = str | date | datetime


def iso(field: str, value: Date | None) -> str | None:
    """Give ISO 8601 as it is, a date or datetime as ISO 8601, None as None.

    Raises
    ------
    InvalidArgumentError
        For anything else, naming the field.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    raise InvalidArgumentError(
        f"{field} must be a str, date or datetime, not {type(value).__name__}"
    )
