"""What no single key can tell: whether indicators exist, their parameters fit, and the fuzzy sets are of one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .grammar import registry_name
from .problems import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .document import Path
    from .grammar import FuzzySet, Indicator, Strategy
    from .problems import Problems

SET_SIZES = {"triangular": 3, "trapezoidal": 4, "gaussian": 2}


class Checks:
    """The checks of one strategy; each tells what it finds."""

    def __init__(self, strategy: Strategy, specs: Mapping[str, Any], problems: Problems) -> None:
        self._strategy = strategy
        self._specs = specs
        self._tell = problems.tell

    def run(self) -> None:
        """Do them all."""
        self._check_indicators()
        self._check_fuzzy_sets()

    def _check_indicators(self) -> None:
        ids: set[str] = set()
        for index, item in enumerate(self._strategy.indicators):
            path: Path = ("indicators", index)
            named = "type" if item.type else "name"
            kind = item.type or item.name
            if item.id in ids:
                self._tell(path, f"two indicators are called {item.id!r}; give one a feature_id")
            ids.add(item.id)
            registered = registry_name(kind, self._specs)
            if registered is None:
                what = f"there is no indicator {kind!r}; there are {', '.join(self._specs)}"
                self._tell((*path, named), what, nearest(kind, self._specs))
                continue
            self._check_parameters(path, registered, item, self._specs[registered])

    def _check_parameters(
        self, path: Path, name: str, item: Indicator, spec: Mapping[str, Any]
    ) -> None:
        params = spec["params"]
        values = {key: one["default"] for key, one in params.items()}
        for key, value in item.__pydantic_extra__.items():
            if key not in params:
                keys = ["name", "type", "feature_id", "source", *params]
                what = f"{name} has no parameter {key!r}; it takes {', '.join(params)}"
                self._tell((*path, key), what, nearest(key, keys))
                continue
            low, high = params[key]["min"], params[key]["max"]
            whole = params[key]["integer"]
            if not low <= value <= high or (whole and value != int(value)):
                kind = "a whole number" if whole else "a number"
                self._tell((*path, key), f"is {value:g}; {kind} from {low:g} to {high:g} is needed")
                continue
            values[key] = value
        self._check_source(path, name, item, spec)
        rising = spec["rising"]
        for less, more in zip(rising, rising[1:], strict=False):
            if values[less] >= values[more]:
                what = f"{less} ({values[less]:g}) must be less than {more} ({values[more]:g})"
                said = less if less in item.__pydantic_extra__ else more
                self._tell((*path, said), what)

    def _check_source(
        self, path: Path, name: str, item: Indicator, spec: Mapping[str, Any]
    ) -> None:
        if spec["inputs"]:
            if "source" in item.model_fields_set:
                what = f"{name} takes {', '.join(spec['inputs'])}; remove it"
                self._tell((*path, "source"), what)
        elif item.source not in spec["sources"]:
            what = f"{item.source!r} must be one of {', '.join(spec['sources'])}"
            self._tell((*path, "source"), what, nearest(item.source, spec["sources"]))

    def _check_fuzzy_sets(self) -> None:
        strategy, specs = self._strategy, self._specs
        owners: dict[str, str] = {}
        for item in strategy.indicators:
            registered = registry_name(item.type or item.name, specs)
            owners[item.id] = item.id
            outputs = specs[registered]["outputs"] if registered else ()
            owners |= {f"{item.id}.{output}": item.id for output in outputs}
        used: set[str] = set()
        # A set or an input whose indicator is not found would seem to leave that one unused.
        lost = False
        for key, sets in strategy.fuzzy_sets.items():
            path: Path = ("fuzzy_sets", key)
            if strategy.nn_inputs is None:
                if key not in owners:
                    what = f"no indicator has the feature_id {key!r} (or an output of that name)"
                    self._tell(path, what, nearest(key, owners))
                    lost = True
                else:
                    used.add(owners[key])
            if not sets:
                self._tell(path, "at least one set is needed")
            for name, one in sets.items():
                self._check_set((*path, name), one)
        lost = not self._check_inputs(owners, used) or lost
        for index, item in enumerate(strategy.indicators):
            if item.id not in used and not lost:
                what = f"{item.id!r} has no fuzzy set, so nothing would use it"
                self._tell(("indicators", index), what)

    def _check_inputs(self, owners: Mapping[str, str], used: set[str]) -> bool:
        """Check the list of the later grammar, which names sets, and by them indicators; whether all were found."""
        sets = self._strategy.fuzzy_sets
        found = True
        for index, item in enumerate(self._strategy.nn_inputs or ()):
            path: Path = ("nn_inputs", index)
            if item.fuzzy_set not in sets:
                what = f"there is no fuzzy set {item.fuzzy_set!r}"
                self._tell((*path, "fuzzy_set"), what, nearest(item.fuzzy_set, sets))
                found = False
            elif item.indicator not in owners:
                what = f"there is no indicator {item.indicator!r}, and no output of that name"
                at: Path = ("fuzzy_sets", item.fuzzy_set, "indicator")
                self._tell(at, what, nearest(item.indicator, owners))
                found = False
            else:
                used.add(owners[item.indicator])
        return found

    def _check_set(self, path: Path, one: FuzzySet) -> None:
        at = (*path, "parameters")
        values: Sequence[float] = one.parameters
        size = SET_SIZES[one.type]
        if len(values) != size:
            self._tell(at, f"a {one.type} set takes {size} numbers, not {len(values)}")
        elif one.type == "gaussian":
            if values[1] <= 0:
                self._tell(at, f"[mean, sigma] needs a sigma above 0, not {values[1]:g}")
        elif list(values) != sorted(values):
            shown = ", ".join(f"{value:g}" for value in values)
            self._tell(at, f"the numbers must not fall, but are [{shown}]")
