"""The features of a strategy over bars of one's own, row by row, as a training makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from .. import _core
from .._bridge.arguments import explained
from .._bridge.foreign import asked_meanwhile
from .._values import HoldsArrays
from ..errors import InvalidArgumentError
from ..quality.grids import named_bars

if TYPE_CHECKING:
    import os

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from .._frames import Frame
    from ..protocols import CancellationToken
    from ..quality import Calendar
    from ..strategies import Strategy


@dataclass(frozen=True, eq=False)
class FeatureMatrix(HoldsArrays):
    """One row for each bar that has all features.

    Attributes
    ----------
    names : tuple of str
        Of the features, ``{timeframe}_{indicator}_{set}[_lag_k]``, in the order of a network's inputs.
    values : numpy.ndarray
        float32, shape ``(rows, features)``; memberships 0..1, and the figures of the bar itself where the strategy asks for
        them. Not scaled: a scaling is fitted on the rows that train.
    time : numpy.ndarray
        When each row's bar starts, ``datetime64[ns]``, UTC. Shape ``(rows,)``.
    rows : numpy.ndarray
        The bar's place among those that were given, rising. int64, shape ``(rows,)``.
    dropped : mapping of str to int
        How many bars have no row, by reason: ``warm_up`` (an indicator has not seen enough bars, or a longer bar has not
        closed), ``hole`` (a window or lag would span missing sessions), ``nan`` (a price is missing).
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float32]
    time: npt.NDArray[np.datetime64]
    rows: npt.NDArray[np.int64]
    dropped: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        left = [f"{count} {reason}" for reason, count in sorted(self.dropped.items())]
        without = f"; without a row: {', '.join(left)}" if left else ""
        return f"<FeatureMatrix {len(self)} rows of {len(self.names)} features{without}>"

    def to_pandas(self) -> pd.DataFrame:
        """Give a frame with the timestamps as index and a column for each feature.

        Raises
        ------
        FeatureNotAvailableError
            When pandas is not installed.
        """
        from .._extras import needed_by

        with needed_by("to_pandas()"):
            import pandas

        index = pandas.DatetimeIndex(self.time, name="timestamp", tz="UTC")
        return pandas.DataFrame(self.values, index=index, columns=list(self.names))


@explained
def feature_matrix(
    strategy: str | os.PathLike[str] | Strategy,
    bars: Frame | Mapping[str, Frame],
    *,
    calendar: Calendar | Mapping[str, Calendar] = None,
    cancellation_token: CancellationToken | None = None,
) -> FeatureMatrix:
    """Compute the features of a strategy over bars.

    They are those that a training of the strategy computes, before it splits and scales them: what a value of a bar says is
    known when the bar is closed, a longer timeframe's only once its own bar is.

    Parameters
    ----------
    strategy : path or Strategy
        What to compute: its indicators, fuzzy sets, lags and price context.
    bars : Bars or frame, or mapping of str to these
        Oldest first; by timeframe (``{"1h": …, "1d": …}``) where the strategy has several. Of whom they are does not matter.
    calendar : str, SessionCalendar or BarGrid, or mapping of str to these, optional
        When the market trades: when longer bars close, and where sessions are missing; by timeframe where these differ, as
        ``BarGrid`` do. Without it a hole is a silence of more than two weeks and three bars.
    cancellation_token : CancellationToken or anything like one, optional
        Stops the work; it is asked before each indicator and each set.

    Returns
    -------
    FeatureMatrix
        Its rows are those of the strategy's base timeframe.

    Raises
    ------
    StrategyError
        For a file that cannot be read as a strategy.
    InvalidArgumentError
        For what are no bars, bars out of order, a timeframe that is missing or too many.
    OperationCancelledError
        When the token is cancelled.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from ktrdr_core.features import feature_matrix
    >>> text = "{name: one, training_data: {symbols: {list: [A]}, timeframes: {list: [1d]}}, "
    >>> text += "indicators: [{name: rsi, feature_id: rsi, period: 2}], "
    >>> text += "fuzzy_sets: {rsi: {low: {type: triangular, parameters: [0, 0, 50]}}}}"
    >>> _ = Path("one.yaml").write_text(text)
    >>> days = np.arange("2024-01-02", "2024-01-06", dtype="datetime64[D]")
    >>> bars = {"timestamp": days, "close": [10.0, 9.0, 8.5, 9.5]}
    >>> bars |= {name: bars["close"] for name in ("open", "high", "low")}
    >>> found = feature_matrix("one.yaml", {"1d": bars})
    >>> found
    <FeatureMatrix 2 rows of 1 features; without a row: 2 warm_up>
    >>> found.values[:, 0].round(2).tolist(), found.time[0].astype("datetime64[D]").item().isoformat()
    ([1.0, 0.0], '2024-01-04')
    """
    import numpy

    from ..strategies import Strategy, load

    read = strategy if isinstance(strategy, Strategy) else load(strategy)
    plain = read.to_json()
    told = _core.read_strategy(plain)
    names: list[str] = told["timeframes"]
    given = _by_timeframe(names, bars)
    calendars = calendar if isinstance(calendar, Mapping) else dict.fromkeys(names, calendar)
    series = [named_bars(given[name], name, calendars.get(name)) for name in names]
    with asked_meanwhile(cancellation_token) as token:
        pairs = [(one._native, grid._native) for one, grid in series]
        features, rows, values, dropped = _core.strategy_features(plain, pairs, token)
    places = numpy.asarray(rows)
    base, _ = series[names.index(told["base_timeframe"])]
    times = numpy.asarray(base.time).view("datetime64[ns]")[places]
    return FeatureMatrix(tuple(features), numpy.asarray(values), times, places, dropped)


def _by_timeframe(names: list[str], bars: Frame | Mapping[str, Frame]) -> Mapping[str, Frame]:
    """Give the bars of each timeframe; a mapping with a close is a frame itself."""
    if isinstance(bars, Mapping) and "close" not in bars:
        by_name = cast("Mapping[str, Frame]", bars)
        if set(by_name) == set(names):
            return by_name
        was_given = f"of {', '.join(map(repr, by_name))}" if by_name else "none"
    elif len(names) == 1:
        return {names[0]: cast("Frame", bars)}
    else:
        was_given = "one series"
    needed = ", ".join(f"{name!r}: …" for name in names)
    raise InvalidArgumentError(
        f"bars of {' and '.join(names)} are needed, and given were {was_given}: give {{{needed}}}",
        context={"field": "bars"},
    )
