"""What a client asks to train, read from its request: the strategy, and what stands in place of its own options."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import _core
from ...errors import InvalidArgumentError, StrategyError
from ...strategies import Strategy, load_strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from .contract import StartRequest

_OPTIONS = "model.training."
#: Of both configurations, what says which bars are used.
_BARS = ("start_date", "end_date", "test_from", "what_to_show", "session")
# What clients of the contract say for hosts that load by themselves, or have a GPU to choose.
_UNUSED = {"data_mode", "data_source", "model_type", "multi_symbol"}


@dataclass
class Asked:
    """A training as ``TrainingManager`` takes it."""

    strategy: Strategy
    symbols: list[str] | None
    timeframes: list[str] | None
    start_date: str | None = None
    end_date: str | None = None
    test_from: str | None = None
    what_to_show: str | None = None
    session: str | None = None
    #: What else was said of the training, by its name there.
    options: dict[str, Any] = field(default_factory=dict)
    #: The keys of the configurations that count.
    used: list[str] = field(default_factory=list)
    #: What of the request was not used, in words.
    notes: list[str] = field(default_factory=list)


def read(request: StartRequest, strategies: Path | None) -> Asked:
    """Read a request; ``strategies`` is the folder of those that may be asked for by name.

    Raises
    ------
    StrategyError
        For a strategy with a mistake, or one that is not here.
    InvalidArgumentError
        For a value of another type than its key takes.
    """
    model, training = request.model_configuration, dict(request.training_configuration)
    data = dict(request.data_configuration)
    asked = Asked(
        _strategy(model.strategy_config, strategies),
        _names("symbols", model.symbols, data),
        _names("timeframes", model.timeframes, data),
    )
    for name in _BARS:
        # What the data's configuration says is about nothing else.
        texts = [_said(name, given.pop(name, None)) for given in (data, training)]
        setattr(asked, name, texts[0] or texts[1])
    for name, checked in _OPTIONS_OF_TRAINING.items():
        given = training.pop(name, None)
        if given is not None:
            asked.options[name] = checked(name, given)
    options = _overrides(training)
    if options:
        asked.strategy = _overridden(asked.strategy, options)
    said = {**request.data_configuration, **request.training_configuration}
    asked.used = sorted(
        name
        for name in said.keys() - training.keys() - data.keys()
        if any(
            given.get(name) not in (None, "", [])
            for given in (request.training_configuration, request.data_configuration)
        )
    )
    unknown = sorted({*training, *data} - _UNUSED)
    if unknown:
        asked.notes.append(f"not used: {', '.join(name[:60] for name in unknown[:20])}")
    if request.gpu_configuration:
        asked.notes.append("gpu_configuration is not used")
    return asked


def _overrides(training: dict[str, Any]) -> dict[str, Any]:
    """Take the options of ``model.training`` out of a configuration."""
    known = {
        path.removeprefix(_OPTIONS).split(".")[0]
        for path in _core.strategy_options()
        if path.startswith(_OPTIONS)
    }
    return {name: training.pop(name) for name in list(training) if name in known}


def _overridden(strategy: Strategy, options: dict[str, Any]) -> Strategy:
    mapping = _as_file(strategy.to_json())
    mapping["model"]["training"].update(options)
    return _loaded(json.dumps(mapping))


def _strategy(config: dict[str, Any] | str, strategies: Path | None) -> Strategy:
    if isinstance(config, dict):
        return _loaded(json.dumps(_as_file(config)))
    if "\n" in config.strip() or config.lstrip().startswith("{"):
        return _loaded(config)
    return _of_host(config, strategies)


def _of_host(path: str, strategies: Path | None) -> Strategy:
    """Find a strategy of this host by the name that a client's path ends in; the path itself is never opened."""
    name = path.replace("\\", "/").rpartition("/")[2]
    if strategies is not None:
        known = {entry.name: entry.path for entry in os.scandir(strategies) if entry.is_file()}
        for candidate in (name, f"{name}.yaml", f"{name}.yml"):
            if candidate in known:
                return load_strategy(known[candidate])
    raise StrategyError(
        f"strategy_config is {path[:200]!r}, a path, which means nothing on this host: send the strategy itself (its "
        "mapping, or the text of its file), or the name of one in the host's --strategies-dir",
        context={"path": "strategy_config"},
    )


