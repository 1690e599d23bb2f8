"""Calendars are those of exchange_calendars, day for day; the rules hold at each change of the clock; grids ask both."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
import pandas as pd
import pytest

import calendar_tables
from ktrdr_core import DataManager, errors
from ktrdr_core.calendars import (
    BarGrid,
    Session,
    SessionCalendar,
    calendar_names,
    get_calendar,
    resample,
)
from ktrdr_core.testing import FakeSource

if TYPE_CHECKING:
    from collections.abc import Iterator

# exchange_calendars uses what pandas will change.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

TABLES = Path(__file__).parents[2] / "cpp" / "calendar" / "tables"
NEW_YORK = ZoneInfo("America/New_York")
DAY = timedelta(days=1)


def sessions_of(theirs: Any) -> dict[date, Session]:
    """The sessions of a calendar of exchange_calendars, as they say it themselves."""
    early = set(theirs.early_closes)
    return {
        day.date(): Session(
            day.date(),
            row.open.to_pydatetime(),
            row.close.to_pydatetime(),
            None if row.break_start != row.break_start else row.break_start.to_pydatetime(),
            None if row.break_end != row.break_end else row.break_end.to_pydatetime(),
            day in early,
        )
        for day, row in theirs.schedule.iterrows()
    }


def changes_of_the_clock(first: int, last: int) -> Iterator[date]:
    """The dates on which New York's clock changes."""
    day = date(first, 1, 1)
    while day.year <= last:
        noons = (
            datetime(one.year, one.month, one.day, 12, tzinfo=NEW_YORK) for one in (day, day - DAY)
        )
        if len({noon.utcoffset() for noon in noons}) == 2:
            yield day
        day += DAY


def test_new_york_is_that_of_exchange_calendars_in_every_session_since_1990() -> None:
    theirs = exchange_calendars.get_calendar("XNYS", start="1990-01-01", end="2040-12-31")
    ours = {session.date: session for session in get_calendar("XNYS").sessions()}
    assert ours == sessions_of(theirs)
    assert len(ours) > 12_800


def test_new_york_reaches_as_far_as_exchange_calendars_does_by_itself() -> None:
    theirs = exchange_calendars.get_calendar("XNYS")
    ours = get_calendar("XNYS")
    assert ours.last_date >= theirs.last_session.date()
    for close in theirs.early_closes:
        session = ours.session_on(close.date())
        assert session is not None
        assert session.early_close


@pytest.mark.parametrize("name", ["XNYS", "XLON", "XTKS", "XHKG", "XFRA", "CMES", "XASX", "24/5"])
def test_a_calendar_of_exchange_calendars_is_the_same_here(name: str) -> None:
    theirs = exchange_calendars.get_calendar(name, start="2012-01-01", end="2025-12-31")
    made = get_calendar(name, start="2012-01-01", end="2025-12-31")
    found = {
        session.date: (session.open, session.close, session.break_start, session.break_end)
        for session in made.sessions("2012-01-01", "2025-12-31")
    }
    assert found == {
        day: (session.open, session.close, session.break_start, session.break_end)
        for day, session in sessions_of(theirs).items()
    }


def test_forex_is_open_from_sunday_to_friday_five_in_new_york_at_every_change_of_the_clock() -> (
    None
):
    forex = get_calendar("FOREX")
    changes = list(changes_of_the_clock(1990, 2030))
    assert len(changes) == 82
    for sunday in changes:
        for shift in range(-7, 8):
            day = sunday + shift * DAY
            session = forex.session_on(day)
            if day.weekday() >= 5:
                assert session is None
                continue
            evening = datetime(day.year, day.month, day.day, 17, tzinfo=NEW_YORK)
            before = evening.replace(tzinfo=None) - DAY
            assert session is not None
            assert session.close == evening
            assert session.open == before.replace(tzinfo=NEW_YORK)
        # By the instant: closed over the weekend, open from Sunday's 17:00 on.
        opens = datetime(sunday.year, sunday.month, sunday.day, 17, tzinfo=NEW_YORK)
        assert forex.next_open(opens - timedelta(seconds=1)) == opens
        assert not forex.is_open(opens - timedelta(seconds=1))
        assert forex.is_open(opens)
        assert forex.previous_close(opens) == (opens.replace(tzinfo=None) - 2 * DAY).replace(
            tzinfo=NEW_YORK
        )


def test_the_first_forex_bar_of_ib_begins_a_quarter_past_at_every_change_of_the_clock() -> None:
    grid = BarGrid("15m", get_calendar("FOREX"), provider="IB", asset_class="forex")
    for sunday in changes_of_the_clock(1991, 2030):
        start = datetime(sunday.year, sunday.month, sunday.day, tzinfo=UTC)
        stamps = grid.expected(start, start + DAY)
        assert stamps is not None
        first = datetime(sunday.year, sunday.month, sunday.day, 17, 15, tzinfo=NEW_YORK)
        assert stamps[0] == np.datetime64(first.astimezone(UTC).replace(tzinfo=None))


