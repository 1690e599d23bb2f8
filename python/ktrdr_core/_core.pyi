from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field
from datetime import datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Literal, overload

import numpy as np
import numpy.typing as npt

class CancelReason:
    """Why work was asked to stop."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        code: str = "user",
        text: str = "",
        origin: str = "",
    ) -> None: ...
    @property
    def code(self) -> str:
        """user, timeout, shutdown, parent or error."""

    @property
    def text(self) -> str:
        """Free text for a person; may be empty."""

    @property
    def origin(self) -> str:
        """Who asked: python, cli, deadline, an operation's id."""

    def replace(self, **kwargs: Any) -> CancelReason:
        """Give a copy with other values in the named fields."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> CancelReason: ...
    def __deepcopy__(self, memo: Any, /) -> CancelReason: ...

class CancelRegistration:
    def close(self) -> None: ...

class CancellationToken:
    @overload
    def __init__(self) -> None: ...
    @overload
    def __init__(self, same_as: CancellationToken) -> None: ...
    def cancel(self, reason: str = "", *, code: str = "user") -> bool: ...
    def is_cancelled(self, /) -> bool: ...
    @property
    def reason(self) -> CancelReason | None: ...
    def child(self, timeout: float | None = None) -> CancellationToken: ...
    def check(self, context: str = "") -> None: ...
    def _notify(self, mailbox: Mailbox, key: int) -> CancelRegistration: ...
    def __eq__(self, other: object, /) -> bool: ...

class ProgressState:
    """One immutable picture of an operation's progress.

    Percentages are 0..100, rates items a second, times UTC; a count that is not known is 0.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        operation_id: str = "",
        sequence: int = 0,
        percentage: float = 0.0,
        message: str = "",
        detail: str = "",
        current_step: int = 0,
        total_steps: int = 0,
        step_name: str = "",
        step_start_percentage: float = 0.0,
        step_end_percentage: float = 100.0,
        step_current: int = 0,
        step_total: int = 0,
        items_processed: int = 0,
        total_items: int = 0,
        rate: float = 0.0,
        epoch: int = 0,
        total_epochs: int = 0,
        batch: int = 0,
        total_batches: int = 0,
        start_time: datetime = ...,
        estimated_remaining: timedelta | None = None,
        context: dict[str, Any] = ...,
    ) -> None: ...
    @property
    def operation_id(self) -> str:
        """Whose progress it is."""

    @property
    def sequence(self) -> int:
        """Rises with every state an operation delivers."""

    @property
    def percentage(self) -> float:
        """0..100; it never goes back."""

    @property
    def message(self) -> str:
        """The renderer's sentence."""

    @property
    def detail(self) -> str:
        """What the worker itself says of its step, or empty."""

    @property
    def current_step(self) -> int:
        """The step in work, from 1; 0 when unknown."""

    @property
    def total_steps(self) -> int:
        """How many steps there are; 0 when unknown."""

    @property
    def step_name(self) -> str:
        """The name of the step in work, or empty."""

    @property
    def step_start_percentage(self) -> float:
        """Where on the bar the step begins, in percent."""

    @property
    def step_end_percentage(self) -> float:
        """Where on the bar the step ends, in percent."""

    @property
    def step_current(self) -> int:
        """Units of the step that are done (segments, epochs)."""

    @property
    def step_total(self) -> int:
        """Units of the step; 0 when unknown."""

    @property
    def items_processed(self) -> int:
        """Bars or samples since the operation began."""

    @property
    def total_items(self) -> int:
        """Bars or samples in all; 0 when unknown."""

    @property
    def rate(self) -> float:
        """Items a second, of the step in work."""

    @property
    def epoch(self) -> int:
        """The epoch of a training in work, from 1; 0 when unknown."""

    @property
    def total_epochs(self) -> int:
        """Epochs at most; 0 when unknown."""

    @property
    def batch(self) -> int:
        """Batches of the epoch that are done; 0 when unknown."""

    @property
    def total_batches(self) -> int:
        """Batches of an epoch; 0 when unknown."""

    @property
    def start_time(self) -> datetime:
        """With its zone, UTC."""

    @property
    def estimated_remaining(self) -> timedelta | None:
        """Time left of the step in work; None when nothing can be said."""

    @property
    def context(self) -> dict[str, Any]:
        """What the work says of itself, a fresh dict; `metrics` holds the step's figures by name."""

    def replace(self, **kwargs: Any) -> ProgressState:
        """Give a copy with other values in the named fields."""

    def __getitem__(self, name: object) -> Any:
        """Give a field by its name, else a fact of the context; so that a callback may take a state for a dict."""

    def get(self, name: object, default: Any = None) -> Any:
        """Give what ``state[name]`` gives, or ``default``."""

    def __contains__(self, name: object) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def keys(self) -> tuple[str, ...]:
        """Give the names of the fields."""

    def values(self) -> tuple[Any, ...]:
        """Give the fields, in order."""

    def items(self) -> tuple[tuple[str, Any], ...]:
        """Give the fields with their names, in order."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> ProgressState: ...
    def __deepcopy__(self, memo: Any, /) -> ProgressState: ...

class ProgressRenderer:
    def render_message(self, state: ProgressState) -> str: ...
    def enhance_state(self, state: ProgressState) -> ProgressState: ...

class DefaultProgressRenderer(ProgressRenderer):
    def __init__(self) -> None: ...

class SessionCalendar:
    @staticmethod
    def read(text: str, source: str) -> SessionCalendar: ...
    @staticmethod
    def shipped(name: str) -> SessionCalendar: ...
    @staticmethod
    def shipped_names() -> list[str]: ...
    def with_overrides(self, text: str, source: str) -> SessionCalendar: ...
    @property
    def name(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def first_date(self) -> int: ...
    @property
    def last_date(self) -> int: ...
    @property
    def around_the_clock(self) -> bool: ...
    def sessions(
        self, first: int, last: int
    ) -> list[tuple[int, int, int, int, int, int, bool]]: ...
    def session_on(self, date: int) -> tuple[int, int, int, int, int, int, bool] | None: ...
    def session_at(self, time: int) -> tuple[int, int, int, int, int, int, bool] | None: ...
    def is_open(self, time: int) -> bool: ...
    def next_open(self, time: int) -> int | None: ...
    def next_close(self, time: int) -> int | None: ...
    def previous_open(self, time: int) -> int | None: ...
    def previous_close(self, time: int) -> int | None: ...

class BarGrid:
    def __init__(
        self,
        timeframe: str,
        calendar: SessionCalendar | None,
        provider: str,
        asset_class: str,
        session: str,
        cut: str,
    ) -> None: ...
    def with_timeframe(self, timeframe: str) -> BarGrid: ...
    def period_of(self, stamp: int) -> tuple[int, int, int]: ...
    def ends_of(self, stamps: npt.NDArray[np.int64]) -> bytes: ...
    def closed_end(self, now: int) -> int: ...
    def floor(self, time: int) -> int: ...
    def next(self, stamp: int) -> int: ...
    def stored_stamp(self, providers: int) -> int: ...
    def range_of(self, date: int) -> tuple[int, int]: ...
    def expected(self, start: int, end: int) -> bytes | None: ...

class DataProgressRenderer(ProgressRenderer):
    def __init__(self) -> None: ...

class TrainingProgressRenderer(ProgressRenderer):
    def __init__(self) -> None: ...

class GenericProgressManager:
    @overload
    def __init__(self) -> None: ...
    @overload
    def __init__(self, operation: Operation) -> None: ...
    def start_operation(
        self, operation_id: str, total_steps: int, context: dict[str, Any] | None
    ) -> ProgressState | None: ...
    def start_step(
        self,
        step_name: str,
        step_number: int,
        step_percentage: float | None,
        step_end_percentage: float | None,
        expected_items: int | None,
    ) -> ProgressState | None: ...
    def update_step_progress(
        self, current: int, total: int, items_processed: int, detail: str
    ) -> ProgressState | None: ...
    def update_progress(
        self, step: int, message: str | None, items_processed: int, context: dict[str, Any] | None
    ) -> ProgressState | None: ...
    def complete_operation(self) -> ProgressState | None: ...
    def state(self) -> ProgressState | None: ...

class Column:
    def __buffer__(self, flags: int, /) -> memoryview: ...

class Bars:
    def __len__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def symbol(self) -> str: ...
    @property
    def timeframe(self) -> str: ...
    @property
    def what_to_show(self) -> str: ...
    @property
    def time(self) -> Column: ...
    @property
    def open(self) -> Column: ...
    @property
    def high(self) -> Column: ...
    @property
    def low(self) -> Column: ...
    @property
    def close(self) -> Column: ...
    @property
    def volume(self) -> Column: ...
    def rows(
        self, first: int, last: int
    ) -> list[tuple[datetime, float, float, float, float, float]]: ...
    def every(self, first: int, last: int, step: int) -> Bars: ...
    def between(self, start: str | None, end: str | None) -> Bars: ...
    def named(self, symbol: str, timeframe: str, what_to_show: str = "") -> Bars: ...
    def to_arrow_stream(self) -> object: ...

def plan_columns(names: Sequence[str]) -> tuple[list[int | None], list[str]]: ...
def bars_of_columns(
    stamps: npt.NDArray[Any] | Sequence[str | None],
    unit: str,
    numbers: Sequence[npt.NDArray[Any] | None],
) -> Bars: ...
def bars_of_arrow_stream(capsule: object) -> tuple[Bars, list[str]]: ...

class Waiter:
    def join(self) -> None: ...
    def leave(self) -> bool: ...

class Listener: ...

class Mailbox:
    def __init__(self) -> None: ...
    def fileno(self) -> int: ...
    def take(self, limit: int) -> list[tuple[int, str, Any]]: ...
    def wait(self, seconds: float) -> bool: ...

class OperationRecord:
    """What is known of an operation, as plain values. Times UTC."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        id: str = "",
        type: str = "",
        name: str = "",
        parent_id: str = "",
        parameters: dict[str, Any] = ...,
        status: str = "pending",
        attempt: int = 1,
        resumable: bool = False,
        durable: bool = True,
        owner: str = "",
        created: datetime = ...,
        started: datetime | None = None,
        cancel_requested: datetime | None = None,
        cancel_observed: datetime | None = None,
        stopped: datetime | None = None,
        reason: CancelReason | None = None,
        progress: ProgressState = ...,
        result: Any = None,
        error: dict[str, Any] | None = None,
        warnings: list[str] = ...,
        last_seq: int = 0,
        damage: list[str] = ...,
    ) -> None: ...
    @property
    def id(self) -> str:
        """``op_<type>_<uuid7>`` or the caller's own."""

    @property
    def type(self) -> str:
        """data_load, training, …"""

    @property
    def name(self) -> str:
        """What a person calls it; may be empty."""

    @property
    def parent_id(self) -> str:
        """The operation that it is cancelled with, or empty."""

    @property
    def parameters(self) -> dict[str, Any]:
        """What was asked for, plain JSON."""

    @property
    def status(self) -> str:
        """pending, running, cancelling, completed, failed, cancelled, timed_out, interrupted or resuming."""

    @property
    def attempt(self) -> int:
        """1, and one more for every resumption."""

    @property
    def resumable(self) -> bool:
        """A run that was interrupted can go on under the same id."""

    @property
    def durable(self) -> bool:
        """False while something of it is not in the store: late, or lost."""

    @property
    def owner(self) -> str:
        """The process that runs it, by its name in the store; empty where there is one."""

    @property
    def created(self) -> datetime:
        """When it was made."""

    @property
    def started(self) -> datetime | None:
        """When its work began, or None."""

    @property
    def cancel_requested(self) -> datetime | None:
        """When it was asked to stop, or None."""

    @property
    def cancel_observed(self) -> datetime | None:
        """When its work saw that, or None."""

    @property
    def stopped(self) -> datetime | None:
        """When it ended, or None."""

    @property
    def reason(self) -> CancelReason | None:
        """Why it was asked to stop, or None."""

    @property
    def progress(self) -> ProgressState:
        """The newest picture of its progress."""

    @property
    def result(self) -> Any:
        """The plain form of its value, parts of it in words; None where it has none."""

    @property
    def error(self) -> dict[str, Any] | None:
        """``code``, ``message``, ``retryable`` and ``context`` of why it failed, or None."""

    @property
    def warnings(self) -> list[str]:
        """What went less than well, in words."""

    @property
    def last_seq(self) -> int:
        """The newest event's number."""

    @property
    def damage(self) -> list[str]:
        """What of its row in the store cannot be read, column by column; empty for a sound one."""

    @property
    def active(self) -> bool:
        """It runs or is about to."""

    def replace(self, **kwargs: Any) -> OperationRecord:
        """Give a copy with other values in the named fields."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> OperationRecord: ...
    def __deepcopy__(self, memo: Any, /) -> OperationRecord: ...

class OperationEvent:
    """One line of an operation's event log."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        seq: int = 0,
        time: datetime = ...,
        kind: str = "state",
        data: dict[str, Any] = ...,
    ) -> None: ...
    @property
    def seq(self) -> int:
        """1, 2, 3, … within the operation, over its attempts too."""

    @property
    def time(self) -> datetime:
        """When it happened, UTC."""

    @property
    def kind(self) -> str:
        """state, progress, metric, warning or log."""

    @property
    def data(self) -> dict[str, Any]:
        """A fresh dict: of a state `status` and where there is one `reason` or `error`; the names and values of a metric; the `message` of a warning or log; a progress as its fields."""

    def replace(self, **kwargs: Any) -> OperationEvent:
        """Give a copy with other values in the named fields."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> OperationEvent: ...
    def __deepcopy__(self, memo: Any, /) -> OperationEvent: ...

class Operation:
    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def done(self) -> bool: ...
    @property
    def token(self) -> CancellationToken: ...
    @property
    def type(self) -> str: ...
    @property
    def warnings(self) -> list[str]: ...
    def progress(self) -> ProgressState: ...
    def record(self) -> OperationRecord: ...
    def cancel(self, reason: str, code: str) -> bool: ...
    def wait(self, seconds: float) -> bool: ...
    def add_waiter(self) -> None:
        """Count one for whom it runs."""

    def remove_waiter(self) -> bool:
        """Count one less; True for the last one that leaves."""

    def waiter(self) -> Waiter: ...
    def result(self) -> Any: ...
    @property
    def first_seq(self) -> int: ...
    def events(self, after: int, limit: int) -> list[OperationEvent]: ...
    def listen(
        self, mailbox: Mailbox, key: int, progress: bool, events: bool = False
    ) -> Listener: ...
    def unlisten(self, listener: Listener) -> None: ...
    @property
    def admitted(self) -> bool: ...
    def admit(self, mailbox: Mailbox, key: int) -> None: ...
    def notify_cancel(self, mailbox: Mailbox, key: int) -> CancelRegistration: ...
    def start(self) -> bool: ...
    def succeed(self, result: Any) -> None: ...
    def end(self) -> None: ...
    def fail(self, code: str, message: str, context: dict[str, Any]) -> None: ...
    def add_metric(self, metric: dict[str, Any]) -> None: ...
    def add_warning(self, message: str) -> None: ...
    def add_log(self, message: str) -> None: ...

class Storage:
    def __init__(self, file: Path, by_default: bool, env: dict[str, str]) -> None: ...
    def forget(self, max_count: int, max_age_seconds: float, max_bytes: int, type: str) -> int: ...
    def keep(self, max_count: int, max_age_seconds: float, max_bytes: int) -> None: ...
    def verify(self) -> tuple[int, int, list[tuple[str, int, str]]]: ...

class SentRequests:
    """What one account was asked lately, by every process that uses the file."""

    def __init__(self, storage: Storage, account: str, speed: float) -> None: ...
    def enter(self, request: str, series: str, weight: int) -> tuple[int, float, bool]:
        """A ticket, or 0 and the seconds to wait, and whether any request would have to."""

    def arrived(self, ticket: int) -> None:
        """The answer is there."""

    def not_sent(self, ticket: int) -> None:
        """It was not sent."""

class RetryOptions:
    def __init__(
        self,
        max_attempts: int,
        base_delay: float,
        max_delay: float,
        multiplier: float,
        jitter: float,
    ) -> None: ...
    @property
    def max_attempts(self) -> int: ...
    def delay(self, failed_attempts: int, random: float) -> float: ...

class PoolOptions:
    """How connections to one service are kept. Times in seconds."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        max_connections: int = 10,
        urgent_connections: int = 1,
        max_streams: int = 64,
        max_waiters: int = 100000,
        min_idle: int = 0,
        idle_timeout: float = 30.0,
        server_idle_timeout: float = 0.0,
        max_lifetime: float = 600.0,
        dial_backoff: float = 0.1,
        max_dial_backoff: float = 1.0,
        max_head_bytes: int = 65536,
        max_body_bytes: int = 67108864,
    ) -> None: ...
    @property
    def max_connections(self) -> int:
        """Most sockets open at once, busy and idle."""

    @property
    def urgent_connections(self) -> int:
        """More, that only urgent requests get."""

    @property
    def max_streams(self) -> int:
        """Most streams at once, over sockets of their own."""

    @property
    def max_waiters(self) -> int:
        """Most requests waiting for a connection."""

    @property
    def min_idle(self) -> int:
        """Sockets kept open and idle."""

    @property
    def idle_timeout(self) -> float:
        """How long an idle socket is kept."""

    @property
    def server_idle_timeout(self) -> float:
        """How long the server keeps one; 0 where that is not known."""

    @property
    def max_lifetime(self) -> float:
        """A socket carries no new request after this time."""

    @property
    def dial_backoff(self) -> float:
        """Wait before the next dial after one that failed."""

    @property
    def max_dial_backoff(self) -> float:
        """The longest of these waits."""

    @property
    def max_head_bytes(self) -> int:
        """Most bytes of an answer's head."""

    @property
    def max_body_bytes(self) -> int:
        """Most bytes of an answer's body."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> PoolOptions: ...
    def __deepcopy__(self, memo: Any, /) -> PoolOptions: ...

class Timeouts:
    """Limits of a request's phases, in seconds."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        pool: float = 5.0,
        resolve: float = 5.0,
        connect: float = 2.0,
        tls: float = 5.0,
        write: float = 10.0,
        first_byte: float = 30.0,
        between_bytes: float = 30.0,
        total: float = 60.0,
    ) -> None: ...
    @property
    def pool(self) -> float:
        """Waiting for a connection."""

    @property
    def resolve(self) -> float:
        """Looking up the host's name."""

    @property
    def connect(self) -> float:
        """Connecting to one address."""

    @property
    def tls(self) -> float:
        """The TLS handshake."""

    @property
    def write(self) -> float:
        """Writing the request."""

    @property
    def first_byte(self) -> float:
        """Until the answer begins."""

    @property
    def between_bytes(self) -> float:
        """Between two pieces of the answer."""

    @property
    def total(self) -> float:
        """The whole call, all attempts together."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> Timeouts: ...
    def __deepcopy__(self, memo: Any, /) -> Timeouts: ...

class RetryPolicy:
    """When a request is sent again. Times in seconds."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        attempts: int = 3,
        first_pause: float = 0.05,
        busy_pause: float = 1.0,
        longest_pause: float = 20.0,
        longest_retry_after: float = 60.0,
        budget: float = 0.1,
        budget_reserve: float = 10.0,
    ) -> None: ...
    @property
    def attempts(self) -> int:
        """How often a request is sent in all; 1 for no retry."""

    @property
    def first_pause(self) -> float:
        """A pause is drawn from 0 to this, doubled each time."""

    @property
    def busy_pause(self) -> float:
        """The same after 429 and 503 without Retry-After."""

    @property
    def longest_pause(self) -> float:
        """The longest pause of our own."""

    @property
    def longest_retry_after(self) -> float:
        """A longer Retry-After is cut to this."""

    @property
    def budget(self) -> float:
        """Retries that each request earns for all of its origin."""

    @property
    def budget_reserve(self) -> float:
        """Retries that can be saved up."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> RetryPolicy: ...
    def __deepcopy__(self, memo: Any, /) -> RetryPolicy: ...

class TlsOptions:
    """How https:// is trusted."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        ca_file: str | PathLike[str] = "",
        certificate_file: str | PathLike[str] = "",
        key_file: str | PathLike[str] = "",
        verify: bool = True,
    ) -> None: ...
    @property
    def ca_file(self) -> str:
        """Authorities that are trusted, PEM; empty for the system's."""

    @property
    def certificate_file(self) -> str:
        """The client's own certificate, PEM."""

    @property
    def key_file(self) -> str:
        """The certificate's key, PEM."""

    @property
    def verify(self) -> bool:
        """False trusts anybody."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> TlsOptions: ...
    def __deepcopy__(self, memo: Any, /) -> TlsOptions: ...

class HttpResponse:
    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def content(self) -> bytes: ...
    @property
    def attempts(self) -> list[dict[str, Any]]: ...
    @property
    def elapsed(self) -> float: ...
    def json(self, service: str, method: str, url: str) -> Any: ...
    def raise_for_status(self, service: str, method: str, url: str) -> None: ...
    @property
    def redirects(self) -> list[str]: ...
    @property
    def url(self) -> str: ...

class HttpRequest:
    def __init__(self, given: dict[str, Any]) -> None: ...

class BodyPieces:
    def __iter__(self) -> BodyPieces: ...
    def __next__(self) -> bytes: ...

class HttpStream:
    @property
    def head(self) -> HttpResponse: ...
    def next(self, heard: int, mailbox: Mailbox, key: int) -> None: ...
    def close(self) -> None: ...

class ServerEvent:
    """One server-sent event."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        event: str = "message",
        data: str = "",
        id: str = "",
    ) -> None: ...
    @property
    def event(self) -> str:
        """Its type; message where the service names none."""

    @property
    def data(self) -> str:
        """Its text."""

    @property
    def id(self) -> str:
        """The newest id so far; empty where the service gives none."""

    def replace(self, **kwargs: Any) -> ServerEvent:
        """Give a copy with other values in the named fields."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> ServerEvent: ...
    def __deepcopy__(self, memo: Any, /) -> ServerEvent: ...

class HttpEvents:
    def next(self, heard: int, mailbox: Mailbox, key: int) -> None: ...
    def close(self) -> None: ...

class HttpCalls:
    def __init__(
        self,
        base_url: str,
        headers: list[tuple[str, str]],
        pool: PoolOptions,
        timeouts: Timeouts,
        retry: RetryPolicy,
        tls: TlsOptions,
    ) -> None: ...
    def send(
        self, request: HttpRequest, token: CancellationToken | None, mailbox: Mailbox, key: int
    ) -> CancellationToken: ...
    def stream(
        self, request: HttpRequest, token: CancellationToken | None, mailbox: Mailbox, key: int
    ) -> CancellationToken: ...
    def events(
        self, request: HttpRequest, token: CancellationToken | None, reconnect_for: float | None
    ) -> HttpEvents: ...
    def warm_up(self, connections: int, mailbox: Mailbox, key: int) -> None: ...
    def drain(self, seconds: float, mailbox: Mailbox, key: int) -> None: ...
    def close(self) -> None: ...
    @property
    def url(self) -> str: ...
    def stats(self) -> dict[str, int]: ...
    def metrics(self) -> dict[str, Any]: ...

class HostServiceConfig:
    """How a host service is reached. Times in seconds."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __match_args__: ClassVar[tuple[str, ...]]
    def __init__(
        self,
        *,
        base_url: str = "",
        timeout: float = 30.0,
        max_retries: int = 3,
        max_connections: int = 20,
        idle_timeout: float = 30.0,
        tls: TlsOptions = ...,
    ) -> None: ...
    @property
    def base_url(self) -> str:
        """``http[s]://host[:port][/prefix]``."""

    @property
    def timeout(self) -> float:
        """The whole of a call, all attempts together."""

    @property
    def max_retries(self) -> int:
        """Attempts after the first."""

    @property
    def max_connections(self) -> int:
        """Most connections at once."""

    @property
    def idle_timeout(self) -> float:
        """How long an idle connection is kept."""

    @property
    def tls(self) -> TlsOptions:
        """Whom https:// trusts, and the client's own certificate."""

    @property
    def connection_pool_limit(self) -> int:
        """An older name."""

    @property
    def keepalive_expiry(self) -> float:
        """An older name."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __copy__(self) -> HostServiceConfig: ...
    def __deepcopy__(self, memo: Any, /) -> HostServiceConfig: ...

def read_host_service_config(
    defaults: HostServiceConfig, prefix: str, env: dict[str, str]
) -> HostServiceConfig: ...

class CallOptions:
    def __init__(
        self,
        operation: Operation | None,
        token: CancellationToken | None,
        timeout: float | None,
        deadline: float | None,
        idempotent: bool,
        idempotency_key: str,
        urgent: bool,
    ) -> None: ...

class ServiceCalls:
    def __init__(
        self,
        name: str,
        type: str,
        start_hint: str,
        health_endpoint: str,
        headers: list[tuple[str, str]],
        base_url: str,
        config: HostServiceConfig,
    ) -> None: ...
    def call(
        self, endpoint: str, data: Any, options: CallOptions | None, mailbox: Mailbox, key: int
    ) -> CancellationToken: ...
    def batch(
        self,
        rows: list[tuple[str, Any, bool, str]],
        options: CallOptions,
        stop_at_error: bool,
        mailbox: Mailbox,
        key: int,
    ) -> CancellationToken: ...
    def check_health(
        self,
        endpoint: str,
        timeout: float,
        cache_ttl: float,
        options: CallOptions,
        mailbox: Mailbox,
        key: int,
    ) -> CancellationToken: ...
    def events(
        self,
        endpoint: str,
        last_event_id: str,
        options: CallOptions,
        reconnect_for: float | None,
    ) -> HttpEvents: ...
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def health_endpoint(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def config(self) -> HostServiceConfig: ...
    def stats(self) -> dict[str, int]: ...
    def metrics(self) -> dict[str, Any]: ...
    def close(self) -> None: ...

class BarSource: ...

class ScriptedSource(BarSource):
    def __init__(self, provider: str) -> None: ...
    def set_bars(
        self,
        symbol: str,
        timeframe: str,
        time: npt.NDArray[np.int64],
        prices: Sequence[npt.NDArray[np.float64]],
    ) -> None: ...
    def give(self, symbol: str, timeframe: str, bars: Bars) -> None:
        """What it has of a series, in place of what it had."""

    def fail_with(self, code: str | None, message: str) -> None: ...
    def hold(self) -> None: ...
    def release(self) -> None: ...
    def wait_until_held(self, limit: float) -> bool: ...
    @property
    def fetches(self) -> int: ...

def open_ib_source(
    url: str | None, use_host_service: bool | None, env: dict[str, str]
) -> BarSource | None:
    """The source behind the IB host service; None where none is named."""

class CsvSource(BarSource):
    def __init__(self, folder: PathLike[str], provider: str) -> None: ...

class AskedSource(BarSource):
    def __init__(
        self,
        mailbox: Mailbox,
        key: int,
        provider: str,
        name: str,
        limits: Mapping[str, tuple[float, int]],
        refused: Mapping[str, tuple[str, str, dict[str, Any]]],
        patience: float,
        takes: list[str],
    ) -> None: ...

class SourceAsk:
    @property
    def kind(self) -> Literal["validate_symbol", "first_timestamp", "fetch"]: ...
    @property
    def symbol(self) -> str: ...
    @property
    def timeframe(self) -> str: ...
    @property
    def start(self) -> int | None: ...
    @property
    def end(self) -> int | None: ...
    @property
    def series(self) -> tuple[str, str, str]:
        """Instrument type, empty where nobody has said, what to show, session."""

    @property
    def asked(self) -> str: ...
    @property
    def token(self) -> CancellationToken: ...
    def warn(self, text: str) -> None:
        """Tell whoever asked what a person should know."""

    def answer_known(self, asset_class: str, exchange: str, currency: str) -> None:
        """The provider knows the symbol, and what it stands for, where it says."""

    def answer_first(self, time: str | None) -> None:
        """The oldest bar's start, ISO 8601, or None."""

    def answer_bars(
        self,
        bars: Bars | None,
        partial: str,
        dropped: Sequence[tuple[str, str]],
        now: str | None,
    ) -> None:
        """Bars, why there may be more, rows that cannot be used, and what the provider's clock said."""

    def fail(self, code: str, message: str, context: dict[str, Any]) -> None:
        """An error in place of an answer."""

