"""What became of bars that were stored, and what there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .. import errors
from ..bars import Bars
from ..errors import KtrdrError

if TYPE_CHECKING:
    from .naming import SeriesWords


@dataclass(frozen=True)
class Stored:
    """What became of bars of your own; see ``DataManager.store``."""

    symbol: str
    """Whose bars they are."""
    timeframe: str
    """How long each is."""
    bars: int
    """How many were given."""
    added: int
    """Of those, how many were not there before."""
    replaced: int
    """How many took the place of one with the same timestamp, whatever its numbers."""
    first: datetime
    """The start of the oldest that was given, UTC."""
    last: datetime
    """The start of the newest that was given, UTC."""

    @classmethod
    def of(cls, value: dict[str, Any]) -> Stored:
        """Read what the core says."""
        ends = {name: datetime.fromisoformat(value[name]) for name in ("first", "last")}
        return cls(**{**value, **ends})


@dataclass(frozen=True)
class Series:
    """Bars that are stored; see ``DataManager.series``."""

    provider: str
    """Whose prices they are: a manager's loads, and its own bars, are those of one provider (``IB``)."""
    symbol: str
    """As the provider names it."""
    timeframe: str
    """How long each bar is."""
    bars: int
    """How many there are."""
    first: datetime
    """The start of the oldest, UTC."""
    last: datetime
    """The start of the newest, UTC."""
    what_to_show: str = "TRADES"
    """What the prices are of: trades, midpoints, bids, …; ``ADJUSTED_LAST`` of adjusted ones."""
    session: str = "regular"
    """Of which hours: regular or extended."""
    instrument_type: str = ""
    """stock, forex, …; empty where nobody has said."""
    exchange: str = ""
    """As the provider names it; empty where nobody has said."""
    currency: str = ""
    """As the provider names it; empty where nobody has said."""

    @property
    def words(self) -> SeriesWords:
        """What says that this series is meant, for the methods of ``DataManager``."""
        names = ("what_to_show", "session", "instrument_type", "exchange", "currency")
        said = {name: word for name in names if (word := getattr(self, name))}
        return cast("SeriesWords", said)


@dataclass(frozen=True)
class FailedFile:
    """A file of a folder whose bars are not stored; see ``DataManager.import_folder``."""

    file: str
    """Its name."""
    code: str
    """What kind of error it is: ``errors.InvalidArgumentError.code``, mostly."""
    message: str
    """What is wrong, naming file, line and column."""
    line: int | None = None
    """Where, from 1; None where that is no matter of a line."""
    column: str | None = None
    """In which column; None where that is no matter of one."""


@dataclass(frozen=True)
class StoredFolder:
    """What became of a folder of CSV files; see ``DataManager.import_folder``."""

    folder: str
    """Which folder."""
    stored: tuple[Stored, ...]
    """What became of each file that is stored, by the files' names."""
    failed: tuple[FailedFile, ...]
    """The others."""
    bars: int
    """How many bars the stored files had."""
    added: int
    """Of those, how many were not there before."""
    replaced: int
    """How many took the place of one with the same timestamp."""

    @classmethod
    def of(cls, value: dict[str, Any]) -> StoredFolder:
        """Read what the core says."""
        stored = ({name: one[name] for name in one if name != "file"} for one in value["stored"])
        return cls(
            folder=value["folder"],
            stored=tuple(map(Stored.of, stored)),
            failed=tuple(FailedFile(**one) for one in value["failed"]),
            bars=value["bars"],
            added=value["added"],
            replaced=value["replaced"],
        )


@dataclass(frozen=True)
class Exported:
    """A file that was written; see ``DataManager.export``."""

    path: Path
    """Where it is."""
    symbol: str
    """Whose bars are in it."""
    timeframe: str
    """How long each is."""
    bars: int
    """How many there are."""
    bytes: int
    """How large the file is."""
    first: datetime
    """The start of the oldest, UTC."""
    last: datetime
    """The start of the newest, UTC."""

    @classmethod
    def of(cls, value: dict[str, Any]) -> Exported:
        """Read what the core says."""
        ends = {name: datetime.fromisoformat(value[name]) for name in ("first", "last")}
        return cls(**{**value, **ends, "path": Path(value["path"])})


@dataclass(frozen=True)
class Summary:
    """What is known of a stored series; see ``DataManager.get_summary``."""

    provider: str
    """Whose prices they are."""
    symbol: str
    """As the provider names it."""
    timeframe: str
    """How long each bar is."""
    bars: int
    """How many there are."""
    first: datetime
    """The start of the oldest, UTC."""
    last: datetime
    """The start of the newest, UTC."""
    lowest: float
    """The lowest price."""
    highest: float
    """The highest price."""
    last_close: float
    """The last price of the newest bar."""
    volume: float | None
    """The sum of the volumes that are given; None where none is."""
    without_volume: int
    """How many bars have none."""
    known: tuple[tuple[datetime, datetime], ...]
    """For which times it is known what there is, oldest first, the ends excluded; what lies between was never asked for."""
    what_to_show: str = "TRADES"
    """What the prices are of; see ``Series``."""
    session: str = "regular"
    """Of which hours: regular or extended."""
    instrument_type: str = ""
    """stock, forex, …; empty where nobody has said."""
    exchange: str = ""
    """As the provider names it; empty where nobody has said."""
    currency: str = ""
    """As the provider names it; empty where nobody has said."""


@dataclass(frozen=True)
class LoadedMany:
    """What became of a watch list; see ``DataManager.load_many``.

    ``loaded["AAPL"]`` gives the bars of a symbol that was loaded in one timeframe, ``loaded["AAPL", "1d"]`` of any.
    """

    bars: dict[tuple[str, str], Bars]
    """What came, by symbol and timeframe, in the order of the list."""
    failed: dict[tuple[str, str], KtrdrError]
    """Why the others did not."""
    operations: dict[tuple[str, str], str]
    """The id of each load that was started."""

    @classmethod
    def of(cls, rows: list[tuple[Any, ...]]) -> LoadedMany:
        """Read what the core says."""
        kinds = {
            kind.code: kind
            for kind in vars(errors).values()
            if isinstance(kind, type) and issubclass(kind, KtrdrError)
        }
        loaded = cls({}, {}, {})
        for symbol, timeframe, operation_id, bars, error in rows:
            key = (symbol, timeframe)
            if operation_id:
                loaded.operations[key] = operation_id
            if error is None:
                loaded.bars[key] = Bars(bars)
            else:
                code, message, context = error
                loaded.failed[key] = kinds.get(code, KtrdrError)(message, context=context)
        return loaded

    def __getitem__(self, series: str | tuple[str, str]) -> Bars:
        if isinstance(series, tuple):
            return self.bars[series]
        found = [bars for (symbol, _), bars in self.bars.items() if symbol == series]
        if len(found) != 1:
            raise KeyError(
                f"{len(found)} series of {series} were loaded: give symbol and timeframe"
            )
        return found[0]
