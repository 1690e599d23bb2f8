"""A long CSV file is read in parts on several threads: its bars, and what is said of its errors, are those of one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from ktrdr_core import DataManager, errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 60_000
HEAD = "timestamp,open,high,low,close,volume\n"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataManager]:
    with DataManager(tmp_path / "bars", env={}) as manager:
        yield manager


def rows() -> list[str]:
    """Some three megabytes of minutes."""
    times = np.datetime_as_string(
        np.datetime64("2015-01-01T00:00:00") + np.arange(ROWS) * np.timedelta64(60, "s")
    )
    return [
        f"{time}Z,{100 + n % 50}.25,{101 + n % 50}.5,{99 + n % 50}.75,{100 + n % 50}.5,{n % 7}\n"
        for n, time in enumerate(times)
    ]


def write(folder: Path, lines: list[str], head: str = HEAD) -> Path:
    file = folder / "ACME_1m.csv"
    file.write_bytes((head + "".join(lines)).encode())
    return file


def test_its_bars_are_those_of_its_lines(data: DataManager, tmp_path: Path) -> None:
    lines = rows()
    stored = data.import_csv(write(tmp_path, lines)).result(60)
    assert (stored.bars, stored.added) == (ROWS, ROWS)
    bars = data.load_data("ACME", "1m", validate=False).result(60)
    assert np.array_equal(bars.open, 100.25 + np.arange(ROWS) % 50)
    assert np.array_equal(bars.volume, np.arange(ROWS) % 7)
    assert np.array_equal(np.diff(bars.time), np.full(ROWS - 1, np.timedelta64(60, "s")))
    exported = data.export("ACME", "1m", tmp_path / "again.csv").result(60)
    assert exported.path.read_bytes() == (HEAD + "".join(lines)).encode()


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("place", [1, 2, ROWS // 2 - 1, ROWS // 2, ROWS // 2 + 1, ROWS - 1])
def test_what_is_wrong_is_named_by_its_line(
    data: DataManager, tmp_path: Path, place: int, ending: str
) -> None:
    for wrong, column, message in (
        (",1,2,0.5,x,7\n", "close", "is no number"),
        (",1,2,3,1.5,7\n", "low", "low must be the lowest"),
    ):
        lines = [line.replace("\n", ending) for line in rows()]
        lines[place] = lines[place].split(",")[0] + wrong
        # An empty line is one, too.
        lines[place // 2] += ending
        with pytest.raises(errors.InvalidArgumentError, match=message) as refused:
            data.import_csv(write(tmp_path, lines)).result(60)
        assert refused.value.context["line"] == place + 3
        assert refused.value.context["column"] == column
        assert data.series() == []


def test_rows_that_stand_twice_or_out_of_order_where_parts_meet_are_found(
    data: DataManager, tmp_path: Path
) -> None:
    for place in range(ROWS // 2 - 3, ROWS // 2 + 3):
        lines = rows()
        lines[place] = lines[place - 1]
        with pytest.raises(errors.InvalidArgumentError, match=f"line {place + 2} .*same stamp"):
            data.import_csv(write(tmp_path, lines)).result(60)


def test_a_line_longer_than_a_part_is_refused_as_such(data: DataManager, tmp_path: Path) -> None:
    lines = rows()
    lines[ROWS // 2] = "9" * 2_000_000 + "\n"
    with pytest.raises(errors.InvalidArgumentError, match=f"line {ROWS // 2 + 2}: .*longer"):
        data.import_csv(write(tmp_path, lines)).result(60)
