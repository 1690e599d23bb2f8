"""Loads as jobs: made, started, looked up, cancelled, and taken up again after a crash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import _core, errors
from .._bridge.arguments import explained
from ..bars import Bars
from ..dates import Date, iso
from ..operations import Operation, ProgressCallback
from ..operations.context import under_current
from .loading_job import DataLoadingJob

if TYPE_CHECKING:
    from typing import Unpack

    from .manager import DataManager, Mode
    from .naming import SeriesWords


@dataclass(frozen=True, slots=True)
class ResumedJobs:
    """What became of interrupted loads; see ``DataJobManager.resume_jobs``."""

    operations: list[Operation[Bars]]
    """Those that go on, each under its id: of the highest priority first, then the oldest."""
    refused: dict[str, errors.KtrdrError]
    """Why each of the others does not, by id; they stay interrupted."""


class DataJobManager:
    """The loads of a ``DataManager`` as jobs: a view over its operations, and the jobs that wait to be started.

    A load that runs is kept in the manager's file with what it asks for. When its process ends before it, it is
    ``interrupted``, and ``resume_jobs`` takes it up again in whatever process opens the file next.

    Parameters
    ----------
    data : DataManager
        Whose loads they are; ``DataManager.jobs`` is one, too.

    Examples
    --------
    >>> from ktrdr_core import DataManager
    >>> from ktrdr_core.data import DataJobManager
    >>> from ktrdr_core.hosts.child import HostProcess
    >>> with HostProcess(delay=0.0) as host, DataManager(data_dir="bars", ib_url=host.url) as data:
    ...     jobs = DataJobManager(data)
    ...     job = jobs.create_job("AAPL", "1d", "2005-01-01", "2005-12-31")
    ...     print(jobs.get_job_status(job).status, len(jobs.start_job(job).result()), jobs.get_job_status(job).status)
    pending 252 completed
    """

    def __init__(self, data: DataManager) -> None:
        self._data = data

    @explained
    def create_job(
        self,
        symbol: str,
        timeframe: str,
        start_date: Date | None = None,
        end_date: Date | None = None,
        mode: Mode = "full",
        validate: bool = True,
        repair: bool = False,
        strict: bool = False,
        *,
        refresh: bool = False,
        priority: int = 0,
        operation_id: str = "",
        **series: Unpack[SeriesWords],
    ) -> str:
        """Check a load and keep it until ``start_job``; nothing is asked or stored. Give the job's id.

        A job that waits is kept in memory alone, as long as its manager is open. Made inside an operation, it belongs to
        that one: it can be started while that one runs, and is cancelled with it then.

        Parameters
        ----------
        symbol, timeframe, start_date, end_date, mode, validate, repair, strict, refresh, priority, operation_id, **series
            As in ``DataManager.load_data``; the id becomes the job's.

        Raises
        ------
        InvalidArgumentError, ConfigurationError
            As ``DataManager.load_data``.
        ConflictError
            When the id is that of another job, or operation of this process.
        ClientClosedError
            When the manager is closed.
        """
        asked: dict[str, Any] = {
            "symbol": symbol,
            "timeframe": timeframe,
            "start_date": iso("start_date", start_date),
            "end_date": iso("end_date", end_date),
            "mode": mode,
            "validate": validate,
            "repair": repair,
            "strict": strict,
            "refresh": refresh,
            "priority": priority,
            "operation_id": operation_id,
            **series,
        }
        if mode != "local":
            self._data._check_gateway()
        return under_current(
            lambda parent: self._data._native.create_load(
                _core.LoadRequest(**asked, parent_id=parent), None
            )
        )

    @explained
    def start_job(
        self, job_id: str, *, progress_callback: ProgressCallback | None = None
    ) -> Operation[Bars]:
        """Start a job and return at once; of one that was started, give its operation. One that cannot be started waits on.

        Parameters
        ----------
        job_id : str
            What ``create_job`` gave.
        progress_callback : callable, optional
            As in ``DataManager.load_data``.

        Raises
        ------
        NotFoundError
            When no load of this process has that id, or the operation that it belongs to has ended.
        ConflictError
            When another process runs an operation of that id.
        """
        self._data._ask_here()
        return self._operation(self._data._native.start_job(job_id), progress_callback)

    @explained
    def get_job_status(self, job_id: str) -> DataLoadingJob:
        """Say what is known of a job, one that waits (``pending``) or of an earlier process too.

        Raises
        ------
        NotFoundError
            When no load has that id.
        """
        return DataLoadingJob(self._data._native.job_status(job_id))

    @explained
    def list_jobs(self) -> list[DataLoadingJob]:
        """List jobs: those of the manager that wait to be started, then the newest thousand loads that this process knows of."""
        return [DataLoadingJob(record) for record in self._data._native.list_jobs()]

    @explained
    def cancel_job(self, job_id: str, reason: str = "") -> bool:
        """Ask a job to stop; one that was not started is forgotten. True when this call did so.

        Parameters
        ----------
        job_id : str
            What ``create_job`` gave.
        reason : str
            For whoever waits for it.

        Raises
        ------
        NotFoundError
            When no load of this process has that id.
        """
        return self._data._native.cancel_job(job_id, reason)

    @explained
    def resume_jobs(self, *, progress_callback: ProgressCallback | None = None) -> ResumedJobs:
        """Take up again the loads of the file that the end of their process has interrupted, and return at once.

        Each goes on under its id, with its priority, and asks only for what is still missing. Loads of a process that
        still runs, and those of mode ``local``, are left alone.

        Parameters
        ----------
        progress_callback : callable, optional
            Called with a ``ProgressState`` of each, as in ``DataManager.load_data``.

        Raises
        ------
        ConfigurationError
            When the manager has no source to ask; nothing is started.
        StorageError
            When the file cannot be read.
        ClientClosedError
            When the manager is closed.
        """
        self._data._ask_here()
        self._data._check_gateway()
        started, refused = self._data._native.resume_loads()
        return ResumedJobs(
            [self._operation(native, progress_callback) for native in started],
            {
                job: errors.from_record(code, message, context)
                for job, code, message, context in refused
            },
        )

    def _operation(
        self, native: _core.Operation, callback: ProgressCallback | None
    ) -> Operation[Bars]:
        return self._data._track_operation(Operation(native, Bars, progress_callback=callback))
