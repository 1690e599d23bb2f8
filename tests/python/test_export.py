"""Stored bars as files: byte for byte out as they came in, whole or not at all, never over another."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet

from ktrdr_core import CancellationToken, DataManager, errors
from ktrdr_core.data import CsvSource, Exported
from own_bars import bytes_of, columns, sound_columns
from soak import count

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = "timestamp,open,high,low,close,volume\n"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataManager]:
    with DataManager(tmp_path / "bars", env={}) as manager:
        yield manager


def out(folder: Path) -> Path:
    made = folder / "out"
    made.mkdir(exist_ok=True)
    return made


# ---- CSV


def pandas_text(frame: dict[str, Any], *, whole_volume: bool) -> str:
    """Write a file as the original does, by pandas; its volumes whole numbers or floats."""
    values = {name: frame[name] for name in ("open", "high", "low", "close", "volume")}
    if whole_volume:
        values["volume"] = np.floor(values["volume"]).astype("int64")
    index = pd.DatetimeIndex(frame["timestamp"], tz="UTC", name="timestamp")
    text: str = pd.DataFrame(values, index=index).to_csv(date_format="%Y-%m-%dT%H:%M:%SZ")
    return text


@settings(max_examples=count(40, 2000), deadline=None)
@given(sound_columns(), st.booleans())
def test_a_file_of_the_original_comes_back_byte_for_byte(
    frame: dict[str, Any], whole: bool
) -> None:
    frame["volume"] = np.nan_to_num(frame["volume"])
    with TemporaryDirectory() as folder, DataManager(Path(folder) / "bars", env={}) as data:
        given_file = Path(folder) / "ACME_1d.csv"
        given_file.write_text(pandas_text(frame, whole_volume=whole))
        data.import_csv(given_file).result(60)
        exported = data.export("ACME", "1d", out(Path(folder))).result(60)
        assert exported.path.name == given_file.name
        assert exported.path.read_bytes() == given_file.read_bytes()
        assert exported.bytes == given_file.stat().st_size


@pytest.mark.parametrize(
    "rows",
    [
        "2024-01-02T00:00:00Z,13.63,16.25,13.5,16,6315000\n2024-01-05T00:00:00Z,16,17,15.19,16,5677300\n",
        "2024-01-02T00:00:00Z,37.0,37.5,36.25,37.0,2265000.0\n",
        "2024-01-02T00:00:00Z,37.0,37.5,36.25,37.0,\n2024-01-03T00:00:00Z,37.0,37.5,36.25,37.0,5.0\n",
        "2024-01-02T00:00:00Z,1.1,1.2,1.0,1.1,-1\n",
        "2020-04-20T00:00:00Z,17.73,17.85,-40.32,-37.63,1.0\n",
        "2024-01-02T00:00:00Z,1e-08,2e-08,1e-08,2e-08,1e+16\n",
    ],
)
def test_every_well_formed_way_of_writing_numbers_comes_back(
    rows: str, data: DataManager, tmp_path: Path
) -> None:
    file = tmp_path / "ACME_1d.csv"
    file.write_text(HEAD + rows)
    data.import_csv(file).result(30)
    assert data.export("ACME", "1d", out(tmp_path)).result(30).path.read_text() == HEAD + rows


def test_bars_from_a_frame_are_written_as_pandas_writes_them(
    data: DataManager, tmp_path: Path
) -> None:
    frame = columns(2000, "2020-01-01")
    data.store("ACME", "1d", frame).result(30)
    text = data.export("ACME", "1d", tmp_path / "a.csv").result(30).path.read_text()
    assert text == pandas_text(frame, whole_volume=False)


def test_a_part_of_the_bars_may_be_exported(data: DataManager, tmp_path: Path) -> None:
    data.store("ACME", "1d", columns(10)).result(30)
    exported = data.export("ACME", "1d", tmp_path / "a.csv", "2024-01-03", "2024-01-04").result(30)
    assert (exported.bars, str(exported.first)[:10], str(exported.last)[:10]) == (
        2,
        "2024-01-03",
        "2024-01-04",
    )
    assert exported.path.read_text().count("\n") == 3


@pytest.mark.parametrize("symbol", ["BRK B", "BTC/USDT:USDT", "..", "M&M", "貴州茅台", "x" * 128])
def test_a_symbol_survives_the_name_of_its_file(
    symbol: str, data: DataManager, tmp_path: Path
) -> None:
    data.store(symbol, "1h", columns(5, step="h")).result(30)
    exported = data.export(symbol, "1h", out(tmp_path)).result(30)
    assert list(out(tmp_path).iterdir()) == [exported.path]
    with DataManager(tmp_path / "other", env={}) as other:
        assert other.import_csv(exported.path).result(30).symbol == symbol
        assert bytes_of(other.get_data(symbol, "1h")) == bytes_of(data.get_data(symbol, "1h"))


def test_a_symbol_too_long_for_a_name_says_what_to_do(data: DataManager, tmp_path: Path) -> None:
    data.store("/" * 128, "1d", columns()).result(30)
    with pytest.raises(errors.InvalidArgumentError, match="name the file yourself"):
        data.export("/" * 128, "1d", tmp_path)
    assert data.export("/" * 128, "1d", tmp_path / "slashes.csv").result(30).bars == 5


# ---- Parquet and Arrow


def read(file: Path) -> pa.Table:
    return (
        parquet.read_table(file) if file.suffix in (".parquet", ".pq") else feather.read_table(file)
    )


@pytest.mark.parametrize(
    "name", ["a.parquet", "a.PARQUET", "a.pq", "a.arrow", "a.feather", "a.ipc"]
)
def test_parquet_and_arrow_hold_the_bars_as_they_are(
    name: str, data: DataManager, tmp_path: Path
) -> None:
    frame = columns(300_000, "2020-01-01", "m")
    frame["volume"][7] = float("nan")
    data.store("BRK B", "1m", frame).result(60)
    exported = data.export("BRK B", "1m", tmp_path / name).result(60)
    assert exported == Exported(
        path=tmp_path / name,
        symbol="BRK B",
        timeframe="1m",
        bars=300_000,
        bytes=(tmp_path / name).stat().st_size,
        first=exported.first,
        last=exported.last,
    )
    kind = {".parquet": ".parquet", ".pq": ".parquet"}.get(Path(name).suffix.lower(), ".arrow")
    table = read(exported.path.rename(tmp_path / f"read{kind}"))
    assert table.schema.metadata == {b"symbol": b"BRK B", b"timeframe": b"1m"}
    assert table["volume"].null_count == 1
    data.store("COPY", "1m", table).result(60)
    assert bytes_of(data.get_data("COPY", "1m")) == bytes_of(frame)


def test_polars_and_duckdb_read_them(data: DataManager, tmp_path: Path) -> None:
    data.store("ACME", "1d", columns(3)).result(30)
    file = data.export("ACME", "1d", tmp_path, format="parquet").result(30).path
    assert file.name == "ACME_1d.parquet"
    assert pl.read_parquet(file)["close"].to_list() == columns(3)["close"].tolist()
    file = data.export("ACME", "1d", tmp_path, format="arrow").result(30).path
    assert pl.read_ipc(file)["timestamp"].dtype == pl.Datetime("ns", "UTC")


def test_without_pyarrow_the_message_has_the_command(tmp_path: Path) -> None:
    code = """