class SourceReply:
    @property
    def bars(self) -> Bars: ...
    @property
    def partial(self) -> str: ...
    @property
    def dropped(self) -> list[tuple[int, str]]: ...

class SourceCalls:
    def __init__(self, source: BarSource) -> None: ...
    @property
    def provider(self) -> str: ...
    def describe(self, timeframe: str) -> tuple[float, int]:
        """Seconds of the longest range, and fetches at once."""

    def validate_symbol(
        self, series: SeriesRequest, token: CancellationToken, mailbox: Mailbox, key: int
    ) -> CancellationToken: ...
    def first_timestamp(
        self, series: SeriesRequest, token: CancellationToken, mailbox: Mailbox, key: int
    ) -> CancellationToken: ...
    def fetch(
        self,
        series: SeriesRequest,
        start: str,
        end: str,
        token: CancellationToken,
        mailbox: Mailbox,
        key: int,
    ) -> CancellationToken: ...

class LoadRequest:
    def __init__(
        self,
        *,
        symbol: str = ...,
        timeframe: str = ...,
        start_date: str | None = ...,
        end_date: str | None = ...,
        mode: str = ...,
        refresh: bool = ...,
        priority: int = ...,
        operation_id: str = ...,
        parent_id: str = ...,
        resume: bool = ...,
        instrument_type: str | None = ...,
        what_to_show: str | None = ...,
        session: str | None = ...,
        exchange: str | None = ...,
        currency: str | None = ...,
        validate: bool = ...,
        repair: bool = ...,
        strict: bool = ...,
    ) -> None: ...

