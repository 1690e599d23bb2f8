"""Reading a strategy file: what is wrong in it is told with its line, path and the nearest right name."""

from __future__ import annotations

import pathlib
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ValidationError

from .. import _core
from ..errors import StrategyError
from .changes import changed
from .checks import Checks
from .document import Document, DocumentError, Path, read_document
from .file_text import text_of
from .grammar import OPTIONS, Strategy
from .later import Later, is_later
from .problems import Problems, StrategyProblem, dotted, nearest

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["describe", "load", "load_strategy", "validate", "variation"]

NOT_THERE_YET = {
    "context_data": "context data is not there; a strategy sees the bars of its symbols",
    "data_source": "context data is not there; indicators read the bars of their symbol",
}
# What a value names that is known, and not trained.
_NOT_TRAINED = {
    "model.type": {"lstm", "gru", "cnn", "transformer", "attention_mlp"},
    "decisions.output_format": {"regression"},
    "training.method": {"reinforcement", "unsupervised"},
    "training.labels.source": {"regression"},
}
# What pydantic's own words of a wrong type are here.
_NEEDED = {
    "tuple_type": "a list",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "string_type": "a text",
    "float_type": "a number",
    "finite_number": "a number that is finite",
}


def load(path: str | os.PathLike[str]) -> Strategy:
    """Read a strategy file and check all of it.

    Parameters
    ----------
    path : path-like
        A YAML file (YAML 1.2), in the grammar of v2 or v3.

    Returns
    -------
    Strategy
        Frozen; `Strategy.to_json` is what a training takes.

    Raises
    ------
    StrategyError
        When the file cannot be read, is no YAML, or says something that does not exist; ``context``
        holds ``file``, ``line``, ``column``, ``path`` and ``suggestion``. It tells the first thing that
        is wrong, in the order of the file; `validate` tells all.

    Examples
    --------
    >>> from ktrdr_core import strategies
    >>> strategies.load("nowhere.yaml")
    Traceback (most recent call last):
        ...
    ktrdr_core.errors.StrategyError: nowhere.yaml: there is no such strategy file; `ktrdr-core strategies list .` lists those that are there
    """
    strategy, problems = _read(pathlib.Path(path))
    if strategy is None:
        raise problems[0].error()
    return strategy


def variation(path: str | os.PathLike[str], settings: Mapping[str, Any]) -> Strategy:
    """Read a strategy file with other values for some of its keys, and check all of it as `load` does.

    Parameters
    ----------
    path : path-like
        A YAML file.
    settings : mapping
        Values by the path of their key as the file has it, or would: ``model.training.learning_rate``,
        ``indicators[0].period``.

    Returns
    -------
    Strategy
        As if the file said so.

    Raises
    ------
    StrategyError
        As `load`, and when a path leads nowhere.

    Examples
    --------
    >>> from ktrdr_core import strategies
    >>> strategies.variation("nowhere.yaml", {"model.training.epochs": 3})
    Traceback (most recent call last):
        ...
    ktrdr_core.errors.StrategyError: nowhere.yaml: there is no such strategy file; `ktrdr-core strategies list .` lists those that are there
    """
    return variations(path, [settings])[0]


def variations(path: str | os.PathLike[str], many: Sequence[Mapping[str, Any]]) -> list[Strategy]:
    """Give `variation` of a file for each of many settings; it is read once."""
    file = pathlib.Path(path)
    try:
        document = read_document(text_of(file))
    except DocumentError as error:
        raise _unreadable(file, error).error() from None
    return [_varied(str(file), document, settings) for settings in many]


def _varied(file: str, document: Document, settings: Mapping[str, Any]) -> Strategy:
    data = document.data
    for name, value in settings.items():
        try:
            data = changed(data, name, value)
        except ValueError as error:
            raise StrategyProblem(file, None, None, name, str(error)).error() from None
    strategy, problems = _Reader(file, Document(data, document.places)).read()
    if strategy is None:
        raise problems[0].error()
    return strategy


#: The same, by a name that says what it loads.
load_strategy = load


