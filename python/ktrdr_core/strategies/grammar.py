"""The grammar of strategy files: their sections as frozen models.

Range, default and words of an option stand in the core's table (`_core.strategy_options`), which the
core's own reader takes them from too.

Every label says when it is known, so that no row of a later part decides one of an earlier part.
An option that a class does not name is taken from there all the same. A file of the later grammar is
brought into this form first (`later`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WrapValidator, create_model, model_validator

from .. import _core
from ..errors import InvalidArgumentError
from .problems import plain_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic import ValidatorFunctionWrapHandler

OPTIONS = _core.strategy_options()


#: A number, and no text that looks like one.
Number = Annotated[float, Field(strict=True)]

_TYPES: dict[str, Any] = {
    "text": str,
    "flag": bool,
    "integer": int,
    "number": float,
    "integers": tuple[int, ...],
    "numbers": tuple[float, ...],
    "texts": tuple[str, ...],
}


def _refusal(path: str, value: Any) -> str | None:
    """Ask the core what is wrong with a value; what JSON cannot carry is asked as text."""
    try:
        return _core.refuse_strategy_option(path, value)
    except InvalidArgumentError:
        return _core.refuse_strategy_option(path, str(value))


def option(path: str) -> Any:
    """Make the field of an option: what it may be and what it is by default stand in the core."""

    def check(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        # Before it is read: read as a number, true would be 1, and a text in quotes too.
        refused = _refusal(path, value)
        if refused is not None:
            raise ValueError(refused)
        return read(value)

    known = OPTIONS[path]
    default = known["default"]
    field: Any = Field(
        default=... if known["required"] else tuple(default) if type(default) is list else default,
        description=known["help"],
    )
    field.metadata.append(WrapValidator(check))
    return field


class _Section(BaseModel):
    """A mapping of the file: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


S = TypeVar("S", bound=BaseModel)


def _section(path: str) -> Callable[[type[S]], type[S]]:
    """Give a section the options of the core's table that its class does not name."""

    def complete(cls: type[S]) -> type[S]:
        missing = {
            name: _field(f"{path}.{name}")
            for name in dict.fromkeys(_names_below(path))
            if name not in cls.model_fields
        }
        if not missing:
            return cls
        made: type[S] = create_model(  # type: ignore[call-overload]
            cls.__name__, __base__=cls, __module__=cls.__module__, __doc__=cls.__doc__, **missing
        )
        return made

    return complete


def _names_below(path: str) -> list[str]:
    """Options and sections right below a section, in the table's order."""
    start = f"{path}."
    return [one[len(start) :].partition(".")[0] for one in OPTIONS if one.startswith(start)]


def _field(path: str) -> tuple[Any, Any]:
    """Make the type and the field of an option, or of a section of options that may be left out."""
    if path not in OPTIONS:
        made = create_model(path.rpartition(".")[2], __base__=_Section)
        return _section(path)(made) | None, None
    known = OPTIONS[path]
    kind = _TYPES[known["type"]]
    return kind if known["required"] or known["default"] is not None else kind | None, option(path)


def _one_of(names: Mapping[str, tuple[str, ...] | str | None], what: str) -> None:
    given = [name for name, value in names.items() if value]
    if len(given) != 1:
        raise ValueError(f"exactly one of {', '.join(names)} must name the {what}")


@_section("training_data.symbols")
class Symbols(_Section):
    """Which symbols to train on: one of ``list``, ``symbols``, ``symbol``."""

    mode: str | None = option("training_data.symbols.mode")
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


@_section("training_data.timeframes")
class Timeframes(_Section):
    """Which timeframes to read: one of ``list``, ``timeframes``, ``timeframe``."""

    mode: str | None = option("training_data.timeframes.mode")
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


@_section("training_data")
class TrainingData(_Section):
    """What to train on."""

    symbols: Symbols
    timeframes: Timeframes
    history_required: int = option("training_data.history_required")


@_section("deployment.symbols")
class DeploymentSymbols(_Section):
    """On which symbols a trained model may be used."""

    mode: str = option("deployment.symbols.mode")


@_section("deployment.timeframes")
class DeploymentTimeframes(_Section):
    """On which timeframes a trained model may be used."""

    mode: str | None = option("deployment.timeframes.mode")
    supported: tuple[str, ...] = option("deployment.timeframes.supported")


@_section("deployment")
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


class NetworkInput(_Section):
    """A fuzzy set that the network sees, of the later grammar: in this order, on these timeframes."""

    fuzzy_set: str
    indicator: str
    timeframes: tuple[str, ...] = ()


@_section("model.architecture")
class Architecture(_Section):
    """Layers of the network."""

    hidden_layers: tuple[int, ...] = option("model.architecture.hidden_layers")
    activation: str = option("model.architecture.activation")
    output_activation: str = option("model.architecture.output_activation")
    dropout: float = option("model.architecture.dropout")


