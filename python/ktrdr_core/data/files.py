"""Bars as files: exports, and folders of CSV files."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.arguments import explained
from .._bridge.texts import readable
from .._extras import needed_by
from ..bars import Bars
from ..dates import Date, iso
from ..errors import InvalidArgumentError, StorageError, StorageFullError
from ..operations import Operation, ProgressCallback
from ..orchestrator.core_manager import CoreManager
from .stored import Exported, StoredFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal, Unpack

    from ..protocols import CancellationToken
    from .naming import SeriesWords

    Format = Literal["csv", "parquet", "arrow"]

# What names of files say, and the first of each what a file is named with here.
_ENDINGS = {
    "csv": (".csv",),
    "parquet": (".parquet", ".pq"),
    "arrow": (".arrow", ".feather", ".ipc"),
}
# Rows that are written at once; between them a cancel is looked for.
_ROWS = 128 * 1024


class Files(CoreManager):
    """What a ``DataManager`` does with files."""

    _native: _core.DataManager

    @explained
    def export(
        self,
        symbol: str,
        timeframe: str,
        path: str | os.PathLike[str] = ".",
        start_date: Date | None = None,
        end_date: Date | None = None,
        *,
        format: Format | None = None,
        overwrite: bool = False,
        cancellation_token: CancellationToken | None = None,
        **series: Unpack[SeriesWords],
    ) -> Operation[Exported]:
        """Start writing stored bars into a file and return at once.

        The file is seen when it is whole: it is written under a hidden name beside its place and renamed. One that was
        imported from CSV comes out byte for byte where it was well-formed: the columns of ``store`` in that order, whole
        stamps like ``2024-01-02T00:00:00Z``, each number in its shortest form and whole ones with ``.0`` or without
        throughout a column.

        Parameters
        ----------
        symbol, timeframe : str
            As in ``load_data``.
        path : path
            The file, or a folder that is there: then ``{SYMBOL}_{timeframe}.csv`` in it, the symbol percent-encoded
            (``BRK%20B_1d.csv``), which ``import_csv`` reads back.
        start_date, end_date : str, date or datetime, optional
            As in ``load_data``; all there are by default.
        format : str, optional
            ``csv``, ``parquet`` or ``arrow`` (Arrow's IPC file; both need pyarrow). By default what the file's name ends
            with (``.parquet``, ``.arrow``, ``.feather``), else ``csv``.
        overwrite : bool
            Replace a file that is there.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels the export when it is cancelled; no file is left then.
        **series
            Which of the symbol's series, where there are several: see ``SeriesWords``.

        Raises
        ------
        ConflictError
            When a file is there and may not be replaced; at once.
        InvalidArgumentError
            For an impossible symbol, timeframe, date, format or path; at once.
        NotFoundError
            When there is no such folder; at once.
        FeatureNotAvailableError
            When pyarrow is needed and not installed; at once. The message has the command that installs it.
        NoDataError
            From the operation, when no bars are stored in that range.
        StorageError
            From the operation, when the disk does not take the file.

        Examples
        --------
        >>> from ktrdr_core import DataManager
        >>> columns = {"date": ["2024-01-02"], "open": [10.0], "high": [12.0], "low": [9.0], "close": [11.5]}
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     _ = data.store("BRK B", "1d", columns).result()
        ...     exported = data.export("BRK B", "1d").result()
        >>> exported.path.name, exported.bars
        ('BRK%20B_1d.csv', 1)
        >>> print(exported.path.read_text(), end="")
        timestamp,open,high,low,close,volume
        2024-01-02T00:00:00Z,10.0,12.0,9.0,11.5,
        """
        asked: dict[str, Any] = {
            "symbol": symbol,
            "timeframe": timeframe,
            "start_date": iso("start_date", start_date),
            "end_date": iso("end_date", end_date),
            "path": Path(path),
            "overwrite": overwrite,
            **series,
        }
        if "\0" in os.fspath(path):
            raise InvalidArgumentError(
                "path cannot hold a zero byte: no file's name does", context={"field": "path"}
            )
        kind = _format_of(Path(path), format)
        if kind != "csv":
            return self._export_by_pyarrow(kind, asked, cancellation_token)
        native = self._begin(
            cancellation_token,
            lambda parent, token: self._native.export_csv(
                _core.ExportRequest(**asked, parent_id=parent), token
            ),
        )
        return self._track_operation(Operation(native, Exported.of))

    def _export_by_pyarrow(
        self, kind: str, asked: dict[str, Any], token: CancellationToken | None
    ) -> Operation[Exported]:
        from ..orchestrator import starting
        from ..orchestrator.in_thread import carry_out_in_thread

        with needed_by(f"an export as {kind}"):
            import pyarrow  # type: ignore[import-untyped] # noqa: F401
        place = self._native.place_of_export(_core.ExportRequest(**asked), _ENDINGS[kind][0])
        facts = {"symbol": asked["symbol"].strip(), "timeframe": asked["timeframe"]}
        native, _ = starting.create(
            "data_export", "", place.name, None, token, None, {**facts, "path": str(place)}
        )
        # pyarrow has no way to be awaited; what it holds up is a thread of its own.
        carry_out_in_thread(
            native, partial(self._written, native, kind, asked, place), "ktrdr-export"
        )
        return self._track_operation(Operation(native, Exported.of))

    def _written(
        self, native: _core.Operation, kind: str, asked: dict[str, Any], place: Path
    ) -> dict[str, Any]:
        request = {name: asked[name] for name in asked if name not in ("path", "overwrite")}
        bars = Bars(self._native.get_data(_core.LoadRequest(**request), None, native.token))
        file = self._native.new_file(place, asked["overwrite"])
        try:
            with _told_of(place):
                whole = write_by_pyarrow(
                    kind, bars, file.hidden, lambda: not native.token.is_cancelled()
                )
            size = file.hidden.stat().st_size
            if whole:
                file.commit(native.token)
        finally:
            # Before anybody hears of the end: nothing is left then.
            file.discard()
        return {
            "path": str(place),
            "symbol": bars.symbol,
            "timeframe": bars.timeframe,
            "bars": len(bars),
            "bytes": size,
            "first": f"{bars.time[0]}Z",
            "last": f"{bars.time[-1]}Z",
        }

    @explained
    def import_folder(
        self,
        folder: str | os.PathLike[str],
        timeframe: str | None = None,
        *,
        cancellation_token: CancellationToken | None = None,
        progress_callback: ProgressCallback | None = None,
    ) -> Operation[StoredFolder]:
        """Start storing the bars of a folder's CSV files and return at once; each file as ``import_csv`` takes it.

        What is wrong with one file does not keep the others from being stored; the result lists those that are not.
        Folders in it and hidden files are left out.

        Parameters
        ----------
        folder : path
            Each file's name says its symbol and timeframe: ``AAPL_1d.csv``, ``BTC%2FUSDT_1h.csv``.
        timeframe : str, optional
            Of files whose names say none.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels the import when it is cancelled; files that are stored by then stay.
        progress_callback : callable, optional
            Called with a ``ProgressState`` that counts the files, on the running loop, else inside ``result()``.

        Raises
        ------
        NotFoundError
            When there is no such folder; at once.
        InvalidArgumentError
            When it has no CSV file, at once; from the operation when not one of them could be stored.
        StorageError
            From the operation, when the database does not take the bars.

        Examples
        --------
        >>> from pathlib import Path
        >>> from ktrdr_core import DataManager
        >>> Path("csv").mkdir()
        >>> head = "timestamp,open,high,low,close,volume\\n"
        >>> _ = Path("csv/ACME_1d.csv").write_text(head + "2024-01-02T00:00:00Z,10,12,9,11,100\\n")
        >>> _ = Path("csv/OTHER_1d.csv").write_text(head + "2024-01-02T00:00:00Z,10,12,9,no,100\\n")
        >>> with DataManager(data_dir="bars", env={}) as data:
        ...     imported = data.import_folder("csv").result()
        >>> [stored.symbol for stored in imported.stored]
        ['ACME']
        >>> [(failed.file, failed.line, failed.column) for failed in imported.failed]
        [('OTHER_1d.csv', 2, 'close')]
        """
        native = self._begin(
            cancellation_token,
            lambda parent, token: self._native.import_folder(
                _core.ImportFolderRequest(
                    folder=Path(folder), timeframe=timeframe, parent_id=parent
                ),
                token,
            ),
        )
        return self._track_operation(
            Operation(native, StoredFolder.of, progress_callback=progress_callback)
        )


def _format_of(path: Path, given: str | None) -> str:
    if given is not None and given not in _ENDINGS:
        raise InvalidArgumentError(
            f"format {given!r} is not known: use {', '.join(_ENDINGS)}",
            context={"field": "format", "value": str(given)[:64]},
        )
    if given is not None or path.is_dir():
        return given or "csv"
    ending = path.suffix.lower()
    return next((kind for kind, endings in _ENDINGS.items() if ending in endings), "csv")


@contextmanager
def _told_of(place: Path) -> Iterator[None]:
    """Say of what the disk does not take what an export as CSV says."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = os.strerror(error.errno) if error.errno else str(error)
        advice = "; free some space or choose another folder" if full else ""
        kind = StorageFullError if full else StorageError
        raise kind(
            f"cannot write {readable(str(place))}: {why}{advice}",
            context={"path": readable(str(place)), "errno": error.errno},
        ) from None


def write_by_pyarrow(kind: str, bars: Bars, file: Path, goes_on: Any) -> bool:
    """Write the bars as Parquet or as Arrow's IPC file; False where it was stopped."""
    import pyarrow
    import pyarrow.parquet  # type: ignore[import-untyped]

    table = bars.to_arrow().replace_schema_metadata(
        {"symbol": bars.symbol, "timeframe": bars.timeframe}
    )
    if kind == "parquet":
        writer = pyarrow.parquet.ParquetWriter(file, table.schema)
    else:
        writer = pyarrow.ipc.new_file(str(file), table.schema)
    with writer:
        for first in range(0, len(bars), _ROWS):
            if not goes_on():
                return False
            writer.write_table(table.slice(first, _ROWS))
    return True
