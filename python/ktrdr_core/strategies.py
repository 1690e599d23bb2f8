"""Read strategy files: what to train on what, in the grammar of KTRDR's v2 strategies.

Every key counts. A key that does not exist, an indicator that is not there, a fuzzy set without its
indicator or parameters out of order is a `StrategyError` with file, line and path, and the nearest
name that does exist.

Labels say ``source: forward_return``: the class of a bar is decided by the close ``label_lookahead``
bars later, so the time it ends is known and no row of a later part decides one of an earlier part.
The zigzag of the original needs an unbounded future and is refused.
"""

from __future__ import annotations

import difflib
import pathlib
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["Strategy", "load_strategy"]

Path = tuple[str | int, ...]

MOST_BYTES = 1_000_000
MOST_NODES = 100_000
SET_SIZES = {"triangular": 3, "trapezoidal": 4, "gaussian": 2}
NOT_THERE_YET = {
    "lr_scheduler": "schedulers are not there yet; remove it",
    "zigzag_threshold": "zigzag labels look into an unbounded future and are not there; "
    "use source: forward_return with threshold and label_lookahead",
}


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    return value


Number = Annotated[float, BeforeValidator(_no_bool)]
Whole = Annotated[int, BeforeValidator(_no_bool)]
Share = Annotated[Number, Field(gt=0, lt=1)]


class _Section(BaseModel):
    """A mapping of the file: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _one_of(names: Mapping[str, tuple[str, ...] | str | None], what: str) -> None:
    given = [name for name, value in names.items() if value]
    if len(given) != 1:
        raise ValueError(f"exactly one of {', '.join(names)} must name the {what}")


class Symbols(_Section):
    """Which symbols to train on: one of ``list``, ``symbols``, ``symbol``."""

    mode: Literal["single", "multi", "single_symbol", "multi_symbol"] = "multi_symbol"
    list: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    symbol: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Symbols:
        _one_of({"list": self.list, "symbols": self.symbols, "symbol": self.symbol}, "symbols")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The symbols, whichever key named them."""
        return self.list or self.symbols or ((self.symbol,) if self.symbol else ())


class Timeframes(_Section):
    """Which timeframes to read: one of ``list``, ``timeframes``, ``timeframe``."""

    mode: Literal["single", "multi", "single_timeframe", "multi_timeframe"] = "single_timeframe"
    list: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()
    timeframe: str | None = None
    base_timeframe: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Timeframes:
        named = {"list": self.list, "timeframes": self.timeframes, "timeframe": self.timeframe}
        _one_of(named, "timeframes")
        if self.base_timeframe is not None and self.base_timeframe not in self.names:
            raise ValueError(f"base_timeframe {self.base_timeframe!r} is not one of the timeframes")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The timeframes, whichever key named them."""
        return self.list or self.timeframes or ((self.timeframe,) if self.timeframe else ())


class TrainingData(_Section):
    """What to train on."""

    symbols: Symbols
    timeframes: Timeframes
    history_required: Annotated[Whole, Field(ge=0)] = 0


class DeploymentSymbols(_Section):
    """On which symbols a trained model may be used."""

    mode: Literal["universal", "group_restricted", "training_only"] = "training_only"


class DeploymentTimeframes(_Section):
    """On which timeframes a trained model may be used."""

    mode: Literal["single", "multi", "single_timeframe", "multi_timeframe"] = "single_timeframe"
    supported: tuple[str, ...] = ()


class Deployment(_Section):
    """Where a trained model may be used; kept with the model."""

    symbols: DeploymentSymbols = DeploymentSymbols()
    timeframes: DeploymentTimeframes = DeploymentTimeframes()


class Indicator(BaseModel):
    """One indicator; its parameters are flat beside these keys and checked against the registry."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, Number]

    name: str
    type: str | None = None
    feature_id: str | None = None
    source: str = "close"

    @property
    def id(self) -> str:
        """The name that fuzzy sets refer to."""
        return self.feature_id or self.name


class FuzzySet(_Section):
    """A fuzzy set: how much a value belongs."""

    type: Literal["triangular", "trapezoidal", "gaussian"]
    parameters: tuple[Number, ...]


class Architecture(_Section):
    """Layers of the network."""

    hidden_layers: Annotated[
        tuple[Annotated[Whole, Field(ge=1, le=65536)], ...], Field(min_length=1)
    ] = (50, 25)
    activation: Literal["relu", "tanh", "sigmoid", "leaky_relu", "gelu"] = "relu"
    output_activation: Literal["softmax"] = "softmax"
    dropout: Annotated[Number, Field(ge=0, le=0.99)] = 0.2


class Features(_Section):
    """What else the network sees. Memberships lie in 0..1 already, so nothing is scaled."""

    include_price_context: Literal[False] = False
    lookback_periods: Annotated[Whole, Field(ge=0, le=1000)] = 0
    scale_features: Literal[False] = False


class EarlyStopping(_Section):
    """When to stop before the last epoch; the best weights are kept either way."""

    patience: Annotated[Whole, Field(ge=1, le=1_000_000)] = 10
    min_delta: Annotated[Number, Field(ge=0)] = 0.0
    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"


class ModelTraining(_Section):
    """How the network learns."""

    learning_rate: Annotated[Number, Field(ge=1e-9, le=100)] = 0.001
    batch_size: Annotated[Whole, Field(ge=1, le=1_000_000)] = 32
    epochs: Annotated[Whole, Field(ge=1, le=1_000_000)] = 100
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    weight_decay: Annotated[Number, Field(ge=0, le=10)] = 1e-4
    gradient_clip: Annotated[Number, Field(gt=0)] | None = None
    early_stopping: EarlyStopping | None = None
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = 0