import sys
sys.modules["pyarrow"] = None
from ktrdr_core import DataManager, errors
with DataManager(sys.argv[1], env={}) as data:
    data.store("ACME", "1d", {"date": ["2024-01-02"], "open": [1.0], "high": [1.0], "low": [1.0], "close": [1.0]}).result()
    for format in ("parquet", "arrow"):
        try:
            data.export("ACME", "1d", sys.argv[1], format=format)
        except errors.FeatureNotAvailableError as error:
            print(error)
    print(data.export("ACME", "1d", sys.argv[1]).result().path.name)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=60
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    assert lines[0].startswith("an export as parquet needs pyarrow, which is not installed: ")
    assert lines[1].startswith("an export as arrow needs pyarrow")
    assert "install" in lines[1]
    assert lines[2] == "ACME_1d.csv"


# ---- whole or not at all, and never over another


FORMATS = ["csv", "parquet", "arrow"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_is_there_is_replaced_when_that_is_said(
    format: Any, data: DataManager, tmp_path: Path
) -> None:
    data.store("ACME", "1d", columns()).result(30)
    file = tmp_path / "a"
    file.write_text("mine")
    with pytest.raises(errors.ConflictError, match="overwrite=True"):
        data.export("ACME", "1d", file, format=format)
    assert file.read_text() == "mine"
    data.export("ACME", "1d", file, format=format, overwrite=True).result(30)
    assert file.read_bytes()[:4] != b"mine"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "bars"]


