"""The IB host service: ``ktrdr-core serve ib``, or ``python -m ktrdr_core.hosts.ib --port 5001``.

It answers the wire contract of the IB host service from any source of bars. Without ``--source`` these are the daily AAPL
and MSFT bars that ``bokeh_sampledata`` ships, adjusted for splits and dividends as a broker's bars are. The first line it
prints ends in its URL.
"""

from .command import main
from .replay import Bar, Replay, sampledata

__all__ = ["Bar", "Replay", "main", "sampledata"]
