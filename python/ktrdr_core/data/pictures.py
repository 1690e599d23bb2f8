"""Bars as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._extras import needed_by

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure

    from ..bars import Bars

# Inches.
_SIZE = (10, 5)


def draw_bars(bars: Bars, figure: Figure) -> None:
    """Draw closes, the range from low to high behind them, and volumes below where there are any.

    Parameters
    ----------
    bars : Bars
        At least one.
    figure : matplotlib.figure.Figure
        An empty one.
    """
    traded = bars.volume != -1
    # A bar's place is its number: nights and weekends have no width.
    place = range(len(bars))
    prices, *volumes = figure.subplots(
        1 + bool(traded.any()),
        1,
        sharex=True,
        squeeze=False,
        height_ratios=[3, 1][: 1 + bool(traded.any())],
    )[:, 0]
    prices.fill_between(place, bars.low, bars.high, color="tab:blue", alpha=0.25, linewidth=0)
    prices.plot(place, bars.close, color="tab:blue", linewidth=1)
    prices.set_ylabel("price")
    for axes in volumes:
        axes.fill_between(place, 0, bars.volume, where=traded, step="mid", color="tab:gray")
        axes.set_ylabel("volume")
    shown = sorted({round(one * (len(bars) - 1) / 5) for one in range(6)})
    days = bars.time.astype("M8[D]" if bars.timeframe.endswith(("d", "w", "M")) else "M8[m]")
    [prices, *volumes][-1].set_xticks(shown, [str(days[at]).replace("T", "\n") for at in shown])
    title = figure.suptitle(f"{bars.symbol} {bars.timeframe}, UTC", fontsize="medium")
    # A symbol may hold dollar signs, between which matplotlib reads formulas.
    title.set_parse_math(False)


def save_picture(bars: Bars, file: str | os.PathLike[str]) -> None:
    """Draw bars into a picture file: PNG, or what its name ends with.

    Raises
    ------
    FeatureNotAvailableError
        When matplotlib is not installed. The message has the command that installs it.
    OSError
        When the file cannot be written.
    ValueError
        For a format that matplotlib does not know.
    """
    with needed_by("a picture of bars"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=_SIZE, layout="constrained")
    draw_bars(bars, figure)
    figure.savefig(file)
