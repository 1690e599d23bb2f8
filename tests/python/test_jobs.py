"""Loads as jobs: made, started, looked up, cancelled; after a crash they go on by themselves' ids."""

from __future__ import annotations

import asyncio
import pickle
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from child import child
from commands import environment
from ktrdr_core import DataManager, errors
from ktrdr_core.data import DataJobManager, DataLoadingJob
from ktrdr_core.testing import Domain, FakeSource

if TYPE_CHECKING:
    from collections.abc import Iterator

SYMBOLS = ("LOW", "USUAL", "HIGH")

#: Starts three loads whose source never answers, says so, and waits to be killed.
HUNG = """
import signal, sys
from ktrdr_core import DataManager
from test_jobs import SYMBOLS, source
asked = source()
asked.hold()
data = DataManager(sys.argv[1], source=asked, env={})
for priority, symbol in enumerate(SYMBOLS, -1):
    data.load_data(symbol, "1d", "2024-01-01", "2024-01-20", mode="full", priority=priority, operation_id=symbol)
asked.wait_until_held(60)
print("held", flush=True)
signal.pause()
"""


def source() -> FakeSource:
    days = np.arange("2024-01-01", "2024-02-01", dtype="datetime64[D]")
    prices = {name: np.arange(31.0) for name in ("open", "high", "low", "close", "volume")}
    return FakeSource({(symbol, "1d"): {"time": days, **prices} for symbol in SYMBOLS})


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataManager]:
    with DataManager(tmp_path, source=source(), env={}) as manager:
        yield manager


def statuses(data: DataManager) -> dict[str, str]:
    """What has become of each job that this process knows, those of other tests too."""
    return {record.id: record.status for record in data.jobs.list_jobs()}


def test_a_job_waits_runs_and_is_there_when_it_is_over(data: DataManager) -> None:
    jobs = DataJobManager(data)
    job = jobs.create_job("USUAL", "1d", "2024-01-01", "2024-01-10", priority=3)
    waiting = jobs.get_job_status(job)
    assert (waiting.status, waiting.type, waiting.parameters["priority"]) == (
        "pending",
        "data_load",
        3,
    )
    assert jobs.list_jobs()[0].id == job
    assert data.series() == []
    assert len(jobs.start_job(job).result(60)) == 10
    assert jobs.get_job_status(job).status == "completed"
    assert statuses(data)[job] == "completed"


def test_a_job_says_what_it_asks_for_and_what_has_become_of_it(data: DataManager) -> None:
    job = data.jobs.create_job(
        "USUAL", "1d", "2024-01-01", "2024-01-10", "full", refresh=True, what_to_show="TRADES"
    )
    waiting = data.jobs.get_job_status(job)
    assert isinstance(waiting, DataLoadingJob)
    assert (waiting.id, waiting.symbol, waiting.timeframe) == (job, "USUAL", "1d")
    assert (waiting.start_date, waiting.end_date, waiting.mode) == (
        "2024-01-01",
        "2024-01-10",
        "full",
    )
    assert (waiting.validate, waiting.repair, waiting.strict, waiting.refresh) == (
        True,
        False,
        False,
        True,
    )
    assert (waiting.priority, waiting.series) == (0, {"what_to_show": "TRADES"})
    assert not waiting.is_finished
    assert repr(waiting) == f"<DataLoadingJob {job}: USUAL 1d full, pending>"
    load = data.jobs.start_job(job)
    load.result(60)
    assert waiting.status == "pending", "as it was when it was asked"
    (over,) = [one for one in data.jobs.list_jobs() if one.id == job]
    assert over.is_finished
    assert over.started is not None
    assert over.stopped is not None
    assert over.created <= over.started <= over.stopped
    assert (over.error, over.warnings, over.progress.percentage) == (None, load.warnings, 100.0)
    assert over.attempt == 1, "any other field of its record"
    with pytest.raises(AttributeError, match="symbool"):
        over.symbool  # noqa: B018
    assert pickle.loads(pickle.dumps(over)) == over


def test_a_job_is_refused_before_it_is_kept(data: DataManager) -> None:
    for asked in (("USUAL", "7m"), ("", "1d"), ("USUAL", "1d", "2024-02-01", "2024-01-01")):
        with pytest.raises(errors.InvalidArgumentError):
            data.jobs.create_job(*asked)
    assert "pending" not in statuses(data).values()
    data.jobs.create_job("USUAL", "1d", operation_id="mine")
    assert data.jobs.create_job("USUAL", "1d", operation_id="mine") == "mine"
    with pytest.raises(errors.ConflictError, match="mine"):
        data.jobs.create_job("HIGH", "1d", operation_id="mine")


