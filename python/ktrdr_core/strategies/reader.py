"""Reading a strategy file: what is wrong in it is told with its line, path and the nearest right name."""

from __future__ import annotations

import difflib
import os
import pathlib
import stat
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import BaseModel, ValidationError

from .. import _core
from ..errors import StrategyError
from .grammar import OPTIONS, FuzzySet, Indicator, Strategy, plain_name, registry_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["load_strategy"]

Path = tuple[str | int, ...]

MOST_BYTES = 1_000_000
MOST_NODES = 100_000
SET_SIZES = {"triangular": 3, "trapezoidal": 4, "gaussian": 2}
NOT_THERE_YET: dict[str, str] = {}


def load_strategy(path: str | os.PathLike[str]) -> Strategy:
    """Read a strategy file and check all of it.

    Parameters
    ----------
    path : path-like
        A YAML file.

    Returns
    -------
    Strategy
        Frozen; `Strategy.to_json` is what a training takes.

    Raises
    ------
    StrategyError
        When the file cannot be read, is no YAML, or says something that does not exist; ``context``
        holds ``file``, ``line`` and ``path``.
    """
    reader = _Reader(pathlib.Path(path))
    return reader.read()


def _nearest(name: str, names: Iterable[str]) -> str | None:
    by_plain = {plain_name(known): known for known in names}
    found = difflib.get_close_matches(plain_name(name), by_plain, n=1, cutoff=0.5)
    return by_plain[found[0]] if found else None


