"""Gaps, findings, clocks and repairs, as Python sees them; on real bars, too."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from bokeh_sampledata import stocks

from ktrdr_core import errors
from ktrdr_core.calendars import BarGrid, get_calendar
from ktrdr_core.quality import (
    ClockChange,
    Evidence,
    check_quality,
    clock_alignment,
    find_gaps,
    repair,
    undo_clock,
)

XNYS = get_calendar("XNYS")
HOUR = BarGrid("1h", XNYS, provider="IB")
NEW_YORK = ZoneInfo("America/New_York")
PRICES = ("open", "high", "low", "close")


def frame_of(stamps: Any) -> pd.DataFrame:
    """Sound bars at these times: a walk in cents."""
    random = np.random.default_rng(1)
    close = 100 + random.integers(-5, 6, len(stamps)).cumsum() / 100
    columns = {"open": close, "high": close + 0.1, "low": close - 0.1, "close": close}
    columns["volume"] = random.integers(100, 900, len(stamps)).astype(float)
    return pd.DataFrame(columns, index=pd.DatetimeIndex(stamps, name="timestamp"))


def hours(start: str = "2024-06-03", end: str = "2024-07-06") -> pd.DataFrame:
    return frame_of(HOUR.expected(start, end))


@pytest.fixture(scope="module")
def apple() -> pd.DataFrame:
    """Real daily bars, 2000 to 2013, as they were traded: not adjusted for two splits."""
    raw = pd.DataFrame(stocks.AAPL)
    raw["timestamp"] = pd.to_datetime(raw["date"])
    return raw.set_index("timestamp")[[*PRICES, "volume"]].astype(float).sort_index()


def test_gaps_are_told_by_class_with_what_says_so() -> None:
    frame = hours("2024-07-02", "2024-07-06").drop(
        pd.to_datetime(["2024-07-02T15:00", "2024-07-02T16:00"])
    )
    report = find_gaps(frame, calendar=HOUR)
    assert repr(report) == "<GapReport 2 of 18 bars absent: 2 unknown>"
    assert (report.expected, report.present, report.absent) == (18, 16, 2)
    (gap,) = report.missing
    assert (gap.start, gap.end) == (
        datetime(2024, 7, 2, 15, tzinfo=UTC),
        datetime(2024, 7, 2, 17, tzinfo=UTC),
    )
    assert (gap.kind, gap.bars, gap.label) == ("unknown", 2, "unexpected")
    assert [one.kind for one in report] == ["unknown", "closed", "early_close", "closed"]
    assert [one.label for one in report.gaps[-1:]] == ["expected_holiday"]
    assert find_gaps(frame, calendar=HOUR, closed=False).gaps == [gap]
    assert report == find_gaps(frame, calendar=HOUR)
    assert report != find_gaps(frame, calendar=HOUR, closed=False)
    assert report != 5


def test_a_report_of_gaps_is_a_frame_and_json_too() -> None:
    frame = hours().drop(pd.to_datetime(["2024-06-10T15:00"]))
    report = find_gaps(frame, calendar=HOUR)
    table = report.to_pandas()
    assert list(table.columns) == ["start", "end", "kind", "bars", "index", "label", "evidence"]
    assert len(table) == len(report)
    assert table.bars.sum() == 1
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["by_class"] == {"unknown": 1}
    missing = [gap for gap in plain["gaps"] if gap["bars"]]
    assert [(gap["start"], gap["end"]) for gap in missing] == [
        ("2024-06-10T15:00:00Z", "2024-06-10T16:00:00Z")
    ]
    assert list(find_gaps(hours().iloc[:1], calendar=HOUR).to_pandas().columns) == list(
        table.columns
    )


def test_evidence_says_why_bars_are_absent() -> None:
    frame = hours().drop(pd.to_datetime(["2024-06-10T15:00", "2024-06-11T15:00"]))
    answers = [
        Evidence("2024-06-10", "2024-06-11", "empty", "2024-08-01T10:00"),
        Evidence(np.datetime64("2024-06-11"), datetime(2024, 6, 12), "denied", "2024-08-01"),
    ]
    report = find_gaps(frame, calendar=HOUR, evidence=answers)
    assert report.by_class() == {"provider_empty": 1, "failed": 1}
    assert "may not have it" in report.missing[1].evidence
    with pytest.raises(errors.InvalidArgumentError, match="kind odd is not known: use bars, empty"):
        find_gaps(
            frame,
            calendar=HOUR,
            evidence=[Evidence("2024-06-10", "2024-06-11", "odd", "2024-08-01")],
        )


def test_a_range_is_looked_at_where_no_bars_are() -> None:
    report = find_gaps(hours(), calendar=HOUR, start="2024-06-01", end="2024-07-09")
    assert report.by_class() == {"unknown": 7}
    assert (report.start, report.end) == (
        datetime(2024, 6, 1, tzinfo=UTC),
        datetime(2024, 7, 9, tzinfo=UTC),
    )


@pytest.mark.parametrize("calendar", ["XNYS", XNYS, HOUR])
def test_a_calendar_is_a_name_a_calendar_or_a_grid(calendar: Any) -> None:
    assert find_gaps(hours(), calendar=calendar, timeframe="1h").absent == 0


def test_what_is_no_calendar_or_no_bars_is_refused() -> None:
    with pytest.raises(errors.InvalidArgumentError, match="nobody says how long these bars are"):
        find_gaps(hours())
    with pytest.raises(errors.InvalidArgumentError, match="grid is one of 1h bars, these are 1d"):
        find_gaps(hours(), timeframe="1d", calendar=HOUR)
    with pytest.raises(errors.InvalidArgumentError, match="calendar cannot be int"):
        find_gaps(hours(), timeframe="1h", calendar=5)  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgumentError, match="calendar 'NOWHERE' is not known"):
        find_gaps(hours(), timeframe="1h", calendar="NOWHERE")
    with pytest.raises(errors.InvalidArgumentError, match="frame cannot be"):
        find_gaps(5, timeframe="1h")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgumentError):
        find_gaps(hours().iloc[::-1], calendar=HOUR)


def test_findings_name_row_column_and_value() -> None:
    frame = hours()
    wrong = float(frame.close.iloc[5]) - 0.05
    frame.iloc[5, 1] = wrong
    frame.iloc[9, 4] = np.nan
    report = check_quality(frame, calendar=HOUR)
    assert repr(report) == f"<QualityReport {len(frame)} bars: 1 ohlc>"
    (finding,) = report
    assert (finding.rule, finding.severity, finding.index, finding.rows) == ("ohlc", "error", 5, 1)
    assert (finding.column, finding.value) == ("high", wrong)
    assert finding.time == frame.index[5].to_pydatetime().replace(tzinfo=UTC)
    assert report.worst == "error"
    assert report.of("ohlc") == [finding]
    assert report.of("jump") == []
    assert report == check_quality(frame, calendar=HOUR)
    assert report != check_quality(hours(), calendar=HOUR)
    table = report.to_pandas()
    assert list(table.columns)[:4] == ["rule", "severity", "index", "rows"]
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["findings"][0]["evidence"] == finding.evidence
    assert plain["counts"] == {"ohlc": 1}


def test_what_a_store_refuses_is_checked_all_the_same() -> None:
    frame = hours()
    twice = pd.concat([frame, frame.iloc[3:5]])
    twice.iloc[7, 0] = np.inf
    report = check_quality(twice, calendar=HOUR)
    assert report.counts() == {"order": 1, "duplicate": 1, "not_finite": 1}
    assert report.gaps.absent == 0
    assert json.loads(json.dumps(report.to_dict()))["findings"][-1]["value"] is None
    assert check_quality(pl.from_pandas(twice.reset_index()), calendar=HOUR) == report


def test_sound_bars_have_no_findings() -> None:
    report = check_quality(hours(), calendar=HOUR)
    assert (len(report), report.worst, report.counts()) == (0, None, {})
    assert repr(report).endswith("nothing found>")


def test_limits_are_those_of_the_core_and_refused_out_of_range() -> None:
    frame = hours()
    frame.iloc[::2, 4] = -7.0
    report = check_quality(frame, calendar=HOUR, most_of_a_rule=3)
    assert len(report) == 3
    assert report.left_out == {"volume": (len(frame) + 1) // 2 - 3}
    assert report.counts() == {"volume": (len(frame) + 1) // 2}
    with pytest.raises(errors.InvalidArgumentError, match=r"jump is 0\.5"):
        check_quality(frame, calendar=HOUR, jump=0.5)
    with pytest.raises(errors.InvalidArgumentError, match="equal_bars"):
        check_quality(frame, calendar=HOUR, equal_bars=-1)


def test_staleness_and_longer_bars_are_looked_at_where_they_are_given() -> None:
    frame = hours()
    assert check_quality(frame, calendar=HOUR, now="2024-07-09").counts() == {"stale": 1}
    days = (
        frame.resample("1D")
        .agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
        .dropna()
    )
    day = BarGrid("1d", XNYS, provider="IB")
    assert not len(check_quality(frame, calendar=HOUR, longer=days, longer_calendar=day))
    days.loc[days.index[4], "close"] = 1.0
    assert check_quality(frame, calendar=HOUR, longer=days, longer_calendar=day).counts() == {
        "disagreement": 1
    }


def test_the_splits_of_real_bars_are_named(apple: pd.DataFrame) -> None:
    report = check_quality(apple, calendar="XNYS", timeframe="1d")
    splits = [
        (one.time.date().isoformat(), one.evidence)
        for one in report.of("jump")
        if "split" in one.evidence
    ]
    days = [day for day, _ in splits]
    assert {"2000-06-21", "2005-02-28"} <= set(days)
    assert all("2:1 split" in text for _, text in splits)
    # One more: the fall by half of 29 September 2000 was no split; of its size nothing else tells.
    assert set(days) <= {"2000-06-21", "2005-02-28", "2000-09-29"}
    assert report.gaps.absent == 0
    assert not {"out_of_session", "off_grid", "clock", "missing"} & set(report.counts())


def converted(stamps: Any, times: int) -> list[datetime]:
    """What was UTC, taken for New York's time and converted to UTC."""
    found = [stamp.to_pydatetime() for stamp in pd.DatetimeIndex(stamps)]
    for _ in range(times):
        found = [one.replace(tzinfo=NEW_YORK).astimezone(UTC).replace(tzinfo=None) for one in found]
    return found


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(
    ("start", "end"),
    [("2024-01-03", "2024-03-01"), ("2024-06-03", "2024-09-01"), ("2022-01-03", "2024-01-01")],
)
def test_a_clock_that_was_converted_too_often_is_found_and_undone(
    times: int, start: str, end: str
) -> None:
    frame = hours(start, end)
    wrong = frame.set_index(pd.DatetimeIndex(converted(frame.index, times)))
    report = clock_alignment(wrong, calendar=HOUR)
    assert report.change == ClockChange(times)
    assert report.scores[0].change == report.change
    right = undo_clock(wrong, report.change, calendar=HOUR)
    assert (right.time == frame.index.to_numpy()).all()
    assert (right.close == frame.close.to_numpy()).all()
    assert str(report.change) in report.evidence
    assert check_quality(wrong, calendar=HOUR).of("clock")[0].value == times


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_the_clock_of_real_bars_is_found_and_undone(apple: pd.DataFrame, times: int) -> None:
    wrong = apple.set_index(pd.DatetimeIndex(converted(apple.index, times)))
    report = clock_alignment(wrong, calendar="XNYS", timeframe="1d")
    if times == 0:
        assert report.change is None
        assert report.fit == 1.0
        return
    assert report.change == ClockChange(times)
    right = undo_clock(wrong, report.change, calendar="XNYS")
    assert (right.time == apple.index.to_numpy()).all()


