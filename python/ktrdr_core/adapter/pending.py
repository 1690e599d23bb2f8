"""Calls to a host service that are made ready and not sent yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _bridge
from .._bridge.arguments import explanation
from .._bridge.replies import Pending, PendingParts
from ..cancellation import CancellationToken
from ..errors import HostServiceError, from_record

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

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
    """The question how a service is; ``find`` says at which endpoint, which may take a while."""

    def __init__(
        self,
        native: _core.ServiceCalls,
        find: Callable[[], Coroutine[Any, Any, str]],
        timeout: float,
        cache_ttl: float,
        options: _core.CallOptions,
        token: _core.CancellationToken | None,
        foreign: ForeignToken | None,
    ) -> None:
        self._native = native
        self._find = find
        self._endpoint = ""
        self._timeout = timeout
        self._cache_ttl = cache_ttl
        self._options = options
        self._token = token
        self._foreign = foreign
        self._shown = "GET", f"{native.url}{native.health_endpoint}"

    def __await__(self) -> Generator[Any, None, dict[str, Any]]:
        self._begun = True
        if not self._endpoint:
            self._endpoint = yield from self._found().__await__()
        return (yield from super().__await__())

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        """Ask and block for the answer; see ``Pending.result``."""
        import asyncio

        if not self._endpoint and _bridge.running_loop() is None:
            self._begun = True
            self._endpoint = asyncio.run(self._found())
        return super().result(timeout)

    async def _found(self) -> str:
        """Ask within the time that the service itself has, and until the token is cancelled."""
        import asyncio

        own = CancellationToken(self._token).child(self._timeout)
        finding = asyncio.ensure_future(self._find())
        if self._foreign is not None:
            self._foreign.watch(finding.done)
        try:
            with own.on_cancel(lambda _reason: finding.cancel()):
                return await finding
        except asyncio.CancelledError:
            own.check(f"asking get_health_check_endpoint() of {self._native.name}")
            raise

    def _send(self, mailbox: _core.Mailbox, key: int) -> _core.CancellationToken:
        return self._native.check_health(
            self._endpoint, self._timeout, self._cache_ttl, self._options, mailbox, key
        )
