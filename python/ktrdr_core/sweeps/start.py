"""A sweep as an operation: what begins it, and the thread that follows its runs."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _core
from ..errors import InvalidArgumentError
from ..operations import Operation
from ..operations.context import OperationProgress
from ..operations.failure import beginning
from ..orchestrator import starting
from ..orchestrator.in_thread import carry_out_in_thread
from .folders import remove_leftovers
from .grid import combinations
from .here import Here
from .pooled import pooled_rows, strategy_settings
from .runs import Run, sentence
from .table import SweepResult
from .windows import DATES, with_dates_as_text
from .workers import Workers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor

    from ..dates import Date
    from ..protocols import CancellationToken, ProgressCallback
    from ..training import TrainingManager


def sweep(
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]],
    executor: Executor | None = None,
    *,
    strategy: str | os.PathLike[str],
    training: TrainingManager,
    symbols: Sequence[str] | None = None,
    timeframes: Sequence[str] | None = None,
    start_date: Date | None = None,
    end_date: Date | None = None,
    what_to_show: str | None = None,
    session: str | None = None,
    random_walk_baseline: bool = False,
    at_once: int | None = None,
    stop_on_failure: bool = False,
    operation_id: str = "",
    cancellation_token: CancellationToken | None = None,
    progress_callback: ProgressCallback | None = None,
) -> Operation[SweepResult]:
    """Train a strategy many times, each time with other settings, and return at once; the value is the table.

    Each run is a child of the operation; cancelling that ends all of them, in worker processes too. The same settings
    and seed give the same model bit for bit, wherever they run.

    Parameters
    ----------
    grid : mapping, or sequence of mappings
        Lists of values by the path of a strategy's key, of which each combination is a run
        (``{"model.training.learning_rate": [0.01, 0.001]}``), or one mapping of values a run, as ``random_sample`` gives.
        Such a mapping may have ``start_date``, ``test_from`` and ``end_date``, too, as ``walk_forward`` gives them: dates of
        the run, in place of those below. The table judges the tests of all windows together then.
    executor : concurrent.futures.Executor, optional
        On whose workers the runs train, on this machine: threads, or processes that are spawned, each of which opens
        the stored bars itself. It stays open. By default they train on ``training``, in this process or on its host.
        When a worker process dies, its run has failed, and what that broke off or kept from beginning runs in this process.
    strategy : path
        A strategy file.
    training : TrainingManager
        Where the bars come from and the models go to.
    symbols, timeframes, start_date, end_date, what_to_show, session, random_walk_baseline
        Of each run, as ``TrainingManager.train_multi_symbol_strategy`` takes them.
    at_once : int, optional
        How many runs are under way at most, at least 1; by default one a core. An executor may have fewer workers.
    stop_on_failure : bool
        Whether the first run that fails ends the others. By default it is a row of the table with its error.
    operation_id : str
        Your own id.
    cancellation_token : CancellationToken or anything like one, optional
        Cancels the sweep when it is cancelled.
    progress_callback : callable, optional
        Called with a ``ProgressState``: the runs that have ended are its steps.

    Returns
    -------
    Operation
        Of `SweepResult`.

    Raises
    ------
    StrategyError
        When the file, or what a run makes of it, is wrong; at once, before any run begins.
    InvalidArgumentError
        For a grid without runs and arguments out of range; at once.
    FeatureNotAvailableError
        When LibTorch is not installed and no host service trains; at once.
    """
    from ..strategies.reader import variations

    settings = [with_dates_as_text(one) for one in combinations(grid)]
    # None begins before all are right.
    strategies = variations(strategy, [strategy_settings(one) for one in settings])
    at_once = _checked_at_once(at_once)
    _core.check_series_words(what_to_show, session)
    if executor is not None:
        _check_executor(executor, training)
    if training._native.service is None:
        from ..training import torch_loader

        torch_loader.check_installed()
    asked: dict[str, Any] = {
        "symbols": symbols,
        "timeframes": timeframes,
        "start_date": start_date,
        "end_date": end_date,
        "what_to_show": what_to_show,
        "session": session,
        "random_walk_baseline": random_walk_baseline,
    }
    runs = [
        Run(number, one, made, {name: one[name] for name in DATES if name in one})
        for number, (one, made) in enumerate(zip(settings, strategies, strict=True), start=1)
    ]
    facts = {"strategy": strategies[0].name, "runs": len(runs)}
    native, created = starting.create(
        "sweep", operation_id, Path(strategy).stem, None, cancellation_token, len(runs), facts
    )
    with beginning(native) if created else nullcontext():
        operation = Operation(native, SweepResult.of, progress_callback=progress_callback)
        if created:
            here = Here(native, training, asked, at_once)
            workers = None if executor is None else Workers(native, training, asked, executor, here)
            follower = _Follower(native, runs, here, workers, stop_on_failure)
            carry_out_in_thread(native, follower.follow, "ktrdr-sweep")
    return training._track_operation(operation)


class _Follower:
    """Begins the runs, hears of them, and ends the sweep."""

    def __init__(
        self,
        native: _core.Operation,
        runs: list[Run],
        here: Here,
        workers: Workers | None,
        stop_on_failure: bool,
    ) -> None:
        self._native = native
        self._runs = runs
        self._waiting = list(runs)
        self._here = here
        self._place = workers or here
        self._opened = workers or nullcontext()
        self._stop_on_failure = stop_on_failure
        self._progress = OperationProgress(native)
        self._said = ""

    def follow(self) -> dict[str, Any]:
        """Follow all runs to their end, in this thread; the table of what came of them."""
        remove_leftovers()
        with self._opened, closing(self._here):
            try:
                while not self._over():
                    self._begin_more()
                    self._place.wait()
                    self._tell()
            finally:
                self._stop_the_rest()
        return {"runs": [run.row() for run in self._runs], "pooled": pooled_rows(self._runs)}

    def _over(self) -> bool:
        if self._native.token.is_cancelled():
            return True
        if self._stop_on_failure and any(run.failed for run in self._runs):
            return True
        return all(run.ended for run in self._runs)

    def _begin_more(self) -> None:
        while self._waiting and self._place.has_room:
            self._place.begin(self._waiting.pop(0))

    def _stop_the_rest(self) -> None:
        """See that nothing runs any more: the sweep has not ended before."""
        self._place.stop()
        while any(run.operation is not None and not run.ended for run in self._runs):
            self._place.wait()

    def _tell(self) -> None:
        said = sentence(self._runs)
        if said != self._said:
            self._said = said
            self._progress.update_progress(sum(run.ended for run in self._runs), said)


def _checked_at_once(given: int | None) -> int:
    if given is None:
        return os.cpu_count() or 1
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise InvalidArgumentError(
            f"at_once must be a whole number of at least 1, not {given!r}",
            context={"field": "at_once"},
        )
    return given


def _check_executor(executor: object, training: TrainingManager) -> None:
    if not callable(getattr(executor, "submit", None)):
        raise InvalidArgumentError(
            f"executor must be a concurrent.futures.Executor, not {type(executor).__name__}",
            context={"field": "executor"},
        )
    if training._native.service is not None:
        raise InvalidArgumentError(
            "an executor's workers train on this machine, and this TrainingManager on a host service: leave out the "
            "executor, or give a TrainingManager with use_training_host_service=False",
            context={"field": "executor"},
        )
    # A socket's name has room for 107 characters.
    if len(tempfile.gettempdir()) > 80:
        raise InvalidArgumentError(
            f"the temporary folder's name is too long for the socket of a sweep's workers: {tempfile.gettempdir()}; set "
            "TMPDIR to one of at most 80 characters",
            context={"field": "executor"},
        )
