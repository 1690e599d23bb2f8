"""`ktrdr-core data import` and `data list`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from commands import run
from own_bars import columns, stored

if TYPE_CHECKING:
    from pathlib import Path

LINES = (
    "timestamp,open,high,low,close,volume\n"
    "2024-01-02T00:00:00Z,10,12,9,11,100\n"
    "2024-01-03T00:00:00Z,11,13,10,12,200\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "ACME_1d.csv"
    made.write_text(LINES)
    return made


def test_an_import_says_what_came_and_list_shows_it(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    done = run("data", "import", file, "--data-dir", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "ACME 1d: 2 bars, 2024-01-02 to 2024-01-03",
        f"2 new, 0 replaced, stored in {folder / 'ktrdr.db'}",
    ]
    file.write_text(LINES + "2024-01-04T00:00:00Z,11,13,10,12,200\n")
    assert "1 new, 2 replaced" in run("data", "import", file, "--data-dir", folder).stdout
    listed = run("data", "list", "--data-dir", folder)
    assert [line.split() for line in listed.stdout.splitlines()] == [
        ["symbol", "timeframe", "bars", "first", "(UTC)", "last", "(UTC)", "provider", "series"],
        [
            "ACME",
            "1d",
            "3",
            "2024-01-02",
            "00:00",
            "2024-01-04",
            "00:00",
            "IB",
            "TRADES",
            "regular",
        ],
    ]
    shown = run("data", "show", "ACME", "1d", "--data-dir", folder)
    assert "ACME 1d: 3 bars, 2024-01-02 to 2024-01-04" in shown.stdout


def test_json_says_the_same(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    done = run("data", "import", file, "--data-dir", folder, "--json", "--progress", "none")
    assert json.loads(done.stdout) == {
        "symbol": "ACME",
        "timeframe": "1d",
        "bars": 2,
        "added": 2,
        "replaced": 0,
        "first": "2024-01-02T00:00:00Z",
        "last": "2024-01-03T00:00:00Z",
        "database": str(folder / "ktrdr.db"),
        "warnings": [],
    }
    assert json.loads(run("data", "list", "--data-dir", folder, "--json").stdout) == [
        {
            "provider": "IB",
            "symbol": "ACME",
            "timeframe": "1d",
            "bars": 2,
            "first": "2024-01-02T00:00:00Z",
            "last": "2024-01-03T00:00:00Z",
            "instrument_type": "",
            "what_to_show": "TRADES",
            "session": "regular",
            "exchange": "",
            "currency": "",
        }
    ]


def test_symbol_and_timeframe_may_be_given(file: Path, tmp_path: Path) -> None:
    other = file.rename(tmp_path / "prices.csv")
    refused = run("data", "import", other, "--data-dir", tmp_path)
    assert refused.returncode == 2
    assert "prices.csv does not say in its name" in refused.stderr
    done = run(
        "data", "import", other, "--symbol", "X", "--timeframe", "1d", "--data-dir", tmp_path
    )
    assert done.stdout.startswith("X 1d: 2 bars")
    typed = ["--symbol", " X\t", "--timeframe", "1d "]
    assert (
        "0 new, 2 replaced" in run("data", "import", other, *typed, "--data-dir", tmp_path).stdout
    )


def test_a_column_that_is_left_out_is_a_warning(file: Path, tmp_path: Path) -> None:
    file.write_text("Date,Open,High,Low,Close,Adj Close\n2024-01-02,10,12,9,11,10.5\n")
    done = run("data", "import", file, "--data-dir", tmp_path)
    assert done.returncode == 0
    assert "warning: ACME_1d.csv: columns that no bar has are not stored: Adj Close" in done.stderr


def test_a_broken_line_is_named_and_nothing_is_stored(file: Path, tmp_path: Path) -> None:
    file.write_text(LINES + "2024-01-04T00:00:00Z,11,1,10,12,200\n")
    done = run("data", "import", file, "--data-dir", tmp_path, "--json")
    assert done.returncode == 2
    assert "error: ACME_1d.csv: line 4 (2024-01-04" in done.stderr
    error = json.loads(done.stdout)["error"]
    assert (error["context"]["line"], error["context"]["column"]) == (4, "high")
    assert json.loads(run("data", "list", "--data-dir", tmp_path, "--json").stdout) == []


def test_a_file_that_is_not_there_makes_no_database(tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    done = run("data", "import", tmp_path / "ACME_1d.csv", "--data-dir", folder)
    assert done.returncode == 3
    assert "there is no file" in done.stderr
    listed = run("data", "list", "--data-dir", folder)
    assert listed.returncode == 0
    assert f"no bars are stored in {folder / 'ktrdr.db'}" in listed.stdout
    assert "data import" in listed.stdout
    assert json.loads(run("data", "list", "--data-dir", folder, "--json").stdout) == []
    assert not folder.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("2024-01-04T00:00:00Z,11,1,10,12,200\n", "line 2 (2024-01-04"),
        ("2024-01-04T00:00:00Z,nan,12,9,11,100\n", "line 2"),
        ("", "a line of names and no bars"),
        ("1" * 70_000, "longer than 65536 bytes"),
    ],
)
def test_a_broken_file_or_folder_makes_no_database(
    content: str, said: str, file: Path, tmp_path: Path
) -> None:
    file.write_text(LINES.splitlines()[0] + "\n" + content)
    folder = tmp_path / "bars"
    for place in (file, file.parent):
        done = run("data", "import", place, "--data-dir", folder)
        assert done.returncode == 2, done.stderr
        assert file.name in done.stderr
        assert said in done.stderr
        assert not folder.exists()
    # Where one is sound, the others are told of and that one is stored.
    file.with_name("GOOD_1d.csv").write_text(LINES)
    done = run("data", "import", file.parent, "--data-dir", folder)
    assert done.returncode == 1
    assert "1 of 2 files" in done.stdout
    assert file.name in done.stderr
    assert (folder / "ktrdr.db").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["empty"], 2, "it has no CSV file"),
        (["prices.csv"], 2, "does not say in its name"),
        (["prices.csv", "--symbol", "ACME", "--timeframe", "7m"], 2, "timeframe"),
        (["prices.csv", "--symbol", "A\nB", "--timeframe", "1d"], 2, "symbol"),
        (["folder", "--timeframe", "7m"], 2, "timeframe"),
    ],
)
def test_an_import_that_cannot_be_makes_no_database(
    arguments: list[str], status: int, said: str, tmp_path: Path
) -> None:
    for folder in ("empty", "folder"):
        (tmp_path / folder).mkdir()
    for place in (tmp_path, tmp_path / "folder"):
        (place / "prices.csv").write_text(LINES)
    name, *options = arguments
    done = run("data", "import", tmp_path / name, *options, "--data-dir", tmp_path / "bars")
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert not (tmp_path / "bars").exists()


def test_list_shows_every_series_in_columns(tmp_path: Path) -> None:
    stored(tmp_path, columns(3), "ACME", "1d")
    stored(tmp_path, columns(1500, "2023-01-01", "h"), "A_LONG_SYMBOL", "1h")
    lines = run("data", "list", "--data-dir", tmp_path).stdout.splitlines()
    assert len(lines) == 3
    assert (
        len({line.index(" IB") if " IB" in line else line.index(" provider") for line in lines})
        == 1
    )
    assert "1,500" in lines[2]
