"""Everything that ktrdr_core raises.

    KtrdrError
    ├── InvalidArgumentError (ValueError)      an argument out of range or of no known name
    ├── NotFoundError (LookupError)            the thing named does not exist
    ├── ConflictError                          same id, other request; or the wrong state
    ├── ConfigurationError (ValueError)        a setting is missing or cannot be read
    ├── FeatureNotAvailableError (ImportError) this installation does not have it
    ├── OperationCancelledError                the operation was cancelled
    ├── OperationTimeoutError (TimeoutError)   the operation ran past its own timeout
    ├── OperationFailedError                   the work of an operation raised something of its own
    ├── ShutDownError (RuntimeError)           the interpreter is ending, or this is a fork
    ├── OutOfResourcesError                    no memory, thread or descriptor was left for it
    ├── StorageError
    │   ├── StorageFullError                   no room left on the disk
    │   └── StorageSchemaError                 made by a newer version, or not ours
    ├── HostServiceError
    │   ├── ServiceConnectionError (ConnectionError)   resolve, refused, reset
    │   ├── ServiceTimeoutError (TimeoutError)         a phase ran past its limit
    │   ├── PoolTimeoutError (TimeoutError)            no connection became free in time
    │   ├── PoolSaturatedError                         the queue for connections is full
    │   ├── ProtocolError                              the answer breaks HTTP or JSON
    │   ├── ResponseTooLargeError                      the answer is larger than the limit
    │   ├── StatusError                                an HTTP error status
    │   └── ClientClosedError                          the client was closed
    ├── DataError
    │   ├── SymbolNotFoundError (LookupError)  the provider does not know the symbol
    │   ├── NoDataError                        not one bar of what was asked for
    │   └── NotEnoughDataError                 fewer bars than the work needs
    ├── StrategyError (ValueError)             the strategy cannot be used as it is
    ├── TrainingError                          a training could not go on
    └── InternalError (RuntimeError)           a defect of ours

Each carries ``message`` (words for a person), ``context`` (the same facts as plain JSON) and ``code``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class KtrdrError(Exception):
    """Base of every error of ktrdr_core.

    Parameters
    ----------
    message : str
        What was tried, on what, with which limit, and what to change.
    context : mapping, optional
        The facts of the message as plain JSON, keyword only.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, context: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.context: dict[str, Any] = dict(context or {})


class InvalidArgumentError(KtrdrError, ValueError):
    """An argument is out of range or of no known name; nothing was done."""

    code = "invalid_argument"


class NotFoundError(KtrdrError, LookupError):
    """The thing named does not exist."""

    code = "not_found"


class ConflictError(KtrdrError):
    """The id belongs to another request, or the object is in another state."""

    code = "conflict"


class ConfigurationError(KtrdrError, ValueError):
    """A setting is missing or cannot be read; the message names argument and variable."""

    code = "configuration"


class FeatureNotAvailableError(KtrdrError, ImportError):
    """This build or installation does not have what was asked for; the message ends in the command that brings it."""

    code = "not_available"


class OperationCancelledError(KtrdrError):
    """The operation was cancelled through its token, its handle or a shutdown."""

    code = "cancelled"


class OperationTimeoutError(KtrdrError, TimeoutError):
    """The operation ran past its own timeout."""

    code = "timed_out"


class OperationFailedError(KtrdrError):
    """The work of an operation raised something of its own; ``context`` names the exception's type."""

    code = "operation_failed"


class ShutDownError(KtrdrError, RuntimeError):
    """The interpreter is ending, or this process is a fork of the one that started ktrdr_core."""

    code = "shut_down"


class OutOfResourcesError(KtrdrError):
    """The machine, or a limit that was set, has no memory, thread or descriptor left for this; what else runs goes on."""

    code = "out_of_resources"


class StorageError(KtrdrError):
    """The store could not read or write; what was stored before is still there."""

    code = "storage"


class StorageFullError(StorageError):
    """The store has no room left."""

    code = "storage_full"


class StorageSchemaError(StorageError):
    """The store was made by a newer version, or is not a store of ours."""

    code = "storage_schema"


class HostServiceError(KtrdrError):
    """A host service did not do what was asked."""

    code = "host_service"


class ServiceConnectionError(HostServiceError, ConnectionError):
    """No connection to the host service: resolve, refused, reset."""

    code = "service_connection"


class ServiceTimeoutError(HostServiceError, TimeoutError):
    """The host service ran past a phase's limit; ``context["phase"]`` names the phase."""

    code = "service_timeout"


class PoolTimeoutError(HostServiceError, TimeoutError):
    """No pooled connection became free in time."""

    code = "pool_timeout"


class PoolSaturatedError(HostServiceError):
    """The queue for a pooled connection is full."""

    code = "pool_saturated"


class ProtocolError(HostServiceError):
    """The host service's answer breaks HTTP or JSON."""

    code = "protocol"


class ResponseTooLargeError(HostServiceError):
    """The answer is larger than the limit."""

    code = "response_too_large"


class StatusError(HostServiceError):
    """The host service answered with an HTTP error status, ``context["status"]``."""

    code = "status"


class ClientClosedError(HostServiceError):
    """The client was closed before or during the call."""

    code = "client_closed"


class DataError(KtrdrError):
    """Base of what can be wrong with market data."""

    code = "data"


class SymbolNotFoundError(DataError, LookupError):
    """The provider does not know the symbol."""

    code = "symbol_unknown"


class NoDataError(DataError):
    """Not one bar of what was asked for is to be had."""

    code = "no_data"


class NotEnoughDataError(DataError):
    """There are fewer bars than the work needs."""

    code = "not_enough_data"


class StrategyError(KtrdrError, ValueError):
    """The strategy cannot be used as it is; the message names file, line and key."""

    code = "strategy"


class TrainingError(KtrdrError):
    """A training could not go on, for example because its loss became NaN."""

    code = "training"


class InternalError(KtrdrError, RuntimeError):
    """A defect of ktrdr_core: please report the message."""

    code = "internal"


# The one table from the core's codes to classes; a test holds it against the core's own list.
BY_CODE: dict[str, type[KtrdrError]] = {
    cls.code: cls
    for cls in (
        InvalidArgumentError,
        NotFoundError,
        ConflictError,
        ConfigurationError,
        FeatureNotAvailableError,
        OperationCancelledError,
        OperationTimeoutError,
        OperationFailedError,
        ShutDownError,
        OutOfResourcesError,
        StorageError,
        StorageFullError,
        StorageSchemaError,
        HostServiceError,
        ServiceConnectionError,
        ServiceTimeoutError,
        PoolTimeoutError,
        PoolSaturatedError,
        ProtocolError,
        ResponseTooLargeError,
        StatusError,
        ClientClosedError,
        SymbolNotFoundError,
        NoDataError,
        NotEnoughDataError,
        StrategyError,
        TrainingError,
        InternalError,
    )
}


def from_record(code: str, message: str, context: Mapping[str, Any]) -> KtrdrError:
    """Build the exception of an error record of the core; a service's own record in it becomes its cause."""
    error = BY_CODE.get(code, InternalError)(message, context=context)
    cause = context.get("cause")
    if isinstance(cause, dict) and isinstance(cause.get("message"), str):
        # It is what a service or a user's own error says: anything may be in it.
        named, facts = cause.get("code"), cause.get("context")
        kind = BY_CODE.get(named, HostServiceError) if isinstance(named, str) else HostServiceError
        error.__cause__ = kind(cause["message"], context=facts if isinstance(facts, dict) else {})
    return error
