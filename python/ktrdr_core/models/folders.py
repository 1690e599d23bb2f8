"""Which models there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.arguments import checked_environment
from ..errors import InvalidArgumentError, KtrdrError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping


@dataclass(frozen=True)
class ModelInfo:
    """What a model's folder says of the model; figures that nobody has are None.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    strategy : str
        The strategy's name.
    symbols, timeframes : tuple of str
        What it was trained on.
    version : int
        Its number among the models of one strategy, symbols and timeframe.
    created : str
        When it was saved, ISO 8601, UTC.
    architecture : str
        ``mlp 24-50-25-3``: inputs, hidden layers, classes.
    test_accuracy, class_prior : float or None
        The share of the test rows that it has right, and that of always saying the most frequent class.
    beats_prior : bool or None
        Whether that is more than chance gives; None in models of before this was said.
    config, metrics, features, metadata : dict
        The four files.
    """

    path: Path
    strategy: str
    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    version: int
    created: str
    architecture: str
    test_accuracy: float | None
    class_prior: float | None
    beats_prior: bool | None
    config: dict[str, Any]
    metrics: dict[str, Any]
    features: dict[str, Any]
    metadata: dict[str, Any]

    @property
    def result(self) -> dict[str, Any]:
        """What its training gave back, as far as the folder tells: what a report is made of. Plain JSON types."""
        known = self.metrics | {"artifacts": {"model_path": str(self.path)}}
        known["session_info"] = {
            "operation_id": self.metadata.get("operation_id"),
            "strategy_name": self.strategy,
            "symbols": list(self.symbols),
            "timeframes": list(self.timeframes),
            "data_summary": self.metadata.get("data_summary"),
        }
        known["model_info"] = {
            "architecture": self.architecture,
            "parameters_count": self.metadata.get("parameters_count"),
        }
        return known

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> ModelInfo:
        """Read a model's folder, but for its weights.

        Raises
        ------
        NotFoundError
            Where there is no such folder.
        InvalidArgumentError
            Where a file of it is missing, cannot be read or holds a figure that is none; the message names it.
        StorageSchemaError
            For a model that a newer version wrote.
        """
        folder = Path(path)
        config, metrics, features, metadata = _core.read_model_files(folder)
        # What is shown of it, too.
        _part(folder, metrics, "training_metrics")
        _share(folder, metrics, "validation_metrics", "val_accuracy")
        return cls(
            path=folder,
            strategy=str(metadata.get("strategy_name", "")),
            symbols=_texts(config, "symbols"),
            timeframes=_texts(config, "timeframes"),
            version=_whole(folder, metadata, "version"),
            created=str(metadata.get("created", "")),
            architecture=str(metadata.get("architecture", "")),
            test_accuracy=_share(folder, metrics, "test_metrics", "test_accuracy"),
            class_prior=_share(folder, metrics, "baselines", "class_prior"),
            beats_prior=_judged(folder, metrics),
            config=config,
            metrics=metrics,
            features=features,
            metadata=metadata,
        )


def models_folder(models_dir: str | os.PathLike[str] | None, env: Mapping[str, str]) -> Path:
    """Give the folder that is named, else ``KTRDR_MODELS_DIR``, else ``~/.ktrdr/models``."""
    if models_dir is None:
        models_dir = env.get("KTRDR_MODELS_DIR") or Path.home() / ".ktrdr" / "models"
    return Path(models_dir)


def list_models(
    models_dir: str | os.PathLike[str] | None = None, *, env: Mapping[str, str] | None = None
) -> list[ModelInfo]:
    """List the saved models by strategy, name and version; what cannot be read is left out.

    Parameters
    ----------
    models_dir : path, optional
        Where models lie. Else ``KTRDR_MODELS_DIR``, else ``~/.ktrdr/models``.
    env : mapping, optional
        Read in place of ``os.environ``.

    Examples
    --------
    >>> from ktrdr_core.models import list_models
    >>> list_models("nowhere")
    []
    """
    folder = models_folder(models_dir, checked_environment(env))
    found = []
    for path in _core.list_model_folders(folder):
        try:
            found.append(ModelInfo.read(path))
        except KtrdrError:
            continue
    return found


def _part(folder: Path, metrics: dict[str, Any], name: str) -> dict[str, Any]:
    part = metrics.get(name)
    if not isinstance(part, dict | None):
        raise _no_model(folder, f"metrics.json: {name} is no mapping")
    return part or {}


def _share(folder: Path, metrics: dict[str, Any], part: str, name: str) -> float | None:
    value = _part(folder, metrics, part).get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise _no_model(folder, f"metrics.json: {part}.{name} is no number")
    return value


def _judged(folder: Path, metrics: dict[str, Any]) -> bool | None:
    value = _part(folder, metrics, "confidence").get("beats_prior")
    if not isinstance(value, bool | None):
        raise _no_model(folder, "metrics.json: confidence.beats_prior is neither true nor false")
    return value


def _whole(folder: Path, metadata: dict[str, Any], name: str) -> int:
    value = metadata.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise _no_model(folder, f"metadata.json: {name} is no whole number")
    return value or 0


def _no_model(folder: Path, why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{folder} is no whole model: {why}; train it again or take another one",
        context={"path": str(folder)},
    )


def _texts(config: dict[str, Any], name: str) -> tuple[str, ...]:
    texts = config.get(name)
    return tuple(map(str, texts)) if isinstance(texts, list) else ()
