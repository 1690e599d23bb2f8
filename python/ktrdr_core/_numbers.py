"""Numbers that somebody hands in, as arrays that the core can read where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Complex numbers, times and spans: numpy would make numbers of them, days since 1970 of a date, for example.
NO_NUMBERS = "cmM"


def array_of(refusal: str, given: Any, kind: type[np.floating[Any]]) -> npt.NDArray[Any]:
    """Give an array of one kind of float, contiguous and aligned; what is that already is not copied.

    What a masked array hides, and None, is NaN.

    Parameters
    ----------
    refusal : str
        What a message says of what are no numbers, before it says why.
    given : array_like
        The numbers.
    kind : type
        ``numpy.float64`` or ``numpy.float32``.

    Raises
    ------
    InvalidArgumentError
        For what are no numbers, times and complex numbers among it.
    """
    import numpy as np

    try:
        if getattr(getattr(given, "dtype", None), "kind", None) is None:
            # A list, or a frame's column of another library: what it holds shows once it is an array.
            given = np.asarray(given)
        held = given.dtype
        if held.kind in NO_NUMBERS:
            raise InvalidArgumentError(f"{refusal}: it holds {held}")
        made = np.asarray(unmasked(given), dtype=kind)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, InvalidArgumentError):
            raise
        raise InvalidArgumentError(f"{refusal}: {error}") from None
    return np.require(made, requirements=["C", "A"])


def unmasked(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Take out what a mask hides: the value under it is nobody's."""
    import numpy as np

    if not isinstance(array, np.ma.MaskedArray):
        return array
    kind = array.dtype.kind
    plain: npt.NDArray[Any]
    nothing: Any
    if kind == "M":
        plain, nothing = array.data.copy(), np.datetime64("NaT")
    elif kind in "biuf":
        plain, nothing = array.data.astype(np.float64), np.nan
    else:
        plain, nothing = array.data.astype(object), None
    plain[np.ma.getmaskarray(array)] = nothing
    return plain
