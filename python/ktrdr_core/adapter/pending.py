"""Calls to a host service that are made ready and not sent yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._bridge.arguments import explanation
from .._bridge.replies import Pending, PendingParts
from ..errors import HostServiceError, from_record

if TYPE_CHECKING:
    from .. import _core
    from .._bridge.foreign import ForeignToken


class PendingCall(Pending[Any]):
    """A GET without data, else a POST; what it brings is the answer's JSON."""

    def __init__(
        self,
        native: _core.ServiceCalls,
        endpoint: str,
        data: Any,
        options: _core.CallOptions | None,
        foreign: ForeignToken | None,
    ) -> None:
        self._native = native
        self._endpoint = endpoint
        self._data = data
        self._options = options
        self._foreign = foreign

    @property
    def _shown(self) -> tuple[str, str]:  # type: ignore[override]
        url = f"{self._native.url}{self._endpoint}"
        return "GET" if self._data is None else "POST", url

    def _send(self, mailbox: _core.Mailbox, key: int) -> _core.CancellationToken:
        try:
            return self._native.call(self._endpoint, self._data, self._options, mailbox, key)
        except TypeError as error:
            wrong = error
        raise explanation(wrong, {"endpoint": (self._endpoint, "str")})


class PendingBatch(PendingParts[list[Any]]):
    """Many calls; what it brings are their answers, in order."""

    def __init__(
        self,
        native: _core.ServiceCalls,
        rows: list[tuple[str, Any, bool, str]],
        options: _core.CallOptions,
        foreign: ForeignToken | None,
        return_exceptions: bool,
    ) -> None:
        self._native = native
        self._rows = rows
        self._options = options
        self._foreign = foreign
        self._return_exceptions = return_exceptions
        self._shown = f"{len(rows)} calls to", native.url

    def _send(self, mailbox: _core.Mailbox, key: int) -> _core.CancellationToken:
        return self._native.batch(
            self._rows, self._options, not self._return_exceptions, mailbox, key
        )

    def _read(self, value: list[tuple[list[Any], list[tuple[int, Any]]]]) -> list[Any]:
        answers: list[Any] = []
        errors = {}
        for values, failures in value:
            for index, record in failures:
                errors[len(answers) + index] = from_record(*record)
            answers += values
        if errors and not self._return_exceptions:
            failed = list(errors.values())
            # Those that were stopped for it say nothing new.
            raise next((it for it in failed if isinstance(it, HostServiceError)), failed[0])
        for index, error in errors.items():
            answers[index] = error
        return answers


class PendingHealth(Pending[dict[str, Any]]):
    """The question how a service is."""

    def __init__(
        self,
        native: _core.ServiceCalls,
        timeout: float,
        cache_ttl: float,
        options: _core.CallOptions,
        foreign: ForeignToken | None,
    ) -> None:
        self._native = native
        self._timeout = timeout
        self._cache_ttl = cache_ttl
        self._options = options
        self._foreign = foreign
        self._shown = "GET", f"{native.url}{native.health_endpoint}"

    def _send(self, mailbox: _core.Mailbox, key: int) -> _core.CancellationToken:
        return self._native.check_health(
            self._timeout, self._cache_ttl, self._options, mailbox, key
        )
