"""What the routes answer, as types: the schemas in OpenAPI are made from them, and every answer is one of them."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import FastAPI
from pydantic import BaseModel, Field

from .._core import OperationRecord
from ..errors import InvalidArgumentError

T = TypeVar("T")

ApiStatus = Literal["pending", "running", "completed", "failed", "cancelled"]
State = Literal[
    "pending",
    "running",
    "cancelling",
    "resuming",
    "completed",
    "failed",
    "timed_out",
    "interrupted",
    "cancelled",
]
# ISO 8601, UTC.
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]

#: The words of the API, each with ours.
STATES: dict[ApiStatus, tuple[State, ...]] = {
    "pending": ("pending",),
    "running": ("running", "cancelling", "resuming"),
    "completed": ("completed",),
    "failed": ("failed", "timed_out", "interrupted"),
    "cancelled": ("cancelled",),
}
_WORDS: dict[str, ApiStatus] = {state: word for word, states in STATES.items() for state in states}


class ErrorFacts(BaseModel):
    """What went wrong."""

    code: str
    """What a program looks at: ``not_found``, ``conflict``, …"""
    message: str
    """For a person."""
    details: dict[str, Any]
    """The facts of the message."""


class ErrorAnswer(BaseModel):
    """The body of every answer that is an error of this package."""

    success: Literal[False]
    data: None
    error: ErrorFacts


class Answer(BaseModel, Generic[T]):
    """The envelope of what went well."""

    success: Literal[True]
    data: T
    error: None


def answer(data: T) -> Answer[T]:
    return Answer(success=True, data=data, error=None)


class Named(BaseModel):
    """Which operation it is, and how it stands."""

    operation_id: str
    operation_type: str
    operation_name: str
    """What a person calls it; may be empty."""
    status: ApiStatus
    state: State
    """More finely: an operation that is ``cancelling`` is still running, an ``interrupted`` one has failed."""
    resumable: bool
    """``POST …/resume`` lets it go on."""


class Row(Named):
    """An operation in a list."""

    parent_id: str | None
    created_at: Time
    progress_percentage: float
    current_step: str
    symbol: str | None
    """The one that it is about; null where there are none or several."""
    symbols: list[str]
    duration_seconds: float | None
    """So far, or in all; null before it has begun."""


class ListAnswer(Answer[list[Row]]):
    """A page of operations, newest first."""

    total_count: int
    """How many match, on all pages."""
    active_count: int
    """How many of all operations run or are about to."""
    cursor: str | None
    """Asks for the page that follows; null on the last."""


class Progress(BaseModel):
    """How far the work is."""

    percentage: float
    current_step: str
    steps_completed: int
    steps_total: int
    items_processed: int
    items_total: int | None
    current_item: Any
    context: dict[str, Any]


class Asked(BaseModel):
    """What was asked for. Each is null where the operation has no such parameter, or another than a text."""

    symbol: str | None
    symbols: list[str]
    timeframe: str | None
    timeframes: list[str]
    mode: str | None
    start_date: str | None
    end_date: str | None
    parameters: dict[str, Any]
    """All of them, as they are."""


class RecordedError(BaseModel):
    """Why an operation failed, as its record keeps it."""

    code: str
    message: str
    retryable: bool
    context: dict[str, Any]


class Detail(Row):
    """All that is known of an operation but its result."""

    started_at: Time | None
    completed_at: Time | None
    cancel_requested_at: Time | None
    cancellation_reason: str | None
    progress: Progress
    metadata: Asked
    error_message: str | None
    warnings: list[str]
    errors: list[RecordedError]
    result_summary: Any
    """The plain values of a result; what is nested has a route of its own."""
    attempt: int
    durable: bool
    """False while something of it is not in the store."""
    last_seq: int
    """The number of its newest event."""


class Results(Named):
    """What an operation made, as far as it is plain JSON."""

    results: Any


class Cancelled(BaseModel):
    """What became of a cancel."""

    success: Literal[True]
    operation_id: str
    status: ApiStatus | Literal["cancelling"]
    cancelled_at: Time | None
    cancellation_reason: str | None
    task_cancelled: bool
    training_session_cancelled: bool | None


class Metrics(BaseModel):
    """Metrics after a cursor, oldest first, each with its ``seq``."""

    metrics: list[dict[str, Any]]
    cursor: int


_DESCRIPTIONS = {
    400: "It has ended: there is nothing left to cancel",
    403: "The Host of the request, or the page that sent it, is not allowed",
    404: "There is no such thing",
    408: "The body did not come in time",
    409: "Not in this state, or the id belongs to another request",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "An argument is out of range or of no known name",
    500: "A defect, or work that failed",
    501: "This installation does not have it",
    503: "The store, a host service or a worker is unavailable",
    504: "The operation ran past its own timeout",
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which it may go better; only where that is known",
        "schema": {"type": "integer", "minimum": 1},
    }
}


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe errors of this package for OpenAPI: the ``responses`` of a route of your own.

    Parameters
    ----------
    *statuses : int
        Those that the route may answer: 400, 403, 404, 408, 409, 413, 415, 422, 500, 501, 503 or 504.

    Raises
    ------
    InvalidArgumentError
        For a status that no error of this package is answered with.

    Examples
    --------
    >>> from fastapi import FastAPI
    >>> from ktrdr_core.fastapi import error_responses
    >>> app = FastAPI()
    >>> @app.get("/words/{word}", responses=error_responses(404, 503))
    ... def look_up(word: str) -> str:
    ...     return word
    >>> app.openapi()["paths"]["/words/{word}"]["get"]["responses"]["404"]["description"]
    'There is no such thing'
    """
    described: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        if status not in _DESCRIPTIONS:
            known = ", ".join(map(str, _DESCRIPTIONS))
            raise InvalidArgumentError(
                f"no error of ktrdr_core is answered with {status}: describe one of {known}, and your own by themselves"
            )
        described[status] = {"model": ErrorAnswer, "description": _DESCRIPTIONS[status]}
        if status == 503:
            described[status]["headers"] = _RETRY_AFTER
    return described


