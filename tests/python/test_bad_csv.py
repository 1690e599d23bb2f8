"""CSV files that are odd, and CSV files that are broken: the first are read, the others refused by file, line and column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ktrdr_core import DataManager, errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = "timestamp,open,high,low,close,volume\n"
ROWS = "2024-01-02T00:00:00Z,10,12,9,11,100\n2024-01-03T00:00:00Z,11,13,10,12,200\n"
GOOD = (HEAD + ROWS).encode()


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataManager]:
    with DataManager(tmp_path / "bars", env={}) as manager:
        yield manager


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n").replace(b",", b";"),
        GOOD.replace(b",", b";"),
        GOOD.replace(b",", b"\t"),
        GOOD.rstrip(b"\n"),
        GOOD.replace(b"\n", b"\n\n"),
        GOOD.replace(b"100", b'"100"'),
        GOOD.replace(b"timestamp", b"Date").replace(b"close", b"CLOSE"),
        GOOD.replace(b"Z", b"+00:00"),
        GOOD.replace(b"T00:00:00Z", b"T09:00:00+09:00"),
        GOOD.replace(b",volume", b",volume,adjusted").replace(b"00\n", b"00,1\n"),
    ],
    ids=ascii,
)
def test_what_other_programs_write_is_read(
    content: bytes, data: DataManager, tmp_path: Path
) -> None:
    file = tmp_path / "ACME_1d.csv"
    file.write_bytes(content)
    assert data.import_csv(file).result(30).bars == 2
    bars = data.get_data("ACME", "1d")
    assert (bars.close.tolist(), bars.volume.tolist()) == ([11, 12], [100, 200])
    assert [str(stamp)[:16] for stamp in bars.time] == ["2024-01-02T00:00", "2024-01-03T00:00"]


def row(text: str) -> bytes:
    return GOOD + text.encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        (b"", None, None),
        (HEAD.encode(), None, None),
        (b"\n\n\n", None, None),
        (GOOD.decode().encode("utf-16"), 1, None),
        (b"open,high,low,close\n1,2,1,2\n", 1, "timestamp"),
        (b"timestamp,open,high,close\n2024-01-02,1,2,2\n", 1, "low"),
        (b"timestamp,open,open,high,low,close\n2024-01-02,1,1,2,1,2\n", 1, "open"),
        (row("2024-01-04T00:00:00Z,nan,12,9,11,1"), 4, "open"),
        (row("2024-01-04T00:00:00Z,NaN,12,9,11,1"), 4, "open"),
        (row("2024-01-04T00:00:00Z,10,inf,9,11,1"), 4, "high"),
        (row("2024-01-04T00:00:00Z,10,12,,11,1"), 4, "low"),
        (row("2024-01-04T00:00:00Z,10,12,9,eleven,1"), 4, "close"),
        (row("2024-01-04T00:00:00Z,10,12,9,1e999,1"), 4, "close"),
        (row("2024-01-04T00:00:00Z,10,12,9,11,-2"), 4, "volume"),
        (row("2024-01-04T00:00:00Z,10,12,9,11,nan"), 4, "volume"),
        (row("2024-01-03T00:00:00Z,10,12,9,11,1"), 4, "timestamp"),
        (row("2024-01-01T00:00:00Z,10,12,9,11,1"), 4, "timestamp"),
        (row("01/04/2024,10,12,9,11,1"), 4, "timestamp"),
        (row("2024-02-30T00:00:00Z,10,12,9,11,1"), 4, "timestamp"),
        (row("9999-12-31T00:00:00Z,10,12,9,11,1"), 4, "timestamp"),
        (row("2199-12-31T00:00:00Z,10,12,9,11,1"), 4, "timestamp"),
        (row("2024-01-04T00:00:00Z,10,12,9,11"), 4, None),
        (row("2024-01-04T00:00:00Z,10,12,9,11,1,1"), 4, None),
        (row('2024-01-04T00:00:00Z,10,12,9,"11,1'), 4, None),
        (row("2024-01-04T00:00:00Z,10,9,8,11,1"), 4, "high"),
        (row("2024-01-04T00:00:00Z,1\x0010,12,9,11,1"), 4, "open"),
        (row("x" * 70_000), 4, None),
    ],
    ids=lambda value: ascii(value)[-48:],
)
def test_what_is_broken_is_named_and_nothing_is_stored(
    content: bytes, line: int | None, column: str | None, data: DataManager, tmp_path: Path
) -> None:
    file = tmp_path / "ACME_1d.csv"
    file.write_bytes(content)
    with pytest.raises(errors.InvalidArgumentError, match=r"ACME_1d\.csv") as caught:
        data.import_csv(file).result(30)
    assert (caught.value.context.get("line"), caught.value.context.get("column")) == (line, column)
    if line is not None:
        assert f"line {line}" in caught.value.message
    assert len(caught.value.message) < 600
    assert data.series() == []


@pytest.mark.parametrize("begins", [b"", HEAD.encode(), GOOD])
def test_a_line_of_a_gigabyte_is_refused_without_reading_it(
    begins: bytes, data: DataManager, tmp_path: Path
) -> None:
    file = tmp_path / "ACME_1d.csv"
    with file.open("wb") as sparse:
        sparse.write(begins)
        sparse.truncate(1 << 30)
    with pytest.raises(errors.InvalidArgumentError, match="longer than 65536 bytes") as caught:
        data.import_csv(file).result(30)
    assert caught.value.context["line"] == begins.count(b"\n") + 1
    assert data.series() == []


@pytest.mark.parametrize("rows", [2, 20_000])
def test_a_file_whose_lines_end_with_cr_alone_is_told_so(
    rows: int, data: DataManager, tmp_path: Path
) -> None:
    file = tmp_path / "ACME_1d.csv"
    file.write_bytes((HEAD + ROWS.splitlines(keepends=True)[0] * rows).replace("\n", "\r").encode())
    with pytest.raises(errors.InvalidArgumentError, match="line 1: its lines end with CR alone"):
        data.import_csv(file).result(30)
