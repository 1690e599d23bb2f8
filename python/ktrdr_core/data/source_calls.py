"""Questions to a source, as a load asks them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .. import _bridge, _core
from .._bridge.arguments import explained
from .._bridge.foreign import split_token, watched
from .._bridge.replies import reply
from ..bars import Bars
from ..dates import iso
from ..errors import InvalidArgumentError
from .sources import BarSource, Contract, DroppedRow, SourceAnswer, SourceLimits
from .telling import teller

if TYPE_CHECKING:
    from typing import Unpack

    from .._bridge.replies import Send
    from ..dates import Date
    from ..protocols import CancellationToken
    from .naming import SeriesWords

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(nanoseconds: int) -> datetime:
    """Give the aware datetime, the next microsecond where it lies between two."""
    return _EPOCH + timedelta(microseconds=-(-nanoseconds // 1000))


class SourceCalls:
    """Asks a source what a load asks, through the core, so that the answers are looked at as a load's are.

    For those who serve a source, test one, or build one on another. A task that is cancelled while it waits stops the
    question, and so does ``cancellation_token``; either reaches the source. ``**series`` says which of the symbol's series,
    see ``SeriesWords``; ``InvalidArgumentError`` where the source does not have it. Where another source asks, what this one
    warns of (``BarSource.warn``) is told to the load that waits for both.

    Parameters
    ----------
    source : BarSource
        Any, of Python or C++.

    Raises
    ------
    InvalidArgumentError
        For what is no source, and one whose ``provider`` or limits cannot be.

    Examples
    --------
    >>> import asyncio
    >>> from ktrdr_core.data import ReplaySource, SourceCalls
    >>> bars = {"timestamp": ["2024-01-02"], "open": [1], "high": [2], "low": [1], "close": [2]}
    >>> async def main():
    ...     calls = SourceCalls(ReplaySource({("ACME", "1d"): bars}))
    ...     return (await calls.fetch("ACME", "1d", "2024-01-01", "2024-01-31")).bars
    >>> asyncio.run(main())
    <Bars ACME 1d: 1 from 2024-01-02T00:00:00Z to 2024-01-02T00:00:00Z>
    """

    def __init__(self, source: BarSource) -> None:
        if not isinstance(source, BarSource):
            raise InvalidArgumentError(
                f"source must be a BarSource, not {type(source).__name__}",
                context={"field": "source"},
            )
        _bridge.start()
        self._source = source
        self._native = _core.SourceCalls(source._opened())

    @property
    def provider(self) -> str:
        """The name under which its bars are stored."""
        return self._native.provider

    def describe(self, timeframe: str) -> SourceLimits:
        """Say what it can give at once."""
        seconds, at_once = self._native.describe(timeframe)
        return SourceLimits(timedelta(seconds=seconds), at_once)

    @explained
    def _asked(
        self, symbol: str, timeframe: str, **series: Unpack[SeriesWords]
    ) -> _core.SeriesRequest:
        self._native.describe(timeframe)
        symbol.encode()
        return _core.SeriesRequest(symbol=symbol, timeframe=timeframe, **series)

    async def validate_symbol(
        self,
        symbol: str,
        timeframe: str,
        *,
        cancellation_token: CancellationToken | None = None,
        **series: Unpack[SeriesWords],
    ) -> Contract:
        """Give what the symbol stands for, as far as the provider says; where it cannot say, an empty ``Contract``.

        Raises
        ------
        SymbolNotFoundError
            When it does not.
        HostServiceError
            When it does not answer, or nothing that can be.
        """
        known = await self._ask(
            "validate_symbol", symbol, timeframe, series, token=cancellation_token
        )
        return Contract(**known)

    async def first_timestamp(
        self,
        symbol: str,
        timeframe: str,
        *,
        cancellation_token: CancellationToken | None = None,
        **series: Unpack[SeriesWords],
    ) -> datetime | None:
        """Give the start of the oldest bar, aware, UTC; None where it cannot say.

        Raises
        ------
        HostServiceError
            When it does not answer, or nothing that can be.
        """
        stamp = await self._ask(
            "first_timestamp", symbol, timeframe, series, token=cancellation_token
        )
        return None if stamp is None else moment(stamp)

    async def fetch(
        self,
        symbol: str,
        timeframe: str,
        start: Date,
        end: Date,
        *,
        cancellation_token: CancellationToken | None = None,
        **series: Unpack[SeriesWords],
    ) -> SourceAnswer:
        """Give the bars that start in ``[start, end)``; an end that is a date without a time includes that day.

        Returns
        -------
        SourceAnswer
            Its ``bars`` are ``Bars``; its ``dropped`` are ``DroppedRow`` with aware datetimes.

        Raises
        ------
        InvalidArgumentError
            For a date or timeframe that cannot be, and an empty range.
        HostServiceError
            When it does not answer, or nothing that can be.
        """
        edges = (iso("start", start), iso("end", end))
        answer = await self._ask(
            "fetch", symbol, timeframe, series, *edges, token=cancellation_token
        )
        return SourceAnswer(
            Bars(answer.bars),
            partial=answer.partial,
            dropped=tuple(DroppedRow(moment(stamp), why) for stamp, why in answer.dropped),
        )

    async def _ask(
        self,
        kind: str,
        symbol: str,
        timeframe: str,
        series: SeriesWords,
        *edges: str | None,
        token: CancellationToken | None,
    ) -> Any:
        asked = self._asked(symbol, timeframe, **series)
        self._source._asked_here()
        native, foreign = split_token(token)
        native = _core.CancellationToken() if native is None else native
        question = getattr(self._native, kind)

        def send(mailbox: _core.Mailbox, key: int) -> _core.CancellationToken:
            stops: _core.CancellationToken = question(asked, *edges, native, mailbox, key)
            return stops

        sending: Send = watched(send, foreign)
        return await reply(sending, teller())
