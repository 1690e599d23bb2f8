"""What a training gives back, as types: the same keys from this machine, a training host, and a host of the contract alone.

``Operation.result()`` is plain JSON types; ``TrainingResult.parse`` reads it and says which key is missing, unknown or of
another type. A figure that nobody has is None, never 0. ``docs/training_result.schema.json`` is the JSON schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Artifacts",
    "Baselines",
    "BasisBreak",
    "Calibration",
    "CalibrationBin",
    "ClassMetrics",
    "Confidence",
    "DataSummary",
    "EpochMetrics",
    "Hole",
    "ModelFigures",
    "RandomWalk",
    "ResourceUsage",
    "SessionInfo",
    "SplitRows",
    "SymbolData",
    "SymbolMetrics",
    "TestMetrics",
    "TrainingMetrics",
    "TrainingResult",
    "ValidationMetrics",
    "schema",
]

#: Most faults that a message lists.
_MOST_FAULTS = 10

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Pair = Annotated[list[float | None], Field(min_length=2, max_length=2)]
Matrix = list[list[Count]]


class _Part(BaseModel):
    # Each value as JSON has it: "1" is no number, 1.5 no count, and NaN not a figure.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=()
    )


class TrainingMetrics(_Part):
    """Figures of the last epoch, and how the training ended. Losses are cross-entropy, accuracies shares."""

    final_train_loss: float | None
    final_val_loss: float | None
    final_train_accuracy: Share | None
    final_val_accuracy: Share | None
    epochs_completed: Count | None
    early_stopped: bool | None
    training_time_minutes: float | None
    best_epoch: Count | None
    final_learning_rate: float | None


class ValidationMetrics(_Part):
    """Figures of the epoch whose weights are kept."""

    val_loss: float | None
    val_accuracy: Share | None


class ClassMetrics(_Part):
    """One class in the test part; ``rows`` is how many rows have it."""

    model_config = ConfigDict(populate_by_name=True)

    name: str = Field(alias="class")
    rows: Count
    precision: Share | None
    recall: Share | None
    f1_score: Share | None


class TestMetrics(_Part):
    """Figures of the test part; precision, recall and F1 are means over the classes, weighted by their rows.

    ``confusion_matrix`` has a row for each true class and a column for each predicted one, in the order of ``classes``.
    """

    __test__ = False  # No test, whatever pytest makes of the name.

    test_loss: float | None
    test_accuracy: Share | None
    precision: Share | None
    recall: Share | None
    f1_score: Share | None
    classes: list[str] | None
    confusion_matrix: Matrix | None
    per_class: list[ClassMetrics] | None


class TestOutcomes(_Part):
    """What of a test is needed to judge it together with others; of a training that was told when its test begins.

    ``rows``, and how many of them are ``right`` and would be by ``always`` saying the most frequent class: one number each
    for every time of the test, newest first. ``horizon``: bars ahead that a label looks at.
    """

    __test__ = False

    first: str = Field(alias="from")
    last: str = Field(alias="to")
    horizon: Count
    rows: list[Count]
    right: list[Count]
    always: list[Count]

    model_config = ConfigDict(populate_by_name=True)


class RandomWalk(_Part):
    """The same training on a random walk; ``reason`` says why there are no figures where there are none.

    ``gain_over_prior`` is ``[low, high]``, made as that of ``Confidence``.
    """

    test_accuracy: Share | None
    class_prior: Share | None
    gain_over_prior: Pair | None
    rows: Count | None
    seconds: float | None
    reason: str | None
    outcomes: TestOutcomes | None


class Baselines(_Part):
    """What scores without a model: shares of the test rows.

    ``class_prior`` always says the class that is most frequent in training, ``majority`` the one of the test part itself,
    ``persistence`` the last label that is known.
    """

    class_prior: Share | None
    most_frequent_class: str | None
    majority: Share | None
    persistence: Share | None
    persistence_rows: Count | None
    random_walk: RandomWalk | None


class Confidence(_Part):
    """How sure the test accuracy is, and the sentence that judges it; intervals are ``[low, high]``.

    ``beats_random_walk``: more is gained over the prior than by the same training on a random walk, by more than chance
    gives; None where no walk was trained on. Intervals and ``beats_prior`` are None where fewer than eight blocks of
    ``block_rows`` bars were tested: that few say nothing.
    """

    method: str
    level: Share
    block_rows: Count
    resamples: Count
    test_accuracy: Pair
    gain_over_prior: Pair
    beats_prior: bool | None
    beats_random_walk: bool | None
    verdict: str
    outcomes: TestOutcomes | None


class CalibrationBin(_Part):
    """Rows whose largest chance lies in ``(from, to]``: its mean, and the share that is right."""

    model_config = ConfigDict(populate_by_name=True)

    low: Share = Field(alias="from")
    high: Share = Field(alias="to")
    rows: Count
    confidence: Share | None
    accuracy: Share | None


class Calibration(_Part):
    """Whether chances are as large as they are right."""

    expected_calibration_error: float | None
    bins: list[CalibrationBin]


class SymbolMetrics(_Part):
    """The test rows of one symbol."""

    rows: Count
    test_accuracy: Share | None
    class_prior: Share | None
    confusion_matrix: Matrix


class EpochMetrics(_Part):
    """One epoch; ``best`` where it was the best so far."""

    epoch: Count
    train_loss: float | None
    train_accuracy: Share | None
    val_loss: float | None
    val_accuracy: Share | None
    learning_rate: float | None
    best: bool | None


class ResourceUsage(_Part):
    """What it took.

    ``peak_memory_mb``: the most memory, in millions of bytes, that the process which trained had at once from its beginning
    to the end of this training, as the kernel counts it, with LibTorch and whatever else ran in it.
    """

    gpu_used: bool | None
    gpu_name: str | None
    gpu_utilization_percent: float | None
    peak_memory_mb: float | None
    training_mode: str


class Artifacts(_Part):
    """What it left; ``model_path`` is the model's folder."""

    model_path: str | None
    analytics_dir: str | None
    checkpoints: list[str]
    feature_importance: dict[str, float | None] | None
    per_symbol_metrics: dict[str, SymbolMetrics] | None


