"""Longer bars out of shorter ones, on session boundaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import _core
from ..bars import Bars
from ..errors import InvalidArgumentError
from .instants import nanos

if TYPE_CHECKING:
    from .grid import BarGrid
    from .instants import Instant


@dataclass(frozen=True)
class Resampled:
    """Longer bars, and what they were not made of.

    Attributes
    ----------
    bars : Bars
        The longer bars.
    outside : int
        Bars outside of every longer period: of extended hours, where days are regular sessions.
    partial : int
        Bars of longer periods that were not covered whole: the first and the last, mostly.
    """

    bars: Bars
    outside: int
    partial: int


def resample(
    bars: Bars,
    source: BarGrid,
    target: BarGrid,
    *,
    covered: tuple[Instant, Instant] | None = None,
) -> Resampled:
    """Make longer bars of shorter ones: 1m to anything, 1h to 4h or 1d, each ending where its session does.

    The first open, the highest high, the lowest low, the last close, the sum of volumes (-1 where one is not given). Only
    periods that lie wholly in ``covered`` have a bar, so none is made of half its time; one without bars has none.

    Parameters
    ----------
    bars : Bars
        The shorter bars.
    source, target : BarGrid
        The periods of those that there are, and of those to make.
    covered : pair of times, optional
        Between which times the bars are all that there are, the second excluded; by default from the start of the first
        to the end of the last.

    Raises
    ------
    InvalidArgumentError
        When a bar reaches over the end of a longer one: the longer timeframe is no multiple, or cut otherwise.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from ktrdr_core import DataManager
    >>> from ktrdr_core.calendars import BarGrid, get_calendar, resample
    >>> from ktrdr_core.testing import FakeSource
    >>> xnys = get_calendar("XNYS")
    >>> hour, day = BarGrid("1h", xnys, provider="IB"), BarGrid("1d", xnys, provider="IB")
    >>> stamps = hour.expected("2024-07-02", "2024-07-04")
    >>> prices = {name: np.arange(11.0) for name in ("open", "high", "low", "close", "volume")}
    >>> source = FakeSource({("AAPL", "1h"): {"time": stamps, **prices}})
    >>> with TemporaryDirectory() as folder, DataManager(folder, source=source, env={}) as data:
    ...     hours = data.load_data("AAPL", "1h", "2024-07-02", "2024-07-03", mode="full").result()
    >>> days = resample(hours, hour, day).bars
    >>> days.time.astype("datetime64[D]").tolist()[1].isoformat(), days.close
    ('2024-07-03', array([ 6., 10.]))
    """
    if not isinstance(bars, Bars):
        raise InvalidArgumentError(f"bars must be Bars, not {type(bars).__name__}")
    between = None
    if covered is not None:
        between = (nanos("covered", covered[0]), nanos("covered", covered[1]))
    made, outside, partial = _core.resample(bars._native, source._native, target._native, between)
    return Resampled(Bars(made), outside, partial)
