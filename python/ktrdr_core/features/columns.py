"""Columns of numbers for the core, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import _core
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
    native = _core.Indicator(name, parameters, source)
    names = native.inputs if len(native.inputs) == len(given) else [None] * len(given)
    taken = [_column(label, values) for label, values in zip(names, given, strict=True)]
    made = [np.empty(len(taken[0]) if taken else 0) for _ in native.outputs]
    native.compute(taken, made)
    return made


def _column(label: str | None, values: npt.ArrayLike) -> FloatArray:
    what = label or "a column"
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{what} is no column of numbers: {error}") from None
    if column.ndim != 1:
        raise InvalidArgumentError(
            f"{what} has {column.ndim} dimensions; give one number for each bar"
        )
    return np.ascontiguousarray(column)
