"""`ktrdr-core data export`, `range`, `resample`, `delete`, and the pictures of `show` and `load`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from child import child
from commands import COMMAND, LIMIT, environment, run
from own_bars import columns, stored

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "bars"
    stored(made, columns(48, "2024-01-02", "h"), "BRK B", "1h")
    return made


def test_export_writes_a_file_and_never_over_another(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = run("data", "export", "BRK B", "1h", out, "--data-dir", folder)
    assert done.returncode == 0, done.stderr
    file = out / "BRK%20B_1h.csv"
    assert done.stdout.splitlines() == [
        "BRK B 1h: 48 bars, 2024-01-02 to 2024-01-03",
        f"{file.stat().st_size:,} bytes in {file}",
    ]
    again = run("data", "export", "BRK B", "1h", out, "--data-dir", folder)
    assert again.returncode == 1
    assert "give --overwrite to replace it" in again.stderr
    named = [out / "a.parquet", "--start", "2024-01-03", "--overwrite", "--json"]
    told = json.loads(run("data", "export", "BRK B", "1h", *named, "--data-dir", folder).stdout)
    assert (told["bars"], told["first"], told["path"]) == (
        24,
        "2024-01-03T00:00:00Z",
        str(out / "a.parquet"),
    )
    back = run("data", "import", file, "--data-dir", folder)
    assert "0 new, 48 replaced" in back.stdout


def test_range_says_what_is_known(folder: Path) -> None:
    done = run("data", "range", "BRK B", "1h", "--data-dir", folder)
    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[1:])
    assert done.stdout.startswith("BRK B 1h (times UTC)\n")
    assert (rows["bars"], rows["first"], rows["known"]) == (
        "48",
        "2024-01-02 00:00",
        "2024-01-02 00:00 to 2024-01-04 00:00",
    )
    told = json.loads(run("data", "range", "BRK B", "1h", "--data-dir", folder, "--json").stdout)
    assert told["known"] == [["2024-01-02T00:00:00Z", "2024-01-04T00:00:00Z"]]
    assert told["volume"] == 4800


def test_resample_stores_the_longer_bars(folder: Path) -> None:
    done = run("data", "resample", "BRK B", "1h", "1d", "--data-dir", folder)
    assert done.stdout.startswith("BRK B 1d: 2 bars, 2024-01-02 to 2024-01-03, stored in ")
    told = run(
        "data",
        "resample",
        "BRK B",
        "1h",
        "4h",
        "--start",
        "2024-01-02T02:00",
        "--json",
        "--calendar",
        "CRYPTO",
        "--data-dir",
        folder,
    )
    assert json.loads(told.stdout)["bars"] == 11
    assert "2 bars are left out" in told.stderr
    listed = json.loads(run("data", "list", "--data-dir", folder, "--json").stdout)
    assert [one["timeframe"] for one in listed] == ["1h", "4h", "1d"]
    wrong = run("data", "resample", "BRK B", "1h", "1m", "--data-dir", folder)
    assert wrong.returncode == 2


def test_delete_asks_for_the_exact_key(folder: Path) -> None:
    refused = run("data", "delete", "BRK B", "1h", "--data-dir", folder)
    assert refused.returncode == 2
    assert "give --yes" in refused.stderr
    for key in (
        ["brk b", "1h"],
        ["BRK B ", "1h"],
        ["BRK B", "1d"],
        ["BRK B", "1h", "--provider", "X"],
    ):
        assert run("data", "delete", *key, "--yes", "--data-dir", folder).returncode == 3
    assert typed(folder, "BRK B 1h") == 2
    assert len(json.loads(run("data", "list", "--data-dir", folder, "--json").stdout)) == 1
    assert typed(folder, "IB BRK B 1h") == 0
    assert json.loads(run("data", "list", "--data-dir", folder, "--json").stdout) == []


def typed(folder: Path, answer: str) -> int:
    """Delete with a person at the terminal, who answers so."""
    ours, theirs = pty.openpty()
    try:
        with child(
            [*COMMAND, "data", "delete", "BRK B", "1h", "--data-dir", folder],
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            text=False,
        ) as process:
            os.write(ours, f"{answer}\n".encode())
            return process.wait(LIMIT)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_bars_are_drawn_into_a_picture(ending: str, folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / f"bars.{ending}"
    shown = run("data", "show", "BRK B", "1h", "--plot", picture, "--data-dir", folder)
    assert f"drawn in {picture}" in shown.stdout
    assert picture.read_bytes()[:4] == (b"\x89PNG" if ending == "png" else b"<?xm")


def test_a_picture_that_cannot_be_is_refused_before_any_work(folder: Path, tmp_path: Path) -> None:
    for picture, words in ((tmp_path / "a.txt", ".png"), (tmp_path / "no" / "a.png", "no folder")):
        done = run("data", "show", "BRK B", "1h", "--plot", picture, "--data-dir", folder)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize("command", ["export", "range", "show"])
def test_what_is_not_stored_makes_no_database(command: str, tmp_path: Path) -> None:
    done = run("data", command, "ACME", "1d", "--data-dir", tmp_path / "no")
    assert done.returncode == 3
    assert "ktrdr-core data load" in done.stderr
    assert not (tmp_path / "no").exists()


def test_a_shell_completes_the_commands() -> None:
    done = run(_KTRDR_CORE_COMPLETE="bash_complete", COMP_WORDS="ktrdr-core data e", COMP_CWORD="2")
    assert "plain,export" in done.stdout
