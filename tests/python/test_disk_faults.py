"""A disk that is full, cannot be written, or has gone bad: a clear error, and everything else goes on."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from commands import LIMIT, environment, run
from days_host import days_host
from ktrdr_core import DataManager, errors
from own_bars import columns
from ramp_source import MONTH, Ramp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RANGE = ("1d", "2000-01-01", "2003-12-31")
DAYS = 1461


def told(code: str, *arguments: object) -> Any:
    """Run a program in a process of its own, and read the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


#: Loads one series, and another when files may not grow any more; then again when they may.
FULL = """
import json, resource, sys
from pathlib import Path
from ktrdr_core import DataManager, errors
folder, url, *dates = sys.argv[1:]
most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
said = {}
with DataManager(folder, url, env={}) as data:
    said["first"] = len(data.load_data("ONE", *dates, mode="full").result())
    size = max(file.stat().st_size for file in Path(folder).iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, most))
    try:
        data.load_data("TWO", *dates, mode="full").result()
    except errors.KtrdrError as error:
        said["error"] = [type(error).__name__, error.message]
    said["readable"] = len(data.load_data("ONE", dates[0]).result())
    said["sound"] = data.verify().result().damage == []
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    said["second"] = len(data.load_data("TWO", *dates, mode="full").result())
print(json.dumps(said))
"""


def test_a_full_disk_is_told_with_its_series_and_loses_nothing(tmp_path: Path) -> None:
    with days_host() as host:
        said = told(FULL, tmp_path / "bars", host.url, *RANGE)
    kind, message = said.pop("error")
    assert kind == "StorageFullError"
    assert "TWO 1d" in message
    assert str(tmp_path / "bars" / "ktrdr.db") in message
    assert "free some space" in message
    assert said == {"first": DAYS, "readable": DAYS, "sound": True, "second": DAYS}


#: Opens databases as somebody who may not write there.
READ_ONLY = """
import json, os, sys
from ktrdr_core import DataManager, errors
# What it needs of files of others is loaded before.
with DataManager(sys.argv[1], env={}) as data:
    len(data.load_data("ACME", "1d").result())
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
said = []
for folder in sys.argv[2:]:
    try:
        with DataManager(folder, env={}) as data:
            said.append(["opened", str(len(data.load_data("ACME", "1d").result()))])
    except errors.KtrdrError as error:
        said.append([type(error).__name__, error.message])
print(json.dumps(said))
"""


