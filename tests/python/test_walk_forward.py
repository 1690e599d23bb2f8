"""Walk-forward: windows over time, trained as a sweep, judged apart and together; nothing of a test reaches its training."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from commands import only_value
from commands import run as command
from ktrdr_core import DataManager, TrainingManager, errors, sweep, walk_forward
from ktrdr_core.calendars import get_calendar
from models_made import STRATEGY, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ktrdr_core.sweeps import SweepResult

SEED = "model.training.seed"
# The walk has 900 days from here on.
FIRST, LAST = "2019-01-01", "2021-06-18"
WINDOWS = walk_forward(FIRST, LAST, train="1y", test="120d")


@pytest.fixture(scope="module")
def strategy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("walks") / "small.yaml"
    path.write_text(yaml.safe_dump(STRATEGY, sort_keys=False))
    return path


def swept(folder: Path, strategy: Path, bars: dict[str, Any], **asked: Any) -> SweepResult:
    """Sweep over the windows on these bars."""
    with (
        DataManager(folder / "bars", env={}) as data,
        TrainingManager(data, folder / "models", env={}) as training,
    ):
        data.store("WALK", "1d", bars).result(60)
        return sweep(WINDOWS, strategy=strategy, training=training, **asked).result(120)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def table(strategy: Path, place: Path) -> SweepResult:
    return swept(place, strategy, walk())


@pytest.fixture
def training(place: Path, table: SweepResult) -> Iterator[TrainingManager]:
    assert table
    with (
        DataManager(place / "bars", env={}) as data,
        TrainingManager(data, place / "models", env={}) as training,
    ):
        yield training


def weights(row: dict[str, Any]) -> bytes:
    return (Path(row["model_path"]) / "model.safetensors").read_bytes()


def folder_facts(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(row["model_path"]) / "metadata.json").read_text())
    return found


def test_each_test_follows_its_training_and_the_next_test_follows_it() -> None:
    assert len(WINDOWS) == 4
    assert WINDOWS[0]["start_date"] == FIRST
    for window, later in zip(WINDOWS, WINDOWS[1:], strict=False):
        ended = date.fromisoformat(window["end_date"])
        assert later["test_from"] == (ended + timedelta(days=1)).isoformat()
    assert WINDOWS[-1]["end_date"] <= LAST


def test_windows_keep_the_day_of_the_month_and_anchored_ones_their_beginning() -> None:
    windows = walk_forward("2020-01-31", "2020-07-31", train="1mo", test="1mo")
    assert [one["test_from"][5:] for one in windows] == [
        "02-29",
        "03-31",
        "04-30",
        "05-31",
        "06-30",
    ]
    assert windows[0]["end_date"] == "2020-03-30"
    anchored = walk_forward(
        "2020-01-01", date(2020, 12, 31), train=timedelta(90), test="4w", anchored=True
    )
    assert {one["start_date"] for one in anchored} == {"2020-01-01"}
    assert len(anchored) == 9
    spaced = walk_forward("2020-01-01", "2020-12-31", train="90d", test="30d", step="60d")
    assert [one["test_from"] for one in spaced[:2]] == ["2020-03-31", "2020-05-30"]


def test_windows_count_the_sessions_of_a_calendar() -> None:
    xnys = get_calendar("XNYS")
    windows = walk_forward("2024-01-01", "2024-12-31", train=100, test=20, calendar=xnys)
    for window in windows:
        trained = xnys.sessions(window["start_date"], window["test_from"])
        tested = xnys.sessions(window["test_from"], window["end_date"])
        # The first day of the test is in both.
        assert (len(trained), len(tested)) == (101, 20)
        assert all(xnys.is_session(day) for day in window.values())
    assert len(windows) == (252 - 100) // 20


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"train": "1year"}, 'train must be "90d", "26w", "6mo", "2y"'),
        ({"test": "0d"}, "test must be"),
        ({"test": 20}, "which needs calendar="),
        ({"test": timedelta(hours=5)}, "timedelta of whole days"),
        ({"calendar": "XNYS"}, "number of the calendar's sessions"),
        ({"step": "1mo"}, "shorter than test .* count twice"),
        ({"train": "9y"}, "too short for one window"),
        ({"start": "soon"}, "start must be a date"),
        (
            {"start": "0001-01-01", "end": "9999-12-31", "test": "1d", "train": "1d"},
            "10000 windows",
        ),
    ],
)
def test_windows_that_cannot_be_are_refused(asked: dict[str, Any], message: str) -> None:
    given = {"start": "2020-01-01", "end": "2022-12-31", "train": "1y", "test": "2mo"} | asked
    if given.get("calendar"):
        given["calendar"] = get_calendar(given["calendar"])
    with pytest.raises(errors.InvalidArgumentError, match=message):
        walk_forward(given.pop("start"), given.pop("end"), **given)


def test_each_window_trains_on_its_bars_and_is_tested_on_the_next(table: SweepResult) -> None:
    assert [row["status"] for row in table] == ["completed"] * 4, list(table)
    for row, window in zip(table, WINDOWS, strict=True):
        assert row["settings"] == window
        summary = folder_facts(row)["data_summary"]
        (symbol,) = summary["symbols"]
        assert symbol["first_bar"][:10] == window["start_date"]
        assert symbol["last_bar"][:10] == window["end_date"]
        assert summary["test_from"][:10] == window["test_from"]
        # All of it but for the last rows, whose label is not known by then.
        assert summary["rows"]["test"] == 120 - 3
        config = json.loads((Path(row["model_path"]) / "config.json").read_text())
        assert config["test_from"] == window["test_from"]


def test_no_bar_of_a_test_reaches_what_was_trained_before_it(
    strategy: Path, table: SweepResult, tmp_path: Path
) -> None:
    for place, window in enumerate(WINDOWS):
        bars = walk()
        later = bars["timestamp"] >= np.datetime64(window["test_from"])
        for name in ("open", "high", "low", "close"):
            bars[name] = np.where(later, 3 * bars[name], bars[name])
        blind = swept(tmp_path / str(place), strategy, bars)
        same = [weights(one) == weights(other) for one, other in zip(table, blind, strict=True)]
        # Those that train on the changed bars learn something else: it is seen where it is there.
        assert same == [index <= place for index in range(len(WINDOWS))]


def test_the_windows_are_judged_together(table: SweepResult) -> None:
    (pooled,) = table.pooled
    assert (pooled["settings"], pooled["windows"], pooled["judged"], pooled["error"]) == (
        {},
        4,
        4,
        None,
    )
    counts = [folder_facts(row)["data_summary"]["rows"]["test"] for row in table]
    assert pooled["rows"] == sum(counts)
    for name in ("test_accuracy", "class_prior"):
        mean = np.average([row["metrics"][name] for row in table], weights=counts)
        assert pooled[name] == pytest.approx(mean)
    assert pooled["val_accuracy"] == pytest.approx(
        np.mean([row["metrics"]["val_accuracy"] for row in table])
    )
    low, high = pooled["confidence"]["test_accuracy"]
    assert low < pooled["test_accuracy"] < high
    verdict = pooled["confidence"]["verdict"]
    assert "what was most frequent before each test" in verdict
    # It is a random walk.
    assert "does not beat" in verdict or "is worse than" in verdict
    assert table.lines()[-1] == f"4 of 4 windows: {verdict}"
    assert "test_accuracy" in table.lines()[0]
    assert f"4 of 4 windows: {verdict}" in table._repr_html_()
    assert "outcomes" not in json.dumps(table.to_json(), allow_nan=False)
    with pytest.raises(errors.InvalidArgumentError, match="no choice"):
        table.best()


def test_each_of_the_strategys_settings_is_judged_for_itself_and_against_its_walks(
    strategy: Path, training: TrainingManager
) -> None:
    grid = [{SEED: seed, **window} for seed in (3, 4) for window in WINDOWS[:2]]
    found = sweep(grid, strategy=strategy, training=training, random_walk_baseline=True).result(120)
    assert [one["settings"] for one in found.pooled] == [{SEED: 3}, {SEED: 4}]
    for one in found.pooled:
        assert one["confidence"]["beats_random_walk"] in (True, False)
    assert found.lines()[-1].startswith(f"2 of 2 windows, {SEED}=4: ")


def test_worker_processes_give_the_same_windows(
    strategy: Path, training: TrainingManager, table: SweepResult
) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there = sweep(WINDOWS[:2], pool, strategy=strategy, training=training).result(120)
    assert [weights(row) for row in there] == [weights(row) for row in list(table)[:2]]


def test_tests_that_overlap_are_not_judged_together(
    strategy: Path, training: TrainingManager
) -> None:
    moved = {**WINDOWS[0], "test_from": "2020-02-01", "end_date": "2020-06-30"}
    found = sweep([WINDOWS[0], moved], strategy=strategy, training=training).result(120)
    (pooled,) = found.pooled
    assert pooled["confidence"] is None
    assert "rows of both would count twice" in pooled["error"]["message"]
    assert "count twice" in found.lines()[-1]


def test_a_window_without_its_bars_is_a_row_with_its_error(
    strategy: Path, training: TrainingManager
) -> None:
    empty = {"start_date": "2030-01-01", "test_from": "2031-01-01", "end_date": "2031-06-30"}
    found = sweep([WINDOWS[0], empty], strategy=strategy, training=training).result(120)
    assert [row["status"] for row in found] == ["completed", "failed"]
    assert (found.pooled[0]["windows"], found.pooled[0]["judged"]) == (2, 1)


def test_runs_of_one_window_are_compared(strategy: Path, place: Path) -> None:
    places = ["--data-dir", place / "bars", "--models-dir", place / "models"]
    compared = [
        "--set",
        "model.training.seed=1,2",
        "--set",
        f"test_from={WINDOWS[-1]['test_from']}",
    ]
    done = command("sweep", strategy, *compared, *places, "--json")
    assert done.returncode == 0, done.stderr
    told = only_value(done.stdout)
    assert told["best"] in (1, 2)
    assert [one["windows"] for one in told["pooled"]] == [1, 1]
    two = ",".join(one["test_from"] for one in WINDOWS[-2:])
    done = command("sweep", strategy, "--set", f"test_from={two}", *places, "--json")
    assert done.returncode == 0, done.stderr
    assert only_value(done.stdout)["best"] is None


def test_the_command_walks_forward(strategy: Path, place: Path, table: SweepResult) -> None:
    places = ["--data-dir", place / "bars", "--models-dir", place / "models"]
    asked = ["sweep", strategy, "--walk-forward", "train=1y,test=120d", *places]
    dates = ["--start", FIRST, "--end", LAST]
    done = command(*asked, *dates)
    assert done.returncode == 0, done.stderr
    head, *rows, pooled = done.stdout.splitlines()
    assert head.split()[:4] == ["run", "start_date", "test_from", "end_date"]
    assert len(rows) == 4
    assert pooled == table.lines()[-1]
    told = only_value(command(*asked, *dates, "--json").stdout)
    assert told["pooled"][0]["confidence"]["verdict"] in pooled
    assert told["best"] is None
    for words, said in (
        ([*asked], "needs --start and --end"),
        (["sweep", strategy, *places, *dates], "--set KEY=A,B"),
        ([*asked, *dates, "--walk-forward", "test=3mo"], "takes train=2y,test=3mo"),
        ([*asked, *dates, "--walk-forward", "train=3y,test=3mo"], "too short for one window"),
        ([*asked, *dates, "--walk-forward", "train=1y,train=2y,test=3mo"], "takes train=2y"),
        ([*asked, *dates, "--set", "start_date=2010-06-01"], "both say it"),
    ):
        refused = command(*words)
        assert (refused.returncode, said in refused.stderr) == (2, True), refused.stderr