def test_a_clock_report_is_a_frame_and_json_too() -> None:
    report = clock_alignment(hours(), calendar=HOUR)
    assert repr(report) == "<ClockReport 100.0% in sessions: nothing to undo>"
    assert json.loads(json.dumps(report.to_dict()))["change"] is None
    assert list(report.to_pandas().columns) == ["conversions", "hours", "fit"]
    assert report == clock_alignment(hours(), calendar=HOUR)
    with pytest.raises(errors.InvalidArgumentError, match="calendar"):
        clock_alignment(hours(), calendar=None, timeframe="1h")
    with pytest.raises(errors.InvalidArgumentError, match="calendar"):
        undo_clock(hours(), ClockChange(1), calendar=None)


def test_a_repair_says_what_it_did_and_is_undone_to_the_byte() -> None:
    frame = hours()
    row = frame.index[5]
    high, low = frame.high[row], frame.low[row]
    frame.loc[row, "high"], frame.loc[row, "low"] = low, high
    frame.iloc[8, 0] = 0.0
    frame = pd.concat([frame, frame.iloc[3:4]])
    report = check_quality(frame, calendar=HOUR)
    done = repair(frame, report)
    assert [(change.kind, change.index, change.column) for change in done] == [
        ("value", 5, "high"),
        ("value", 5, "low"),
        ("row", len(frame) - 1, "timestamp"),
    ]
    for change in done:
        named = report.findings[change.finding]
        assert named.index <= change.index < named.index + named.rows
    assert len(done.bars) == len(frame) - 1
    assert done.bars.open[8] == 0.0
    undone = done.undo()
    for name in (*PRICES, "volume"):
        assert getattr(undone, name).tobytes() == frame[name].to_numpy().tobytes()
    assert (undone.time == frame.index.to_numpy()).all()
    assert repr(done) == f"<Repair 3 changes of {len(frame)} bars>"
    assert done == repair(frame, report)
    assert done != repair(hours(), check_quality(hours(), calendar=HOUR))
    assert list(done.to_pandas().columns) == [
        "kind",
        "index",
        "column",
        "before",
        "after",
        "finding",
        "why",
    ]
    assert json.loads(json.dumps(done.to_dict()))["changes"][0]["column"] == "high"
    with pytest.raises(errors.InvalidArgumentError, match="check them first"):
        repair(hours().iloc[:5], report)


