"""Where bars come from: ``BarSource``, the base of sources written in Python, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from weakref import ref

from .. import _bridge, _core
from .telling import warn

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Sequence
    from datetime import datetime
    from typing import Self, TypeAlias

    from .._frames import Frame
    from ..dates import Date

    #: What ``BarSource.fetch`` may answer; an empty list stands for no bars.
    Answer: TypeAlias = "SourceAnswer | Frame | list[Any]"


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """What a source can give at once.

    Parameters
    ----------
    max_span : timedelta
        The longest range of one fetch; longer ones are asked for in parts.
    max_in_flight : int
        Most questions that are asked at the same time, whatever the number of loads. At least 1.

    Examples
    --------
    >>> from datetime import timedelta
    >>> from ktrdr_core.data import SourceLimits
    >>> SourceLimits(max_span=timedelta(days=7), max_in_flight=1).max_span.days
    7
    """

    max_span: timedelta = timedelta(days=365)
    max_in_flight: int = 3


@dataclass(frozen=True, slots=True)
class Contract:
    """What a provider says of what a symbol stands for; each empty where it does not say.

    Parameters
    ----------
    asset_class : str
        stock, etf, index, future, option, forex or crypto: with its exchange it decides when bars are expected.
    exchange, currency : str
        As the provider names them, ``NASDAQ`` and ``USD`` for example.

    Examples
    --------
    >>> from ktrdr_core.data import Contract
    >>> Contract("forex", "IDEALPRO", "USD").asset_class
    'forex'
    """

    asset_class: str = ""
    exchange: str = ""
    currency: str = ""


class DroppedRow(NamedTuple):
    """A row that came and cannot be used; its period is asked for again."""

    start: Date
    """The bar's start; without an offset UTC."""
    why: str
    """What is wrong with it, for a person: the load's warning says it."""


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    """What a source brought for a range, and what that proves.

    Parameters
    ----------
    bars : Bars, frame or None
        Closed bars that start inside the range, oldest first, in any form that ``DataManager.store`` takes; None for none.
    partial : str
        Why there may be more than came; empty where this is all. The bars are kept, and the range is asked for again.
    dropped : sequence of (start, why)
        Rows that came and cannot be used: the load warns of them, and asks for their periods again. Rows without a price
        need not be taken out of ``bars``: that is done with each answer.
    now : str or datetime, optional
        What the provider's clock said when it answered; without an offset UTC. The load warns where it is more than 90 s
        apart from this machine's, by which it tells which bars are closed.

    Examples
    --------
    >>> from ktrdr_core.data import SourceAnswer
    >>> SourceAnswer(partial="the vendor stopped after 1000 rows").bars is None
    True
    """

    bars: Frame | None = None
    partial: str = ""
    dropped: Sequence[tuple[Date, str]] = ()
    now: Date | None = None


