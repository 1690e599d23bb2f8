"""The gateway that the settings choose, for a manager: made when a load first asks it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ... import _core
from ..._extras import require
from ..sources import BarSource, Contract, SourceLimits
from .durations import SPANS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..sources import Answer
    from .source import IbGatewaySource


def chooses_gateway(
    use_host_service: bool | None, host_service_url: str | None, env: Mapping[str, str]
) -> bool:
    """Say whether arguments or environment choose the gateway itself; not where they choose nobody.

    Raises
    ------
    ConfigurationError
        For a setting that cannot be read.
    """
    if use_host_service is None and not env.get("USE_IB_HOST_SERVICE"):
        return False
    url = "http://localhost:5001"
    used, _ = _core.resolve_route("Data", url, "IB", use_host_service, host_service_url, dict(env))
    return not used


class GatewayWhenAsked(BarSource):
    """``IbGatewaySource`` of the environment's settings, once it is asked.

    A manager that only reads what is stored needs neither a gateway nor ``ib_async``, and no setting of one is looked at.
    """

    provider = "IB"
    # The source's own limits end a question.
    answer_within = None

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)
        self._made: IbGatewaySource | None = None
        self._closed = False
        self._lock = threading.Lock()
        # Its methods run wherever the core has a loop: the gateway's own does the work.
        object.__setattr__(self, "_made_on", None)

    def gateway(self) -> IbGatewaySource:
        """Give the source itself.

        Raises
        ------
        FeatureNotAvailableError
            Where ``ib_async`` is not installed, naming the extra ``ib``.
        ConfigurationError
            For a port or client id that is none.
        """
        from .source import IbGatewaySource

        require("IbGatewaySource", "ib_async")
        with self._lock:
            if self._made is None:
                self._made = IbGatewaySource(env=self._env)
                if self._closed:
                    self._made.close()
            return self._made

    @property
    def made(self) -> IbGatewaySource | None:
        """The source itself; None where nobody has asked it."""
        return self._made

    def close(self) -> None:
        """End its connection, where there is one."""
        with self._lock:
            self._closed = True
            if self._made is not None:
                self._made.close()

    def _asked_here(self) -> None:
        """Nothing runs on the loop of whoever asks."""

    # ---- what a load asks

    def describe(self, timeframe: str) -> SourceLimits:
        """Give the spans that gateways answer in one go."""
        return SourceLimits(SPANS[timeframe], 8)

    async def validate_symbol(
        self, symbol: str, timeframe: str, instrument_type: str | None = None
    ) -> Contract:
        """Ask which contract a symbol stands for."""
        return await self.gateway().validate_symbol(symbol, timeframe, instrument_type)

    async def first_timestamp(
        self, symbol: str, timeframe: str, instrument_type: str | None = None
    ) -> datetime | None:
        """Ask for the head timestamp."""
        return await self.gateway().first_timestamp(symbol, timeframe, instrument_type)

    async def fetch(
        self,
        symbol: str,
        timeframe: str,
        start: datetime,
        end: datetime,
        *,
        instrument_type: str | None = None,
        what_to_show: str | None = None,
        session: str | None = None,
    ) -> Answer:
        """Ask for a range's bars."""
        return await self.gateway().fetch(
            symbol,
            timeframe,
            start,
            end,
            instrument_type=instrument_type,
            what_to_show=what_to_show,
            session=session,
        )