class SeriesRequest:
    def __init__(
        self,
        *,
        symbol: str = ...,
        timeframe: str = ...,
        instrument_type: str | None = ...,
        what_to_show: str | None = ...,
        session: str | None = ...,
        exchange: str | None = ...,
        currency: str | None = ...,
    ) -> None: ...

class StoreRequest:
    def __init__(
        self,
        *,
        symbol: str = ...,
        timeframe: str = ...,
        ignored: list[str] = ...,
        parent_id: str = ...,
        instrument_type: str | None = ...,
        what_to_show: str | None = ...,
        session: str | None = ...,
        exchange: str | None = ...,
        currency: str | None = ...,
    ) -> None: ...

class ImportRequest:
    def __init__(
        self,
        *,
        file: PathLike[str] = ...,
        symbol: str | None = ...,
        timeframe: str | None = ...,
        parent_id: str = ...,
        instrument_type: str | None = ...,
        what_to_show: str | None = ...,
        session: str | None = ...,
        exchange: str | None = ...,
        currency: str | None = ...,
    ) -> None: ...

class ExportRequest:
    def __init__(
        self,
        *,
        symbol: str = ...,
        timeframe: str = ...,
        start_date: str | None = ...,
        end_date: str | None = ...,
        path: PathLike[str] = ...,
        overwrite: bool = ...,
        parent_id: str = ...,
        instrument_type: str | None = ...,
        what_to_show: str | None = ...,
        session: str | None = ...,
        exchange: str | None = ...,
        currency: str | None = ...,
    ) -> None: ...

