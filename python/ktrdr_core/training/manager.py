"""Training neuro-fuzzy models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _bridge, _core
from ..dates import Date, iso
from ..errors import InvalidArgumentError
from ..models.folders import models_folder
from ..operations import Operation, ProgressCallback
from ..orchestrator.core_manager import CoreManager
from ..progress import ProgressRenderer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import ClassVar

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
    "validation_split",
    "random_walk_baseline",
    "permutation_importance",
)


class TrainingProgressRenderer(ProgressRenderer):
    """``Training MLP model on AAPL, MSFT [1h] [epoch 15/50] (batch 342/500)``, from the context."""

    _native: ClassVar[_core.ProgressRenderer] = _core.TrainingProgressRenderer()


class TrainingManager(CoreManager):
    """Trains the models of strategy files on stored bars.

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
    """

    _native: _core.TrainingManager

    def __init__(
        self,
        data: DataManager,
        models_dir: str | os.PathLike[str] | None = None,
        *,
        use_training_host_service: bool | None = None,
        training_url: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        env = dict(os.environ if env is None else env)
        super().__init__(
            use_host_service=use_training_host_service, host_service_url=training_url, env=env
        )
        folder = models_folder(models_dir, env)
        self._models_dir = Path(os.path.abspath(folder))
        _bridge.start()
        self._native = _core.TrainingManager(
            data._native, folder, use_training_host_service, training_url, env
        )
        self._register_starter("training", TrainingManager._train_again)

    @property
    def models_dir(self) -> Path:
        """Where models are written."""
        return self._models_dir

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
        random_walk_baseline: bool = True,
        permutation_importance: bool = False,
        resume_from: str = "",
        save_checkpoint: bool = True,
        checkpoint_epochs: int = 0,
        checkpoint_seconds: float = 30.0,
    ) -> Operation[dict[str, Any]]:
        """Start a training and return at once; its value is the result schema as a dict.

        Every epoch is a metric of the operation (``OperationsService.metrics``): ``epoch``, ``train_loss``,
        ``train_accuracy``, ``val_loss``, ``val_accuracy``, ``learning_rate``.

        A training leaves checkpoints in ``models_dir/.checkpoints`` until it completes. From one it goes on bit for bit:
        after its process died with ``OperationsService.resume(id)``, after a cancel with ``resume_from``.

        Parameters
        ----------
        strategy_config_path : path or Strategy
            A YAML strategy file, or what ``ktrdr_core.strategies.load_strategy`` has read.
        symbols, timeframes : sequence of str, optional
            In place of the strategy's own.
        start_date, end_date : str, date or datetime, optional
            The part of the stored bars to use; all of them by default.
        validation_split : float, optional
            Share of the rows for validation, in place of the strategy's own. Above 0, below 1.
        cancellation_token : CancellationToken or anything like one, optional
            Cancels the training when it is cancelled.
        progress_callback : callable, optional
            Called with a ``ProgressState``, on the running loop, else inside ``result()``.
        operation_id : str
            Your own id; the same id with the same request answers the same operation.
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

        Raises
        ------
        StrategyError
            When the file is missing or a key of it cannot be used; at once.
        FeatureNotAvailableError
            When LibTorch is not installed and no host service trains; at once, with the command that brings it.
        InvalidArgumentError
            For arguments out of range; at once.
        """
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
            "validation_split": validation_split,
            "random_walk_baseline": random_walk_baseline,
            "permutation_importance": permutation_importance,
            "operation_id": operation_id,
            "resume_from": resume_from,
            "save_checkpoint": save_checkpoint,
            "checkpoint_epochs": checkpoint_epochs,
            "checkpoint_seconds": checkpoint_seconds,
        }
        return self._train(asked, cancellation_token, progress_callback)

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
    ) -> str:
        """Start a training and give its operation's id: what ``train_multi_symbol_strategy`` does, without a handle.

        ``OperationsService`` finds, follows and cancels it by that id.

        Parameters
        ----------
        strategy_config_path, symbols, timeframes, start_date, end_date, validation_split, operation_id
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
        ).id

    def _train_again(
        self, parameters: dict[str, Any], *, operation_id: str, resume: bool
    ) -> Operation[dict[str, Any]]:
        asked = {name: parameters[name] for name in _ASKED if name in parameters}
        return self._train({**asked, "operation_id": operation_id, "resume": resume})

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
        return self._track(Operation(native, dict, progress_callback=callback))


#: Its other name, that of the service in which trainings are started by their id.
TrainingService = TrainingManager


def _names(field: str, given: Sequence[str] | None) -> list[str] | None:
    # One text is a sequence of texts, too: its letters.
    if isinstance(given, str):
        raise InvalidArgumentError(
            f"{field} is a list of names, not one text: [{given!r}]", context={"argument": field}
        )
    return None if given is None else list(given)