class Model(_Section):
    """The network."""

    type: Literal["mlp"] = "mlp"
    architecture: Architecture = Architecture()
    features: Features = Features()
    training: ModelTraining = ModelTraining()


class Filters(_Section):
    """When a signal is not acted on."""

    min_signal_separation: Annotated[Whole, Field(ge=0)] = 0
    volume_filter: bool = False


class Decisions(_Section):
    """How signals become decisions; kept with the model."""

    output_format: Literal["classification"] = "classification"
    confidence_threshold: Annotated[Number, Field(ge=0, le=1)] = 0.5
    position_awareness: bool = False
    filters: Filters = Filters()


class Labels(_Section):
    """What a bar is labelled by: the return over the next ``label_lookahead`` bars.

    Above ``threshold`` (a fraction, 0.02 is 2 %) it is *buy*, below its negative *sell*, else *hold*.
    """

    source: Literal["forward_return"] = "forward_return"
    threshold: Annotated[Number, Field(ge=0, le=0.999)] = 0.02
    label_lookahead: Annotated[Whole, Field(ge=1, le=100_000)] = 5


class DataSplit(_Section):
    """Shares of the rows, in time."""

    train: Share = 0.7
    validation: Share = 0.15
    test: Share = 0.15

    @model_validator(mode="after")
    def _check(self) -> DataSplit:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, validation and test add up to {total:g}, not to 1")
        return self


class Training(_Section):
    """What is learned from which part of the data."""

    method: Literal["supervised"] = "supervised"
    labels: Labels = Labels()
    data_split: DataSplit = DataSplit()


class Strategy(_Section):
    """A strategy file, every key checked and every default filled in."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$")]
    description: str = ""
    version: str = ""
    hypothesis: str = ""
    scope: str = ""
    training_data: TrainingData
    deployment: Deployment | None = None
    indicators: Annotated[tuple[Indicator, ...], Field(min_length=1)]
    fuzzy_sets: dict[str, dict[str, FuzzySet]]
    model: Model = Model()
    decisions: Decisions | None = None
    training: Training = Training()

    def to_json(self) -> dict[str, Any]:
        """Return the strategy as plain JSON, in the one spelling that the C++ side reads."""
        plain: dict[str, Any] = self.model_dump(mode="json")
        data = self.training_data
        plain["training_data"]["symbols"] = {
            "mode": data.symbols.mode,
            "list": list(data.symbols.names),
        }
        plain["training_data"]["timeframes"] = {
            "mode": data.timeframes.mode,
            "list": list(data.timeframes.names),
            "base_timeframe": data.timeframes.base_timeframe or data.timeframes.names[0],
        }
        known = _indicator_specs()
        plain["indicators"] = [
            {
                "name": _registry_name(item.type or item.name, known),
                "feature_id": item.id,
                "source": item.source,
                "params": dict(item.__pydantic_extra__),
            }
            for item in self.indicators
        ]
        return plain


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


def _indicator_specs() -> dict[str, Any]:
    from . import _core

    specs: dict[str, Any] = _core.indicator_specs()
    return specs


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _registry_name(name: str, specs: Iterable[str]) -> str | None:
    """Find an indicator however it is capitalised: RSI, rsi, DistanceFromMA."""
    return next((known for known in specs if _plain(known) == _plain(name)), None)


def _nearest(name: str, names: Iterable[str]) -> str | None:
    by_plain = {_plain(known): known for known in names}
    found = difflib.get_close_matches(_plain(name), by_plain, n=1, cutoff=0.5)
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
        specs = _indicator_specs()
        self._check_indicators(strategy, specs)
        self._check_fuzzy_sets(strategy, specs)
        return strategy

    def _fail(
        self, path: Path, what: str, suggestion: str | None = None, line: int | None = None
    ) -> typing.NoReturn:
        from .errors import StrategyError

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
            if self._file.stat().st_size > MOST_BYTES:
                self._fail((), f"larger than {MOST_BYTES} bytes; this is no strategy file")
            return self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            self._fail((), "there is no such strategy file")
        except OSError as error:
            self._fail((), f"cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            self._fail((), "is not UTF-8 text")

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
                self._fail(path, str(first["ctx"]["error"]))
            case _:
                self._fail(path, f"{first['msg']} (it is {first['input']!r})")

    def _refuse_choice(self, path: Path, error: Any) -> typing.NoReturn:
        given = error["input"]
        if given == "zigzag" and path[-1] == "source":
            self._fail(path, NOT_THERE_YET["zigzag_threshold"])
        expected = str(error["ctx"]["expected"])
        names = [one.strip("' ") for one in expected.replace(" or ", ", ").split(",")]
        self._fail(path, f"{given!r} must be {expected}", _nearest(str(given), names))

    def _check_indicators(self, strategy: Strategy, specs: Mapping[str, Any]) -> None:
        ids: set[str] = set()
        for index, item in enumerate(strategy.indicators):
            path: Path = ("indicators", index)
            named = "type" if item.type else "name"
            kind = item.type or item.name
            registered = _registry_name(kind, specs)
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
        if item.source not in spec["sources"]:
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
            registered = _registry_name(item.type or item.name, specs)
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