@pytest.fixture
def seen_by_all() -> Iterator[Path]:
    """A folder that is not pytest's own, into which nobody else may look."""
    # As people have it: the files beside a database go when the last who reads from it lets go, maybe at this moment.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        for place in [place for place in folder.rglob("*") if place.is_dir()]:
            place.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(
    seen_by_all: Path, tmp_path: Path
) -> None:
    stored = seen_by_all / "stored"
    with DataManager(stored, env={}) as data:
        data.store("ACME", "1d", columns(5)).result()
    (stored / "ktrdr.db").chmod(0o444)
    log = seen_by_all / "log"
    # Without its log, which may just be going: the thread that wrote last closes the file.
    shutil.copytree(stored, log, ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    (log / "ktrdr.db").chmod(0o666)
    empty = seen_by_all / "empty"
    empty.mkdir()
    for folder in (stored, log, empty):
        folder.chmod(0o555)
    places = [stored, log, empty, empty / "below"]
    for place, (kind, message) in zip(
        places, told(READ_ONLY, tmp_path / "own", *places), strict=True
    ):
        assert kind == "StorageError", (place, kind, message)
        assert str(place) in message
        assert "permission" in message.lower(), message
    assert list(empty.iterdir()) == []
    # Nothing of it has changed.
    stored.chmod(0o755)
    (stored / "ktrdr.db").chmod(0o644)
    with DataManager(stored, env={}) as data:
        assert len(data.load_data("ACME", "1d").result()) == 5


@pytest.mark.parametrize(
    "sql",
    [
        "PRAGMA user_version = 99",
        "UPDATE schema_version SET version = 99 WHERE component = 'bar_store'",
        "UPDATE schema_version SET version = 99 WHERE component = 'operations'",
    ],
)
def test_a_database_from_the_future_is_refused_and_left_as_it_is(sql: str, tmp_path: Path) -> None:
    with DataManager(tmp_path, env={}) as data:
        data.store("ACME", "1d", columns(5)).result()
    with sqlite3.connect(tmp_path / "ktrdr.db") as raw:
        assert raw.execute(sql).rowcount != 0
        raw.commit()
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (tmp_path / "ktrdr.db").read_bytes()
    with pytest.raises(errors.StorageSchemaError, match="install a newer ktrdr-core") as caught:
        DataManager(tmp_path, env={})
    assert str(tmp_path / "ktrdr.db") in caught.value.message
    assert "99" in caught.value.message
    done = run("data", "list", "--data-dir", tmp_path)
    assert done.returncode != 0
    assert "install a newer ktrdr-core" in done.stderr
    assert (tmp_path / "ktrdr.db").read_bytes() == before


def test_a_chunk_that_is_damaged_is_named_by_whatever_needs_it_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    minutes = columns(100 * 1440, "2023-12-01", "m")
    again = {name: column[31 * 1440 : 32 * 1440] for name, column in minutes.items()}
    with days_host() as host, DataManager(tmp_path, host.url, env={}) as data:
        data.store("ACME", "1m", minutes).result(60)
        data.store("ACME", "1m", {**again, "volume": again["volume"] + 1}).result(60)
        data.store("OTHER", "1m", minutes).result(60)
        data.store("ACME", "1h", columns(48, "2024-01-01", "h")).result(60)
        with sqlite3.connect(data.database_path) as raw:
            raw.execute(
                "UPDATE block SET close = CAST(substr(close, 1, 1000) || x'5a' || substr(close, 1002)"
                " AS BLOB) WHERE part = 202401 AND first = (SELECT min(first) FROM block WHERE"
                " part = 202401) AND series = (SELECT id FROM series WHERE symbol = 'ACME' AND"
                " timeframe = '1m')"
            )
        needs: dict[str, Callable[[], Any]] = {
            "load": lambda: data.load_data("ACME", "1m").result(60),
            "get": lambda: data.get_data("ACME", "1m"),
            "export": lambda: data.export("ACME", "1m", tmp_path / "x.csv").result(60),
            "resample": lambda: data.resample("ACME", "1m", "1h").result(60),
            "check": lambda: data.check_quality("ACME", "1m"),
            "store": lambda: data.store("ACME", "1m", again).result(60),
        }
        for name, work in needs.items():
            with pytest.raises(
                errors.StorageError, match="ACME 1m: the chunk of 2024-01 is damaged"
            ):
                work()
            assert not (tmp_path / "x.csv").exists(), name
        (found,) = data.verify().result(60).damage
        assert (found.symbol, found.timeframe, found.chunk) == (
            "ACME",
            "1m",
            "the chunk of 2024-01",
        )
        # Other series, other chunks, and loads of other series.
        assert np.array_equal(data.load_data("OTHER", "1m").result(60).close, minutes["close"])
        assert len(data.load_data("ACME", "1h").result(60)) == 48
        december = data.load_data("ACME", "1m", "2023-12-01", "2023-12-31").result(60)
        assert np.array_equal(december.close, minutes["close"][: 31 * 1440])
        assert len(data.load_data("NEW", *RANGE, mode="full").result(60)) == DAYS
        assert data.undo("ACME", "1m").revised == 1440
        assert np.array_equal(data.load_data("ACME", "1m").result(60).volume, minutes["volume"])
        assert data.verify().result(60).damage == []


@pytest.mark.parametrize("happens", ["removed", "replaced"])
def test_a_load_says_that_its_database_was_taken_away_and_a_new_manager_begins_anew(
    happens: str, tmp_path: Path
) -> None:
    class Taken(Ramp):
        taken = False

        def fetch(self, *question: Any) -> Any:
            if not self.taken:
                self.taken = True
                database.rename(tmp_path / "elsewhere.db")
                if happens == "replaced":
                    shutil.copy(tmp_path / "elsewhere.db", database)
            return super().fetch(*question)

    with DataManager(tmp_path / "d", source=Taken(), env={}) as data:
        database = data.database_path
        with pytest.raises(errors.StorageError, match="was removed or replaced since"):
            data.load_data("ONE", "1d", **MONTH).result(60)
        with pytest.raises(errors.StorageError, match="was removed or replaced since"):
            data.store("TWO", "1d", columns()).result(60)
    with DataManager(tmp_path / "d", source=Taken(), env={}) as anew:
        anew.store("TWO", "1d", columns()).result(60)
        assert [series.symbol for series in anew.series()] == ["TWO"]