class ImportFolderRequest:
    def __init__(
        self,
        *,
        folder: PathLike[str] = ...,
        timeframe: str | None = ...,
        parent_id: str = ...,
    ) -> None: ...

class ResampleRequest:
    def __init__(
        self,
        *,
        symbol: str = ...,
        from_timeframe: str = ...,
        to_timeframe: str = ...,
        start_date: str | None = ...,
        end_date: str | None = ...,
        calendar: SessionCalendar | None = ...,
        asset_class: str = ...,
        cut: str = ...,
        store: bool = ...,
        parent_id: str = ...,
        instrument_type: str | None = ...,
        what_to_show: str | None = ...,
        session: str | None = ...,
        exchange: str | None = ...,
        currency: str | None = ...,
    ) -> None: ...

class LoadManyRequest:
    def __init__(
        self,
        *,
        symbols: list[str] = ...,
        timeframes: list[str] = ...,
        start_date: str | None = ...,
        end_date: str | None = ...,
        mode: str = ...,
        at_once: int | None = ...,
        priority: int = ...,
        parent_id: str = ...,
        instrument_type: str | None = ...,
        what_to_show: str | None = ...,
        session: str | None = ...,
        exchange: str | None = ...,
        currency: str | None = ...,
        validate: bool = ...,
        repair: bool = ...,
        strict: bool = ...,
    ) -> None: ...

