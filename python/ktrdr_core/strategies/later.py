"""Files of the later grammar (v3), brought into the form of the earlier one.

There ``indicators`` are a mapping, a fuzzy set names its indicator, ``nn_inputs`` says in which order and on which
timeframes the network sees the sets, and the options of the training lie under ``training``. Nothing is lost on the
way: the order and the timeframes stay in ``nn_inputs``. What of that grammar is not trained is refused where the
earlier form would be (`reader`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .grammar import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .document import Path

#: Where the options of the learning lie in the earlier form.
_LEARNING = ("model", "training")
_SHORT_SETS = {3: "triangular", 4: "trapezoidal"}


def is_later(data: dict[str, Any]) -> bool:
    """Tell a file of the later grammar by what only it has."""
    return isinstance(data.get("indicators"), dict) or "nn_inputs" in data


class Later:
    """Brings one file into the earlier form; ``origins`` says where the file has what was moved."""

    def __init__(self, tell: Callable[[Path, str], None]) -> None:
        self._tell = tell
        self.origins: dict[Path, Path] = {}

    def earlier(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the same strategy in the earlier form; what cannot be is told, and left out."""
        brought = dict(data)
        indicators = data.get("indicators")
        if isinstance(indicators, dict):
            brought["indicators"] = self._indicators(indicators)
        elif indicators is not None:
            self._tell(("indicators",), "a file with nn_inputs has them as a mapping, by their ids")
        sets = data.get("fuzzy_sets")
        owners: dict[str, Any] = {}
        if isinstance(sets, dict):
            brought["fuzzy_sets"] = self._fuzzy_sets(sets, owners)
        inputs = data.get("nn_inputs")
        if isinstance(inputs, tuple) and inputs:
            brought["nn_inputs"] = self._inputs(inputs, owners)
        else:
            what = "is missing" if inputs is None else "a list of at least one input is needed"
            self._tell(("nn_inputs",), f"{what}: which fuzzy sets does the network see?")
            brought.pop("nn_inputs", None)
        self._training(data, brought)
        return brought

    def _indicators(self, given: dict[str, Any]) -> tuple[Any, ...]:
        made: list[Any] = []
        for name, item in given.items():
            path: Path = ("indicators", name)
            if not isinstance(item, dict):
                self._tell(path, "a mapping is needed: its type and parameters")
                continue
            for key in ("name", "feature_id"):
                if key in item:
                    self._tell((*path, key), f"the key {name!r} is its name; remove it")
            if "type" not in item:
                self._tell(path, "type is missing: which indicator is it?")
                continue
            rest = {key: value for key, value in item.items() if key not in ("name", "type")}
            self.origins[("indicators", len(made))] = path
            self.origins[("indicators", len(made), "name")] = (*path, "type")
            made.append({**rest, "name": item["type"], "feature_id": name})
        return tuple(made)

    def _fuzzy_sets(self, given: dict[str, Any], owners: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, item in given.items():
            path: Path = ("fuzzy_sets", name)
            if not isinstance(item, dict):
                self._tell(path, "a mapping is needed: its indicator and its sets")
                continue
            if not isinstance(item.get("indicator"), str):
                self._tell(path, "indicator is missing: of which indicator's values is it?")
                continue
            owners[name] = item["indicator"]
            made[name] = {
                key: self._set(value) for key, value in item.items() if key != "indicator"
            }
        return made

    @staticmethod
    def _set(value: Any) -> Any:
        if isinstance(value, tuple) and len(value) in _SHORT_SETS:
            return {"type": _SHORT_SETS[len(value)], "parameters": value}
        return value

    def _inputs(self, given: tuple[Any, ...], owners: dict[str, Any]) -> tuple[Any, ...]:
        made: list[Any] = []
        for index, item in enumerate(given):
            path: Path = ("nn_inputs", index)
            if not isinstance(item, dict) or not isinstance(item.get("fuzzy_set"), str):
                self._tell(path, "a mapping is needed: fuzzy_set and timeframes")
                continue
            self.origins[("nn_inputs", len(made))] = path
            brought = {"indicator": owners.get(item["fuzzy_set"], ""), **item}
            if "indicator" in item:
                self._tell((*path, "indicator"), "the fuzzy set names its indicator; remove it")
            if item.get("timeframes", "all") == "all":
                brought["timeframes"] = ()
            elif item["timeframes"] == ():
                self._tell((*path, "timeframes"), "must be all, or a list of timeframes")
            made.append(brought)
        return tuple(made)

    def _training(self, data: dict[str, Any], brought: dict[str, Any]) -> None:
        """Move what the earlier form has under ``model.training``."""
        training, model = data.get("training"), data.get("model", {})
        if not isinstance(training, dict):
            return
        start = ".".join(_LEARNING) + "."
        names = {one[len(start) :].partition(".")[0] for one in OPTIONS if one.startswith(start)}
        moved = {key: value for key, value in training.items() if key in names}
        if not moved:
            return
        brought["training"] = {key: value for key, value in training.items() if key not in names}
        within = model.get("training", {}) if isinstance(model, dict) else None
        if not isinstance(within, dict):
            # Whichever of the two is no mapping is told of where it is read.
            return
        for key in moved:
            if key in within:
                self._tell(("training", key), "stands in model.training too; keep one of them")
            self.origins[(*_LEARNING, key)] = ("training", key)
        brought["model"] = {**model, "training": {**within, **moved}}
