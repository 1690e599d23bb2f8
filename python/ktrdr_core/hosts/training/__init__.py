"""The training host service: ``ktrdr-core serve training``, or ``python -m ktrdr_core.hosts.training --port 5002``.

It trains the strategies that clients send on the bars of its own data directory, by the wire contract of training hosts. The
first line it prints ends in its URL.
"""

from .command import main

__all__ = ["main"]