@_section("model.features")
class Features(_Section):
    """What else the network sees, and whether all of it is scaled."""

    include_price_context: bool = option("model.features.include_price_context")
    lookback_periods: int = option("model.features.lookback_periods")
    scale_features: bool = option("model.features.scale_features")


@_section("model.training.early_stopping")
class EarlyStopping(_Section):
    """When to stop before the last epoch; the best weights are kept either way."""

    patience: int = option("model.training.early_stopping.patience")
    min_delta: float = option("model.training.early_stopping.min_delta")
    monitor: str = option("model.training.early_stopping.monitor")


@_section("model.training.lr_scheduler")
class LrScheduler(_Section):
    """How the learning rate falls from epoch to epoch."""

    type: str = option("model.training.lr_scheduler.type")
    step_size: int | None = option("model.training.lr_scheduler.step_size")
    gamma: float | None = option("model.training.lr_scheduler.gamma")
    patience: int | None = option("model.training.lr_scheduler.patience")


@_section("model.training")
class ModelTraining(_Section):
    """How the network learns."""

    learning_rate: float = option("model.training.learning_rate")
    batch_size: int = option("model.training.batch_size")
    epochs: int = option("model.training.epochs")
    optimizer: str = option("model.training.optimizer")
    weight_decay: float = option("model.training.weight_decay")
    gradient_clip: float | None = option("model.training.gradient_clip")
    early_stopping: EarlyStopping | None = None
    lr_scheduler: LrScheduler = LrScheduler()
    class_weights: str = option("model.training.class_weights")
    device: str = option("model.training.device")
    seed: int = option("model.training.seed")


@_section("model")
class Model(_Section):
    """The network."""

    type: str = option("model.type")
    architecture: Architecture = Architecture()
    features: Features = Features()
    training: ModelTraining = ModelTraining()


@_section("decisions.filters")
class Filters(_Section):
    """When a signal is not acted on."""

    min_signal_separation: int = option("decisions.filters.min_signal_separation")
    volume_filter: bool = option("decisions.filters.volume_filter")


@_section("decisions")
class Decisions(_Section):
    """How signals become decisions; kept with the model."""

    output_format: str = option("decisions.output_format")
    confidence_threshold: float = option("decisions.confidence_threshold")
    position_awareness: bool = option("decisions.position_awareness")
    filters: Filters = Filters()


@_section("training.labels")
class Labels(_Section):
    """What a bar is labelled by: the return over the next ``label_lookahead`` bars, or up to a turn or a barrier.

    Above ``threshold`` (a fraction, 0.02 is 2 %) it is *buy*, below its negative *sell*, else *hold*. See
    `ktrdr_core.labels` for each ``source``.
    """

    source: str = option("training.labels.source")
    threshold: float = option("training.labels.threshold")
    label_lookahead: int = option("training.labels.label_lookahead")
    zigzag_threshold: float | None = option("training.labels.zigzag_threshold")
    stop_threshold: float | None = option("training.labels.stop_threshold")
    weights: str = option("training.labels.weights")


@_section("training.data_split")
class DataSplit(_Section):
    """Shares of the rows, in time, and the bars between them."""

    train: float = option("training.data_split.train")
    validation: float = option("training.data_split.validation")
    test: float = option("training.data_split.test")
    embargo: int = option("training.data_split.embargo")

    @model_validator(mode="after")
    def _check(self) -> DataSplit:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, validation and test add up to {total:g}, not to 1")
        return self


@_section("training")
class Training(_Section):
    """What is learned from which part of the data."""

    method: str = option("training.method")
    labels: Labels = Labels()
    data_split: DataSplit = DataSplit()


class Strategy(_Section):
    """A strategy file, every key checked and every default filled in."""

    name: str = option("name")
    description: str = option("description")
    version: str = option("version")
    hypothesis: str = option("hypothesis")
    scope: str = option("scope")
    training_data: TrainingData
    deployment: Deployment | None = None
    indicators: Annotated[tuple[Indicator, ...], Field(min_length=1)]
    fuzzy_sets: dict[str, dict[str, FuzzySet]]
    nn_inputs: tuple[NetworkInput, ...] | None = None
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
        if self.nn_inputs is None:
            del plain["nn_inputs"]
        known = _core.indicator_specs()
        plain["indicators"] = [
            {
                "name": registry_name(item.type or item.name, known),
                "feature_id": item.id,
                "source": item.source,
                "params": dict(item.__pydantic_extra__),
            }
            for item in self.indicators
        ]
        return plain


def registry_name(name: str, specs: Iterable[str]) -> str | None:
    """Find an indicator however it is capitalised: RSI, rsi, DistanceFromMA."""
    return next((known for known in specs if plain_name(known) == plain_name(name)), None)