class NewFile:
    @staticmethod
    def open(path: PathLike[str], overwrite: bool, env: dict[str, str]) -> NewFile:
        """Begin it; refused where the path holds what is no plain file."""

    @property
    def hidden(self) -> Path: ...
    @property
    def path(self) -> Path: ...
    def commit(self, token: CancellationToken | None) -> None:
        """Give it its name, unless the token is cancelled by then."""

    def discard(self) -> None:
        """It goes now, unless it was committed."""

def check_import(request: ImportRequest, token: CancellationToken | None) -> None:
    """Refuse what an import would refuse of the file; nothing is made."""

def check_import_folder(request: ImportFolderRequest, token: CancellationToken | None) -> None:
    """Refuse a folder of which an import would store nothing; nothing is made."""

def check_load(
    request: LoadRequest, ib_url: str | None, env: dict[str, str], has_source: bool = False
) -> None:
    """Refuse what a load would refuse at once; nothing is opened, made or asked."""

class DataManager:
    def __init__(
        self,
        data_dir: Path,
        ib_url: str | None,
        use_ib_host_service: bool | None,
        max_connections: int | None,
        source: BarSource | None,
        env: dict[str, str],
        calendars: tuple[str, str] | None,
    ) -> None: ...
    def load_data(self, request: LoadRequest, token: CancellationToken | None) -> Operation: ...
    def store_bars(
        self, request: StoreRequest, bars: Bars, token: CancellationToken | None
    ) -> Operation: ...
    def import_csv(self, request: ImportRequest, token: CancellationToken | None) -> Operation: ...
    def series(
        self,
    ) -> list[tuple[str, str, str, int, datetime, datetime, str, str, str, str, str]]: ...
    def undo(
        self, request: SeriesRequest
    ) -> tuple[datetime, datetime, str, datetime, int, int, int]: ...
    def changes(
        self, request: SeriesRequest
    ) -> list[tuple[datetime, datetime, str, datetime, int, int, int]]: ...
    def forget(self, request: LoadRequest) -> int: ...
    def verify(self, parent_id: str, token: CancellationToken | None) -> Operation: ...
    def compact(self, parent_id: str, token: CancellationToken | None) -> Operation: ...
    def create_load(self, request: LoadRequest, token: CancellationToken | None) -> str:
        """Its id."""

    def start_job(self, id: str) -> Operation: ...
    def job_status(self, id: str) -> OperationRecord: ...
    def list_jobs(self) -> list[OperationRecord]: ...
    def cancel_job(self, id: str, reason: str) -> bool: ...
    def resume_loads(
        self,
    ) -> tuple[list[Operation], list[tuple[str, str, str, dict[str, Any]]]]:
        """Operations that go on, and id, code, message and context of each that was refused."""

    def export_csv(self, request: ExportRequest, token: CancellationToken | None) -> Operation: ...
    def place_of_export(self, request: ExportRequest, extension: str) -> Path:
        """Where an export's file is to be; refused where it cannot."""

    def new_file(self, path: PathLike[str], overwrite: bool) -> NewFile: ...
    def import_folder(
        self, request: ImportFolderRequest, token: CancellationToken | None
    ) -> Operation: ...
    def resample(self, request: ResampleRequest, token: CancellationToken | None) -> Operation: ...
    def load_many(self, request: LoadManyRequest, token: CancellationToken | None) -> Operation: ...
    def get_data(
        self, request: LoadRequest, limit: int | None, token: CancellationToken | None
    ) -> Bars: ...
    def get_summary(self, request: SeriesRequest) -> tuple[
        str,
        str,
        str,
        int,
        datetime,
        datetime,
        float,
        float,
        float,
        float | None,
        int,
        list[tuple[datetime, datetime]],
        str,
        str,
        str,
        str,
        str,
    ]: ...
    def delete_series(self, provider: str, request: SeriesRequest) -> int:
        """How many bars went."""

    @property
    def service_names(self) -> tuple[str, str, str]: ...
    @property
    def service(self) -> ServiceCalls | None: ...
    @property
    def database_path(self) -> Path: ...
    def pool_stats(self) -> dict[str, int]: ...
    def close(self) -> None: ...

