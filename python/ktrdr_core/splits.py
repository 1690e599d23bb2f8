"""Splits in time that no label leaks across, as index generators in scikit-learn's form.

Each takes the times of all rows once: when each row's bar starts, and when its label is known. Rows may be those of
several symbols, in any order; they are split at one set of times, never each symbol by itself: symbols move alike, so
what one trains on another would be tested on. A row whose label is known only after a test has begun is purged.

scikit-learn is not needed; where it is there, each of these is a ``cv`` for it.
"""

from __future__ import annotations

import operator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _core
from ._bridge.arguments import described, explained
from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]
    Times = npt.ArrayLike
    Span = timedelta | np.timedelta64

# Those of which 64 bits of nanoseconds hold every time.
_YEARS = range(1678, 2262)

__all__ = ["HoldoutSplit", "Parts", "PurgedKFold", "WalkForwardSplit"]


class Parts(NamedTuple):
    """The rows of a holdout split, as indices, each rising."""

    train: Indices
    """The oldest rows, whose labels are known before the next part begins."""
    validation: Indices
    """The rows after them."""
    test: Indices
    """The newest rows."""
    purged: int
    """Rows left out because their label, or the embargo behind it, reaches into the next part."""


class _TimeSplit:
    """The times of all rows, and the shape that scikit-learn knows."""

    def __init__(self, starts: Times, ends: Times, embargo: Span) -> None:
        self._starts = _nanos("starts", starts)
        self._ends = _nanos("ends", ends)
        self._embargo = _span(embargo)

    def _rows(self, given: Any) -> None:
        shape = getattr(given, "shape", None)
        rows = shape[0] if shape else None if given is None else len(given)
        if rows is not None and rows != len(self._starts):
            raise InvalidArgumentError(
                f"X has {rows} rows, the split was made for {len(self._starts)}: make it of the times of these rows",
                context={"field": "X"},
            )

    def _folds(self) -> int:
        raise NotImplementedError

    def _fold(self, index: int) -> tuple[Indices, Indices]:
        raise NotImplementedError

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: N803
        """Say how many train and test sets ``split`` gives; the arguments do not matter."""
        return self._folds()

    def split(
        self, X: Any = None, y: Any = None, groups: Any = None  # noqa: N803
    ) -> Iterator[tuple[Indices, Indices]]:
        """Give the indices of the rows that train and of those that test, one pair a fold.

        Parameters
        ----------
        X : array or frame, optional
            The rows; looked at for their number only.
        y, groups : optional
            Not looked at.

        Yields
        ------
        tuple of numpy.ndarray
            Train and test, int64, rising, read-only.

        Raises
        ------
        InvalidArgumentError
            When X has another number of rows, and when there are too few for the split.
        """
        self._rows(X)
        for index in range(self._folds()):
            yield self._fold(index)


class HoldoutSplit(_TimeSplit):
    """Oldest rows train, the next validate, the newest test: as a training splits its rows.

    As a ``cv`` it is one fold: train and test, the validation left out.

    Parameters
    ----------
    starts : array of datetime64, shape (n,)
        When each row's bar starts, UTC.
    ends : array of datetime64, shape (n,)
        When each row's label is known: ``Labels.ends``, of decided rows only.
    train, validation, test : float
        Shares of all rows, each above 0, together 1.
    embargo : timedelta or numpy.timedelta64
        How long after a label's end nothing may follow in the next part. By default none.

    Raises
    ------
    InvalidArgumentError
        For times that are none, columns of two lengths, labels that end before they start, shares out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from ktrdr_core.splits import HoldoutSplit
    >>> starts = np.arange("2024-01-01", "2024-01-21", dtype="datetime64[D]")
    >>> parts = HoldoutSplit(starts, starts + np.timedelta64(3, "D"), train=0.5, validation=0.25, test=0.25).parts()
    >>> [len(part) for part in parts[:3]], parts.purged
    ([8, 3, 5], 4)
    """

    @explained
    def __init__(
        self,
        starts: Times,
        ends: Times,
        *,
        train: float = 0.7,
        validation: float = 0.15,
        test: float = 0.15,
        embargo: Span = timedelta(0),
    ) -> None:
        super().__init__(starts, ends, embargo)
        self._shares = (
            _share("train", train),
            _share("validation", validation),
            _share("test", test),
        )

    @explained
    def parts(self) -> Parts:
        """Give all three parts.

        Returns
        -------
        Parts
            Indices of the rows.

        Raises
        ------
        InvalidArgumentError
            As the class.
        """
        train, validation, test, purged = _core.split_in_time(
            self._starts, self._ends, self._embargo, *self._shares
        )
        return Parts(_indices(train), _indices(validation), _indices(test), purged)

    def _folds(self) -> int:
        return 1

    def _fold(self, index: int) -> tuple[Indices, Indices]:
        parts = self.parts()
        if not len(parts.train) or not len(parts.test):
            raise InvalidArgumentError(
                f"{len(parts.train)} rows are left to train and {len(parts.test)} to test on, {parts.purged} are left out "
                "because their label, or the embargo, reaches into the next part: take other shares or a shorter embargo",
                context={"field": "train"},
            )
        return parts.train, parts.test