def test_a_volume_that_is_no_number_is_one_that_nobody_gave() -> None:
    """Numpy's missing volumes are taken so from the start; those of an Arrow table, too."""
    frame = hours()
    frame.iloc[3, 4] = np.nan
    assert not len(check_quality(frame, calendar=HOUR))


def test_findings_and_gaps_are_pickled_as_what_they_are() -> None:
    frame = hours().drop(pd.to_datetime(["2024-06-10T15:00"]))
    report = check_quality(frame, calendar=HOUR)
    assert pickle.loads(pickle.dumps(report.findings)) == report.findings
    assert pickle.loads(pickle.dumps(report.gaps.gaps)) == report.gaps.gaps


def test_reports_go_to_another_process_and_back() -> None:
    frame = hours().drop(pd.to_datetime(["2024-06-10T15:00"]))
    frame.iloc[4, 0] = np.nan
    frame.iloc[6:9, 1] = 1.0
    report = check_quality(frame, calendar=HOUR, most_of_a_rule=1)
    assert {"not_finite", "ohlc", "missing"} <= set(report.counts())
    assert report.left_out
    for one in (
        report,
        report.gaps,
        find_gaps(frame, timeframe="1h"),
        check_quality(hours(), timeframe="1h"),
    ):
        for other in (pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)):
            assert other == one
            assert other.to_dict() == one.to_dict()
            assert repr(other) == repr(one)
    # What was mended by the one is mended by the other.
    again = pickle.loads(pickle.dumps(report))
    assert repair(frame, again) == repair(frame, report)


def test_a_state_that_is_none_of_a_report_is_refused() -> None:
    native = check_quality(hours(), calendar=HOUR)._native
    state = list(native.gaps.__getstate__())
    made = type(native.gaps).__new__(type(native.gaps))
    with pytest.raises(ValueError, match="names nonsense, which is not known"):
        made.__setstate__((*state[:4], [(0, 1, "nonsense", 0, 0, "unexpected", "")]))
