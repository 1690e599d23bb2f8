"""``ktrdr-core demo``."""

from __future__ import annotations

from pathlib import Path

import click

from .session import Session, command


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("ktrdr-demo"),
    show_default=True,
    help="Where the database, the models and the report go.",
)
@click.option(
    "--delay",
    type=click.FloatRange(0, 60),
    default=0.15,
    show_default=True,
    help="Seconds that each answer of the replay service takes.",
)
@command
def demo(session: Session, folder: Path, delay: float) -> None:
    """Load real bars, train a model on them and report, in one go.

    The bars come from a replay IB host service that this command starts, or with USE_IB_HOST_SERVICE=false from the TWS
    or IB Gateway at IB_GATEWAY_HOST and IB_GATEWAY_PORT. Run it again and only what is missing is
    asked for.
    """
    from .demo import Demo

    Demo(session, folder, delay=delay).run()