class WalkForwardSplit(_TimeSplit):
    """Tests that follow each other in time, each trained on what lies before it.

    The tests are the newest rows. Rows that begin at one time are never parted.

    Parameters
    ----------
    starts, ends : array of datetime64, shape (n,)
        As of `HoldoutSplit`.
    n_splits : int
        How many tests; at least 1.
    test_size : int, optional
        Rows of each test; by default ``n // (n_splits + 1)``.
    max_train_size : int, optional
        No more than the newest so many rows before a test train; by default all of them do.
    embargo : timedelta or numpy.timedelta64
        How long before a test the labels that train must be known. By default not at all.

    Raises
    ------
    InvalidArgumentError
        As `HoldoutSplit`, and for counts below those above; from ``split`` where a fold has no row left to train or to
        test on.

    Examples
    --------
    >>> import numpy as np
    >>> from ktrdr_core.splits import WalkForwardSplit
    >>> starts = np.arange("2024-01-01", "2024-01-13", dtype="datetime64[D]")
    >>> for train, test in WalkForwardSplit(starts, starts + np.timedelta64(2, "D"), n_splits=2).split():
    ...     print(train, test)
    [0 1 2] [4 5 6 7]
    [0 1 2 3 4 5 6] [ 8  9 10 11]
    """

    @explained
    def __init__(
        self,
        starts: Times,
        ends: Times,
        *,
        n_splits: int = 5,
        test_size: int | None = None,
        max_train_size: int | None = None,
        embargo: Span = timedelta(0),
    ) -> None:
        super().__init__(starts, ends, embargo)
        self._rule = (
            _whole("n_splits", n_splits, 1),
            None if test_size is None else _whole("test_size", test_size, 1),
            None if max_train_size is None else _whole("max_train_size", max_train_size, 1),
        )

    def _folds(self) -> int:
        return int(self._rule[0])

    @explained
    def _fold(self, index: int) -> tuple[Indices, Indices]:
        train, test, _ = _core.walk_forward_fold(
            self._starts, self._ends, self._embargo, *self._rule, index
        )
        return _indices(train), _indices(test)


