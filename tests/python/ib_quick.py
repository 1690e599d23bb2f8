"""A source over a simulated gateway that gives up, tries again and goes on some thirty times as fast as by default."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ktrdr_core.data import GatewayOptions, IbGatewaySource
from ktrdr_core.testing import IbGatewaySimulator

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The limits of a connection, thirty times shorter; the order between them is kept.
QUICK = GatewayOptions(
    connect_within=0.6,
    probe_after=0.3,
    dead_after=0.6,
    first_pause=0.02,
    longest_pause=0.1,
    patience=5.0,
)


class ImpatientSource(IbGatewaySource):
    """One that a service makes (``--source python:ib_quick.ImpatientSource``), at the port that its environment names."""

    def __init__(self) -> None:
        super().__init__(options=QUICK, answer_limit=0.6, pacing_pause=0.002)


class SteadySource(IbGatewaySource):
    """One whose answers may take 3 s, and whose connection is not given up: a busy machine takes its time, too."""

    def __init__(self) -> None:
        super().__init__(answer_limit=3.0, pacing_pause=0.002)


@contextmanager
def quick(gateway: IbGatewaySimulator, **changes: Any) -> Iterator[IbGatewaySource]:
    """Give a source whose limits are short."""
    named = {"options": QUICK, "answer_limit": 1.5, "pacing_pause": 0.002, "env": {}, **changes}
    with IbGatewaySource(port=gateway.port, **named) as source:
        yield source


@contextmanager
def left_alone(minutes: Any) -> Iterator[IbGatewaySimulator]:
    """Give a gateway with minutes of AAPL, and see afterwards that nobody holds anything of it."""
    with IbGatewaySimulator({("AAPL", "1 min"): minutes}) as one:
        yield one
        one.wait_until(lambda each: each.connections == 0, 5)
        # Never a second connection, and no client id that is kept.
        assert one.most_at_once <= 1
        assert one.client_ids == []
