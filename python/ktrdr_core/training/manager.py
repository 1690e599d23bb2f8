"""Training neuro-fuzzy models."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _bridge, _core
from .._bridge.arguments import checked_environment, explained
from ..dates import Date, iso
from ..errors import InvalidArgumentError
from ..models.folders import models_folder
from ..operations import Operation, ProgressCallback
from ..orchestrator import starting
from ..orchestrator.core_manager import CoreManager
from ..orchestrator.in_thread import carry_out_in_thread
from ..progress import ProgressRenderer
from . import first_start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import ClassVar, Self

    from ..data import DataManager
    from ..protocols import CancellationToken
    from ..strategies import Strategy

# What of an operation's parameters asks for the same training again; the rest is for who looks at it.
_ASKED = (
    "strategy",
    "strategy_path",
    "symbols",
    "timeframes",
    "start_date",
    "end_date",
    "test_from",
    "what_to_show",
    "session",
    "validation_split",
    "random_walk_baseline",
    "permutation_importance",
    "save_checkpoint",
    "checkpoint_epochs",
    "checkpoint_seconds",
)


@dataclass(frozen=True, slots=True)
class TrainingLimits:
    """What the trainings of this process may take together."""

    sessions: int
    """How many run at once."""
    memory: int
    """Bytes; 0 for no limit."""


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """A training of this process that runs or waits for its turn."""

    operation_id: str
    priority: int
    place: int
    """From 1 for those that wait, in the order in which they will begin; 0 while it runs."""
    memory: int = 0
    """Bytes that it takes at its peak, as estimated before it began; 0 where that could not be told."""
    reason: str = ""
    """Why it waits: for a running training to end, or for memory, with the figures; empty while it runs."""

    @property
    def waits(self) -> bool:
        """Whether it has not begun."""
        return self.place > 0


class TrainingProgressRenderer(ProgressRenderer):
    """``Training MLP model on AAPL, MSFT [1h] [epoch 15/50] (batch 342/500)``, from the context."""

    _native: ClassVar[_core.ProgressRenderer] = _core.TrainingProgressRenderer()


class TrainingManager(CoreManager):
    """Trains the models of strategy files on stored bars.

    Made where no event loop runs, it brings in what trainings need (a tenth of a second, once a process); on a loop it does so on a
    thread, and ``async with`` awaits it, so that the first start holds nobody up.

    Parameters
    ----------
    data : DataManager
        Where the bars come from.
    models_dir : path, optional
        Where models are written, for their owner alone unless ``KTRDR_SHARED_FILES`` is true. Else
        ``KTRDR_MODELS_DIR``, else ``~/.ktrdr/models``.
    use_training_host_service : bool, optional
        Overrides ``USE_TRAINING_HOST_SERVICE``; giving ``training_url`` means True. With a host the training is done there, on
        the bars that it has, and the model is fetched into ``models_dir``; LibTorch is not needed here then.
    training_url : str, optional
        Overrides ``TRAINING_HOST_SERVICE_URL``.
    env : mapping, optional
        Read in place of ``os.environ``.
    sessions : int, optional
        How many trainings run at once, 1 to 256; by default ten, or one per core where there are more. Like the queue it
        is of the process: for all managers, until another one says otherwise.
    memory_limit : int, optional
        Bytes that all trainings that run may take together, by an estimate that is made of each before it begins; by
        default half of the memory that the machine, or the process's control group, allows. One that does not fit beside
        those that run waits; one that never can is refused before it reads a bar. Of the process, as ``sessions``.

    Raises
    ------
    InvalidArgumentError
        For ``sessions`` and ``memory_limit`` out of range, and where a host service trains, which has its own.
    """

    _native: _core.TrainingManager

    @explained
    def __init__(
        self,
        data: DataManager,
        models_dir: str | os.PathLike[str] | None = None,
        *,
        use_training_host_service: bool | None = None,
        training_url: str | None = None,
        env: Mapping[str, str] | None = None,
        sessions: int | None = None,
        memory_limit: int | None = None,
    ) -> None:
        env = checked_environment(env)
        super().__init__(
            use_host_service=use_training_host_service, host_service_url=training_url, env=env
        )
        folder = models_folder(models_dir, env)
        self._models_dir = Path(os.path.abspath(folder))
        #: For workers in other processes, which open it anew.
        self._data_dir = data.database_path.parent
        _bridge.start()
        self._native = _core.TrainingManager(
            data._native,
            folder,
            use_training_host_service,
            training_url,
            env,
            _whole("sessions", sessions),
            _whole("memory_limit", memory_limit),
        )
        self._register_starter("training", TrainingManager._train_again)
        first_start.prepare()

    async def __aenter__(self) -> Self:
        """Wait, and not hold up the loop, for what the first training of a process needs."""
        import asyncio

        await asyncio.to_thread(first_start.wait)
        return self

    @property
    def models_dir(self) -> Path:
        """Where models are written."""
        return self._models_dir

    @explained
    def train_multi_symbol_strategy(
        self,
        strategy_config_path: str | os.PathLike[str] | Strategy,
        symbols: Sequence[str] | None = None,
        timeframes: Sequence[str] | None = None,
        start_date: Date | None = None,
        end_date: Date | None = None,
        validation_split: float | None = None,
        *,
        cancellation_token: CancellationToken | None = None,
        progress_callback: ProgressCallback | None = None,
        operation_id: str = "",
        priority: int = 0,
        test_from: Date | None = None,
        random_walk_baseline: bool = True,
        permutation_importance: bool = False,
        resume_from: str = "",
        save_checkpoint: bool = True,
        checkpoint_epochs: int = 0,
        checkpoint_seconds: float = 30.0,
        what_to_show: str | None = None,
        session: str | None = None,
    ) -> Operation[dict[str, Any]]:
        """Start a training and return at once; its value is the result schema as a dict.

        Every epoch is a metric of the operation (``OperationsService.metrics``): ``epoch``, ``train_loss``,
        ``train_accuracy``, ``val_loss``, ``val_accuracy``, ``learning_rate``.

        A training leaves checkpoints in ``models_dir/.checkpoints`` until it completes. From one it goes on bit for bit:
        after its process died with ``OperationsService.resume(id)``, after a cancel with ``resume_from``. Where a host
        service trains they are the host's, and ``resume_from`` is for both; a training whose client died runs on there, and
        ``resume`` follows it, or fetches what came of it.

        All of it counts on a host as it does here, but for ``priority``. A host that knows only its contract's table passes
        over what that lacks; then the operation has a warning that names it.

        Parameters
        ----------
        strategy_config_path : path or Strategy
            A YAML strategy file, or what ``ktrdr_core.strategies.load_strategy`` has read.
        symbols, timeframes : sequence of str, optional
            In place of the strategy's own.
        start_date, end_date : str, date or datetime, optional
            The part of the stored bars to use, both ends included; all of them by default. A date without a time
            stands for the session of that date where the series has a calendar, as in ``load_data``, else for a day of
            UTC.
        validation_split : float, optional
            Share of the rows for validation, in place of the strategy's own. Above 0, below 1.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels the training when it is cancelled.
        progress_callback : callable, optional
            Called with a ``ProgressState``, on the running loop, else inside ``result()``.
        operation_id : str
            Your own id; the same id with the same request answers the same operation.
        priority : int
            Ten trainings of a process run at once, or one per core where there are more (``sessions``), as many as fit into
            its memory (``memory_limit``); the others wait, and the highest priority begins first. Every tenth place is
            given to the one that has waited longest, so none waits for ever. 0 where a host service trains, which has a
            queue of its own.
        test_from : str, date or datetime, optional
            The bars from here on test, in place of the share that the strategy's ``data_split`` has for it; those before
            train and validate, as its other two shares are to each other. As ``start_date``; what lies before it tells
            nothing of the test.
        random_walk_baseline : bool
            Whether the same pipeline learns from a random walk of the same length and volatility, too, which takes as
            long again: what it scores there, it scores by chance.
        permutation_importance : bool
            Whether the result says what each feature is worth: the accuracy on the test part that is lost when the
            feature's values change places.
        resume_from : str
            The id of a training that was cancelled: this one goes on from its checkpoint.
        save_checkpoint : bool
            Whether a cancel leaves a checkpoint; so does the end of the interpreter.
        checkpoint_epochs : int
            A checkpoint after every so many epochs; 0 for none for that reason.
        checkpoint_seconds : float
            A checkpoint so many seconds after the last one; 0 for none for that reason.
        what_to_show : str, optional
            Which of the stored series of each symbol: ``"TRADES"``, ``"ADJUSTED_LAST"``, … as ``load_data`` takes it. By
            default what is stored; of several series trades, of forex midpoints.
        session : str, optional
            ``"regular"`` or ``"extended"``, as ``load_data`` takes it. By default what is stored; of both ``regular``.

        Raises
        ------
        StrategyError
            When the file is missing or a key of it cannot be used; at once.
        FeatureNotAvailableError
            When LibTorch is not installed and no host service trains; at once, with the command that brings it.
        InvalidArgumentError
            For arguments out of range; at once. From the operation, where a symbol is stored as several series and none of
            them is the usual one: it names them.
        OutOfResourcesError
            From the operation, when it would take more memory than ``memory_limit`` allows: with the estimate, what it is
            made of, the limit and what to change.
        """
        first_start.wait()
        from ..strategies import Strategy, load_strategy

        if isinstance(strategy_config_path, Strategy):
            strategy, path = strategy_config_path, ""
        else:
            strategy, path = load_strategy(strategy_config_path), os.fspath(strategy_config_path)
        asked = {
            "strategy": strategy.to_json(),
            "strategy_path": path,
            "symbols": _names("symbols", symbols),
            "timeframes": _names("timeframes", timeframes),
            "start_date": iso("start_date", start_date),
            "end_date": iso("end_date", end_date),
            "test_from": iso("test_from", test_from),
            "what_to_show": what_to_show,
            "session": session,
            "validation_split": validation_split,
            "random_walk_baseline": random_walk_baseline,
            "permutation_importance": permutation_importance,
            "operation_id": operation_id,
            "priority": priority,
            "resume_from": resume_from,
            "save_checkpoint": save_checkpoint,
            "checkpoint_epochs": checkpoint_epochs,
            "checkpoint_seconds": checkpoint_seconds,
        }
        return self._train(asked, cancellation_token, progress_callback)

    @explained
    def start_training(
        self,
        strategy_config_path: str | os.PathLike[str] | Strategy,
        symbols: Sequence[str] | None = None,
        timeframes: Sequence[str] | None = None,
        start_date: Date | None = None,
        end_date: Date | None = None,
        validation_split: float | None = None,
        *,
        operation_id: str = "",
        priority: int = 0,
        what_to_show: str | None = None,
        session: str | None = None,
    ) -> str:
        """Start a training and give its operation's id: what ``train_multi_symbol_strategy`` does, without a handle.

        ``OperationsService`` finds, follows and cancels it by that id.

        Parameters
        ----------
        strategy_config_path, symbols, timeframes, start_date, end_date, validation_split
            As ``train_multi_symbol_strategy`` takes them.
        operation_id, priority, what_to_show, session
            As ``train_multi_symbol_strategy`` takes them.

        Raises
        ------
        StrategyError, FeatureNotAvailableError, InvalidArgumentError
            As ``train_multi_symbol_strategy`` raises them; at once.
        """
        return self.train_multi_symbol_strategy(
            strategy_config_path,
            symbols,
            timeframes,
            start_date,
            end_date,
            validation_split,
            operation_id=operation_id,
            priority=priority,
            what_to_show=what_to_show,
            session=session,
        ).id

    def queue(self) -> list[QueuePlace]:
        """List the trainings of this process that run, and then those that wait, in the order of their turn.

        They are those of every manager of the process; trainings on a host service are not among them. One that waits
        says so and why in its progress, and is cancelled at once.
        """
        return [QueuePlace(*row) for row in self._native.queue()]

    def limits(self) -> TrainingLimits:
        """Tell what the trainings of this process may take together now."""
        return TrainingLimits(*self._native.limits())

    def _train_again(
        self, record: _core.OperationRecord, *, resume: bool
    ) -> Operation[dict[str, Any]]:
        asked = {name: value for name, value in record.parameters.items() if name in _ASKED}
        operation_id = record.id if resume else ""
        return self._train({**asked, "operation_id": operation_id, "resume": resume})

    @explained
    def evaluate_model(
        self,
        model: str | os.PathLike[str],
        symbols: Sequence[str] | None = None,
        start_date: Date | None = None,
        end_date: Date | None = None,
        *,
        what_to_show: str | None = None,
        session: str | None = None,
        cancellation_token: CancellationToken | None = None,
        progress_callback: ProgressCallback | None = None,
    ) -> Operation[dict[str, Any]]:
        """Start to judge a saved model on stored bars, and return at once; torch is not needed.

        By default on what it has not seen: the bars of its own symbols from where its own test began, to the newest. On the
        dates of its training it gets the figures of its report.

        Parameters
        ----------
        model : path
            The model's folder, ``artifacts.model_path`` of a training's result.
        symbols : sequence of str, optional
            Whose bars; by default those that it was trained on.
        start_date, end_date : str, date or datetime, optional
            The first and the last bar that is judged; dates are those of sessions, naive times are UTC. Bars before the first
            are its history.
        what_to_show, session : str, optional
            Which of the stored series of each symbol, as ``load_data`` takes them; by default what the model was trained on.
        cancellation_token : CancellationToken or anything like one, optional
            Stops it.
        progress_callback : callable, optional
            Called with a ``ProgressState``.

        Returns
        -------
        Operation of dict
            ``test_metrics``, ``baselines``, ``confidence``, ``calibration`` and ``per_symbol`` as in the result of a training;
            ``rows``, ``seen_rows`` (of them, those that lie before its own test: it was trained on such), ``from``, ``to``
            (ISO 8601, UTC), ``symbols``, ``timeframes``, ``warnings``, ``model_path``. Plain JSON.

        Raises
        ------
        InvalidArgumentError
            For dates, symbols and words that cannot be; at once. Why it fails else, the operation says: NotFoundError without the
            folder, NoDataError without bars, NotEnoughDataError where no bar is left to judge it on.
        """
        _core.check_series_words(what_to_show, session)
        request = _core.EvaluationRequest(
            model=Path(os.path.abspath(model)),
            symbols=_names("symbols", symbols),
            start_date=iso("start_date", start_date),
            end_date=iso("end_date", end_date),
            what_to_show=what_to_show,
            session=session,
        )
        facts = {"model_path": os.fspath(model)}
        native, _ = starting.create(
            "model_evaluation", "", Path(model).name, None, cancellation_token, None, facts
        )
        operation = Operation(native, dict, progress_callback=progress_callback)

        def work() -> dict[str, Any]:
            judged = self._native.evaluate(request, native)
            for warning in judged["warnings"]:
                native.add_warning(warning)
            return judged

        carry_out_in_thread(native, work, "ktrdr-evaluate")
        return self._track_operation(operation)

    def _train(
        self,
        asked: dict[str, Any],
        token: CancellationToken | None = None,
        callback: ProgressCallback | None = None,
    ) -> Operation[dict[str, Any]]:
        from . import torch_loader

        here = self._native.service is None
        if here:
            torch_loader.check_installed()
        slot = _core.TrainerSlot()
        native = self._begin(
            token,
            lambda parent, native_token: self._native.train(
                _core.TrainingRequest(**asked, parent_id=parent), slot, native_token
            ),
        )
        if here:
            torch_loader.load_into(slot)
        return self._track_operation(Operation(native, dict, progress_callback=callback))


#: Its other name, that of the service in which trainings are started by their id.
TrainingService = TrainingManager


def _whole(field: str, given: int | None) -> int | None:
    if given is None or (
        isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**63
    ):
        return given
    raise InvalidArgumentError(
        f"{field} must be a whole number, not {given!r}", context={"field": field}
    )


def _names(field: str, given: Sequence[str] | None) -> list[str] | None:
    # One text is a sequence of texts, too: its letters.
    if isinstance(given, str):
        raise InvalidArgumentError(
            f"{field} is a list of names, not one text: [{given!r}]", context={"argument": field}
        )
    if given is None:
        return None
    names = list(given) if isinstance(given, Iterable) else [given]
    if not all(isinstance(name, str) for name in names):
        raise InvalidArgumentError(
            f"{field} is a list of names, not {given!r:.200}", context={"argument": field}
        )
    return names
