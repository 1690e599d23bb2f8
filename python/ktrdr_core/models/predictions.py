"""What a model says of rows and of bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .._values import HoldsArrays

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import numpy as np
    import numpy.typing as npt
    import pandas as pd


class BarPrediction(NamedTuple):
    """What a model says of one bar."""

    time: datetime
    """When the bar starts, aware, UTC."""
    predicted: str
    """The class with the largest chance."""
    chances: dict[str, float]
    """The chance of each class, 0..1, together 1."""


@dataclass(frozen=True, eq=False)
class Predictions(HoldsArrays):
    """What a model says of rows of features.

    Attributes
    ----------
    names : tuple of str
        The classes by their number.
    classes : numpy.ndarray
        The number of each row's class, that with the largest chance. int64, shape ``(rows,)``.
    chances : numpy.ndarray
        The chances of the classes, 0..1, together 1. float32, shape ``(rows, classes)``.
    """

    names: tuple[str, ...]
    classes: npt.NDArray[np.int64]
    chances: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def labels(self) -> list[str]:
        """The name of each row's class."""
        return [self.names[number] for number in self.classes.tolist()]


@dataclass(frozen=True, eq=False)
class BarPredictions(Predictions):
    """What a model says of bars: of those that have all of their history and no missing value. Iterating gives each.

    Attributes
    ----------
    names, classes, chances
        As of ``Predictions``.
    time : numpy.ndarray
        When each bar starts, ``datetime64[ns]``, UTC. Shape ``(rows,)``.
    rows : numpy.ndarray
        The bar's place among those that were given. int64, shape ``(rows,)``.
    warnings : tuple of str
        What to know of the bars before believing it: sessions that are missing among them, the longest hole of each series.
    """

    time: npt.NDArray[np.datetime64]
    rows: npt.NDArray[np.int64]
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[BarPrediction]:
        from ..calendars.instants import time_of

        for time, label, chances in zip(
            self.time.astype("int64").tolist(), self.labels, self.chances.tolist(), strict=True
        ):
            yield BarPrediction(time_of(time), label, dict(zip(self.names, chances, strict=True)))

    def to_pandas(self) -> pd.DataFrame:
        """Give a frame with the timestamps as index: ``predicted``, and a column for each class's chance.

        Raises
        ------
        FeatureNotAvailableError
            When pandas is not installed.
        """
        from .._extras import needed_by

        with needed_by("to_pandas()"):
            import pandas

        columns = {"predicted": self.labels}
        frame = pandas.DataFrame(
            columns, index=pandas.DatetimeIndex(self.time, name="timestamp", tz="UTC")
        )
        for number, name in enumerate(self.names):
            frame[name] = self.chances[:, number]
        return frame
