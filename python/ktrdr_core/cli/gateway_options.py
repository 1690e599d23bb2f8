"""Whom a load asks: the IB host service, or a gateway that runs here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..data import IbGatewaySource

_GATEWAY = {
    "gateway_host": "--gateway-host",
    "gateway_port": "--gateway-port",
    "client_id": "--client-id",
}


def source_options(function: Callable[..., None]) -> Callable[..., None]:
    """Who is asked for bars; ``gateway_of`` takes them, but for ``ib_url``."""
    for option in (
        click.option(
            "--client-id",
            type=int,
            help="Of --source gateway: the first to connect with. [default: $IB_GATEWAY_CLIENT_ID, else 1]",
        ),
        click.option(
            "--gateway-port",
            type=int,
            help="Of --source gateway: 4001 and 4002 are IB Gateway's, live and paper, 7496 and 7497 those of TWS. "
            "[default: $IB_GATEWAY_PORT, else 4002]",
        ),
        click.option(
            "--gateway-host",
            help="Of --source gateway. [default: $IB_GATEWAY_HOST, else 127.0.0.1]",
        ),
        click.option(
            "--ib-url",
            help="URL of the IB host service. [default: $IB_HOST_SERVICE_URL]",
        ),
        click.option(
            "--source",
            type=click.Choice(("host", "gateway")),
            help="host: an IB host service. gateway: a running TWS or IB Gateway, without a service between. "
            "[default: gateway where $USE_IB_HOST_SERVICE is false, else host]",
        ),
    ):
        function = option(function)
    return function


def gateway_of(
    asked: dict[str, Any], source: Literal["host", "gateway"] | None, ib_url: str | None
) -> IbGatewaySource | None:
    """Take the gateway out of a command's options; None where a host service is asked, or nobody.

    Raises
    ------
    click.UsageError
        For options of the one beside the other.
    ConfigurationError
        For a port or client id that is none, and a setting that cannot be read.
    FeatureNotAvailableError
        Where ib_async is not installed.
    """
    given = {name: asked.pop(name) for name in _GATEWAY}
    local = asked.get("mode") == "local"
    if source is None:
        from ..data.ib_gateway.when_asked import chooses_gateway

        by_setting = not local and chooses_gateway(None, ib_url, os.environ)
        source = "gateway" if by_setting else "host"
    elif source == "gateway" and ib_url is not None:
        raise click.UsageError("--ib-url is of a host service: leave it or --source gateway out")
    elif source == "gateway" and local:
        raise click.UsageError("--mode local asks nobody: leave it or --source gateway out")
    if source == "gateway":
        from ..data import IbGatewaySource

        return IbGatewaySource(given["gateway_host"], given["gateway_port"], given["client_id"])
    for name, value in given.items():
        if value is not None:
            raise click.UsageError(f"{_GATEWAY[name]} is of a gateway: give --source gateway, too")
    return None


def environment_of(source: Literal["host", "gateway"] | None) -> dict[str, str]:
    """Give the environment as a command's ``--source`` leaves it: what is said there goes before a setting."""
    env = dict(os.environ)
    if source == "host":
        env.pop("USE_IB_HOST_SERVICE", None)
    return env
