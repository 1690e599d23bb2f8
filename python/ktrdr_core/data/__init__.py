"""Market data: what is stored, loads of what is not, sources to load from, and bars of your own."""

from .._frames import Frame
from ..dates import Date
from .ib_gateway import GatewayHealth, GatewayOptions, IbGatewaySource
from .jobs import DataJobManager, ResumedJobs
from .keeping import BarCheck, BarDamage, Change, Compacted
from .loading_job import DataLoadingJob
from .manager import DataManager, DataProgressRenderer
from .naming import SeriesWords
from .own_sources import CsvSource, IbDataAdapter, ReplaySource
from .source_calls import SourceCalls
from .sources import BarSource, Contract, DroppedRow, SourceAnswer, SourceLimits
from .stored import (
    Exported,
    FailedFile,
    LoadedMany,
    Series,
    Stored,
    StoredFolder,
    Summary,
)

__all__ = [
    "BarCheck",
    "BarDamage",
    "BarSource",
    "Change",
    "Compacted",
    "Contract",
    "CsvSource",
    "DataJobManager",
    "DataLoadingJob",
    "DataManager",
    "DataProgressRenderer",
    "Date",
    "DroppedRow",
    "Exported",
    "FailedFile",
    "Frame",
    "GatewayHealth",
    "GatewayOptions",
    "IbDataAdapter",
    "IbGatewaySource",
    "LoadedMany",
    "ReplaySource",
    "ResumedJobs",
    "Series",
    "SeriesWords",
    "SourceAnswer",
    "SourceCalls",
    "SourceLimits",
    "Stored",
    "StoredFolder",
    "Summary",
]