def test_a_job_that_nobody_knows_is_not_found(data: DataManager) -> None:
    for ask in (data.jobs.start_job, data.jobs.get_job_status, data.jobs.cancel_job):
        with pytest.raises(errors.NotFoundError, match="nothing"):
            ask("nothing")


def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(data: DataManager) -> None:
    waiting = data.jobs.create_job("USUAL", "1d")
    assert data.jobs.cancel_job(waiting)
    with pytest.raises(errors.NotFoundError):
        data.jobs.get_job_status(waiting)
    running = data.jobs.create_job("USUAL", "1d", "2024-01-01", "2024-01-10")
    data._source.hold()  # type: ignore[union-attr]
    load = data.jobs.start_job(running)
    assert data.jobs.cancel_job(running, "enough")
    with pytest.raises(errors.OperationCancelledError, match="enough"):
        load.result(60)
    assert not data.jobs.cancel_job(running)
    data._source.release()  # type: ignore[union-attr]


def test_a_job_belongs_to_the_operation_that_made_it(data: DataManager) -> None:
    async def work() -> str:
        return data.jobs.create_job("USUAL", "1d", "2024-01-01", "2024-01-10")

    async def outer() -> str:
        return await Domain().start_operation("Outer", "outer", work, operation_id="outer")

    job = asyncio.run(outer())
    assert data.jobs.get_job_status(job).parent_id == "outer"


@contextmanager
def hung(folder: Path) -> Iterator[None]:
    """Three loads that hang in a process, which is killed afterwards."""
    here = environment(PYTHONPATH=str(Path(__file__).parent))
    with child([sys.executable, "-c", HUNG, str(folder)], env=here) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.kill()
        process.wait(60)


def test_loads_that_a_crash_interrupted_go_on_the_highest_priority_first(tmp_path: Path) -> None:
    with hung(tmp_path), DataManager(tmp_path, source=source(), env={}) as data:
        resumed = data.jobs.resume_jobs()
        assert (resumed.operations, resumed.refused) == ([], {}), "their process lives"
    with DataManager(tmp_path, env={}) as data, pytest.raises(errors.ConfigurationError):
        data.jobs.resume_jobs()
    with DataManager(tmp_path, source=source(), env={}) as data:
        resumed = data.jobs.resume_jobs()
        assert [load.id for load in resumed.operations] == list(reversed(SYMBOLS))
        assert resumed.refused == {}
        for load in resumed.operations:
            assert len(load.result(60)) == 20
            record = data.jobs.get_job_status(load.id)
            assert (record.status, record.attempt) == ("completed", 2)
        assert data.jobs.resume_jobs().operations == [], "once"
        assert [statuses(data)[symbol] for symbol in SYMBOLS] == ["completed"] * 3


def test_a_load_that_does_not_say_what_it_asked_for_is_refused_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    with hung(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "ktrdr.db")) as file, file:
        file.execute("UPDATE operation SET parameters = '{}' WHERE id = 'USUAL'")
    with DataManager(tmp_path, source=source(), env={}) as data:
        resumed = data.jobs.resume_jobs()
        assert [load.id for load in resumed.operations] == ["HIGH", "LOW"]
        assert list(resumed.refused) == ["USUAL"]
        assert "have symbol, timeframe and mode" in str(resumed.refused["USUAL"])
        for load in resumed.operations:
            load.result(60)
        assert data.jobs.get_job_status("USUAL").status == "interrupted"


def test_a_job_under_the_id_of_a_load_of_an_earlier_process_is_that_load(tmp_path: Path) -> None:
    asked = ("USUAL", "1d", "2024-01-01", "2024-01-20")
    identity = "the-same"
    script = (
        "import sys; from ktrdr_core import DataManager; from test_jobs import source\n"
        "with DataManager(sys.argv[1], source=source(), env={}) as data:\n"
        f"    data.load_data(*{asked!r}, mode='full', operation_id={identity!r}).result()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=Path(__file__).parent, timeout=60
    )
    assert done.returncode == 0
    with DataManager(tmp_path, source=source(), env={}) as data:
        with pytest.raises(errors.ConflictError, match="belongs to another operation"):
            data.jobs.create_job(*asked[:3], "2024-01-10", operation_id=identity)
        assert data.jobs.create_job(*asked, operation_id=identity) == identity
        assert data.jobs.get_job_status(identity).status == "completed"
        assert [job.id for job in data.jobs.list_jobs()].count(identity) == 1
        assert data.jobs.start_job(identity).status == "completed"