class SplitRows(_Part):
    """Rows of each part."""

    train: Count
    validation: Count
    test: Count


class SymbolData(_Part):
    """The bars of one symbol, the rows dropped by reason, and those that are left in each part."""

    symbol: str
    bars: Count
    first_bar: str
    last_bar: str
    warm_up: Count
    hole: Count
    nan: Count
    undecided: Count
    purged: Count
    train: Count
    validation: Count
    test: Count


class Hole(_Part):
    """Bars that are missing; ``sessions`` is how many, None where the series has no calendar."""

    model_config = ConfigDict(populate_by_name=True)

    symbol: str
    timeframe: str
    start: str = Field(alias="from")
    end: str = Field(alias="to")
    sessions: Count | None


class BasisBreak(_Part):
    """Prices from ``at`` on are ``ratio`` times those before."""

    symbol: str
    timeframe: str
    at: str
    ratio: float


class DataSummary(_Part):
    """What was trained on."""

    features: Count
    rows: SplitRows
    train_classes: dict[str, Count]
    validation_from: str
    test_from: str
    symbols: list[SymbolData]
    holes: list[Hole]
    basis_breaks: list[BasisBreak]


class SessionInfo(_Part):
    """Which training it was, and where it ran."""

    operation_id: str
    session_id: str
    strategy_name: str
    symbols: list[str]
    timeframes: list[str]
    training_mode: str
    use_host_service: bool
    start_date: str | None
    end_date: str | None
    test_from: str | None
    host_status: str | None
    data_summary: DataSummary | None


class ModelFigures(_Part):
    """The network."""

    model_config = ConfigDict(protected_namespaces=())

    model_size_bytes: Count | None
    parameters_count: Count | None
    trainable_parameters: Count | None
    architecture: str | None


class TrainingResult(_Part):
    """The result of a training. What a host that speaks only the contract does not tell is None."""

    training_metrics: TrainingMetrics
    validation_metrics: ValidationMetrics
    test_metrics: TestMetrics
    baselines: Baselines
    confidence: Confidence | None
    calibration: Calibration | None
    per_symbol: dict[str, SymbolMetrics] | None
    feature_importance: dict[str, float | None] | None
    history: list[EpochMetrics]
    resource_usage: ResourceUsage
    artifacts: Artifacts
    session_info: SessionInfo
    model_info: ModelFigures

    @classmethod
    def parse(cls, result: Mapping[str, Any]) -> TrainingResult:
        """Read what ``Operation.result()`` of a training gives.

        Raises
        ------
        InvalidArgumentError
            For a key that is missing or unknown, and for a value of another type or out of its range; the message names
            each by its path.

        Examples
        --------
        >>> from ktrdr_core.training.result import TrainingResult
        >>> from ktrdr_core.errors import InvalidArgumentError
        >>> try:
        ...     TrainingResult.parse({"training_metrics": {}})
        ... except InvalidArgumentError as error:
        ...     print(error.message.split(";")[0])
        the result of a training is not as its schema has it: training_metrics.final_train_loss is missing
        """
        try:
            return cls.model_validate(dict(result))
        except ValidationError as error:
            faults = [_fault(one) for one in error.errors(include_url=False)]
            more = len(faults) - _MOST_FAULTS
            listed = "; ".join(faults[:_MOST_FAULTS]) + (f"; and {more} more" if more > 0 else "")
            raise InvalidArgumentError(
                f"the result of a training is not as its schema has it: {listed}",
                context={"field": "result"},
            ) from None


def _fault(error: Any) -> str:
    path = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"{path} is missing"
    if error["type"] == "extra_forbidden":
        return f"{path} is unknown"
    return f"{path}: {error['msg']}"


def schema() -> dict[str, Any]:
    """Return the JSON schema of a training's result; ``docs/training_result.schema.json`` holds the same.

    Examples
    --------
    >>> from ktrdr_core.training.result import schema
    >>> "confidence" in schema()["required"]
    True
    """
    return TrainingResult.model_json_schema()
