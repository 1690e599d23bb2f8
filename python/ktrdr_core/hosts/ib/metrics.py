"""The figures of the IB host service as Prometheus reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...data import IbGatewaySource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...data import GatewayHealth
    from ..traffic import Traffic
    from .vendor import Vendor

#: The media type of the text.
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"

_STATES = ("idle", "connecting", "ready", "degraded", "waiting", "closed")


def exposition(traffic: Traffic, vendor: Vendor, uptime: float) -> str:
    """Write the figures, those of a gateway where the service has one."""
    lines = [*_of_service(traffic, uptime)]
    if isinstance(vendor.source, IbGatewaySource):
        lines += _of_gateway(vendor.source.health)
    return "".join(f"{line}\n" for line in lines)


def _of_service(traffic: Traffic, uptime: float) -> Iterator[str]:
    yield from _figure("uptime_seconds", "gauge", [("", uptime)])
    paths = sorted(traffic.requests.items())
    yield from _figure(
        "requests_total", "counter", [(f'{{path="{_quoted(path)}"}}', n) for path, n in paths]
    )
    yield from _figure("errors_total", "counter", [("", traffic.error_count)])
    yield from _figure("cancelled_requests_total", "counter", [("", traffic.cancelled_requests)])
    yield from _figure("open_connections", "gauge", [("", len(traffic.open))])


def _of_gateway(health: GatewayHealth) -> Iterator[str]:
    states = [(f'{{state="{state}"}}', int(state == health.state)) for state in _STATES]
    yield from _figure("gateway_state", "gauge", states)
    since = 0.0 if health.since is None else health.since.timestamp()
    yield from _figure("gateway_state_since_seconds", "gauge", [("", since)])
    yield from _figure("gateway_connections_total", "counter", [("", health.connections)])
    yield from _figure("gateway_waiting_questions", "gauge", [("", health.waiting)])
    yield from _figure("gateway_paced_requests", "gauge", [("", health.paced)])
    yield from _figure(
        "gateway_pacing_violations_total", "counter", [("", health.pacing_violations)]
    )
    notices = [(f'{{code="{code}"}}', count) for code, count in health.notices]
    yield from _figure("gateway_notices_total", "counter", notices)


def _figure(name: str, kind: str, values: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# TYPE ktrdr_ib_{name} {kind}"
    for labels, value in values:
        yield f"ktrdr_ib_{name}{labels} {value}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