class Trainer: ...

class TrainerSlot:
    def __init__(self) -> None: ...
    def fulfil(self, trainer: Trainer) -> None: ...
    def fail(self, message: str) -> None: ...

class TrainingRequest:
    def __init__(
        self,
        *,
        strategy: dict[str, Any] = ...,
        strategy_path: str = ...,
        symbols: list[str] | None = ...,
        timeframes: list[str] | None = ...,
        start_date: str | None = ...,
        end_date: str | None = ...,
        test_from: str | None = ...,
        what_to_show: str | None = ...,
        session: str | None = ...,
        validation_split: float | None = ...,
        random_walk_baseline: bool = ...,
        permutation_importance: bool = ...,
        operation_id: str = ...,
        parent_id: str = ...,
        priority: int = ...,
        resume: bool = ...,
        resume_from: str = ...,
        save_checkpoint: bool = ...,
        checkpoint_epochs: int = ...,
        checkpoint_seconds: float = ...,
    ) -> None: ...

def pooled_judgement(windows: list[dict[str, Any]]) -> dict[str, Any]: ...

class EvaluationRequest:
    def __init__(
        self,
        *,
        model: Path = ...,
        symbols: list[str] | None = ...,
        start_date: str | None = ...,
        end_date: str | None = ...,
        what_to_show: str | None = ...,
        session: str | None = ...,
    ) -> None: ...

