"""Columns of numbers for the core, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import _core
from .._numbers import array_of
from ..errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from .outputs import FloatArray


def columns(
    name: str,
    given: Sequence[npt.ArrayLike],
    parameters: Mapping[str, float],
    source: str | None = None,
) -> list[FloatArray]:
    """Compute an indicator over whole columns; one array for each output.

    A contiguous column of float64 is read where it lies, anything else is copied into one.
    """
    native = made_indicator(name, parameters, source)
    names = native.inputs if len(native.inputs) == len(given) else [None] * len(given)
    taken = [_column(label, values) for label, values in zip(names, given, strict=True)]
    made = [np.empty(len(taken[0]) if taken else 0) for _ in native.outputs]
    native.compute(taken, made)
    return made


def made_indicator(
    name: str, parameters: Mapping[str, float], source: str | None = None
) -> _core.Indicator:
    """Make an indicator with its numbers.

    Raises
    ------
    InvalidArgumentError
        When there is no such indicator or parameter, or a value is no number, or out of its range.
    """
    try:
        return _core.Indicator(name, parameters, source)
    except TypeError:
        # A binding's words would be about all of them.
        for key, value in parameters.items():
            if not _is_number(value):
                raise InvalidArgumentError(
                    f"{name}: {key} must be a number, not {type(value).__name__}",
                    context={"field": key},
                ) from None
        raise


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return not isinstance(value, str | bytes)


def _column(label: str | None, values: npt.ArrayLike) -> FloatArray:
    what = label or "a column"
    column: FloatArray = array_of(f"{what} is no column of numbers", values, np.float64)
    if column.ndim != 1:
        raise InvalidArgumentError(
            f"{what} has {column.ndim} dimensions; give one number for each bar"
        )
    return column
