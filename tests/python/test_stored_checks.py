"""Checks and repairs of stored series, and the commands for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from commands import only_value, run
from ktrdr_core import DataManager, errors
from ktrdr_core.calendars import BarGrid, get_calendar
from ktrdr_core.testing import FakeSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ktrdr_core.data import SeriesWords

HOUR = BarGrid("1h", get_calendar("XNYS"), provider="IB")
DAY = BarGrid("1d", get_calendar("XNYS"), provider="IB")


def columns_at(stamps: Any) -> dict[str, Any]:
    close = 100 + np.random.default_rng(1).integers(-5, 6, len(stamps)).cumsum() / 100
    prices = {"open": close.copy(), "high": close + 0.1, "low": close - 0.1, "close": close}
    return {
        "time": stamps,
        **prices,
        "volume": np.full(len(stamps), 100.0) + np.arange(len(stamps)),
    }


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataManager]:
    """A service that lacks a week of June, and answers otherwise."""
    stamps = HOUR.expected("2024-06-03", "2024-07-03")
    assert stamps is not None
    week = (stamps >= np.datetime64("2024-06-10")) & (stamps < np.datetime64("2024-06-15"))
    source = FakeSource({("AAPL", "1h"): columns_at(stamps[~week])})
    with DataManager(tmp_path, source=source, env={}) as manager:
        yield manager


def load(data: DataManager) -> None:
    data.load_data("AAPL", "1h", "2024-06-03", "2024-07-02", mode="full").result()


def swap(columns: dict[str, Any], row: int) -> None:
    columns["high"][row], columns["low"][row] = columns["low"][row], columns["high"][row]


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[DataManager]:
    """Bars of a service that mixes up high and low of one."""
    stamps = HOUR.expected("2024-06-03", "2024-07-03")
    assert stamps is not None
    columns = columns_at(stamps)
    swap(columns, 7)
    source = FakeSource({("AAPL", "1h"): columns})
    with DataManager(tmp_path, source=source, env={}) as manager:
        load(manager)
        yield manager


def test_the_ledger_is_the_evidence_for_what_is_absent(data: DataManager) -> None:
    load(data)
    report = data.find_gaps("AAPL", "1h", calendar=HOUR)
    assert report.absent == 35
    assert {gap.evidence.partition(":")[0][:5] for gap in report.missing} == {"asked"}
    assert data.find_gaps("AAPL", "1h", calendar=HOUR, closed=False).gaps == report.missing


def test_what_was_never_asked_for_is_unknown_and_dates_are_sessions(data: DataManager) -> None:
    load(data)
    report = data.find_gaps("AAPL", "1h", "2024-05-31", "2024-06-03", calendar=HOUR)
    assert report.by_class() == {"unknown": 7}
    assert report.missing[0].evidence == "no answer of a provider is known"
    late = data.find_gaps("AAPL", "1h", "2024-07-01", "2100-01-01", calendar=HOUR)
    assert late.end.year < 2100


def test_own_bars_have_gaps_too(tmp_path: Path) -> None:
    stamps = DAY.expected("2024-06-03", "2024-07-03")
    assert stamps is not None
    with DataManager(tmp_path, env={}) as data:
        data.store("ACME", "1d", columns_at(np.delete(stamps, [4, 5]))).result()
        report = data.find_gaps("ACME", "1d", calendar="XNYS")
        assert [(gap.start.date().isoformat(), gap.bars) for gap in report.missing] == [
            ("2024-06-07", 2)
        ]
        assert data.check_quality("ACME", "1d", calendar="XNYS").counts() == {"missing": 1}
        # Nobody said that markets close; own bars are all that there is between the first and the last.
        assert data.find_gaps("ACME", "1d").by_class() == {"no_trade": 11}


def test_a_check_says_of_stored_bars_what_it_says_of_others(damaged: DataManager) -> None:
    report = damaged.check_quality("AAPL", "1h", calendar=HOUR)
    assert report.counts() == {"ohlc": 2}
    assert damaged.check_quality("AAPL", "1h", "2024-06-10", calendar=HOUR).counts() == {}
    assert damaged.check_quality("AAPL", "1h", calendar=HOUR, now="2024-07-09").counts() == {
        "ohlc": 2,
        "stale": 1,
    }


def revised(columns: dict[str, Any], row: int) -> dict[str, Any]:
    """The same bars, of which one closed a cent higher."""
    close = columns["close"].copy()
    close[row] += 0.01
    return {**columns, "close": close}


def test_other_numbers_of_the_provider_for_stored_bars_are_findings(tmp_path: Path) -> None:
    stamps = HOUR.expected("2024-06-03", "2024-07-03")
    assert stamps is not None
    columns = columns_at(stamps)
    last = int(np.searchsorted(stamps, np.datetime64("2024-06-15"))) - 1
    source = FakeSource({("AAPL", "1h"): columns})
    with DataManager(tmp_path, source=source, env={}) as data:
        data.load_data("AAPL", "1h", "2024-06-03", "2024-06-14", mode="full").result()
        source.set_bars("AAPL", "1h", revised(columns, last))
        load(data)
        (found,) = data.check_quality("AAPL", "1h", calendar=HOUR).of("revision")
        assert (found.severity, found.index, found.column) == ("warning", last, "close")
        assert found.value == columns["close"][last] + 0.01
        assert f"({columns['close'][last]:g} is stored)" in found.evidence
        assert data.check_quality("AAPL", "1h", "2024-06-20", calendar=HOUR).counts() == {}
        # Taken, it is what they were before.
        data.load_data("AAPL", "1h", "2024-06-14", "2024-06-14", mode="full", refresh=True).result()
        (found,) = data.check_quality("AAPL", "1h", calendar=HOUR).of("revision")
        assert (found.severity, found.index) == ("note", last)
        assert found.value == columns["close"][last]
        assert "until the load of" in found.evidence


def test_a_history_on_another_basis_is_a_finding_until_it_is_refreshed(tmp_path: Path) -> None:
    stamps = HOUR.expected("2024-06-03", "2024-07-03")
    assert stamps is not None
    columns = columns_at(stamps)
    split = {name: columns[name] / 4 for name in ("open", "high", "low", "close")}
    source = FakeSource({("AAPL", "1h"): columns})
    with DataManager(tmp_path, source=source, env={}) as data:
        data.load_data("AAPL", "1h", "2024-06-03", "2024-06-14", mode="full").result()
        source.set_bars("AAPL", "1h", {**columns, **split})
        load(data)
        (found,) = data.check_quality("AAPL", "1h", calendar=HOUR).of("basis")
        assert (found.severity, found.time.date().isoformat()) == ("warning", "2024-06-17")
        assert found.value == pytest.approx(0.25)
        data.load_data("AAPL", "1h", "2024-06-03", "2024-07-02", mode="full", refresh=True).result()
        counts = data.check_quality("AAPL", "1h", calendar=HOUR).counts()
        assert set(counts) == {"revision"}, "what was replaced is told"


def test_a_repair_is_no_revision_of_the_provider(damaged: DataManager) -> None:
    assert len(damaged.repair("AAPL", "1h", calendar=HOUR, apply=True)) == 2
    assert damaged.changes("AAPL", "1h")[0].cause == "stored"
    assert damaged.check_quality("AAPL", "1h", calendar=HOUR).counts() == {}


def test_stored_bars_are_held_against_longer_ones(data: DataManager) -> None:
    load(data)
    hours = data.load_data("AAPL", "1h").result().to_pandas()
    days = (
        hours.resample("1D")
        .agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
        .dropna()
    )
    days.loc[days.index[2], "open"] = days.low.iloc[2]
    data.store("AAPL", "1d", days).result()
    report = data.check_quality("AAPL", "1h", calendar=HOUR, longer="1d")
    assert [one.column for one in report.of("disagreement")] == ["open"]
    with pytest.raises(errors.NoDataError, match="no 4h bars of AAPL are stored"):
        data.check_quality("AAPL", "1h", calendar=HOUR, longer="4h")


def test_a_repair_is_stored_only_when_wanted_and_is_undone_to_the_byte(
    damaged: DataManager,
) -> None:
    before = damaged.load_data("AAPL", "1h").result()
    ledger = damaged.find_gaps("AAPL", "1h", calendar=HOUR)
    seen = damaged.repair("AAPL", "1h", calendar=HOUR)
    assert [change.column for change in seen] == ["high", "low"]
    assert damaged.load_data("AAPL", "1h").result() == before
    done = damaged.repair("AAPL", "1h", calendar=HOUR, apply=True)
    assert done == seen
    after = damaged.load_data("AAPL", "1h").result()
    assert after == done.bars
    assert after.high[7] > after.low[7]
    assert not len(damaged.repair("AAPL", "1h", calendar=HOUR, apply=True))
    assert damaged.find_gaps("AAPL", "1h", calendar=HOUR) == ledger
    damaged.undo_repair(done)
    assert damaged.load_data("AAPL", "1h").result() == before


def test_a_repair_of_bars_that_have_changed_meanwhile_is_refused(damaged: DataManager) -> None:
    done = damaged.repair("AAPL", "1h", calendar=HOUR)
    with pytest.raises(errors.ConflictError, match="have changed since they were checked"):
        damaged.undo_repair(done)


def test_nothing_to_check_and_ranges_that_cannot_be_are_told(data: DataManager) -> None:
    load(data)
    with pytest.raises(errors.NoDataError, match="no 1h bars of MSFT are stored"):
        data.find_gaps("MSFT", "1h", calendar=HOUR)
    with pytest.raises(errors.InvalidArgumentError, match="the range to check is empty"):
        data.find_gaps("AAPL", "1h", "2024-07-01", "2024-06-01", calendar=HOUR)
    with pytest.raises(errors.InvalidArgumentError, match="start_date"):
        data.find_gaps("AAPL", "1h", "yesterday", calendar=HOUR)
    with pytest.raises(errors.InvalidArgumentError, match="timeframe"):
        data.find_gaps("AAPL", "7h")
    with pytest.raises(errors.InvalidArgumentError, match="symbol"):
        data.check_quality("", "1h")
    data.close()
    with pytest.raises(errors.ClientClosedError):
        data.find_gaps("AAPL", "1h", calendar=HOUR)


# ---- the commands


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    stamps = DAY.expected("2024-06-03", "2024-07-03")
    assert stamps is not None
    columns = columns_at(np.delete(stamps, [4, 5]))
    columns["close"][10:] *= 0.5
    for name in ("open", "high", "low"):
        columns[name][10:] *= 0.5
    with DataManager(tmp_path, env={}) as data:
        data.store("ACME", "1d", columns).result()
    return tmp_path


def test_gaps_are_listed_and_as_json(folder: Path) -> None:
    done = run("data", "gaps", "ACME", "1d", "--calendar", "XNYS", "--data-dir", folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "ACME 1d: 2 of 21 bars are absent"
    assert lines[1] == "  2 unknown"
    assert lines[3].startswith("2024-06-07 00:00  2024-06-10 20:00  unknown  2")
    plain = only_value(
        run(
            "data", "gaps", "ACME", "1d", "--calendar", "XNYS", "--data-dir", folder, "--json"
        ).stdout
    )
    assert plain["by_class"] == {"unknown": 2}
    closed = run(
        "data",
        "gaps",
        "ACME",
        "1d",
        "--calendar",
        "XNYS",
        "--data-dir",
        folder,
        "--closed",
        "--limit",
        "2",
    )
    assert "closed" in closed.stdout
    assert "… and " in closed.stdout


def test_a_check_lists_the_gravest_first(folder: Path) -> None:
    done = run("data", "check", "ACME", "1d", "--calendar", "XNYS", "--data-dir", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "ACME 1d: 19 bars, 2 findings"
    assert "as a 2:1 split" in done.stdout
    plain = only_value(
        run(
            "data", "check", "ACME", "1d", "--calendar", "XNYS", "--data-dir", folder, "--json"
        ).stdout
    )
    assert plain["counts"] == {"missing": 1, "jump": 1}


def test_a_repair_says_what_it_would_do_and_does_it_when_told(
    damaged: DataManager, tmp_path: Path
) -> None:
    damaged.close()
    asked = ("data", "repair", "AAPL", "1h", "--calendar", "XNYS", "--data-dir", tmp_path)
    seen = run(*asked)
    assert seen.returncode == 0, seen.stderr
    assert "2 changes would be made; --apply stores them" in seen.stdout
    stored = only_value(run(*asked, "--apply", "--json").stdout)
    assert stored["applied"] is True
    assert [change["column"] for change in stored["changes"]] == ["high", "low"]
    assert "nothing to mend" in run(*asked).stdout


def test_commands_refuse_what_cannot_be_and_make_no_database(folder: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    for name in ("gaps", "check", "repair"):
        done = run("data", name, "ACME", "1d", "--data-dir", nowhere)
        assert done.returncode == 3
        assert "no bars of ACME 1d" in done.stderr
        assert not nowhere.exists()
        assert (
            run(
                "data", name, "ACME", "1d", "--calendar", "NOWHERE", "--data-dir", folder
            ).returncode
            == 2
        )
        assert (
            run("data", name, "ACME", "1d", "--cut", "clock", "--data-dir", folder).returncode == 2
        )
        assert run("data", name, "NOBODY", "1d", "--data-dir", folder).returncode == 3
    said = run("data", "gaps", "NOBODY", "1d", "--data-dir", folder, "--json")
    assert json.loads(said.stdout)["error"]["code"] == "no_data"


def test_longer_bars_are_held_against_the_shorter_ones_of_the_same_hours(tmp_path: Path) -> None:
    """IB's forex sessions begin at 17:15, and bars of extended hours before and after the sessions."""
    day = BarGrid("15m", get_calendar("FOREX"), provider="IB", asset_class="forex")
    quarters = day.expected("2024-07-08T21:00", "2024-07-09T21:00")
    around = np.datetime64("2024-07-09T08:00") + np.arange(60) * np.timedelta64(15, "m")
    forex: SeriesWords = {"instrument_type": "forex"}
    extended: SeriesWords = {
        "instrument_type": "stock",
        "exchange": "NASDAQ",
        "currency": "USD",
        "session": "extended",
    }
    for symbol, stamps, first, words in (
        ("EURUSD", quarters, "2024-07-08T21:15", forex),
        ("AAPL", around, "2024-07-09T09:00", extended),
    ):
        with DataManager(tmp_path / symbol, env={}) as data:
            data.store(symbol, "15m", columns_at(stamps), **words).result()
            grid = data.resample(
                symbol,
                "15m",
                "1h",
                calendar="FOREX" if symbol == "EURUSD" else None,
                **words,
            ).result()
            wrong = {name: getattr(grid, name).copy() for name in ("time", *PRICES)}
            row = list(wrong["time"]).index(np.datetime64(first))
            for name in ("open", "high", "close"):
                wrong[name][row] += 1
            data.store(symbol, "1h", wrong, **words).result()
            report = data.check_quality(symbol, "15m", longer="1h", **words)
            found = [one for one in report if one.rule == "disagreement"]
            assert {one.column for one in found} == {"open", "high", "close"}, symbol


PRICES = ("open", "high", "low", "close", "volume")
