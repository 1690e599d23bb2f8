"""A load as a job: what it asks for, and what has become of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from .naming import SeriesWords

if TYPE_CHECKING:
    from datetime import datetime

    from ..operations import OperationRecord
    from ..progress import ProgressState
    from .manager import Mode


@dataclass(frozen=True, slots=True)
class DataLoadingJob:
    """A load as ``DataJobManager.get_job_status`` and ``list_jobs`` see it: how it stood when they were asked.

    Every other field of its record (``owner``, ``last_seq``, …) is found under its own name, too.

    Examples
    --------
    >>> from ktrdr_core import DataManager
    >>> from ktrdr_core.testing import FakeSource
    >>> with DataManager(data_dir="bars", source=FakeSource(), env={}) as data:
    ...     waiting = data.jobs.create_job("AAPL", "1d", "2024-01-02", mode="tail", priority=2)
    ...     job = data.jobs.get_job_status(waiting)
    >>> job.symbol, job.mode, job.priority, job.start_date, job.end_date
    ('AAPL', 'tail', 2, '2024-01-02', None)
    >>> job.status, job.is_finished
    ('pending', False)
    """

    record: OperationRecord
    """The operation's record."""

    # ---- what it asks for

    @property
    def symbol(self) -> str:
        """As the provider names it."""
        return cast("str", self.record.parameters["symbol"])

    @property
    def timeframe(self) -> str:
        """How long each bar is."""
        return cast("str", self.record.parameters["timeframe"])

    @property
    def start_date(self) -> str | None:
        """From when on, ISO 8601; None where nobody said."""
        return cast("str | None", self.record.parameters.get("start_date"))

    @property
    def end_date(self) -> str | None:
        """Until when, ISO 8601; None where nobody said."""
        return cast("str | None", self.record.parameters.get("end_date"))

    @property
    def mode(self) -> Mode:
        """local, tail, backfill or full."""
        return cast("Mode", self.record.parameters["mode"])

    @property
    def validate(self) -> bool:
        """What it hands out is checked."""
        return self._is_set("validate")

    @property
    def repair(self) -> bool:
        """And mended."""
        return self._is_set("repair")

    @property
    def strict(self) -> bool:
        """Bars that are not sound and whole are an error."""
        return self._is_set("strict")

    @property
    def refresh(self) -> bool:
        """What is stored is asked for anew."""
        return self._is_set("refresh")

    @property
    def priority(self) -> int:
        """Requests of a load of a higher one go first."""
        return int(self.record.parameters.get("priority", 0))

    @property
    def series(self) -> SeriesWords:
        """Which of the symbol's series was named."""
        named = {
            word: self.record.parameters[word]
            for word in SeriesWords.__annotations__
            if word in self.record.parameters
        }
        return cast("SeriesWords", named)

    # ---- what has become of it

    @property
    def id(self) -> str:
        """What ``create_job`` gave, and the id of its operation."""
        return self.record.id

    @property
    def parent_id(self) -> str:
        """The operation that it is cancelled with, or empty."""
        return self.record.parent_id

    @property
    def status(self) -> str:
        """pending, running, cancelling, completed, failed, cancelled, timed_out, interrupted or resuming."""
        return self.record.status

    @property
    def is_finished(self) -> bool:
        """It has ended; one that is interrupted can go on (``resume_jobs``)."""
        return not self.record.active

    @property
    def created(self) -> datetime:
        """When it was asked for, UTC."""
        return self.record.created

    @property
    def started(self) -> datetime | None:
        """When it began, UTC; None while it waits."""
        return self.record.started

    @property
    def stopped(self) -> datetime | None:
        """When it ended, UTC; None before."""
        return self.record.stopped

    @property
    def progress(self) -> ProgressState:
        """How far it is."""
        return self.record.progress

    @property
    def error(self) -> dict[str, Any] | None:
        """Why it failed: code, message, retryable and context; None where it did not."""
        return self.record.error

    @property
    def warnings(self) -> list[str]:
        """What a person should know of it."""
        return self.record.warnings

    def _is_set(self, name: str) -> bool:
        return bool(self.record.parameters.get(name, False))

    def __getattr__(self, name: str) -> Any:
        # While one is unpickled it has no record yet.
        if name == "record" or name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.record, name)

    def __repr__(self) -> str:
        return (
            f"<DataLoadingJob {self.id}: {self.symbol} {self.timeframe} {self.mode}, {self.status}>"
        )
