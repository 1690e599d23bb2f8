"""What a source written in Python has answered, for the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import errors
from .._bridge.texts import readable, said, shown
from .._frames import native_bars
from ..dates import iso
from .sources import Contract, SourceAnswer

if TYPE_CHECKING:
    from .. import _core

# What keeps its meaning through a load. Others would say of the load what is true of the source only.
_KEPT = frozenset(
    {
        "symbol_unknown",
        "no_data",
        "configuration",
        "not_available",
        "not_found",
        "invalid_argument",
        "host_service",
        "service_connection",
        "service_timeout",
        "pool_timeout",
        "pool_saturated",
        "protocol",
        "response_too_large",
        "status",
        "client_closed",
    }
)


def known_code(error: BaseException) -> str:
    """Give the core's word for what a source raised."""
    if isinstance(error, errors.KtrdrError):
        return error.code if error.code in _KEPT else "host_service"
    if isinstance(error, TimeoutError):
        return "service_timeout"
    return "service_connection" if isinstance(error, ConnectionError) else "host_service"


def answer(ask: _core.SourceAsk, value: Any) -> None:
    """Answer with what a method gave; what it may not give is the error that is answered."""
    try:
        _ANSWERS[ask.kind](ask, value)
    except BaseException as error:  # noqa: BLE001 - what was given may be code of its own
        words = error.message if isinstance(error, errors.KtrdrError) else said(error)
        ask.fail(
            "protocol", f"{ask.asked} answered what cannot be taken: {words}", {"asked": ask.asked}
        )


def _symbol(ask: _core.SourceAsk, value: Any) -> None:
    if isinstance(value, Contract):
        ask.answer_known(
            *(readable(text) for text in (value.asset_class, value.exchange, value.currency))
        )
        return
    # numpy has a bool of its own.
    if value is None or (_is_bool(value) and value):
        ask.answer_known("", "", "")
    elif _is_bool(value):
        words = f"{ask.asked}: the provider does not know the symbol {ask.symbol}"
        ask.fail("symbol_unknown", words, {"symbol": ask.symbol})
    else:
        _refuse(ask, value, "a Contract, True, False or nothing")


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b"


def _first(ask: _core.SourceAsk, value: Any) -> None:
    ask.answer_first(iso("the first timestamp", value))


def _bars(ask: _core.SourceAsk, value: Any) -> None:
    given = value if isinstance(value, SourceAnswer) else SourceAnswer(value)
    if value is None:
        _refuse(ask, value, "bars, a frame or a SourceAnswer; an empty list for no bars")
        return
    bars = given.bars
    if not isinstance(given.partial, str):
        _refuse(ask, given.partial, "a str as partial")
        return
    dropped = []
    for row in given.dropped:
        start, why = row
        stamp = iso("the stamp of a dropped row", start)
        if stamp is None:
            raise errors.InvalidArgumentError("a dropped row has no stamp")
        dropped.append((stamp, readable(str(why), 500)))
    native = None if bars is None or _is_empty(bars) else native_bars(bars)[0]
    ask.answer_bars(native, given.partial, dropped, iso("now", given.now))


def _is_empty(bars: Any) -> bool:
    try:
        return len(bars) == 0
    except TypeError:  # a stream
        return False


def _refuse(ask: _core.SourceAsk, value: Any, allowed: str) -> None:
    ask.fail(
        "protocol",
        f"{ask.asked} answered {shown(value)}: answer {allowed}",
        {"asked": ask.asked},
    )


_ANSWERS = {"validate_symbol": _symbol, "first_timestamp": _first, "fetch": _bars}