def _loaded(text: str) -> Strategy:
    """Read a strategy as a file of it is read, with the same words for its mistakes."""
    with tempfile.TemporaryDirectory(prefix="ktrdr-strategy-") as folder:
        path = Path(folder) / "strategy.yaml"
        path.write_text(text, "utf-8")
        try:
            return load_strategy(path)
        except StrategyError as error:
            context = {**error.context, "file": "strategy_config"}
            message = error.message.replace(str(path), "strategy_config")
            raise StrategyError(message, context=context) from None


def _as_file(mapping: dict[str, Any]) -> dict[str, Any]:
    """Spell a strategy as a file does: in the core's spelling the parameters of an indicator have a mapping of their own,
    and an input of the network names its indicator."""
    indicators = mapping.get("indicators")
    if not isinstance(indicators, list):
        return {**mapping}
    flat = []
    for one in indicators:
        if isinstance(one, dict) and isinstance(one.get("params"), dict):
            one = {**{key: value for key, value in one.items() if key != "params"}, **one["params"]}
            # A source is named where there is a choice of one.
            specs = _core.indicator_specs().get(str(one.get("name")), {})
            if specs.get("inputs"):
                one.pop("source", None)
        flat.append(one)
    return _as_later({**mapping, "indicators": flat})


def _as_later(mapping: dict[str, Any]) -> dict[str, Any]:
    """Spell what has a list of the network's inputs as the later grammar does; its mistakes are left for who reads it."""
    inputs, sets, indicators = (
        mapping.get(key) for key in ("nn_inputs", "fuzzy_sets", "indicators")
    )
    if (
        not isinstance(inputs, list)
        or not isinstance(sets, dict)
        or not isinstance(indicators, list)
    ):
        return mapping
    if not all(isinstance(one, dict) for one in (*inputs, *sets.values(), *indicators)):
        return mapping
    owners = {
        one["fuzzy_set"]: one["indicator"]
        for one in inputs
        if {"fuzzy_set", "indicator"} <= one.keys()
    }
    by_id = {one.get("feature_id") or one.get("name"): one for one in indicators}
    if len(by_id) < len(indicators):
        return mapping
    return {
        **mapping,
        "indicators": {
            name: {
                "type": one.get("name"),
                **{key: value for key, value in one.items() if key not in ("name", "feature_id")},
            }
            for name, one in by_id.items()
        },
        "fuzzy_sets": {
            name: {"indicator": owners[name], **one} if name in owners else one
            for name, one in sets.items()
        },
        "nn_inputs": [
            {key: value for key, value in one.items() if key != "indicator" and value != []}
            for one in inputs
        ],
    }


def _names(field_name: str, first: list[str] | None, data: dict[str, Any]) -> list[str] | None:
    second = data.pop(field_name, None)
    if first:
        return first
    if second is None:
        return None
    if not isinstance(second, list) or not all(isinstance(name, str) for name in second):
        raise InvalidArgumentError(f"data_configuration.{field_name} must be a list of names")
    return second or None


def _said(name: str, value: Any) -> str | None:
    """Give a text; an empty one says nothing, as an empty list of symbols does."""
    return None if value is None else _text(name, value) or None


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        what = "text" if name in ("what_to_show", "session", "resume_from") else "a date as text"
        raise InvalidArgumentError(f"{name} must be {what}, not {value!r:.100}")
    return value


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgumentError(f"{name} must be a number, not {value!r:.100}")
    return float(value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise InvalidArgumentError(f"{name} must be a whole number, not {value!r:.100}")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{name} must be true or false, not {value!r:.100}")
    return value


#: Of the training's configuration, what ``TrainingManager`` takes beside the strategy and its bars.
_OPTIONS_OF_TRAINING: dict[str, Callable[[str, Any], Any]] = {
    "validation_split": _number,
    "random_walk_baseline": _flag,
    "permutation_importance": _flag,
    "resume_from": _text,
    "save_checkpoint": _flag,
    "checkpoint_epochs": _whole,
    "checkpoint_seconds": _number,
}