@pytest.mark.parametrize("format", FORMATS)
def test_what_cannot_be_exported_leaves_no_file(
    format: Any, data: DataManager, tmp_path: Path
) -> None:
    with pytest.raises(errors.NoDataError, match="ACME"):
        data.export("ACME", "1d", tmp_path / "a", format=format).result(30)
    data.store("ACME", "1d", columns()).result(30)
    with pytest.raises(errors.NoDataError):
        data.export("ACME", "1d", tmp_path / "a", "1999-01-01", "1999-12-31", format=format).result(
            30
        )
    assert [one.name for one in tmp_path.iterdir()] == ["bars"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_leaves_no_file(format: Any, data: DataManager, tmp_path: Path) -> None:
    mount = shutil.which("mount")
    small = tmp_path / "small"
    small.mkdir()
    done = subprocess.run(
        [str(mount), "-t", "tmpfs", "-o", "size=64k", "none", small], capture_output=True
    )
    if done.returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        data.store("ACME", "1m", columns(5000, step="m")).result(30)
        with pytest.raises(errors.StorageFullError, match=r"small/a: No space .*; free some space"):
            data.export("ACME", "1m", small / "a", format=format).result(30)
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", small], check=True)


@pytest.mark.parametrize("format", FORMATS)
def test_a_cancelled_export_leaves_no_file(format: Any, data: DataManager, tmp_path: Path) -> None:
    data.store("ACME", "1d", columns()).result(30)
    token = CancellationToken()
    token.cancel("enough")
    export = data.export("ACME", "1d", tmp_path / "a", format=format, cancellation_token=token)
    with pytest.raises(errors.OperationCancelledError, match="enough"):
        export.result(30)
    assert [one.name for one in tmp_path.iterdir()] == ["bars"]


def test_a_cancel_while_a_file_is_written_leaves_none(data: DataManager, tmp_path: Path) -> None:
    data.store("ACME", "1m", columns(count(400_000, 4_000_000), "2010-01-01", "m")).result(120)
    for cancelled_at in range(3):
        export = data.export("ACME", "1m", tmp_path / "a.csv")
        seen = 0
        while not export.done() and seen <= cancelled_at:
            seen += list(tmp_path.glob(".*.part")) != []
        export.cancel("enough")
        with suppress(errors.OperationCancelledError):
            export.result(60)
        left = {one.name for one in tmp_path.iterdir()} - {"bars"}
        assert left == (set() if export.status == "cancelled" else {"a.csv"})
        (tmp_path / "a.csv").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"symbol": "A\nB"}, errors.InvalidArgumentError, "symbol"),
        ({"timeframe": "2d"}, errors.InvalidArgumentError, "timeframe"),
        (
            {"start_date": "2024-01-03", "end_date": "2024-01-01"},
            errors.InvalidArgumentError,
            "start_date",
        ),
        ({"format": "xlsx"}, errors.InvalidArgumentError, "csv, parquet, arrow"),
        ({"path": "no/where/a.csv"}, errors.NotFoundError, "no folder"),
        ({"path": "a\0b"}, errors.InvalidArgumentError, "zero byte"),
        ({"path": "/dev/null", "overwrite": True}, errors.InvalidArgumentError, "plain file"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    data: DataManager, arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        data.export(**{"symbol": "ACME", "timeframe": "1d", "path": "x.csv", **arguments})


def test_a_folder_that_may_not_be_written_is_named(data: DataManager, tmp_path: Path) -> None:
    data.store("ACME", "1d", columns()).result(30)
    # Nobody, not even root, writes there.
    with pytest.raises(errors.StorageError, match=r"/proc/a\.csv") as caught:
        data.export("ACME", "1d", "/proc/a.csv").result(30)
    assert caught.value.context["errno"] in (errno.EACCES, errno.ENOENT, errno.EPERM)


def test_an_export_can_be_awaited(data: DataManager, tmp_path: Path) -> None:
    async def main() -> list[Exported]:
        await data.store("ACME", "1d", columns())
        exports = [data.export("ACME", "1d", tmp_path / f"a.{end}") for end in ("csv", "parquet")]
        return [await export for export in exports]

    assert [one.bars for one in asyncio.run(main())] == [5, 5]


def test_a_file_is_its_owners_alone_unless_files_are_shared(tmp_path: Path) -> None:
    for number, (env, mode) in enumerate((({}, 0o600), ({"KTRDR_SHARED_FILES": "true"}, 0o640))):
        before = os.umask(0o027)
        try:
            with DataManager(tmp_path / "bars", env=env) as data:
                data.store("ACME", "1d", columns()).result(30)
                for ending in ("csv", "parquet"):
                    file = (
                        data.export("ACME", "1d", tmp_path / f"{number}.{ending}").result(30).path
                    )
                    assert file.stat().st_mode & 0o777 == mode
        finally:
            os.umask(before)


def test_a_folder_of_exports_is_a_source_of_bars(tmp_path: Path) -> None:
    symbols = ("BRK B", "BTC/USDT:USDT", "M&M", "50%_A", ".hidden", "ÜBER")
    folder = out(tmp_path)
    with DataManager(tmp_path / "bars", env={}) as data:
        for symbol in symbols:
            data.store(symbol, "1d", columns()).result()
            data.export(symbol, "1d", folder).result()
    with DataManager(tmp_path / "again", source=CsvSource(folder), env={}) as data:
        for symbol in symbols:
            assert len(data.load_data(symbol, "1d", "2000-01-01", mode="full").result())
