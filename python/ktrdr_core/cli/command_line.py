"""Running the command line, from its first word to the status that the process ends with."""

from __future__ import annotations

import os
import sys

from .. import standard_streams
from .help import columns, root_help

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and end the process with its status."""
    standard_streams.secure()
    if sys.argv[1:2] in (["-h"], ["--help"]):
        # By itself: what runs a command takes longer to import than all this takes.
        sys.stdout.write(root_help(columns()))
        sys.exit(standard_streams.finish(0))
    import signal

    from .everything_else import show_everything_else
    from .interrupts import installed
    from .refusals import cancelled, run

    show_everything_else()
    with installed() as interrupts:
        interrupts.last_words = cancelled() if "--json" in sys.argv else b""
        status = run(interrupts)
        status = standard_streams.finish(status)
        if interrupts.count:
            # Somebody waits for the prompt: nothing that the interpreter's exit would wait for holds it up.
            os._exit(status)
    # What is left is the interpreter's exit; an interrupt there ends it without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(status)
