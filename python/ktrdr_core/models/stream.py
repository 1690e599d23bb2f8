"""Predictions for bars as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._bridge.arguments import explanation
from ..calendars.instants import nanos, time_of
from ..errors import InvalidArgumentError
from .predictions import BarPrediction

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from .. import _core
    from ..bars import Bars
    from ..calendars import Instant

# What bars hold where nobody has given a volume.
_NO_VOLUME = -1.0


class PredictionStream:
    """Predictions for bars as they come, one at a time; made by ``Model.stream``.

    Each prediction has the same bits as that of ``Model.predict_bars`` for all bars so far. It costs some microseconds,
    however many bars came before. One thread at a time uses a stream.
    """

    def __init__(
        self,
        native: _core.PredictionStream,
        model: _core.Model,
        names: tuple[str, ...],
        timeframes: tuple[str, ...],
    ) -> None:
        self._native = native
        self._model = model
        self._names = names
        self._timeframes = timeframes
        self._index: dict[str | None, int] = {None: model.base}
        self._index.update({name: index for index, name in enumerate(timeframes)})

    def push(
        self,
        time: Instant | int,
        open: float,  # as columns and bars call it
        high: float,
        low: float,
        close: float,
        volume: float = _NO_VOLUME,
        *,
        timeframe: str | None = None,
    ) -> BarPrediction | None:
        """Take the next closed bar, and say what the model predicts for it.

        Where a model has several timeframes, bars of the others are handed in before the base bar that closes with them:
        they count for a base bar once they are closed when it is, and give no prediction themselves.

        Parameters
        ----------
        time : str, date, datetime, numpy.datetime64 or int
            When the bar starts; an int is nanoseconds since 1970 UTC, the quickest.
        open, high, low, close : float
            Its prices; NaN where one is missing.
        volume : float
            Units traded, -1 where nobody has said.
        timeframe : str, optional
            Whose bar it is, the model's base timeframe by default.

        Returns
        -------
        BarPrediction or None
            None for bars of other timeframes, while the history is not whole, and where a feature has no value.

        Raises
        ------
        InvalidArgumentError
            For a bar that is not later than the last one of its timeframe, one that an earlier base bar should have
            used, and a timeframe that the model does not have. The stream is as before then.
        """
        stamp = time if type(time) is int else nanos("time", time)  # type: ignore[arg-type]
        index = self._index.get(timeframe)
        if index is None:
            raise InvalidArgumentError(
                f"the model has no bars of {timeframe}: it has {', '.join(self._timeframes)}",
                context={"timeframe": timeframe},
            )
        try:
            found = self._native.push(index, stamp, open, high, low, close, volume)
        except TypeError as error:
            given: dict[str, tuple[object, str]] = {
                "time": (stamp, "int"),
                "open": (open, "float"),
                "high": (high, "float"),
                "low": (low, "float"),
                "close": (close, "float"),
                "volume": (volume, "float"),
            }
            raise explanation(error, given) from None
        if found is None:
            return None
        return BarPrediction(
            time_of(stamp), self._names[found[0]], dict(zip(self._names, found[1], strict=True))
        )

    def push_bars(self, bars: Bars, *, timeframe: str | None = None) -> BarPrediction | None:
        """Take bars one after the other, a history for example, and give the prediction for the last of them.

        Raises
        ------
        InvalidArgumentError
            As ``push``, and for bars of another kind of price than those of the training; none was taken then.
        """
        if timeframe in self._index:
            self._model.check_basis(bars._native, self._index[timeframe])
        last = None
        columns = (
            bars.time.astype("int64"),
            bars.open,
            bars.high,
            bars.low,
            bars.close,
            bars.volume,
        )
        for row in zip(*(column.tolist() for column in columns), strict=True):
            last = self.push(*row, timeframe=timeframe)
        return last

    @property
    def features(self) -> npt.NDArray[np.float32]:
        """The features of the last base bar as ``Model.predict`` takes them, NaN where one has no value; empty before the first."""
        import numpy

        return numpy.asarray(self._native.features, dtype=numpy.float32)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of the bars so far: sessions that are missing among them, the longest hole of each timeframe."""
        return tuple(self._native.warnings)

    @property
    def missing(self) -> dict[str, int]:
        """How many bars of each timeframe are still missing before predictions begin."""
        return {name: self._native.missing(index) for index, name in enumerate(self._timeframes)}
