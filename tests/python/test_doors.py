"""What cannot be asked for is refused at every door alike, before anybody is asked: Python, the command line, the host."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from days_host import days_host
from ktrdr_core import DataManager, errors
from ktrdr_core.cli.app import cli
from served_days import Days, serving
from soak import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from days_host import DaysHost
    from ktrdr_core import Bars

SOUND = {"symbol": "AAPL", "timeframe": "1d", "start": "2024-01-02", "end": "2024-01-05"}
#: Each with a word that the message has.
BAD: list[tuple[dict[str, str], str]] = [
    ({"symbol": ""}, "symbol"),
    ({"symbol": " \t "}, "symbol"),
    ({"symbol": "A\nB"}, "symbol"),
    ({"symbol": "A\x00B"}, "symbol"),
    ({"symbol": "\x1b[31mA"}, "symbol"),
    ({"symbol": "A\u202eB"}, "symbol"),
    ({"symbol": "x" * 10_240}, "symbol"),
    ({"timeframe": ""}, "timeframe"),
    ({"timeframe": "7m"}, "timeframe"),
    ({"timeframe": "1D"}, "timeframe"),
    ({"timeframe": "1d\n"}, "timeframe"),
    ({"start": "2024-01-06"}, "start"),
    ({"start": "2024-01-05T00:00:00Z", "end": "2024-01-05T00:00:00Z"}, "start"),
    ({"start": "2024-01-05T02:00+02:00", "end": "2024-01-05T00:00Z"}, "start"),
    ({"start": "9999-12-31"}, "start"),
    ({"start": "soon"}, "start"),
    ({"start": "2024-02-30"}, "start"),
    ({"start": "2024-01-02T25:00"}, "start"),
    ({"end": "99999-01-01"}, "end"),
    ({"end": "2024-01-05T00:00:00+99:00"}, "end"),
]
IDS = [ascii("".join(f"{key}={value}" for key, value in change.items()))[:40] for change, _ in BAD]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataManager]:
    # Nothing listens there.
    with DataManager(tmp_path_factory.mktemp("bars"), "http://127.0.0.1:9", env={}) as manager:
        yield manager
        assert manager.pool_stats()["connections_created"] == 0
        assert manager.series() == []


@pytest.mark.parametrize(("change", "word"), BAD, ids=IDS)
def test_every_call_of_python_refuses_it_at_once(
    change: dict[str, str], word: str, data: DataManager
) -> None:
    asked = {**SOUND, **change}
    symbol, timeframe, start, end = asked.values()
    calls: list[Callable[[], Any]] = [
        lambda: data.load_data(symbol, timeframe, start, end, mode="full"),
        lambda: data.load_data(symbol, timeframe, start, end, mode="backfill"),
        lambda: data.load_many([symbol], [timeframe], start, end, mode="full"),
        lambda: data.forget(symbol, timeframe, start, end),
    ]
    if "9999" not in asked["start"]:
        # A range that begins after now may be read: it has nothing.
        calls += [
            lambda: data.load_data(symbol, timeframe, start, end),
            lambda: data.get_data(symbol, timeframe, start, end),
        ]
    for call in calls:
        with pytest.raises(errors.InvalidArgumentError, match=word) as caught:
            call()
        assert len(caught.value.message) < 600
        assert caught.value.message.isprintable()


@pytest.mark.parametrize(("change", "word"), BAD, ids=IDS)
def test_the_command_line_refuses_it_and_makes_no_database(
    change: dict[str, str], word: str, tmp_path: Path
) -> None:
    asked = {**SOUND, **change}
    if "\0" in asked["symbol"] or "\n" in asked["timeframe"]:
        pytest.skip("no program is given a zero byte, and blanks around a word are left out")
    done = CliRunner().invoke(
        cli,
        [
            *("data", "load", "--mode", "full", "--data-dir", str(tmp_path / "bars")),
            *("--ib-url", "http://127.0.0.1:9", "--start", asked["start"], "--end", asked["end"]),
            *("--", asked["symbol"], asked["timeframe"]),
        ],
    )
    assert done.exit_code == 2, done.output
    assert word in done.stderr.lower()
    assert not (tmp_path / "bars").exists()


@pytest.mark.parametrize(("change", "word"), BAD, ids=IDS)
def test_the_host_refuses_it_and_does_not_ask_its_source(change: dict[str, str], word: str) -> None:
    class Asked(Days):
        asked_for = 0

        async def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Any:
            self.asked_for += 1
            return await super().fetch(symbol, timeframe, start, end)

    async def main() -> None:
        source = Asked()
        async with serving(source) as http:
            response = await http.post("/data/historical", json={**SOUND, **change})
            answer = response.json()
            assert answer["success"] is False
            assert (answer["data"], answer["rows"]) == (None, 0)
            assert word in answer["error"]
            assert len(answer["error"]) < 600
            assert answer["error"].isprintable()
            assert source.asked_for == 0

    asyncio.run(main())


@pytest.mark.parametrize("mode", ["", "Full", "full ", "tails", "\n", "x" * 10_240])
def test_an_unknown_mode_is_refused_with_those_there_are(mode: Any, data: DataManager) -> None:
    for call in (
        lambda: data.load_data("AAPL", "1d", mode=mode),
        lambda: data.load_many(["AAPL"], ["1d"], mode=mode),
    ):
        with pytest.raises(errors.InvalidArgumentError, match="backfill") as caught:
            call()
        assert len(caught.value.message) < 600


#: One and the same range, as people write it.
SAME = [
    ("2024-01-02", "2024-01-04"),
    ("2024-01-02T00:00:00Z", "2024-01-05T00:00:00Z"),
    ("2024-01-02T00:00", "2024-01-05T00:00"),
    ("2024-01-02 00:00:00", "2024-01-05 00:00:00"),
    ("2024-01-02T09:00:00+09:00", "2024-01-04T19:00:00-05:00"),
    ("2024-01-02T05:45+05:45", "2024-01-05T00:00:00.000000+00:00"),
]


@pytest.fixture(scope="module")
def host() -> Any:
    with days_host() as serving_days:
        yield serving_days


@pytest.mark.parametrize("dates", SAME)
def test_a_time_without_an_offset_is_utc_and_one_with_it_is_converted(
    dates: tuple[str, str], host: DaysHost, tmp_path: Path
) -> None:
    with DataManager(tmp_path, host.url, env={}) as data:
        host.asked = []
        bars = data.load_data("AAPL", "1d", *dates, mode="full").result(60)
        assert [str(stamp)[:16] for stamp in bars.time] == [
            f"2024-01-{day:02}T00:00" for day in (2, 3, 4)
        ]
        assert host.asked[0][1:] == (
            datetime(2024, 1, 2, tzinfo=UTC),
            datetime(2024, 1, 5, tzinfo=UTC),
        )
        assert data.get_data("AAPL", "1d", *dates) == bars


def test_the_host_takes_the_same_times() -> None:
    async def main() -> None:
        async with serving(Days()) as http:
            for start, end in SAME[1:]:
                asked = {"symbol": "AAPL", "timeframe": "1d", "start": start, "end": end}
                answer = (await http.post("/data/historical", json=asked)).json()
                assert (answer["success"], answer["rows"]) == (True, 3), (start, answer["error"])

    asyncio.run(main())


@pytest.mark.parametrize("end", ["9999-12-31", "9999-12-31T23:59:59Z", date(9999, 12, 31)])
def test_the_last_day_of_all_calendars_is_a_date(end: Any, host: DaysHost, tmp_path: Path) -> None:
    start = datetime.now(UTC).date() - timedelta(days=10)
    with DataManager(tmp_path, host.url, env={}) as data:
        bars = data.load_data("AAPL", "1d", start, end, mode="full").result(60)
        yesterday = np.datetime64(datetime.now(UTC).date() - timedelta(days=1))
        assert bars.time[-1].astype("M8[D]") in (yesterday, yesterday - np.timedelta64(1, "D"))
        assert data.load_data("AAPL", "1d", start, end).result(60) == bars
        assert data.get_data("AAPL", "1d", start, end) == bars
        assert data.forget("AAPL", "1d", start, end) == len(bars)

    async def main() -> None:
        async with serving(Days()) as http:
            asked = {"symbol": "AAPL", "timeframe": "1d", "start": str(start), "end": str(end)}
            answer = (await http.post("/data/historical", json=asked)).json()
            assert answer["success"], answer["error"]

    asyncio.run(main())


def texts(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(values) | st.text(max_size=12)


@settings(max_examples=count(100, 5000), deadline=None)
@given(
    symbol=texts("AAPL", " AAPL ", "", "A\nB", "x" * 200),
    timeframe=texts("1d", "1h", "1M", "7m", "d1", ""),
    start=texts("2024-01-02", "2024-01-02T10:00-05:00", "1000-01-01", "9999-12-31", "2024-13-01"),
    end=texts("2024-01-05", "9999-12-31", "2024-01-02", "0000-00-00"),
    mode=texts("local", "tail", "full", "fulll"),
)
def test_whatever_is_asked_is_asked_or_refused_and_never_anything_else(
    symbol: str, timeframe: str, start: str, end: str, mode: Any, shared: DataManager
) -> None:
    outcome = outcome_of(lambda: shared.load_data(symbol, timeframe, start, end, mode).result(60))
    if isinstance(outcome, errors.InvalidArgumentError):
        assert outcome.message.isprintable()
        assert len(outcome.message) < 600
        assert outcome.context.get("field")
    elif isinstance(outcome, errors.KtrdrError):
        # Nobody is there to be asked.
        assert isinstance(outcome, errors.ServiceConnectionError | errors.NoDataError)
    else:
        assert len(outcome) == 0


def outcome_of(call: Callable[[], Bars]) -> Bars | errors.KtrdrError:
    try:
        return call()
    except errors.KtrdrError as error:
        return error


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("shared")
    with DataManager(folder, "http://127.0.0.1:9", env={}) as manager:
        yield manager
