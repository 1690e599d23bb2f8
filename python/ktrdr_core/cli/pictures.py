"""``--plot``: bars as a picture beside what a command says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..bars import Bars
    from .session import Session

plot_option = click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the bars into this picture file (.png, .svg, .pdf), too.",
)


def check_plot(file: Path | None) -> None:
    """Refuse a picture that cannot be drawn, before any work."""
    if file is None:
        return
    from .._extras import require

    require("a picture of bars", "matplotlib")
    if file.suffix.lower() not in (".png", ".svg", ".pdf", ".jpg", ".jpeg"):
        raise click.UsageError(f"--plot {file}: a picture ends with .png, .svg, .pdf or .jpg")
    if not file.absolute().parent.is_dir():
        raise click.UsageError(f"--plot {file}: there is no folder {file.parent}")


def draw(session: Session, bars: Bars, file: Path | None) -> None:
    """Draw it, and say where it is."""
    if file is None:
        return
    from ..data.pictures import save_picture

    save_picture(bars, file)
    session.say(f"drawn in {file}")
