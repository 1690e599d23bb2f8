"""Errors as answers: ``{"success": false, "data": null, "error": {"code", "message", "details"}}`` with a fitting status."""

import logging
import math
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from .. import errors
from .._bridge.plain import plain
from ..guard import RefusedRequest, RequestRules
from .answers import describe_invalid

_log = logging.getLogger("ktrdr_core.fastapi")

# The nearest class of an error's decides.
_HTTP_STATUS: dict[type[errors.KtrdrError], int] = {
    errors.InvalidArgumentError: 422,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.FeatureNotAvailableError: 501,
    errors.OperationCancelledError: 409,
    errors.OperationTimeoutError: 504,
    errors.ShutDownError: 503,
    errors.OutOfResourcesError: 503,
    errors.StorageError: 503,
    errors.HostServiceError: 503,
    errors.SymbolNotFoundError: 404,
    errors.NoDataError: 404,
    errors.NotEnoughDataError: 422,
    errors.StrategyError: 422,
}
# Going on without an answer would be a surprise; nobody waits so long. Seconds.
_LONGEST_RETRY_AFTER = 86_400


class Refusal(errors.KtrdrError):
    """An HTTP status that the error's class does not tell."""

    code = "conflict"

    def __init__(self, status: int, error: errors.KtrdrError) -> None:
        super().__init__(error.message, context=error.context)
        self.status = status


class EnvelopeRoute(APIRoute):
    """Answers errors in the envelope, in whatever app the router is mounted."""

    #: Which requests are let in; None asks nothing.
    rules: ClassVar[RequestRules | None] = None

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def respond(request: Request) -> Response:
            try:
                if self.rules is not None:
                    # Before anything of the request is read, its body and who sends it included.
                    receive = await self.rules.admit(request.scope, request.receive)
                    request = Request(request.scope, receive)
                return await handler(request)
            except RequestValidationError as error:
                return _invalid(error)
            except HTTPException as error:
                # FastAPI's own word for it; all else is a dependency's, and passes.
                if not isinstance(error.__cause__, RecursionError):
                    raise
                return _answer(
                    errors.InvalidArgumentError("the body is nested too deeply: send less")
                )
            except errors.KtrdrError as error:
                return _answer(error)

        return respond


def guarded(rules: RequestRules) -> type[EnvelopeRoute]:
    """Make the class of routes that let in what the rules do."""

    class Guarded(EnvelopeRoute):
        pass

    Guarded.rules = rules
    return Guarded


def install_error_handlers(app: FastAPI, *, validation: bool = True) -> None:
    """Answer errors of this package that a route raises: one envelope, a fitting status, ``Retry-After`` where it is known.

    ======  ===========================================================================================
    status  errors
    ======  ===========================================================================================
    404     ``NotFoundError``, ``SymbolNotFoundError``, ``NoDataError``
    409     ``ConflictError``, ``OperationCancelledError``
    422     ``InvalidArgumentError``, ``StrategyError``, ``NotEnoughDataError``
    501     ``FeatureNotAvailableError``
    503     ``HostServiceError``, ``StorageError``, ``OutOfResourcesError``, ``ShutDownError``
    504     ``OperationTimeoutError``
    500     every other one; it is logged with its traceback
    ======  ===========================================================================================

    A class of your own answers as the nearest of these that it derives from. ``operations_router`` needs no handler.
    What is not this package's, ``HTTPException`` too, is answered as before.

    Parameters
    ----------
    app : FastAPI
        Whose routes they are. An app that is mounted in it has handlers of its own.
    validation : bool
        Whether requests that do not fit a route's types are answered in the envelope too, with 422, in place of FastAPI's
        own list of problems; OpenAPI then says so.

    Examples
    --------
    >>> import asyncio
    >>> from fastapi import FastAPI
    >>> from ktrdr_core import errors
    >>> from ktrdr_core.fastapi import install_error_handlers
    >>> app = FastAPI()
    >>> install_error_handlers(app)
    >>> @app.get("/bars/{symbol}")
    ... def bars(symbol: str) -> None:
    ...     raise errors.SymbolNotFoundError(f"nobody knows {symbol}", context={"symbol": symbol})
    """

    async def known(connection: Any, error: Exception) -> Response | None:
        if not isinstance(error, errors.KtrdrError):
            raise error
        if isinstance(connection, WebSocket):
            # A close frame holds no more than 123 bytes of reason.
            await connection.close(1011, error.message.encode()[:123].decode(errors="ignore"))
            return None
        return _answer(error)

    async def invalid(_: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        return _invalid(error)

    # Starlette's types know handlers that always answer; one of a websocket closes it instead.
    app.add_exception_handler(errors.KtrdrError, known)  # type: ignore[arg-type]
    if validation:
        app.add_exception_handler(RequestValidationError, invalid)
        describe_invalid(app)


def _http_status(error: errors.KtrdrError) -> int:
    if isinstance(error, Refusal | RefusedRequest):
        return error.status
    known = (_HTTP_STATUS[cls] for cls in type(error).__mro__ if cls in _HTTP_STATUS)
    return next(known, 500)


def _answer(error: errors.KtrdrError) -> Response:
    status = _http_status(error)
    if status == 500:
        _log.error("fastapi: a request failed: %s", error.message, exc_info=error)
    answer = _error(status, error.code, error.message, error.context)
    if status == 503 and (seconds := _retry_after(error)) is not None:
        answer.headers["Retry-After"] = str(seconds)
    return answer


def _retry_after(error: errors.KtrdrError) -> int | None:
    """Whole seconds, as a service asked for: ``context["retry_after"]``."""
    seconds = error.context.get("retry_after")
    if not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST_RETRY_AFTER:
        return None
    return math.ceil(seconds)


def _invalid(error: RequestValidationError) -> Response:
    problems = [
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
    ]
    return _error(422, "invalid_argument", "; ".join(problems), {})


def _error(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    # An error of a user's may have anything in its context.
    error = {"code": code, "message": message, "details": plain(details)}
    return JSONResponse({"success": False, "data": None, "error": error}, status)
