"""``python -m ktrdr_core.hosts.ib``."""

from ... import standard_streams
from . import main

if __name__ == "__main__":
    standard_streams.run(main)
