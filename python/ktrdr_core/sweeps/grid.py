"""Which settings each run has."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InvalidArgumentError

Settings = dict[str, Any]
#: So many runs are one sweep at most: each is an operation with a record of its own.
MOST_RUNS = 10_000


def combinations(grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]) -> list[Settings]:
    """Give the settings of each run of a grid, the last key changing fastest.

    Parameters
    ----------
    grid : mapping, or sequence of mappings
        Lists of values by key, of which every combination is one run; or one mapping of single values a run.

    Returns
    -------
    list of dict
        A value by key, one dict a run.

    Raises
    ------
    InvalidArgumentError
        For an empty grid, values that are no list, more than 10,000 runs.

    Examples
    --------
    >>> from ktrdr_core.sweeps import combinations
    >>> combinations({"model.training.seed": [1, 2], "model.training.epochs": [5]})
    [{'model.training.seed': 1, 'model.training.epochs': 5}, {'model.training.seed': 2, 'model.training.epochs': 5}]
    """
    if not isinstance(grid, Mapping):
        runs = [_settings(one) for one in _listed("grid", grid)]
        _check_count(len(runs))
        return runs
    for key in grid:
        if not isinstance(key, str):
            raise InvalidArgumentError(
                f"grid: a key is the path of one in the strategy file, a text, and not {key!r}",
                context={"field": "grid"},
            )
    lists = [[_plain(value) for value in _listed(key, values)] for key, values in grid.items()]
    count = 1
    for values in lists:
        count *= len(values)
    _check_count(count if lists else 0)
    return [dict(zip(grid, chosen, strict=True)) for chosen in itertools.product(*lists)]


def random_sample(
    space: Mapping[str, Sequence[Any]], count: int, *, seed: int = 0
) -> list[Settings]:
    """Choose some of a grid's combinations at random, none twice; the same seed chooses the same.

    Parameters
    ----------
    space : mapping
        Lists of values by key.
    count : int
        How many; at least 1, at most as many as there are.
    seed : int
        Of the choice.

    Returns
    -------
    list of dict
        As `combinations` gives them, for `sweep`.

    Raises
    ------
    InvalidArgumentError
        As `combinations`, and for a count out of range.

    Examples
    --------
    >>> from ktrdr_core.sweeps import random_sample
    >>> random_sample({"model.training.seed": range(5)}, 2, seed=7) == random_sample({"model.training.seed": range(5)}, 2, seed=7)
    True
    """
    every = combinations(space)
    if isinstance(count, bool) or not hasattr(count, "__index__"):
        raise InvalidArgumentError(
            f"count must be a whole number, not {count!r}", context={"field": "count"}
        )
    if not 1 <= count <= len(every):
        raise InvalidArgumentError(
            f"count must be from 1 to {len(every)}, the number of combinations, not {count}",
            context={"field": "count"},
        )
    return random.Random(seed).sample(every, count)  # nosec B311


def _settings(given: object) -> Settings:
    if not isinstance(given, Mapping):
        raise InvalidArgumentError(
            f"a grid's items are mappings of keys to values, not {type(given).__name__}",
            context={"field": "grid"},
        )
    return {str(key): _plain(value) for key, value in given.items()}


def _plain(value: Any) -> Any:
    """Give numpy's numbers and arrays as Python has them, however deep: a strategy holds what YAML can."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value
    # Dates of a run are left as they are.
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if type(value).__module__ == "numpy" and kind and kind in "biufU":
        return value.tolist()
    return value


def _listed(key: str, values: object) -> Sequence[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence) or not values:
        raise InvalidArgumentError(
            f"grid: {key} needs a list with at least one item, not {values!r}",
            context={"field": "grid", "key": key},
        )
    return values


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_RUNS:
        raise InvalidArgumentError(
            f"the grid has {count} runs and a sweep has 1 to {MOST_RUNS}: give it other keys or fewer values, or "
            "take some of them with random_sample",
            context={"field": "grid"},
        )
