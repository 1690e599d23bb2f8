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

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # Before the commands can be asked to end, and after, an interrupt ends the process without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .everything_else import show_everything_else
    from .interrupts import CANCELLED, installed
    from .refusals import cancelled, run

    show_everything_else()
    with installed() as interrupts:
        interrupts.last_words = cancelled() if "--json" in sys.argv else b""
        try:
            status = run(interrupts)
            status = standard_streams.finish(status)
        except KeyboardInterrupt:
            # The command had ended, or it was just being said why there is none.
            interrupts.speak()
            status = standard_streams.finish(CANCELLED)
        if interrupts.count:
            # Somebody waits for the prompt: nothing that the interpreter's exit would wait for holds it up.
            os._exit(status)
    sys.exit(status)
