"""``python -m ktrdr_core.hosts.training``."""

import sys

from ... import standard_streams
from . import main


def _status() -> int:
    try:
        return main()
    except SystemExit as end:
        # argparse ends so, after the help as after a wrong option.
        return end.code if isinstance(end.code, int) else 0


if __name__ == "__main__":
    standard_streams.secure()
    sys.exit(standard_streams.finish(_status()))
