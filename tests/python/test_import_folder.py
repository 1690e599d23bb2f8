"""A folder of CSV files: the good are stored, the broken are listed, each with its line and column."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from commands import run
from ktrdr_core import CancellationToken, DataManager, errors
from ktrdr_core.data import FailedFile, StoredFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = "timestamp,open,high,low,close,volume\n"
ROW = "2024-01-0{day}T00:00:00Z,10,12,9,11,100\n"
GOOD = HEAD + "".join(ROW.format(day=day) for day in (2, 3, 4))
#: By name: what is in it, and where it is broken.
BROKEN: dict[str, tuple[bytes, int | None, str | None]] = {
    "B0_1d.csv": (GOOD.replace("11,100\n2024-01-04", "x,100\n2024-01-04").encode(), 3, "close"),
    "B1_1d.csv": (GOOD.replace("2024-01-03", "2024-01-02").encode(), 3, "timestamp"),
    "B2_1d.csv": (GOOD.replace("2024-01-04", "2023-12-29").encode(), 4, "timestamp"),
    "B3_1d.csv": (b"timestamp,open,high,low\n2024-01-02,1,2,1\n", 1, "close"),
    "B4_1d.csv": (HEAD.encode() + b"2024-01-02T00:00:00Z,10,9,8,11,100\n", 2, "high"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "csv"
    made.mkdir()
    for number in range(30):
        (made / f"GOOD{number:02}_1d.csv").write_text(GOOD)
    for name, (content, _, _) in BROKEN.items():
        (made / name).write_bytes(content)
    (made / "notes.txt").write_text("not mine")
    (made / ".HIDDEN_1d.csv").write_text("x")
    (made / "DEEP_1d.csv").mkdir()
    return made


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataManager]:
    with DataManager(tmp_path / "bars", env={}) as manager:
        yield manager


def test_thirty_good_files_are_stored_and_five_broken_ones_listed(
    folder: Path, data: DataManager
) -> None:
    operation: Any = data.import_csv(folder)
    imported: StoredFolder = operation.result(60)
    assert [stored.symbol for stored in imported.stored] == [f"GOOD{n:02}" for n in range(30)]
    assert (imported.bars, imported.added, imported.replaced) == (90, 90, 0)
    assert [(one.file, one.line, one.column) for one in imported.failed] == [
        (name, line, column) for name, (_, line, column) in BROKEN.items()
    ]
    for failed in imported.failed:
        assert failed.code == "invalid_argument"
        assert failed.message.startswith(f"{failed.file}: line {failed.line}")
    assert operation.warnings == ["5 of 35 files are not stored"]
    assert [series.symbol for series in data.series()] == [f"GOOD{n:02}" for n in range(30)]
    again = data.import_folder(folder).result(60)
    assert (again.added, again.replaced) == (0, 90)


def test_a_folder_that_has_no_good_file_is_an_error_that_lists_them(
    tmp_path: Path, data: DataManager
) -> None:
    for name, (content, _, _) in BROKEN.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(errors.InvalidArgumentError, match="not one of the 5 files") as caught:
        data.import_folder(tmp_path).result(60)
    assert [one["line"] for one in caught.value.context["failed"]] == [3, 3, 4, 1, 2]
    assert data.series() == []


def test_names_that_say_no_series_are_listed_too(tmp_path: Path, data: DataManager) -> None:
    for name in ("prices.csv", "A%0AB_1d.csv", "AAPL_2d.csv", "BRK%20B_1d.CSV"):
        (tmp_path / name).write_text(GOOD)
    imported = data.import_folder(tmp_path).result(60)
    assert [stored.symbol for stored in imported.stored] == ["BRK B"]
    assert {one.file: one.line for one in imported.failed} == dict.fromkeys(
        ["A%0AB_1d.csv", "AAPL_2d.csv", "prices.csv"]
    )
    imported = data.import_folder(tmp_path, "1d").result(60)
    assert [stored.symbol for stored in imported.stored] == ["AAPL_2d", "BRK B", "prices"]


def test_a_file_that_cannot_be_read_does_not_keep_the_others(
    tmp_path: Path, data: DataManager
) -> None:
    (tmp_path / "A_1d.csv").write_text(GOOD)
    (tmp_path / "B_1d.csv").symlink_to(tmp_path / "nowhere")
    imported = data.import_folder(tmp_path).result(60)
    assert imported.failed == (
        FailedFile("B_1d.csv", "not_found", imported.failed[0].message, None, None),
    )
    assert "there is no such file" in imported.failed[0].message


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("nowhere",), errors.NotFoundError, "no such folder"),
        (("empty",), errors.InvalidArgumentError, "no CSV file"),
        (("csv", "2d"), errors.InvalidArgumentError, "timeframe"),
    ],
)
def test_what_cannot_be_imported_is_refused_at_once(
    folder: Path, data: DataManager, arguments: tuple[str, ...], error: type[Exception], words: str
) -> None:
    (folder.parent / "empty").mkdir()
    with pytest.raises(error, match=words):
        data.import_folder(folder.parent / arguments[0], *arguments[1:])
    with pytest.raises(errors.InvalidArgumentError, match="is a folder"):
        data.import_csv(folder, "AAPL")


def test_progress_names_the_file_and_a_cancel_keeps_what_is_stored(
    folder: Path, data: DataManager
) -> None:
    token = CancellationToken()
    messages: list[str] = []

    def stop(state: Any) -> None:
        messages.append(state.message)
        if state.step_current >= 1:
            token.cancel("enough")

    import_all = data.import_folder(folder, cancellation_token=token, progress_callback=stop)
    with suppress(errors.OperationCancelledError):
        import_all.result(60)
    assert any(message.startswith(f"Importing {folder} [") for message in messages)
    # Whole files or none of them.
    assert all(series.bars == 3 for series in data.series())


def test_a_token_that_is_cancelled_before_stores_nothing(folder: Path, data: DataManager) -> None:
    token = CancellationToken()
    token.cancel("enough")
    with pytest.raises(errors.OperationCancelledError, match="enough"):
        data.import_folder(folder, cancellation_token=token).result(60)
    assert data.series() == []


def test_columns_that_no_bar_has_are_one_warning(tmp_path: Path, data: DataManager) -> None:
    for name in "AB":
        (tmp_path / f"{name}_1d.csv").write_text(
            "Date,Open,High,Low,Close,Adj Close\n2024-01-02,1,2,1,2,2\n"
        )
    operation = data.import_folder(tmp_path)
    operation.result(60)
    assert operation.warnings == ["columns that no bar has are not stored: Adj Close"]


# ---- the command line


def test_the_command_line_lists_both_and_its_status_says_that_some_are_missing(
    folder: Path, tmp_path: Path
) -> None:
    done = run("data", "import", folder, "--data-dir", tmp_path / "bars")
    assert done.returncode == 1
    assert "30 of 35 files: 90 bars, 90 new, 0 replaced" in done.stdout
    for name, (_, line, _) in BROKEN.items():
        assert f"error: {name}: line {line}" in done.stderr
    told = run("data", "import", folder, "--data-dir", tmp_path / "bars", "--json")
    assert told.returncode == 1
    value = json.loads(told.stdout)
    assert (len(value["stored"]), len(value["failed"]), value["replaced"]) == (30, 5, 90)
    assert value["failed"][0] | {"message": ""} == {
        "file": "B0_1d.csv",
        "code": "invalid_argument",
        "message": "",
        "line": 3,
        "column": "close",
    }


def test_a_good_folder_is_status_0(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "A_1d.csv").write_text(GOOD)
    done = run("data", "import", tmp_path / "csv", "--data-dir", tmp_path / "bars")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 files" in done.stdout
    wrong = run("data", "import", tmp_path / "csv", "--symbol", "X", "--data-dir", tmp_path / "no")
    assert wrong.returncode == 2
    assert not (tmp_path / "no").exists()


def test_a_file_whose_name_gives_no_symbol_is_named_in_its_message(tmp_path: Path) -> None:
    folder = tmp_path / "csv"
    folder.mkdir()
    text = "timestamp,open,high,low,close,volume\n2024-01-02T00:00:00Z,1,1,1,1,1\n"
    for name in ("_1d.csv", "%00_1d.csv", "A_1d.csv"):
        (folder / name).write_text(text)
    with DataManager(tmp_path / "bars", env={}) as data:
        failed = data.import_folder(folder).result(60).failed
    assert {one.file for one in failed} == {"_1d.csv", "%00_1d.csv"}
    assert all(one.message.startswith(f"{one.file}: symbol ") for one in failed)
