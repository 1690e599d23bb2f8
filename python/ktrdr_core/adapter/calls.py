"""What a call to a host service carries, as the core takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import _core
from .._bridge.arguments import explained
from .._bridge.foreign import ForeignToken, split_token
from ..errors import InvalidArgumentError
from ..http.query import with_params
from ..operations.context import current, current_operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..protocols import CancellationToken as AnyToken


@dataclass(frozen=True)
class ServiceCall:
    """One call of a batch.

    Parameters
    ----------
    endpoint : str
        A path below the service's URL, beginning with ``/``.
    data : optional
        Sent with POST as JSON; any plain value but None. Without it the call is a GET.
    params : mapping, optional
        Put behind the endpoint as its query, encoded.
    idempotent : bool
        Twice is as good as once: a POST may be sent again.
    idempotency_key : str
        Sent as ``Idempotency-Key``: the service knows by it that a call came twice, so it may be sent again.
    """

    endpoint: str
    data: Any = None
    params: Mapping[str, Any] | None = None
    idempotent: bool = False
    idempotency_key: str = ""


def with_query(endpoint: str, params: Mapping[str, Any] | None) -> str:
    return _encoded(endpoint, params) if params else endpoint


@explained
def _encoded(endpoint: str, params: Mapping[str, Any]) -> str:
    return with_params(endpoint, params)


def row_of(call: object) -> tuple[str, Any, bool, str]:
    if not isinstance(call, ServiceCall):
        raise InvalidArgumentError(
            f"calls must hold ServiceCall(endpoint, …), not {type(call).__name__}; nothing was sent",
            context={"field": "calls"},
        )
    url = with_query(call.endpoint, call.params)
    return url, call.data, call.idempotent, call.idempotency_key


def options_or_none(
    token: AnyToken | None,
    timeout: float | None,
    deadline: float | None,
    idempotent: bool,
    idempotency_key: str,
    urgent: bool,
) -> tuple[_core.CallOptions | None, ForeignToken | None]:
    """Give what a call carries beside its data, None for nothing; and what has to watch a token of others."""
    given = token is not None or timeout is not None or deadline is not None
    more = given or idempotent or idempotency_key or urgent
    if not more and (current.get() is None or current_operation() is None):
        return None, None
    native, foreign = split_token(token)
    return call_options(native, timeout, deadline, idempotent, idempotency_key, urgent), foreign


@explained
def call_options(
    cancellation_token: _core.CancellationToken | None,
    timeout: float | None = None,
    deadline: float | None = None,
    idempotent: bool = False,
    idempotency_key: str = "",
    urgent: bool = False,
) -> _core.CallOptions:
    if timeout is not None and not timeout > 0:
        raise InvalidArgumentError(f"timeout must be more than 0 seconds, not {timeout!r}")
    here = current_operation()
    return _core.CallOptions(
        None if here is None else here._native,
        cancellation_token,
        timeout,
        deadline,
        idempotent,
        idempotency_key,
        urgent,
    )
