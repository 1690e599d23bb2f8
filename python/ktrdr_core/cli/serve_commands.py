"""``ktrdr-core serve``."""

from __future__ import annotations

import sys

import click


@click.group()
def serve() -> None:
    """Run a host service that others load from, or train on."""


@serve.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ib(arguments: tuple[str, ...]) -> None:
    """Serve bars by the IB host service's contract, until Ctrl-C or SIGTERM; -h says what it takes."""
    from ..hosts.ib.command import main

    sys.exit(main(list(arguments), "ktrdr-core serve ib"))


@serve.command(
    "ib-simulator",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ib_simulator(arguments: tuple[str, ...]) -> None:
    """Serve bars by the protocol of TWS and IB Gateway, for trying out what talks to them; -h says what it takes."""
    from ..testing.ib_gateway.command import main

    sys.exit(main(list(arguments), "ktrdr-core serve ib-simulator"))


@serve.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def training(arguments: tuple[str, ...]) -> None:
    """Train what clients send, by the training host service's contract, until Ctrl-C or SIGTERM; -h says what it takes."""
    from ..hosts.training.command import main

    sys.exit(main(list(arguments), "ktrdr-core serve training"))