class TrainingManager:
    def __init__(
        self,
        data: DataManager,
        models_dir: Path,
        use_training_host_service: bool | None,
        training_url: str | None,
        env: dict[str, str],
        sessions: int | None,
        memory_limit: int | None,
    ) -> None: ...
    @staticmethod
    def is_on_host(env: dict[str, str]) -> bool: ...
    @property
    def service_names(self) -> tuple[str, str, str]: ...
    @property
    def service(self) -> ServiceCalls | None: ...
    def has_checkpoint(self, operation_id: str) -> bool: ...
    def remove_checkpoint(self, operation_id: str) -> None: ...
    def evaluate(self, request: EvaluationRequest, operation: Operation) -> dict[str, Any]:
        """Judge a saved model on stored bars, on this thread."""

    def queue(self) -> list[tuple[str, int, int, int, str]]:
        """Operation id, priority, place, bytes of memory and why it waits, of those that run (place 0) or wait."""

    def limits(self) -> tuple[int, int]:
        """Trainings at once, and bytes (0: no limit)."""

    def close(self) -> None: ...
    def train(
        self, request: TrainingRequest, slot: TrainerSlot, token: CancellationToken | None
    ) -> Operation: ...

def break_warnings(
    data: DataManager,
    symbol: str,
    timeframe: str,
    what_to_show: str | None,
    session: str | None,
    first: int,
    last: int,
) -> list[str]: ...
def check_series_words(what_to_show: str | None, session: str | None) -> None: ...

class KeptRows:
    """Keeps the rows that a manager's trainings shared last."""

    def __init__(self, training: TrainingManager) -> None: ...
    def release(self) -> None: ...

class OperationSpec:
    def __init__(self, given: dict[str, Any]) -> None: ...

def create_operation(
    spec: OperationSpec,
    timeout: float | None = None,
    token: CancellationToken | None = None,
    context: dict[str, Any] = ...,
) -> tuple[Operation, bool]: ...
def list_operations(
    statuses: list[str],
    type: str,
    parent_id: str,
    active_only: bool,
    limit: int,
    offset: int,
    cursor: str | None,
) -> tuple[list[OperationRecord], int, int, str | None]: ...
def operation_events(id: str, after: int, limit: int, kind: str | None) -> list[OperationEvent]: ...
def operation_record(id: str) -> OperationRecord: ...
def find_operation(id: str) -> Operation | None: ...
def operation_handle(id: str) -> Operation | None: ...
def cancel_operation(id: str, reason: str) -> bool: ...
def cancel_token(id: str, reason: str, code: str) -> bool: ...
def cancel_all_tokens(reason: str, code: str) -> int: ...
def active_tokens() -> list[str]: ...
def find_token(id: str) -> CancellationToken | None: ...
def check_retry(id: str) -> OperationRecord: ...
def check_resume(id: str) -> OperationRecord: ...
def retry_operation(id: str) -> Operation: ...
def resume_operation(id: str) -> Operation: ...
def resolve_route(
    service: str,
    default_host_url: str,
    env_var_prefix: str,
    use_host_service: bool | None,
    host_service_url: str | None,
    env: dict[str, str],
) -> tuple[bool, str]: ...
def is_retryable(code: str) -> bool: ...
def check_json(value: Any) -> None: ...
def error_codes() -> list[str]: ...
def live_objects() -> dict[str, int]: ...
def wait_for_live(limits: dict[str, int], seconds: float) -> dict[str, int]: ...
def resample(
    bars: Bars, source: BarGrid, target: BarGrid, covered: tuple[int, int] | None
) -> tuple[Bars, int, int]: ...
def timeframes() -> list[str]: ...

class Revisions:
    """Other numbers that a provider gave for stored bars; only a check looks at them."""

class QualityOptions:
    def __init__(
        self,
        *,
        evidence: list[tuple[int, int, str, int]] = ...,
        revisions: Revisions = ...,
        now: int = ...,
        range: tuple[int, int] = ...,
        longer: tuple[Bars, BarGrid] = ...,
        negative_prices: bool = ...,
        jump: float = ...,
        least_jump: float = ...,
        equal_bars: int = ...,
        still_bars: int = ...,
        stale_bars: int = ...,
        most_of_a_rule: int = ...,
    ) -> None: ...

class GapReport:
    @property
    def range(self) -> tuple[int, int]: ...
    @property
    def known(self) -> tuple[int, int]: ...
    @property
    def expected(self) -> int: ...
    @property
    def present(self) -> int: ...
    @property
    def absent(self) -> int: ...
    @property
    def gaps(self) -> list[tuple[int, int, str, int, int, str, str]]: ...
    def __getstate__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, state: tuple[Any, ...], /) -> None: ...
    def __eq__(self, other: object) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