class BarSource:
    """A vendor of bars for ``DataManager(source=…)``: subclass it, name the ``provider`` and write ``fetch``.

    Each method may be plain or ``async``. Plain ones run in a thread of their own each. Async ones run on the event loop
    on which the source was made; where none ran then, on the one that runs when bars are asked for, and where none runs
    there either, on one in a thread. A method that takes ``cancellation_token`` as a keyword gets the token of its
    question; a cancelled load cancels the task of an async method, and a plain one has to ask its token.

    A method that takes ``instrument_type`` (str, None where nobody has said), ``what_to_show`` or ``session`` as keywords
    is told which of the symbol's series is asked for. A source whose ``fetch`` does not take ``what_to_show`` has trades,
    of forex midpoints, and one that does not take ``session`` regular hours: a load of others is refused before it asks.

    Whatever a method does, the load goes on: what it raises, an answer that cannot be, none within ``answer_within``, a
    loop that is closed are errors that name the question. A ``KtrdrError`` keeps its class (``SymbolNotFoundError`` ends
    the load, any ``HostServiceError`` leaves its range for the next), ``ConnectionError`` and ``TimeoutError`` become
    those of a service, anything else ``HostServiceError``; ``NoDataError`` stands for no bars.

    Examples
    --------
    >>> import numpy as np
    >>> from ktrdr_core import BarSource, DataManager
    >>> class Ramp(BarSource):
    ...     provider = "ramp"
    ...     def fetch(self, symbol, timeframe, start, end):
    ...         days = np.arange(start.date(), end.date(), dtype="datetime64[D]")
    ...         price = np.arange(float(len(days)))
    ...         return {"timestamp": days, "open": price, "high": price, "low": price, "close": price}
    >>> with DataManager(data_dir="bars", source=Ramp(), env={}) as data:
    ...     data.load_data("UP", "1d", "2024-01-01", "2024-01-31", mode="full").result()
    <Bars UP 1d: 31 from 2024-01-01T00:00:00Z to 2024-01-31T00:00:00Z>
    """

    #: The short name under which its bars are stored, 1 to 64 printable bytes.
    provider: str = ""
    #: How long a question may take, in seconds; None for ever.
    answer_within: float | None = 120.0

    # The loop on which it was made, and the one that ran when bars were asked for; weak, so that they may go.
    _made_on: ref[AbstractEventLoop] | None
    _seen_on: ref[AbstractEventLoop] | None

    def __new__(cls, *_args: Any, **_named: Any) -> Self:
        self = super().__new__(cls)
        loop = _bridge.running_loop()
        # Past whatever a subclass says of its attributes: a frozen dataclass is a source, too.
        object.__setattr__(self, "_made_on", None if loop is None else ref(loop))
        object.__setattr__(self, "_seen_on", None)
        return self

    def describe(self, timeframe: str) -> SourceLimits:
        """Say what can be asked for at once; called once for each timeframe when a manager takes the source.

        Raises
        ------
        KtrdrError
            Yours, for a timeframe that it does not have: whoever asks for one gets it.
        """
        return SourceLimits()

    def validate_symbol(
        self, symbol: str, timeframe: str
    ) -> bool | Contract | Awaitable[bool | Contract | None] | None:
        """Say what the symbol stands for: a ``Contract``; or only whether the provider knows it, where True, and nothing at all, mean that it does, or cannot say.

        Raises
        ------
        SymbolNotFoundError
            Yours, in place of False, to say more.
        """
        return True

    def first_timestamp(self, symbol: str, timeframe: str) -> Date | Awaitable[Date | None] | None:
        """Give the start of the oldest bar there is, without an offset UTC; None where it cannot say."""
        return None

    def fetch(
        self, symbol: str, timeframe: str, start: datetime, end: datetime
    ) -> Answer | Awaitable[Answer]:
        """Give the closed bars that start in ``[start, end)``, oldest first.

        Parameters
        ----------
        symbol, timeframe : str
            As the load was asked for them.
        start, end : datetime
            Aware, UTC.

        Returns
        -------
        SourceAnswer, Bars or frame
            A frame is anything that ``DataManager.store`` takes; an empty list stands for no bars. Where it may not be
            all, a ``SourceAnswer`` says so.
        """
        raise NotImplementedError(f"{type(self).__name__} has no fetch")

    def warn(self, text: str) -> None:
        """Warn the load that asks, from inside one of the methods above, of what a person should know: that it waits, and for what.

        The operation has the warning at once, each text once. Where nobody asks, or the answer is there, nothing happens.

        Examples
        --------
        >>> from ktrdr_core import BarSource, DataManager
        >>> class Tired(BarSource):
        ...     provider = "tired"
        ...     def fetch(self, symbol, timeframe, start, end):
        ...         self.warn("the vendor lets everybody wait today")
        ...         return {"timestamp": [start], "open": [1], "high": [1], "low": [1], "close": [1]}
        >>> with DataManager(data_dir="bars", source=Tired(), env={}) as data:
        ...     load = data.load_data("UP", "1d", "2024-01-01", "2024-01-01", mode="full")
        ...     _ = load.result()
        ...     load.warnings
        ['UP 1d: the vendor lets everybody wait today']
        """
        warn(text)

    # ---- for those who ask

    def _opened(self) -> _core.BarSource:
        """Give what the core asks."""
        from .asking import open_source

        return open_source(self)

    def _asked_here(self) -> None:
        """Take note of the loop that runs where bars are asked for."""
        loop = _bridge.running_loop()
        if loop is not None and self._made_on is None:
            object.__setattr__(self, "_seen_on", ref(loop))


class NativeSource(BarSource):
    """A source that is made in C++; its methods ask the core."""

    _native: _core.BarSource
    _calls: ClassVar[Any] = None

    @property
    def provider(self) -> str:  # type: ignore[override]
        """The name under which its bars are stored."""
        return _core.SourceCalls(self._native).provider

    def describe(self, timeframe: str) -> SourceLimits:
        from .source_calls import SourceCalls

        return SourceCalls(self).describe(timeframe)

    async def validate_symbol(self, symbol: str, timeframe: str) -> Contract:
        from .source_calls import SourceCalls

        return await SourceCalls(self).validate_symbol(symbol, timeframe)

    async def first_timestamp(self, symbol: str, timeframe: str) -> datetime | None:
        from .source_calls import SourceCalls

        return await SourceCalls(self).first_timestamp(symbol, timeframe)

    async def fetch(self, symbol: str, timeframe: str, start: Date, end: Date) -> SourceAnswer:
        from .source_calls import SourceCalls

        return await SourceCalls(self).fetch(symbol, timeframe, start, end)

    def _opened(self) -> _core.BarSource:
        return self._native

    def _asked_here(self) -> None:
        """Nothing of it runs in Python."""