def _dotted(path: Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


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


class _Reader:
    """Reads one file and remembers on which line each key stands."""

    def __init__(self, file: pathlib.Path) -> None:
        self._file = file
        self._lines: dict[Path, int] = {}
        self._nodes = 0

    def read(self) -> Strategy:
        data = self._load(self._text())
        try:
            strategy = Strategy.model_validate(data)
        except ValidationError as error:
            self._refuse(error)
        specs = _core.indicator_specs()
        self._check_indicators(strategy, specs)
        self._check_fuzzy_sets(strategy, specs)
        return strategy

    def _fail(
        self, path: Path, what: str, suggestion: str | None = None, line: int | None = None
    ) -> typing.NoReturn:
        at = line if line is not None else self._line_of(path)
        where = f"{self._file}:{at}" if at else str(self._file)
        dotted = _dotted(path)
        message = f"{where}: {dotted}: {what}" if dotted else f"{where}: {what}"
        if suggestion:
            message += f"; did you mean {suggestion!r}?"
        context = {"file": str(self._file), "line": at, "path": dotted, "suggestion": suggestion}
        raise StrategyError(message, context=context)

    def _line_of(self, path: Path) -> int | None:
        """The line of a path, or of the nearest thing around it that the file names."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path)

    def _text(self) -> str:
        try:
            content = self._content()
        except FileNotFoundError:
            self._fail((), "there is no such strategy file")
        except OSError as error:
            self._fail((), f"cannot be read: {error.strerror}")
        if len(content) > MOST_BYTES:
            self._fail((), f"larger than {MOST_BYTES} bytes; this is no strategy file")
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            self._fail((), "is not UTF-8 text")

    def _content(self) -> bytes:
        """The file's beginning, a byte more than there may be."""
        # Opening a FIFO would wait for whoever writes into it, and some devices never end.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        try:
            descriptor = os.open(self._file, flags)
        except ValueError as error:
            self._fail((), f"cannot be read: {error}")
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                kind = "a folder" if stat.S_ISDIR(mode) else "no plain file"
                self._fail((), f"cannot be read: it is {kind}")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(MOST_BYTES + 1)
        finally:
            os.close(descriptor)

    def _load(self, text: str) -> Any:
        loader = yaml.SafeLoader(text)
        try:
            node = self._yaml(loader.get_single_node)
            if not isinstance(node, yaml.MappingNode):
                self._fail((), "a strategy is a mapping of keys to values")
            self._walk(node, ())
            return self._yaml(lambda: loader.construct_document(node))
        finally:
            loader.dispose()

    def _yaml(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            self._fail((), f"is not YAML: {error.problem}", line=mark.line + 1 if mark else None)
        except (yaml.YAMLError, ValueError) as error:
            self._fail((), f"is not YAML: {error}")

    def _walk(self, node: yaml.Node, path: Path) -> None:
        # Aliases let a few bytes stand for a huge or an endless tree.
        self._nodes += 1
        if self._nodes > MOST_NODES or len(path) > 30:
            self._fail(path, "is nested too deep or repeats too much")
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            for index, child in enumerate(node.value):
                self._walk(child, (*path, index))
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, child in node.value:
                below = (*path, str(key.value))
                line = key.start_mark.line + 1
                if key.value in seen:
                    self._fail(below, "is there twice", line=line)
                seen.add(key.value)
                self._lines[below] = line
                self._walk(child, below)

    def _refuse(self, error: ValidationError) -> typing.NoReturn:
        """Tell the first thing that is wrong, in the order of the file."""

        def place(one: Any) -> int:
            return self._line_of(tuple(one["loc"])) or 0

        first = min(error.errors(include_url=False), key=place)
        path: Path = tuple(first["loc"])
        name = str(path[-1]) if path else ""
        match first["type"]:
            case "extra_forbidden" if name in NOT_THERE_YET:
                self._fail(path, NOT_THERE_YET[name])
            case "extra_forbidden":
                keys = _keys_at(path[:-1])
                self._fail(path, f"there is no key {name!r}", _nearest(name, keys))
            case "missing":
                self._fail(path, "is missing")
            case "literal_error":
                self._refuse_choice(path, first)
            case "value_error":
                self._refuse_value(path, first)
            case _:
                self._fail(path, f"{first['msg']} (it is {first['input']!r})")

    def _refuse_value(self, path: Path, error: Any) -> typing.NoReturn:
        given = error["input"]
        choices = OPTIONS.get(_dotted(path), {}).get("choices", ())
        names = [one for one in choices if isinstance(one, str)]
        self._fail(path, str(error["ctx"]["error"]), _nearest(str(given), names))

    def _refuse_choice(self, path: Path, error: Any) -> typing.NoReturn:
        given = error["input"]
        expected = str(error["ctx"]["expected"])
        names = [one.strip("' ") for one in expected.replace(" or ", ", ").split(",")]
        self._fail(path, f"{given!r} must be {expected}", _nearest(str(given), names))

    def _check_indicators(self, strategy: Strategy, specs: Mapping[str, Any]) -> None:
        ids: set[str] = set()
        for index, item in enumerate(strategy.indicators):
            path: Path = ("indicators", index)
            named = "type" if item.type else "name"
            kind = item.type or item.name
            registered = registry_name(kind, specs)
            if registered is None:
                what = f"there is no indicator {kind!r}; there are {', '.join(specs)}"
                self._fail((*path, named), what, _nearest(kind, specs))
            if item.id in ids:
                self._fail(path, f"two indicators are called {item.id!r}; give one a feature_id")
            ids.add(item.id)
            self._check_parameters(path, registered, item, specs[registered])

    def _check_parameters(
        self, path: Path, name: str, item: Indicator, spec: Mapping[str, Any]
    ) -> None:
        params = spec["params"]
        values = {key: one["default"] for key, one in params.items()}
        for key, value in item.__pydantic_extra__.items():
            if key not in params:
                keys = ["name", "type", "feature_id", "source", *params]
                what = f"{name} has no parameter {key!r}; it takes {', '.join(params)}"
                self._fail((*path, key), what, _nearest(key, keys))
            low, high = params[key]["min"], params[key]["max"]
            whole = params[key]["integer"]
            if not low <= value <= high or (whole and value != int(value)):
                kind = "a whole number" if whole else "a number"
                self._fail((*path, key), f"is {value:g}; {kind} from {low:g} to {high:g} is needed")
            values[key] = value
        if spec["inputs"] and "source" in item.model_fields_set:
            what = f"{name} takes {', '.join(spec['inputs'])}; remove it"
            self._fail((*path, "source"), what)
        if item.source not in spec["sources"] and not spec["inputs"]:
            what = f"{item.source!r} must be one of {', '.join(spec['sources'])}"
            self._fail((*path, "source"), what, _nearest(item.source, spec["sources"]))
        rising = spec["rising"]
        for less, more in zip(rising, rising[1:], strict=False):
            if values[less] >= values[more]:
                what = f"{less} ({values[less]:g}) must be less than {more} ({values[more]:g})"
                self._fail((*path, less), what)

    def _check_fuzzy_sets(self, strategy: Strategy, specs: Mapping[str, Any]) -> None:
        owners: dict[str, str] = {}
        for item in strategy.indicators:
            registered = registry_name(item.type or item.name, specs)
            owners[item.id] = item.id
            outputs = specs[registered]["outputs"] if registered else ()
            owners |= {f"{item.id}.{output}": item.id for output in outputs}
        used: set[str] = set()
        for key, sets in strategy.fuzzy_sets.items():
            path: Path = ("fuzzy_sets", key)
            if key not in owners:
                what = f"no indicator has the feature_id {key!r} (or an output of that name)"
                self._fail(path, what, _nearest(key, owners))
            if not sets:
                self._fail(path, "at least one set is needed")
            used.add(owners[key])
            for name, one in sets.items():
                self._check_set((*path, name), one)
        for index, item in enumerate(strategy.indicators):
            if item.id not in used:
                what = f"{item.id!r} has no fuzzy set, so nothing would use it"
                self._fail(("indicators", index), what)

    def _check_set(self, path: Path, one: FuzzySet) -> None:
        at = (*path, "parameters")
        values: Sequence[float] = one.parameters
        size = SET_SIZES[one.type]
        if len(values) != size:
            self._fail(at, f"a {one.type} set takes {size} numbers, not {len(values)}")
        if one.type == "gaussian":
            if values[1] <= 0:
                self._fail(at, f"[mean, sigma] needs a sigma above 0, not {values[1]:g}")
        elif list(values) != sorted(values):
            shown = ", ".join(f"{value:g}" for value in values)
            self._fail(at, f"the numbers must not fall, but are [{shown}]")
