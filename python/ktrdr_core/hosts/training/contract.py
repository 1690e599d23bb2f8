"""The wire contract of the training host service: what is asked and answered, as its OpenAPI says it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, StringConstraints

from ...training.result import TrainingResult

#: Most symbols or timeframes of one request.
MOST_NAMES = 1000

SessionId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
Names = Annotated[list[str], Field(max_length=MOST_NAMES)]


class ModelConfiguration(BaseModel):
    """What is trained. ``strategy_config`` is the strategy itself: its mapping, or the text of its file."""

    strategy_config: dict[str, Any] | str
    symbols: Names | None = None
    timeframes: Names | None = None
    model_type: str | None = None
    multi_symbol: bool | None = None


class StartRequest(BaseModel):
    """``POST /training/start``."""

    session_id: SessionId | None = None
    model_configuration: ModelConfiguration
    training_configuration: dict[str, Any] = {}
    """Options of ``model.training`` in place of the strategy's own, ``validation_split``, ``random_walk_baseline``,
    ``permutation_importance``, ``resume_from``, ``save_checkpoint``, ``checkpoint_epochs``, ``checkpoint_seconds``, and what
    ``data_configuration`` has."""
    data_configuration: dict[str, Any] = {}
    """``symbols``, ``timeframes``, ``start_date``, ``end_date``, ``test_from``, ``what_to_show``, ``session``."""
    gpu_configuration: dict[str, Any] | None = None


class StopRequest(BaseModel):
    """``POST /training/stop``."""

    session_id: SessionId
    save_checkpoint: bool = True


class EvaluateRequest(BaseModel):
    """``POST /training/evaluate``."""

    model_path: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    """As a session's result names it, or below ``models_dir``."""
    data_config: dict[str, Any] = {}
    """``symbols``, ``timeframes``, ``start_date``, ``end_date``, ``what_to_show``, ``session``."""
    metrics: Names = []
    """Names of ``results``; none means all."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Refusal(_Answer):
    """Of every status that is no success; ``detail`` is words."""

    detail: str


class About(_Answer):
    """``GET /``."""

    service: str
    version: str
    models_dir: str
    data_dir: str
    endpoints: list[str]


class Health(_Answer):
    """``GET /health``."""

    healthy: bool
    service: str
    timestamp: str
    status: str
    active_training_sessions: int


class DetailedHealth(_Answer):
    """``GET /health/detailed``; figures that nobody knows are null."""

    healthy: bool
    service: str
    timestamp: str
    status: str
    gpu_available: bool
    gpu_device_count: int
    gpu_names: list[str]
    gpu_memory_total_mb: float | None
    gpu_memory_allocated_mb: float | None
    system_memory_total_mb: float | None
    system_memory_available_mb: float | None
    process_memory_mb: float | None
    active_training_sessions: int
    uptime_seconds: float
    total_requests: int
    requests: dict[str, int]
    active_connections: int
    error_count: int
    last_error: str | None


class Started(_Answer):
    """``POST /training/start``; ``message`` says what of the request was not used."""

    session_id: str
    status: Literal["started"]
    message: str
    gpu_allocated: bool
    estimated_duration_minutes: float | None
    used: list[str]
    """The keys of both configurations that count for the session."""


class Stopped(_Answer):
    """``POST /training/stop``."""

    session_id: str
    status: Literal["stopped"]
    message: str
    checkpoint_saved: bool


class Evaluated(_Answer):
    """``POST /training/evaluate``; ``evaluation`` has all figures, as the result of a training has those of its test."""

    evaluation_id: str
    results: dict[str, Any]
    gpu_used: bool
    evaluation_time_seconds: float
    timestamp: str
    message: str
    evaluation: dict[str, Any]


class SessionProgress(_Answer):
    """How far a session is."""

    epoch: int
    total_epochs: int
    batch: int
    total_batches: int
    progress_percent: float
    items_processed: int
    items_total: int
    message: str
    current_item: str
    phase: str
    """initializing, data_preparation, training, evaluation or saving; empty before the first."""


class _AsTrainingResult:
    """Has OpenAPI say what the result of a training is; what an earlier version left is handed on as it is."""

    @classmethod
    def __get_pydantic_json_schema__(cls, _: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(TrainingResult.__pydantic_core_schema__)


class SessionStatus(_Answer):
    """``GET /training/status/{id}``: as large at the last epoch as at the first."""

    session_id: str
    status: Literal["initializing", "running", "completed", "failed", "stopped"]
    progress: SessionProgress
    metrics: dict[str, float | None]
    """The last value of each."""
    gpu_usage: dict[str, Any]
    start_time: str | None
    last_updated: str
    error: str | None
    operation_status: str
    """As the registry of operations has it: a ``failed`` session may be ``interrupted``, by the end of its service."""
    resumable: bool
    error_code: str | None
    warnings: list[str]
    result: Annotated[dict[str, Any], _AsTrainingResult] | None
    """Of a completed session: the result schema of a training."""


class SessionRow(_Answer):
    """One of ``GET /training/sessions``."""

    session_id: str
    status: str
    operation_status: str
    strategy_name: str
    symbols: list[str]
    timeframes: list[str]
    progress_percent: float
    start_time: str | None
    queue_place: int | None
    """From 1 for a session that waits for its turn to train; null for others."""


class SessionList(_Answer):
    """``GET /training/sessions``, the newest first."""

    total_sessions: int
    sessions: list[SessionRow]
    timestamp: str
    cursor: str | None
    """Asks for the page that follows; null on the last."""


class MetricsPage(_Answer):
    """``GET /training/sessions/{id}/metrics``: one entry an epoch, and the cursor for the next call."""

    session_id: str
    metrics: list[dict[str, Any]]
    cursor: int


class CleanedUp(_Answer):
    """``DELETE /training/sessions/{id}``."""

    session_id: str
    status: Literal["cleaned_up"]
    message: str
