"""What a load makes of its bars: validate, repair and strict; calendars of one's own; sessions' dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from commands import run
from ktrdr_core import DataManager
from ktrdr_core.errors import ConfigurationError, InvalidArgumentError, NotEnoughDataError
from ktrdr_core.hosts.child import HostProcess

if TYPE_CHECKING:
    from pathlib import Path

_TOKYO = """\
series,TOKYO,exchange=TSEJ
series,TOKYO,symbol=7203
calendar,TOKYO
zone,Asia/Tokyo
dates,2020-01-01,2030-12-31
offset,2019-12-31T00:00Z,+09:00
week,2020-01-01,mon-fri,09:00,15:00,11:30,12:30
closed,2024-07-15
"""


def _days(count: int = 20) -> dict[str, Any]:
    stamps = np.datetime64("2024-07-01") + np.arange(count)
    close = 100 + np.arange(count) % 5
    return {
        "timestamp": stamps,
        "open": close,
        "high": close + 1.0,
        "low": close - 1.0,
        "close": close + 0.5,
        "volume": 1000.0 + np.arange(count),
    }


def _odd() -> dict[str, Any]:
    bars = _days()
    bars["high"][10] = bars["close"][10] = 900.0
    return bars


def test_a_load_warns_of_what_is_odd_unless_it_is_told_not_to(tmp_path: Path) -> None:
    with DataManager(tmp_path, env={}) as data:
        data.store("ACME", "1d", _odd()).result()
        load = data.load_data("ACME", "1d")
        assert load.result().close[10] == 900
        (warning,) = load.warnings
        assert warning.startswith("ACME 1d: look at: ")
        assert "jump" in warning
        assert "2024-07-11" in warning
        assert data.load_data("ACME", "1d", validate=False).warnings == []
        sound = data.load_data("ACME", "1d", end_date="2024-07-05")
        sound.result()
        assert sound.warnings == []


def test_a_strict_load_takes_no_hole_and_keeps_what_is_stored(tmp_path: Path) -> None:
    with DataManager(tmp_path, env={}) as data:
        data.store("ACME", "1d", _days()).result()
        assert len(data.load_data("ACME", "1d", strict=True).result()) == 20
        with pytest.raises(NotEnoughDataError, match=r"missing is: 2024-07-21 to 2024-08-01"):
            data.load_data("ACME", "1d", "2024-07-01", "2024-07-31", strict=True).result()
        assert len(data.get_data("ACME", "1d")) == 20
        with pytest.raises(NotEnoughDataError, match="nothing is stored"):
            data.load_data("NONE", "1d", strict=True).result()


@pytest.mark.parametrize("name", ["validate", "repair", "strict"])
def test_what_is_no_bool_is_refused_by_name(name: str, tmp_path: Path) -> None:
    with (
        DataManager(tmp_path, env={}) as data,
        pytest.raises(InvalidArgumentError, match=f"{name} must be bool, not str"),
    ):
        data.load_data("ACME", "1d", **{name: "yes"})  # type: ignore[arg-type]


def test_a_file_of_calendars_is_used_by_checks_and_dates_alike(tmp_path: Path) -> None:
    file = tmp_path / "markets.csv"
    file.write_text(_TOKYO)
    hours = np.arange(
        np.datetime64("2024-07-11T22"), np.datetime64("2024-07-17T00"), np.timedelta64(1, "h")
    )
    prices = {name: np.full(len(hours), 10.0) for name in ("open", "high", "low", "close")}
    for env, given in (({}, file), ({"KTRDR_CALENDARS": str(file)}, None)):
        with DataManager(tmp_path / "bars", env=env, calendars=given) as data:
            data.store("7203", "1h", {"timestamp": hours, **prices}).result()
            friday = data.get_data("7203", "1h", "2024-07-12", "2024-07-12")
            assert str(friday.time[0])[:16] == "2024-07-12T00:00"
            assert str(friday.time[-1])[:16] == "2024-07-12T05:00"
            gaps = data.find_gaps("7203", "1h", "2024-07-12", "2024-07-16")
            assert 0 < (gaps.expected or 0) < 20
            found = data.check_quality("7203", "1h").counts()
            assert found.get("out_of_session")
            named = data.find_gaps("7203", "1h", "2024-07-12", "2024-07-16", calendar="TOKYO")
            assert named.expected == gaps.expected
    with DataManager(tmp_path / "bars", env={}) as data:
        assert not data.check_quality("7203", "1h").counts().get("out_of_session")


def test_a_wrong_file_of_calendars_is_refused_when_the_manager_is_made(tmp_path: Path) -> None:
    file = tmp_path / "markets.csv"
    for text, says in (
        ("closed,2030-01-09\n", "markets.csv: line 1: the row"),
        ("calendar,XNYS\nclosed,2030-02-30\n", "markets.csv: line 2: "),
        ("series,XTKS,symbol=7203\n", "line 1: no calendar .XTKS. is in this file"),
        ("calendar,XTKS\nclosed,2030-01-09\n", "XTKS does not ship with the package"),
        ("#" * (5 << 20), "is the most that is read"),
    ):
        file.write_text(text)
        with pytest.raises(InvalidArgumentError, match=says):
            DataManager(tmp_path / "bars", env={}, calendars=file)
    for missing in (tmp_path / "none.csv", tmp_path, "a\0b"):
        with pytest.raises(ConfigurationError, match="give calendars= or KTRDR_CALENDARS a file"):
            DataManager(tmp_path / "bars", env={}, calendars=missing)
    assert not (tmp_path / "bars").exists()


def test_calendars_that_are_changed_hold_for_loads(tmp_path: Path) -> None:
    file = tmp_path / "markets.csv"
    # The replay has a bar of that day: a calendar that closes it finds it where it has none.
    file.write_text("calendar,XNYS\nclosed,2005-01-05\n")
    dates = ("AAPL", "1d", "2005-01-03", "2005-01-31")
    with HostProcess(delay=0.0) as host:
        with DataManager(tmp_path / "a", ib_url=host.url, env={}) as data:
            load = data.load_data(*dates, mode="full", validate=False)
            load.result()
            assert load.warnings == []
        with DataManager(tmp_path / "b", ib_url=host.url, env={}, calendars=file) as data:
            load = data.load_data(*dates, mode="full", validate=False)
            load.result()
            assert "begin where the calendar of AAPL has none" in "".join(load.warnings)


def test_calendars_of_one_s_own_go_by_their_names_wherever_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "markets.csv"
    # A session of the file's own, and one of New York that ended at noon.
    file.write_text(_TOKYO + "calendar,XNYS\nsession,2024-07-09,09:30,12:00\n")
    stamps = np.array(["2024-07-09T13:30", "2024-07-09T14:00", "2024-07-09T15:00"], "M8[ns]")
    prices = {name: np.arange(1.0, 4) for name in ("open", "high", "low", "close")}
    with DataManager(tmp_path / "bars", env={}, calendars=file) as data:
        data.store("ACME", "1h", {"timestamp": stamps, **prices}).result()
        day = data.resample("ACME", "1h", "1d", calendar="XNYS").result()
        assert (day.open.tolist(), day.close.tolist()) == ([1], [3])
        tokyo = np.arange(np.datetime64("2024-07-12T00"), np.datetime64("2024-07-12T06"))
        hours = {name: np.arange(6.0) for name in prices}
        data.store("7203", "1h", {"timestamp": tokyo.astype("M8[ns]"), **hours}).result()
        made = data.resample("7203", "1h", "1d", calendar="TOKYO").result()
        assert made.time.astype("M8[D]").tolist() == [np.datetime64("2024-07-12").item()]
        with pytest.raises(InvalidArgumentError, match="calendar 'PARIS' is not known"):
            data.resample("ACME", "1h", "1d", calendar="PARIS")
    folder = ("--data-dir", str(tmp_path / "bars"))
    for command in (("gaps",), ("check",), ("repair",), ("resample", "1d")):
        asked = ("data", command[0], "7203", "1h", *command[1:], "--calendar", "TOKYO", *folder)
        done = run(*asked, KTRDR_CALENDARS=str(file))
        assert done.returncode == 0, done.stderr
    assert "TOKYO" in run("data", "gaps", "7203", "1h", "--calendar", "TOKYO", *folder).stderr
