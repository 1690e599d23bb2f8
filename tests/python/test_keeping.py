"""Stored bars stay whole: changes and their undo, forgetting, deleting, a look for damage, compacting."""

from __future__ import annotations

import json
import os
import sqlite3
from typing import TYPE_CHECKING

import numpy as np
import pytest

import soak
from commands import run
from ktrdr_core import DataManager, errors
from own_bars import columns

if TYPE_CHECKING:
    from pathlib import Path

    from own_bars import Columns


def times(factor: float, given: Columns) -> Columns:
    """Those bars after a split."""
    prices = {name: given[name] * factor for name in ("open", "high", "low", "close")}
    return {**given, **prices}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A database of five days whose last three were stored again, a quarter of the price, and of ten hours."""
    made = tmp_path / "bars"
    with DataManager(made, env={}) as data:
        data.store("ACME", "1d", columns(5)).result()
        again = {name: column[2:] for name, column in columns(5).items()}
        data.store("ACME", "1d", times(0.25, again)).result()
        data.store("ACME", "1h", columns(10, step="h")).result()
    return made


def damage(folder: Path) -> None:
    with sqlite3.connect(folder / "ktrdr.db") as raw:
        raw.execute(
            "UPDATE block SET close = zeroblob(length(close)) WHERE series = "
            "(SELECT id FROM series WHERE timeframe = '1d')"
        )


def test_a_change_is_told_and_undone(folder: Path) -> None:
    with DataManager(folder, env={}) as data:
        assert data.changes("ACME", "1h") == []
        (change,) = data.changes("ACME", "1d")
        assert (change.cause, change.added, change.revised, change.removed) == ("stored", 0, 3, 0)
        assert f"{change.start:%Y-%m-%d}" == "2024-01-03"
        assert change.changed_at.tzinfo is not None
        assert data.undo("ACME", "1d") == change
        assert data.changes("ACME", "1d") == []
        bars = data.load_data("ACME", "1d").result()
        np.testing.assert_array_equal(bars.close, columns(5)["close"])
        with pytest.raises(errors.NotFoundError, match="ACME 1d: there is no change to undo"):
            data.undo("ACME", "1d")


def test_a_range_is_forgotten_and_brought_back(folder: Path) -> None:
    with DataManager(folder, env={}) as data:
        assert data.forget("ACME", "1d", "2024-01-02", "2024-01-03") == 2
        assert len(data.load_data("ACME", "1d").result()) == 3
        assert data.undo("ACME", "1d").removed == 2
        assert len(data.load_data("ACME", "1d").result()) == 5
        assert data.forget("ACME", "1d", None, None) == 5
        assert data.forget("NONE", "1d", None, None) == 0
        with pytest.raises(errors.InvalidArgumentError, match="start_date"):
            data.forget("ACME", "1d", "2024-01-03", "2024-01-01")
        with pytest.raises(errors.InvalidArgumentError, match="timeframe"):
            data.forget("ACME", "7d", None, None)


def test_a_series_is_deleted_by_its_exact_key(folder: Path) -> None:
    with DataManager(folder, env={}) as data:
        assert data.delete("ACME", "1d", provider="IB") == 5
        with pytest.raises(errors.NotFoundError, match="ACME"):
            data.delete("ACME", "1d", provider="IB")
        assert [one.timeframe for one in data.series()] == ["1h"]


def test_damage_is_named_leaves_the_rest_readable_and_is_undone(folder: Path) -> None:
    damage(folder)
    with DataManager(folder, env={}) as data:
        with pytest.raises(
            errors.StorageError, match="ACME 1d: the chunk of the whole series is d"
        ):
            data.load_data("ACME", "1d").result()
        assert len(data.load_data("ACME", "1h").result()) == 10
        (found,) = data.verify().result().damage
        assert (found.symbol, found.timeframe) == ("ACME", "1d")
        assert found.chunk == "the chunk of the whole series"
        assert "checksum" in found.what
        data.undo("ACME", "1d")
        assert len(data.load_data("ACME", "1d").result()) == 5
        assert data.verify().result().damage == []


def test_a_closed_manager_keeps_nothing(folder: Path) -> None:
    data = DataManager(folder, env={})
    data.close()
    for call in (data.verify, data.compact, lambda: data.undo("ACME", "1d")):
        with pytest.raises(errors.ClientClosedError):
            call()


def test_compacting_says_what_it_gave_back(folder: Path) -> None:
    with DataManager(folder, env={}) as data:
        # What a deletion frees the store gives back by itself, in time; an earlier version it keeps until now.
        long = columns(5000, step="h")
        data.store("LONG", "1h", long).result()
        data.store("LONG", "1h", times(0.5, long)).result()
        data.delete("ACME", "1h", provider="IB")
        compacted = data.compact().result()
        assert compacted.changes_freed == 2
        assert compacted.bytes_after < compacted.bytes_before
        assert compacted.bytes_after == data.database_path.stat().st_size
        assert data.changes("ACME", "1d") == []
        assert len(data.load_data("ACME", "1d").result()) == 5


def test_verify_says_that_all_is_sound_or_what_is_damaged(folder: Path) -> None:
    sound = run("data", "verify", "--data-dir", folder)
    assert sound.returncode == 0, sound.stderr
    assert sound.stdout == (
        f"{folder / 'ktrdr.db'}: 2 series, 2 chunks, 15 bars, 3 ledger entries, 1 earlier versions: all sound\n"
    )
    damage(folder)
    broken = run("data", "verify", "--data-dir", folder)
    assert broken.returncode == 1
    first, last = broken.stdout.splitlines()
    assert first == "ACME 1d: the chunk of the whole series: its checksum does not fit"
    assert last.endswith("1 damaged")
    said = json.loads(run("data", "verify", "--data-dir", folder, "--json").stdout)
    assert said["damage"] == [
        {
            "provider": "IB",
            "symbol": "ACME",
            "timeframe": "1d",
            "chunk": "the chunk of the whole series",
            "what": "its checksum does not fit",
            "what_to_show": "TRADES",
            "session": "regular",
        }
    ]


def test_compact_says_the_bytes_before_and_after(folder: Path) -> None:
    said = json.loads(run("data", "compact", "--data-dir", folder, "--json").stdout)
    assert said["bytes_after"] <= said["bytes_before"]
    assert said["changes_freed"] == 1
    again = run("data", "compact", "--data-dir", folder)
    assert "0 changes cannot be undone any more" in again.stdout
    with DataManager(folder, env={}) as data:
        assert data.load_data("ACME", "1d").result().close[0] == columns(5)["close"][0]


@pytest.mark.parametrize("command", ["verify", "compact"])
def test_a_database_that_is_not_there_is_not_made(command: str, tmp_path: Path) -> None:
    done = run("data", command, "--data-dir", tmp_path / "none")
    assert done.returncode == 3
    assert not (tmp_path / "none").exists()


def test_a_closed_manager_holds_no_file(tmp_path: Path) -> None:
    """However large the log is that an import has left: who closes waits until it lies in the file."""
    for number in range(soak.count(4, 60)):
        folder = tmp_path / str(number)
        data = DataManager(folder, env={})
        data.store("ACME", "1m", columns(400_000, "2023-01-01", "m")).result(60)
        data.close()
        del data
        held = [
            os.readlink(f"/proc/self/fd/{fd}")
            for fd in os.listdir("/proc/self/fd")
            if os.path.islink(f"/proc/self/fd/{fd}")
        ]
        assert [name for name in held if name.startswith(str(folder))] == []