class QualityReport:
    @property
    def bars(self) -> int: ...
    @property
    def range(self) -> tuple[int, int]: ...
    @property
    def findings(self) -> list[tuple[str, str, int, int, int, str | None, float, str]]: ...
    @property
    def left_out(self) -> dict[str, int]: ...
    @property
    def gaps(self) -> GapReport: ...
    def __getstate__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, state: tuple[Any, ...], /) -> None: ...
    def __eq__(self, other: object) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]

class Repair:
    @property
    def changes(self) -> list[tuple[str, int, str, float, float, int, str]]: ...
    def undone(self, like: Bars) -> Bars:
        """The bars as they were given, as those of the same series."""

def quality_rules() -> list[str]: ...
def gap_classes() -> list[str]: ...
def find_gaps(
    bars: Bars,
    grid: BarGrid,
    range: tuple[int, int] | None,
    evidence: list[tuple[int, int, str, int]],
    closed: bool,
    token: CancellationToken | None,
) -> GapReport: ...
def check_quality(
    bars: Bars, grid: BarGrid, options: QualityOptions, token: CancellationToken | None
) -> QualityReport: ...
def repair(
    bars: Bars, report: QualityReport, token: CancellationToken | None
) -> tuple[Bars, Repair]: ...
def diagnose_clock(
    bars: Bars, grid: BarGrid
) -> tuple[float, tuple[int, int] | None, list[tuple[int, int, float]], str]: ...
def undo_clock(bars: Bars, calendar: SessionCalendar, change: tuple[int, int]) -> Bars: ...
def clock_text(change: tuple[int, int]) -> str: ...
def series_to_check(
    manager: DataManager,
    request: SeriesRequest,
    grid: BarGrid,
    start: str | None,
    end: str | None,
    token: CancellationToken | None,
) -> tuple[Bars, tuple[int, int], list[tuple[int, int, str, int]], Revisions]: ...
def grid_of_series(
    manager: DataManager, request: SeriesRequest
) -> tuple[BarGrid, SessionCalendar | None]: ...
def own_calendar(manager: DataManager, name: str) -> SessionCalendar | None: ...
def exchange_rows(
    manager: DataManager, request: SeriesRequest, before: Bars, after: Bars
) -> None: ...
def rows_at(bars: Bars, rows: list[int]) -> Bars: ...

class IndicatorStream:
    def next(self, values: Sequence[float]) -> list[float]: ...

class Indicator:
    def __init__(self, name: str, parameters: Mapping[str, float], source: str | None) -> None: ...
    @property
    def inputs(self) -> list[str]: ...
    @property
    def outputs(self) -> list[str]: ...
    @property
    def warm_up(self) -> tuple[int, int | None]: ...
    def compute(
        self,
        columns: Sequence[npt.NDArray[np.float64]],
        results: Sequence[npt.NDArray[np.float64]],
    ) -> None: ...
    def stream(self) -> IndicatorStream: ...

def indicator_specs() -> dict[str, Any]: ...
def strategy_options() -> dict[str, dict[str, Any]]: ...
def make_labels(
    bars: Bars,
    grid: BarGrid,
    source: str,
    threshold: float,
    lookahead: int,
    zigzag_threshold: float | None,
    stop_threshold: float | None,
) -> tuple[bytes, bytes, bytes, dict[str, int]]: ...
def split_in_time(
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    embargo: int,
    train: float,
    validation: float,
    test: float,
) -> tuple[bytes, bytes, bytes, int]: ...
def walk_forward_fold(
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    embargo: int,
    splits: int,
    test_rows: int | None,
    train_rows: int | None,
    index: int,
) -> tuple[bytes, bytes, int]: ...
def purged_fold(
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    embargo: int,
    splits: int,
    index: int,
) -> tuple[bytes, bytes, int]: ...
def refuse_strategy_option(path: str, value: Any) -> str | None: ...

class Numbers:
    def __buffer__(self, flags: int, /) -> memoryview: ...

class PredictionStream:
    def push(
        self,
        timeframe: int,
        time: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
    ) -> tuple[int, list[float]] | None: ...
    @property
    def features(self) -> list[float]: ...
    @property
    def warnings(self) -> list[str]: ...
    def missing(self, timeframe: int) -> int: ...

class Model:
    def __init__(self, path: PathLike[str]) -> None: ...
    @property
    def files(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]: ...
    @property
    def feature_names(self) -> list[str]: ...
    @property
    def membership_names(self) -> list[str]: ...
    @property
    def classes(self) -> list[str]: ...
    @property
    def timeframes(self) -> list[str]: ...
    @property
    def base(self) -> int: ...
    @property
    def hidden_layers(self) -> list[int]: ...
    @property
    def activation(self) -> str: ...
    @property
    def dropout(self) -> float: ...
    @property
    def weights(self) -> list[tuple[str, list[int], Numbers]]: ...
    def history(self, exact: bool) -> int: ...
    def predict(self, rows: npt.NDArray[np.float32]) -> tuple[Numbers, Numbers]: ...
    def features_of(
        self, series: list[Bars], exact: bool, scaled: bool
    ) -> tuple[Numbers, Numbers]: ...
    def predict_bars(
        self, series: list[Bars], exact: bool
    ) -> tuple[Numbers, Numbers, Numbers, list[str]]: ...
    def choose_series(
        self, symbol: str, timeframe: str, what_to_show: str | None, session: str | None
    ) -> tuple[str | None, str | None]: ...
    def check_basis(self, bars: Bars, timeframe: int) -> None: ...
    def stream(self, exact: bool, symbol: str) -> PredictionStream: ...

def read_model_files(
    path: PathLike[str],
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]: ...
def list_model_folders(models_dir: PathLike[str]) -> list[Path]: ...
def read_strategy(strategy: Any) -> dict[str, Any]: ...
def strategy_features(
    strategy: Any, series: Sequence[tuple[Bars, BarGrid]], token: CancellationToken | None
) -> tuple[list[str], Numbers, Numbers, dict[str, int]]: ...
def start(log_level: int) -> None: ...
def shutdown(seconds: float) -> bool: ...
def take_logs() -> list[tuple[int, str, str, str]]: ...
def preload(path: str) -> str | None: ...
