"""What is wrong in a strategy file, and where."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StrategyError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .document import Path, Place


@dataclass(frozen=True)
class StrategyProblem:
    """One thing that is wrong in a strategy file; as text, one line that an editor can jump to.

    Attributes
    ----------
    file : str
        The file, as it was named.
    line, column : int or None
        Where it stands, counted from 1; None where the file itself is at fault.
    path : str
        Of the key, as in ``indicators[0].period``; empty for the whole file.
    message : str
        What is wrong, and what would be right.
    suggestion : str or None
        The nearest name that does exist.

    Examples
    --------
    >>> from ktrdr_core.strategies import StrategyProblem
    >>> print(StrategyProblem("a.yaml", 7, 5, "model.training.epoch", "there is no such key", "epochs"))
    a.yaml:7:5: model.training.epoch: there is no such key; did you mean 'epochs'?
    """

    file: str
    line: int | None
    column: int | None
    path: str
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        """Return it as one line."""
        where = self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"
        text = ": ".join(part for part in (where, self.path, self.message) if part)
        return text if self.suggestion is None else f"{text}; did you mean {self.suggestion!r}?"

    def error(self) -> StrategyError:
        """Return it as the error that `load` raises."""
        context = {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "suggestion": self.suggestion,
        }
        return StrategyError(str(self), context=context)


class Problems:
    """Collects what is wrong in one file, each with the place where the file says it.

    ``origins`` are the paths of the file that were moved before they were checked, by where they are now.
    """

    def __init__(self, file: str, places: dict[Path, Place], origins: dict[Path, Path]) -> None:
        self._file = file
        self._places = places
        self._origins = origins
        self.found: list[StrategyProblem] = []

    def tell(self, path: Path, message: str, suggestion: str | None = None) -> None:
        """Note something; `path` is of what was checked."""
        told = self.origin(path)
        place = self.place(path)
        line, column = (place.line, place.column) if place else (None, None)
        problem = StrategyProblem(self._file, line, column, dotted(told), message, suggestion)
        self.found.append(problem)

    def origin(self, path: Path) -> Path:
        """Where the file has what was checked at `path`."""
        for size in range(len(path), 0, -1):
            if path[:size] in self._origins:
                return self._origins[path[:size]] + path[size:]
        return path

    def place(self, path: Path) -> Place | None:
        """The place of a path, or of the nearest thing around it that the file names."""
        path = self.origin(path)
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path)

    def written(self, path: Path) -> str | None:
        """A scalar as the file writes it, without quotes; None for anything else."""
        place = self._places.get(self.origin(path))
        return place.text if place else None

    def in_order(self) -> list[StrategyProblem]:
        """What was found, from the top of the file to its end."""
        return sorted(self.found, key=lambda one: (one.line or 0, one.column or 0))


def dotted(path: Path) -> str:
    """Write a path as people do."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def plain_name(name: str) -> str:
    """Leave of a name what tells it from others however it is written."""
    return name.lower().replace("_", "").replace("-", "")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Find the name that was probably meant."""
    by_plain = {plain_name(known): known for known in names}
    found = difflib.get_close_matches(plain_name(name), by_plain, n=1, cutoff=0.5)
    return by_plain[found[0]] if found else None
