"""The demonstration's symbols, dates and strategy, for a notebook that goes the same way."""

from .cli.demo import END, START, SYMBOLS, strategy_path

__all__ = ["END", "START", "SYMBOLS", "strategy_path"]