def test_crypto_is_always_open_at_every_change_of_the_clock() -> None:
    crypto = get_calendar("CRYPTO")
    for day in changes_of_the_clock(1990, 2030):
        for shift in (-1, 0, 1):
            session = crypto.session_on(day + shift * DAY)
            assert session is not None
            midnight = datetime.combine(session.date, datetime.min.time(), UTC)
            assert (session.open, session.close) == (midnight, midnight + DAY)
            assert crypto.is_open(midnight)


def test_the_script_gives_the_shipped_tables_byte_for_byte() -> None:
    made = calendar_tables.tables()
    assert {f"{name}.csv" for name in made} == {path.name for path in TABLES.iterdir()}
    for name, text in made.items():
        assert text.encode() == (TABLES / f"{name}.csv").read_bytes(), name
    assert sorted(made) == sorted(calendar_names())


def test_the_package_s_own_tables_are_those_of_the_tree() -> None:
    for name in calendar_names():
        ours, theirs = get_calendar(name), SessionCalendar.read(TABLES / f"{name}.csv")
        assert ours.sessions() == theirs.sessions()
        assert repr(ours) == repr(theirs)


def test_a_name_that_nobody_knows_is_refused() -> None:
    with pytest.raises(errors.InvalidArgumentError, match=r"'XNYSE' is not known: use XNYS FOREX"):
        get_calendar("XNYSE")
    with pytest.raises(errors.InvalidArgumentError, match="must be a str, not int"):
        get_calendar(7)  # type: ignore[arg-type]


def test_what_exchange_calendars_cannot_make_is_said_in_its_words() -> None:
    with pytest.raises(errors.InvalidArgumentError, match="cannot make XKRX"):
        get_calendar("XKRX", start="1900-01-01", end="1901-01-01")


def test_without_the_extra_the_shipped_ones_work_and_others_name_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    assert get_calendar("XNYS").is_session("2024-07-05")
    with pytest.raises(errors.FeatureNotAvailableError, match=r"ktrdr-core\[calendars\]"):
        get_calendar("XLON")


def test_overrides_are_read_from_a_file_and_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "closures.csv"
    file.write_bytes(b"\xef\xbb\xbfcalendar,XNYS\r\nclosed,2030-01-09\r\n# \xff\r\n")
    xnys = get_calendar("XNYS", overrides=file)
    assert not xnys.is_session("2030-01-09")
    assert get_calendar("XNYS").is_session("2030-01-09")
    file.write_text("calendar,XNYS\nclosed,2030-02-30\n")
    with pytest.raises(errors.InvalidArgumentError, match=r"closures\.csv: line 2: \"2030-02-30\""):
        get_calendar("XNYS", overrides=file)
    with pytest.raises(FileNotFoundError):
        get_calendar("XNYS", overrides=tmp_path / "none.csv")


def test_a_file_without_an_end_is_not_read_to_it() -> None:
    with pytest.raises(errors.InvalidArgumentError, match="/dev/zero: a calendar of 4194305 bytes"):
        SessionCalendar.read("/dev/zero")


@pytest.mark.parametrize(
    "given",
    [
        "2024-07-03T15:00:00Z",
        "2024-07-03T15:00",
        "2024-07-03T11:00-04:00",
        datetime(2024, 7, 3, 15),
        datetime(2024, 7, 3, 11, tzinfo=NEW_YORK),
        np.datetime64("2024-07-03T15:00"),
    ],
)
def test_times_are_taken_in_every_form(given: Any) -> None:
    session = get_calendar("XNYS").session_at(given)
    assert session is not None
    assert session.date == date(2024, 7, 3)
    assert BarGrid("1h").end_of(given) == datetime(2024, 7, 3, 16, tzinfo=UTC)


def test_a_time_far_away_is_a_time_and_nonsense_is_none() -> None:
    assert get_calendar("XNYS").session_at("9999-12-31") is None
    forms: list[Any] = [str, np.datetime64]
    for form in forms:
        assert BarGrid("1d").end_of(form("9999-12-31")) > datetime(2262, 1, 1, tzinfo=UTC)
        assert BarGrid("1M").floor(form("0001-01-01")) < datetime(1700, 1, 1, tzinfo=UTC)
    nothing: list[Any] = [np.datetime64("NaT"), pd.NaT]
    for no_time in nothing:
        with pytest.raises(errors.InvalidArgumentError, match="time must be a time, not NaT"):
            get_calendar("XNYS").is_open(no_time)
    with pytest.raises(errors.InvalidArgumentError, match="time 'soon' is not a date"):
        get_calendar("XNYS").is_open("soon")
    with pytest.raises(errors.InvalidArgumentError, match="stamp must be a str, date"):
        BarGrid("1d").end_of(5)  # type: ignore[arg-type]


