"""A bar is closed when its session is over, whoever brings it: not 24 hours, or its whole length, after its stamp."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from days_host import days_host
from ktrdr_core import BarSource, DataManager, errors
from ktrdr_core.data import CsvSource, ReplaySource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Each day's session is over two hours before the day begins in UTC, as in the far east: so today's always is.
CALENDAR = """\
series,EAST,symbol=EARLY
calendar,EAST
dates,2020-01-01,2040-12-31
week,2020-01-01,mon-sun,-10:00,-02:00
"""


@pytest.fixture
def calendars(tmp_path: Path) -> Path:
    file = tmp_path / "calendars.csv"
    file.write_text(CALENDAR)
    return file


def day_of(days: float) -> np.datetime64:
    """So many days from today."""
    return np.datetime64((datetime.now(UTC) + timedelta(days=days)).date())


def columns(stamps: Any) -> dict[str, Any]:
    price = np.arange(1.0, len(stamps) + 1)
    return {"timestamp": stamps, **dict.fromkeys(("open", "high", "low", "close"), price)}


class Days(BarSource):
    """Every day there is, at once: the range ends with what is closed."""

    provider = "days"

    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        first, last = (np.datetime64(time.replace(tzinfo=None)) for time in (start, end))
        stamps = np.arange(first.astype("M8[D]"), last.astype("M8[D]") + 1)
        return columns(stamps[(stamps >= first) & (stamps < last)])


class AsyncDays(Days):
    async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
        return super().fetch(symbol, timeframe, start, end)


def csv_source(folder: Path) -> CsvSource:
    folder.mkdir()
    rows = [f"{day},1,1,1,1,1\n" for day in np.arange(day_of(-6), day_of(3))]
    (folder / "EARLY_1d.csv").write_text("timestamp,open,high,low,close,volume\n" + "".join(rows))
    return CsvSource(folder)


SOURCES: dict[str, Callable[[Path], BarSource]] = {
    "plain": lambda folder: Days(),
    "async": lambda folder: AsyncDays(),
    "replay": lambda folder: ReplaySource(
        {("EARLY", "1d"): columns(np.arange(day_of(-6), day_of(3)))}
    ),
    "files": lambda folder: csv_source(folder / "files"),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_a_load_brings_the_day_whose_session_is_over(
    kind: str, tmp_path: Path, calendars: Path
) -> None:
    source = SOURCES[kind](tmp_path)
    with DataManager(tmp_path / "bars", source=source, calendars=calendars, env={}) as data:
        load = data.load_data("EARLY", "1d", str(day_of(-5)), mode="full")
        bars = load.result()
        assert bars.time[-1] >= day_of(0)
        # Not one whose session is not: the next but one begins in more than a day.
        assert bars.time[-1] < day_of(2)
        assert not [text for text in load.warnings if "did not come" in text]


def test_so_does_one_from_a_service(tmp_path: Path, calendars: Path) -> None:
    with (
        days_host() as host,
        DataManager(tmp_path / "bars", host.url, calendars=calendars, env={}) as data,
    ):
        load = data.load_data("EARLY", "1d", str(day_of(-5)), mode="full")
        assert day_of(0) <= load.result().time[-1] < day_of(2)
        assert not [text for text in load.warnings if "did not come" in text]


@pytest.fixture
def data(tmp_path: Path, calendars: Path) -> Iterator[DataManager]:
    with DataManager(tmp_path / "bars", calendars=calendars, env={}) as manager:
        yield manager


def test_own_bars_are_taken_up_to_the_day_whose_session_is_over(
    data: DataManager, tmp_path: Path
) -> None:
    stamps = np.arange(day_of(-3), day_of(1))
    data.store("EARLY", "1d", columns(stamps)).result()
    rows = "".join(f"{day},1,1,1,1,1\n" for day in stamps)
    folder = tmp_path / "own"
    folder.mkdir()
    file = folder / "EARLY_1d.csv"
    file.write_text("timestamp,open,high,low,close,volume\n" + rows)
    assert data.import_csv(file).result().replaced == len(stamps)
    assert data.import_folder(folder).result().replaced == len(stamps)


def test_a_day_that_is_not_over_is_refused_by_its_own_end(data: DataManager) -> None:
    stamps = np.arange(day_of(-3), day_of(4))
    with pytest.raises(errors.InvalidArgumentError, match=r"not closed before .*T22:00:00"):
        data.store("EARLY", "1d", columns(stamps))
    # Where nobody says when the market trades, the day is over with the day.
    with pytest.raises(errors.InvalidArgumentError, match=r"not closed before .*T00:00:00"):
        data.store("OTHER", "1d", columns(stamps))
