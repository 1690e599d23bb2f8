"""How an operation looks where there is text only: its words and figures, bars on a terminal, lines in a log."""

from .kinds import KINDS

__all__ = ["KINDS"]