def validate(path: str | os.PathLike[str]) -> tuple[StrategyProblem, ...]:
    """Tell everything that is wrong in a strategy file, from its top to its end.

    What can only be seen once the rest is right (two features of one name, a mode that says other than the
    list beside it) is told when nothing else is wrong.

    Parameters
    ----------
    path : path-like
        A YAML file.

    Returns
    -------
    tuple of StrategyProblem
        Empty where the file can be trained.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ktrdr_core import strategies
    >>> _ = Path("mine.yaml").write_text("name: mine\\nmodle: {}\\n")
    >>> print(strategies.validate("mine.yaml")[0])
    mine.yaml:1:1: training_data: is missing
    """
    return tuple(_read(pathlib.Path(path))[1])


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Tell what a training takes from a strategy file.

    Parameters
    ----------
    path : path-like
        A YAML file.

    Returns
    -------
    dict
        ``name``, ``symbols``, ``timeframes``, ``base_timeframe``, ``features`` (names, in the order of the network's
        inputs), ``warm_up_bars`` (bars of its own timeframe that a series has before its first row) and
        ``parameters`` (of the network).

    Raises
    ------
    StrategyError
        As `load`.
    """
    return _core.read_strategy(load(path).to_json())


def _read(file: pathlib.Path) -> tuple[Strategy | None, list[StrategyProblem]]:
    try:
        document = read_document(text_of(file))
    except DocumentError as error:
        return None, [_unreadable(file, error)]
    return _Reader(str(file), document).read()


def _unreadable(file: pathlib.Path, error: DocumentError) -> StrategyProblem:
    line, column = (error.place.line, error.place.column) if error.place else (None, None)
    return StrategyProblem(str(file), line, column, dotted(error.path), error.what)


class _Reader:
    """Checks the document of one file."""

    def __init__(self, file: str, document: Document) -> None:
        self._origins: dict[Path, Path] = {}
        self._problems = Problems(file, document.places, self._origins)
        self._data = document.data
        self._later = False

    def read(self) -> tuple[Strategy | None, list[StrategyProblem]]:
        strategy = self._strategy()
        return (None if self._problems.found else strategy), self._problems.in_order()

    def _strategy(self) -> Strategy | None:
        if not isinstance(self._data, dict):
            self._problems.tell((), "a strategy is a mapping of keys to values")
            return None
        self._later = is_later(self._data)
        if self._later:
            later = Later(self._problems.tell)
            self._data = later.earlier(self._data)
            self._origins.update(later.origins)
        try:
            strategy = Strategy.model_validate(self._data)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                self._tell(one)
            return None
        Checks(strategy, _core.indicator_specs(), self._problems).run()
        if not self._problems.found:
            self._ask_the_core(strategy)
        return strategy

    def _ask_the_core(self, strategy: Strategy) -> None:
        """Have the core read it as a training would: what it refuses is told here, with its place."""
        try:
            _core.read_strategy(strategy.to_json())
        except StrategyError as error:
            path = str(error.context["path"])
            found = self._path_of(path)
            said = str(error).removeprefix(f"strategy: {path}: ")
            self._problems.tell(found, said)

    def _path_of(self, name: str) -> Path:
        """The path that the core calls `name`, or the nearest around it."""
        for section in ("symbols", "timeframes"):
            start = f"training_data.{section}.list"
            if name.startswith(start):
                given = self._data["training_data"][section]
                said = next(key for key in ("list", section, section[:-1]) if key in given)
                return ("training_data", section, said)
        known = {dotted(path): path for path in _paths(self._data, ())}
        while name and name not in known:
            name = name.rpartition(".")[0]
        return known.get(name, ())

    def _tell(self, error: Any) -> None:
        """Tell one of pydantic's errors in our words."""
        path: Path = tuple(error["loc"])
        name = str(path[-1]) if path else ""
        kind = error["type"]
        if kind == "extra_forbidden":
            keys = _keys_at(path[:-1])
            if path[:-1] == ("training",) and self._later:
                # There the later grammar has what the earlier one has here.
                keys += _keys_at(("model", "training"))
            if name in NOT_THERE_YET:
                self._problems.tell(path, NOT_THERE_YET[name])
            else:
                self._problems.tell(path, f"there is no key {name!r}", nearest(name, keys))
        elif path[:1] == ("indicators",) and name in NOT_THERE_YET:
            self._problems.tell(path, NOT_THERE_YET[name])
        elif kind == "missing":
            self._problems.tell(path, "is missing")
        elif kind == "too_short":
            # What is wrong with one that is there has been told of it.
            below = any(one.path.startswith(dotted(path)) for one in self._problems.found)
            if not error["input"] and not below:
                self._problems.tell(path, "at least one is needed")
        elif kind == "literal_error":
            self._tell_choice(path, error)
        elif kind == "value_error":
            self._tell_value(path, error)
        elif kind in _NEEDED:
            what = f"{_NEEDED[kind]} is needed (it is {_shown(error['input'])})"
            self._problems.tell(path, what + self._hint(path, kind == "string_type"))
        else:
            self._problems.tell(path, f"{error['msg']} (it is {_shown(error['input'])})")

    def _hint(self, path: Path, text_is_needed: bool) -> str:
        """Say how a number that is meant as a text is written."""
        written = self._problems.written(path)
        if not text_is_needed or not written:
            return ""
        return f'; as a text it stands in quotes: "{written}"'

    def _tell_value(self, path: Path, error: Any) -> None:
        given, option = error["input"], dotted(path)
        known = OPTIONS.get(option, {})
        names = [one for one in known.get("choices", ()) if isinstance(one, str)]
        what = str(error["ctx"]["error"])
        if isinstance(given, str) and given in _NOT_TRAINED.get(option, ()):
            self._problems.tell(path, f"{given!r} is not there yet: it {what}")
            return
        is_number = type(given) in (int, float, bool) or given is None
        hint = self._hint(path, known.get("type") == "text" and not names and is_number)
        self._problems.tell(path, what + hint, nearest(str(given), names))

    def _tell_choice(self, path: Path, error: Any) -> None:
        given = error["input"]
        expected = str(error["ctx"]["expected"])
        names = [one.strip("' ") for one in expected.replace(" or ", ", ").split(",")]
        what = f"{_shown(given)} must be {expected}"
        self._problems.tell(path, what, nearest(str(given), names))


def _shown(value: Any) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _paths(value: Any, path: Path) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _paths(below, (*path, key))
    elif isinstance(value, tuple):
        for index, below in enumerate(value):
            yield from _paths(below, (*path, index))


def _step_into(annotation: Any, part: str | int) -> Any:
    """The annotation of a member of what `annotation` describes."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return field.annotation if field else None
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return next((_step_into(one, part) for one in arguments if one is not type(None)), None)
    if origin is Annotated:
        return _step_into(arguments[0], part)
    if origin in (tuple, dict):
        return arguments[-1] if origin is dict else arguments[0]
    return None


def _keys_at(path: Path) -> list[str]:
    """The keys that the section at `path` knows."""
    annotation: Any = Strategy
    for part in path:
        annotation = _step_into(annotation, part)
    for one in (annotation, *typing.get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return list(one.model_fields)
    return []