class PurgedKFold(_TimeSplit):
    """Each stretch of time tests once, and all the others train but for what knows of it.

    Left out are rows from before the test whose label is known only after it has begun, and rows from behind that begin
    before the last of the test's labels is known. After López de Prado, *Advances in Financial Machine Learning* (2018),
    chapter 7; the embargo holds on both sides.

    Parameters
    ----------
    starts, ends : array of datetime64, shape (n,)
        As of `HoldoutSplit`.
    n_splits : int
        How many folds; at least 2.
    embargo : timedelta or numpy.timedelta64
        How far from a test's labels, and they from its beginning, those that train stay. By default not at all.

    Raises
    ------
    InvalidArgumentError
        As `WalkForwardSplit`.

    Examples
    --------
    >>> import numpy as np
    >>> from ktrdr_core.splits import PurgedKFold
    >>> starts = np.arange("2024-01-01", "2024-01-13", dtype="datetime64[D]")
    >>> for train, test in PurgedKFold(starts, starts + np.timedelta64(2, "D"), n_splits=3).split():
    ...     print(train, test)
    [ 5  6  7  8  9 10 11] [0 1 2 3]
    [ 0  1  2  9 10 11] [4 5 6 7]
    [0 1 2 3 4 5 6] [ 8  9 10 11]
    """

    @explained
    def __init__(
        self, starts: Times, ends: Times, *, n_splits: int = 5, embargo: Span = timedelta(0)
    ) -> None:
        super().__init__(starts, ends, embargo)
        self._splits = _whole("n_splits", n_splits, 2)

    def _folds(self) -> int:
        return self._splits

    @explained
    def _fold(self, index: int) -> tuple[Indices, Indices]:
        train, test, _ = _core.purged_fold(
            self._starts, self._ends, self._embargo, self._splits, index
        )
        return _indices(train), _indices(test)


def _nanos(field: str, times: Times) -> npt.NDArray[np.int64]:
    import numpy as np

    column = np.asarray(times)
    if column.dtype.kind != "M" or column.ndim != 1:
        raise InvalidArgumentError(
            f"{field} must be one row of datetime64, not {column.dtype} of shape {column.shape}",
            context={"field": field},
        )
    # Beyond what 64 bits of nanoseconds hold numpy goes round, and says nothing.
    years = column.astype("datetime64[Y]").astype(np.int64) + 1970
    outside = ((years < _YEARS.start) | (years >= _YEARS.stop)) & ~np.isnat(column)
    if outside.any():
        row = int(outside.argmax())
        raise InvalidArgumentError(
            f"{field}[{row}] is {column[row]}: times must be of the years {_YEARS[0]} to {_YEARS[-1]}",
            context={"field": field, "row": row},
        )
    return np.array(column, dtype="datetime64[ns]", order="C").view(np.int64)


def _span(embargo: Span) -> int:
    import numpy as np

    if isinstance(embargo, timedelta):
        # What pandas makes of one knows nanoseconds.
        exact = getattr(embargo, "value", None)
        nanos = embargo // timedelta(microseconds=1) * 1000 if exact is None else int(exact)
        if abs(nanos) >= 2**63:
            raise _too_long()
        return nanos
    if isinstance(embargo, np.timedelta64):
        unit, _ = np.datetime_data(embargo.dtype)
        # Taken as nanoseconds it would be none at all.
        if unit == "generic" and not np.isnat(embargo) and embargo != np.timedelta64(0):
            raise InvalidArgumentError(
                f"embargo is {embargo!r}, which has no unit: give one, as np.timedelta64(5, 'D') has",
                context={"field": "embargo"},
            )
        if unit != "generic" and not np.isnat(embargo):
            nanos = int(np.array(1, embargo.dtype).astype("timedelta64[ns]").astype("int64"))
            if abs(int(embargo.astype("int64")) * nanos) >= 2**63:
                raise _too_long()
        return int(embargo.astype("timedelta64[ns]").astype("int64"))
    raise InvalidArgumentError(
        f"embargo must be a timedelta or numpy's timedelta64, not {type(embargo).__name__}",
        context={"field": "embargo"},
    )


def _too_long() -> InvalidArgumentError:
    return InvalidArgumentError(
        "embargo is longer than 292 years, the most that nanoseconds count",
        context={"field": "embargo"},
    )


def _share(field: str, value: object) -> float:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise InvalidArgumentError(
            f"{field} must be a number, not {described(value)}", context={"field": field}
        )
    return float(value)


def _whole(field: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InvalidArgumentError(
            f"{field} must be a whole number, not {described(value)}", context={"field": field}
        )
    number = operator.index(value)
    if not least <= number < 2**63:
        raise InvalidArgumentError(
            f"{field} is {number}; at least {least} is needed, and it must be below 2^63",
            context={"field": field},
        )
    return number


def _indices(rows: bytes) -> Indices:
    import numpy as np

    return np.frombuffer(rows, np.int64)
