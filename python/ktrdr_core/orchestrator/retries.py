"""Calling work again while it fails with what may pass. How long to wait, and what may pass, the core knows."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _core
from .._bridge import arguments
from .._bridge.foreign import split_token
from .._bridge.runtime import OPERATION_ID
from .._bridge.texts import shown, text_of
from ..cancellation import CancellationToken
from ..errors import (
    InvalidArgumentError,
    KtrdrError,
    OperationCancelledError,
    OperationTimeoutError,
)
from ..operations.context import current_id, current_operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._bridge.foreign import ForeignToken
    from ..protocols import CancellationToken as AnyToken

T = TypeVar("T")

_log = logging.getLogger("ktrdr_core.orchestrator")


async def retry_with_backoff(
    operation: Callable[[], Awaitable[T]],
    options: _core.RetryOptions,
    retry_on: type[Exception] | tuple[type[Exception], ...] | None,
    token: AnyToken | None,
    operation_name: str,
) -> T:
    """See ``ServiceOrchestrator.retry_with_backoff``."""
    native, foreign = split_token(token)
    if not callable(operation):
        raise InvalidArgumentError(
            f"operation must be an async function that can be called again, not {operation!r}"
        )
    try:
        issubclass(Exception, () if retry_on is None else retry_on)
    except TypeError:
        raise InvalidArgumentError(
            f"retry_on must be an exception class or a tuple of them, not {shown(retry_on)}"
        ) from None
    here = current_operation()
    attempt = 0
    while True:
        attempt += 1
        try:
            return await operation()
        except Exception as error:
            if attempt >= options.max_attempts or not _may_pass(error, retry_on):
                raise
            delay = options.delay(attempt, random.random())  # nosec B311
            words = f"{operation_name}: try {attempt} of {options.max_attempts} failed ({text_of(error)}); the next one is in {delay:.1f} s"
        _log.warning("orchestrator: retry: %s", words, extra=facts())
        if here is not None:
            here.add_warning(words)
        await _pause(delay, native, foreign, operation_name)


@arguments.explained
def options(
    max_attempts: int, base_delay: float, max_delay: float, multiplier: float, jitter: float
) -> _core.RetryOptions:
    """Check the numbers of a retry."""
    return _core.RetryOptions(max_attempts, base_delay, max_delay, multiplier, jitter)


def _may_pass(error: Exception, retry_on: Any) -> bool:
    if isinstance(error, OperationCancelledError | OperationTimeoutError):
        return False
    if retry_on is not None:
        return isinstance(error, retry_on)
    if isinstance(error, KtrdrError):
        return _core.is_retryable(error.code)
    return isinstance(error, ConnectionError | TimeoutError)


async def _pause(
    seconds: float, native: _core.CancellationToken | None, foreign: ForeignToken | None, what: str
) -> None:
    if native is None:
        await asyncio.sleep(seconds)
        return
    token = CancellationToken(native)
    over = False
    if foreign is not None:
        foreign.watch(lambda: over)
    try:
        await asyncio.wait_for(token.wait(), seconds)
    except TimeoutError:
        return
    finally:
        over = True
    token.check(f"{what}: waiting for the next try")


def facts() -> dict[str, Any]:
    """Name the operation that runs here, for a log record."""
    return {OPERATION_ID: current_id()}
