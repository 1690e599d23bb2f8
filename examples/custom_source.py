"""Load bars from files of another vendor's layout, by a source of about 40 lines.

    python examples/custom_source.py FOLDER SAP 2024-01-01 2024-01-31

The vendor writes one file a symbol, ``SAP.txt``, newest day first, as spreadsheets of its country do:

    Datum;Erster;Hoch;Tief;Schluss;Stuecke
    31.01.2024;160,10;161,94;159,02;160,72;1.892.004
    30.01.2024;160,50;160,88;159,50;;1.201.332

A second load of the same range reads no file: the bars are in the database (``--data-dir``).
"""

from __future__ import annotations

import argparse
import csv
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ktrdr_core import BarSource, DataManager, KtrdrError
from ktrdr_core.data import SourceAnswer, SourceLimits
from ktrdr_core.errors import ConfigurationError, SymbolNotFoundError

if TYPE_CHECKING:
    from ktrdr_core import CancellationToken

_COLUMNS = ("open", "high", "low", "close", "volume")


class SpreadsheetSource(BarSource):
    """Daily bars of the vendor's files in a folder."""

    provider = "spreadsheet"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self, timeframe: str) -> SourceLimits:
        """Give everything at once: a file is read whole anyway."""
        if timeframe != "1d":
            raise ConfigurationError(f"{self._folder} has daily bars only, not {timeframe}")
        return SourceLimits(max_span=timedelta(days=36500), max_in_flight=2)

    def validate_symbol(self, symbol: str, timeframe: str) -> bool:
        """Know the symbols that have a file."""
        return self._file(symbol).is_file()

    def fetch(
        self,
        symbol: str,
        timeframe: str,
        start: datetime,
        end: datetime,
        *,
        cancellation_token: CancellationToken | None = None,
    ) -> SourceAnswer:
        """Read the file, and give what lies in the range, oldest first. This method is plain: it runs in a thread."""
        bars: dict[str, list[object]] = {"timestamp": [], **{name: [] for name in _COLUMNS}}
        dropped: list[tuple[datetime, str]] = []
        with self._file(symbol).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter=";"))[1:]
        for day, *values in reversed(rows):
            if cancellation_token is not None:
                cancellation_token.check(f"reading {symbol}")
            stamp = datetime.strptime(day, "%d.%m.%Y").replace(tzinfo=UTC)
            if not start <= stamp < end:
                continue
            try:
                numbers = [float(text.replace(".", "").replace(",", ".")) for text in values]
            except ValueError:
                dropped.append((stamp, f"has no number in {';'.join(values)}"))
                continue
            for name, value in zip(bars, [stamp, *numbers], strict=True):
                bars[name].append(value)
        return SourceAnswer(bars, dropped=dropped)

    def _file(self, symbol: str) -> Path:
        path = self._folder / f"{symbol}.txt"
        # A symbol is any text; it must not lead out of the folder.
        if path.parent != self._folder:
            raise SymbolNotFoundError(f"{symbol!r} is no name of a file")
        return path


def main() -> int:
    """Load, and say what came; the exit status."""
    parser = argparse.ArgumentParser(description="Load daily bars from a vendor's files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("symbol")
    parser.add_argument("start")
    parser.add_argument("end")
    parser.add_argument("--data-dir", type=Path, default=Path("bars"))
    given = parser.parse_args()
    source = SpreadsheetSource(given.folder)
    with DataManager(given.data_dir, source=source, env={}) as data:
        operation = data.load_data(given.symbol, "1d", given.start, given.end, mode="full")
        try:
            print(operation.result())
        except KtrdrError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        for warning in operation.warnings:
            print(f"warning: {warning}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