def describe_invalid(app: FastAPI) -> None:
    """Let OpenAPI say of requests that do not fit what ``install_error_handlers`` answers them."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _own_422(made())
        return made()

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI's own guide does


def _own_422(schema: dict[str, Any]) -> None:
    theirs = {"$ref": "#/components/schemas/HTTPValidationError"}
    ours = {"$ref": "#/components/schemas/ErrorAnswer"}
    for methods in schema.get("paths", {}).values():
        for route in methods.values():
            answer = route["responses"].get("422", {}) if isinstance(route, dict) else {}
            if answer.get("content", {}).get("application/json", {}).get("schema") == theirs:
                answer["content"]["application/json"]["schema"] = ours
                answer["description"] = _DESCRIPTIONS[422]
    schemas = schema.get("components", {}).get("schemas", {})
    if schemas.pop("HTTPValidationError", None) is not None:
        schemas.pop("ValidationError", None)
        made = ErrorAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(made.pop("$defs"), ErrorAnswer=made)


def word_of(record: OperationRecord) -> ApiStatus:
    return _WORDS[record.status]


def time_of(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def named(record: OperationRecord) -> dict[str, Any]:
    return {
        "operation_id": record.id,
        "operation_type": record.type,
        "operation_name": record.name,
        "status": word_of(record),
        "state": record.status,
        "resumable": record.status == "interrupted" and record.resumable,
    }


def row(record: OperationRecord) -> Row:
    return Row(**_row(record))


def _row(record: OperationRecord) -> dict[str, Any]:
    symbols = _texts(record.parameters, "symbol", "symbols")
    return named(record) | {
        "parent_id": record.parent_id or None,
        "created_at": record.created.isoformat(),
        "progress_percentage": record.progress.percentage,
        "current_step": record.progress.message,
        "symbol": symbols[0] if len(symbols) == 1 else None,
        "symbols": symbols,
        "duration_seconds": _duration(record),
    }


def _duration(record: OperationRecord) -> float | None:
    if record.started is None:
        return None
    end = record.stopped or datetime.now(record.started.tzinfo)
    return (end - record.started).total_seconds()


def detail(record: OperationRecord) -> Detail:
    return Detail(
        **_row(record),
        started_at=time_of(record.started),
        completed_at=time_of(record.stopped),
        cancel_requested_at=time_of(record.cancel_requested),
        cancellation_reason=None if record.reason is None else record.reason.text,
        progress=_progress(record),
        metadata=_asked(record.parameters),
        error_message=None if record.error is None else record.error["message"],
        warnings=record.warnings,
        errors=[] if record.error is None else [RecordedError(**record.error)],
        result_summary=_summary(record.result),
        attempt=record.attempt,
        durable=record.durable,
        last_seq=record.last_seq,
    )


def _progress(record: OperationRecord) -> Progress:
    progress = record.progress
    return Progress(
        percentage=progress.percentage,
        current_step=progress.message,
        steps_completed=progress.current_step,
        steps_total=progress.total_steps,
        items_processed=progress.items_processed,
        items_total=progress.total_items or None,
        current_item=progress.context.get("current_item"),
        context=progress.context,
    )


def _asked(parameters: dict[str, Any]) -> Asked:
    return Asked(
        symbol=_text(parameters, "symbol"),
        symbols=_texts(parameters, "symbol", "symbols"),
        timeframe=_text(parameters, "timeframe"),
        timeframes=_texts(parameters, "timeframe", "timeframes"),
        mode=_text(parameters, "mode"),
        start_date=_text(parameters, "start_date"),
        end_date=_text(parameters, "end_date"),
        parameters=parameters,
    )


# Parameters of an operation written in Python are whatever its author called so.
def _text(parameters: dict[str, Any], name: str) -> str | None:
    value = parameters.get(name)
    return value if isinstance(value, str) else None


def _texts(parameters: dict[str, Any], one: str, several: str) -> list[str]:
    found = parameters.get(several)
    if isinstance(found, list):
        return [value for value in found if isinstance(value, str)]
    single = _text(parameters, one)
    return [] if single is None else [single]


def _summary(result: Any) -> Any:
    if not isinstance(result, dict):
        return None if isinstance(result, list) else result
    return {name: value for name, value in result.items() if not isinstance(value, dict | list)}
