"""The envelope of every response: ``{"success": …, "data": …, "error": {"code", "message", "details"} or null}``."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from .. import errors
from ..guard import RefusedRequest, RequestRules

Envelope = dict[str, Any]

_HTTP_STATUS: dict[type[errors.KtrdrError], int] = {
    errors.InvalidArgumentError: 422,
    errors.NotFoundError: 404,
    errors.SymbolNotFoundError: 404,
    errors.ConflictError: 409,
    errors.StrategyError: 422,
    errors.HostServiceError: 503,
    errors.ShutDownError: 503,
    errors.StorageError: 503,
}


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
                problems = [
                    f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                    for problem in error.errors()
                ]
                return _error(422, "invalid_argument", "; ".join(problems), {})
            except errors.KtrdrError as error:
                return _error(_http_status(error), error.code, error.message, error.context)

        return respond


def guarded(rules: RequestRules) -> type[EnvelopeRoute]:
    """Make the class of routes that let in what the rules do."""

    class Guarded(EnvelopeRoute):
        pass

    Guarded.rules = rules
    return Guarded


def _http_status(error: errors.KtrdrError) -> int:
    if isinstance(error, Refusal | RefusedRequest):
        return error.status
    known = (_HTTP_STATUS[cls] for cls in type(error).__mro__ if cls in _HTTP_STATUS)
    return next(known, 500)


def _error(status: int, code: str, message: str, details: Envelope) -> Response:
    error = {"code": code, "message": message, "details": details}
    return JSONResponse({"success": False, "data": None, "error": error}, status)


def envelope_of(data: object) -> Envelope:
    return {"success": True, "data": data, "error": None}


def text_of(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