def test_a_grid_answers_for_many_stamps_at_once() -> None:
    grid = BarGrid("1h", get_calendar("XNYS"), provider="IB")
    stamps = grid.expected("2024-11-25", "2024-12-01")
    assert stamps is not None
    ends = grid.ends_of(stamps)
    assert [grid.end_of(stamp) for stamp in stamps] == [
        end.astype("M8[us]").item().replace(tzinfo=UTC) for end in ends
    ]
    assert len(stamps) == 7 * 3 + 4  # Thanksgiving, and a half day after it
    assert len(grid.ends_of(stamps[::2])) == 13
    assert BarGrid("1h").expected("2024-11-25", "2024-12-01") is None


def test_a_grid_s_other_answers() -> None:
    day = BarGrid("1d", get_calendar("XNYS"))
    period = day.period_of("2024-07-03")
    assert (period.start.hour, period.end.hour, period.stamp.hour) == (13, 17, 0)
    assert day.is_closed("2024-07-03", "2024-07-03T17:00")
    assert not day.is_closed("2024-07-03", "2024-07-03T16:59:59")
    assert day.is_closed("2024-07-03")
    assert day.closed_end("2024-07-03T17:00") == datetime(2024, 7, 5, tzinfo=UTC)
    assert day.closed_end() > datetime(2026, 1, 1, tzinfo=UTC)
    assert day.floor("2024-07-04T12:00") == datetime(2024, 7, 3, tzinfo=UTC)
    assert day.next("2024-07-03") == datetime(2024, 7, 5, tzinfo=UTC)
    assert day.stored_stamp("2024-07-03T04:00") == datetime(2024, 7, 3, tzinfo=UTC)
    assert day.range_of("2024-07-03")[1] == datetime(2024, 7, 4, tzinfo=UTC)
    assert repr(day) == "<BarGrid 1d: XNYS>"
    assert (day.timeframe, BarGrid("1d").calendar) == ("1d", None)


def test_resampled_minutes_are_the_days_that_a_plain_loop_makes(tmp_path: Path) -> None:
    xnys = get_calendar("XNYS")
    minute, day = BarGrid("1m", xnys), BarGrid("1d", xnys)
    stamps = minute.expected("2024-11-25", "2024-12-04")
    assert stamps is not None
    walk = np.random.default_rng(3).normal(100, 1, (5, len(stamps)))
    columns = dict(zip(("open", "high", "low", "close", "volume"), walk, strict=True))
    source = FakeSource({("SPY", "1m"): {"time": stamps, **columns}})
    with DataManager(tmp_path, source=source, env={}) as data:
        bars = data.load_data("SPY", "1m", "2024-11-25", "2024-12-03", mode="full").result()
    made = resample(bars, minute, day)
    dates = stamps.astype("datetime64[D]")
    assert made.bars.time.astype("datetime64[D]").tolist() == sorted(set(dates.tolist()))
    for row, one in enumerate(made.bars.time.astype("datetime64[D]")):
        inside = np.flatnonzero(dates == one)
        assert len(inside) == (210 if str(one) == "2024-11-29" else 390)
        assert made.bars.open[row] == columns["open"][inside[0]]
        assert made.bars.high[row] == columns["high"][inside].max()
        assert made.bars.low[row] == columns["low"][inside].min()
        assert made.bars.close[row] == columns["close"][inside[-1]]
        assert made.bars.volume[row] == pytest.approx(columns["volume"][inside].sum())
    assert (made.outside, made.partial) == (0, 0)
    half = resample(bars, minute, day, covered=("2024-11-26", "2024-12-03"))
    assert len(half.bars) == len(made.bars) - 2
    assert half.partial == 780
    with pytest.raises(errors.InvalidArgumentError, match="the 8h bar"):
        resample(bars, BarGrid("8h"), minute)
    with pytest.raises(errors.InvalidArgumentError, match="bars must be Bars, not list"):
        resample([], minute, day)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"timeframe": "1H"}, "did you mean 1h"),
        ({"asset_class": "stonk"}, "asset_class"),
        ({"session": "night"}, "regular extended"),
        ({"cut": "open"}, "open_then_clock from_open clock"),
    ],
)
def test_a_grid_names_what_it_does_not_know(given: dict[str, str], said: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=said):
        BarGrid(**{"timeframe": "1h", **given})  # type: ignore[arg-type]


def test_the_script_writes_the_tables_where_it_is_told(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "tools" / "calendar_tables.py"
    subprocess.run([sys.executable, script, tmp_path / "made"], check=True, capture_output=True)
    for path in TABLES.iterdir():
        assert (tmp_path / "made" / path.name).read_bytes() == path.read_bytes()
