"""The JSON schema of strategy files: what editors are told is what the reader takes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from ktrdr_core import _core
from ktrdr_core.strategies import schema, validate
from test_strategies import EXAMPLES, SMALL, with_option, wrong_values
from test_strategies_later import LATER

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = _core.strategy_options()
STORED = Path(__file__).parents[2] / "docs" / "strategy.schema.json"


@pytest.fixture(scope="module")
def validator() -> Any:
    """The schema, checked itself."""
    jsonschema.Draft7Validator.check_schema(schema())
    return jsonschema.Draft7Validator(schema())


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def test_the_stored_schema_is_the_one_that_the_core_makes() -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    assert stored == schema(), "ktrdr-core strategies schema > docs/strategy.schema.json"


def test_every_example_names_the_schema_and_holds_it(validator: Any) -> None:
    for file in EXAMPLES.glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        first = text.splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=")
        assert (EXAMPLES / first.partition("=")[2]).resolve() == STORED.resolve()
        validator.validate(read(text))


@pytest.mark.parametrize("text", [SMALL, LATER])
def test_what_the_reader_takes_holds(validator: Any, text: str) -> None:
    validator.validate(read(text))


@pytest.mark.parametrize("path", OPTIONS)
def test_every_option_is_there_with_its_help_and_range(validator: Any, path: str) -> None:
    for value in wrong_values(OPTIONS[path]):
        assert not validator.is_valid(json.loads(with_option(path, value))), value
    section = schema()
    for name in path.split("."):
        section = section["properties"][name]
    assert section["description"] == OPTIONS[path]["help"]
    assert section.get("default") == OPTIONS[path]["default"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("period: 14", "perod: 14"),
        ("period: 14", "period: 0"),
        ("name: rsi", "name: rsi\n    type: RSI\n    perod: 3"),
        ("[0, 0, 50]", "[0, 50]"),
        ("triangular", "triangle"),
        ("symbol: AAPL", "symbol: AAPL, list: [A]"),
        ("    epochs: 3", "    epoch: 3"),
        ("name: small\n", ""),
    ],
)
def test_what_the_reader_refuses_by_one_key_is_refused(validator: Any, old: str, new: str) -> None:
    assert old in SMALL
    assert not validator.is_valid(read(SMALL.replace(old, new)))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Each place of a document but the root."""
    listed = value if isinstance(value, list) else []
    for key, below in value.items() if isinstance(value, dict) else enumerate(listed):
        yield (*path, key)
        yield from places(below, (*path, key))


#: Small ones of both grammars, with what may be left out.
FULL = read(SMALL) | {
    "decisions": {"filters": {"volume_filter": True}},
    "deployment": {"timeframes": {"supported": ["1d"]}},
}
FULL["training_data"]["timeframes"]["base_timeframe"] = "1d"
FULL["model"]["training"]["early_stopping"] = {"patience": 3}
FULL["indicators"][0] |= {"type": "rsi", "source": "close"}
LATER_FULL = read(LATER)
LATER_FULL.setdefault("model", {"type": "mlp"})
LATER_FULL["training"]["early_stopping"] = {"patience": 3}


@pytest.mark.parametrize("whole", [FULL, LATER_FULL], ids=["earlier", "later"])
@pytest.mark.parametrize("value", [None, "", 0, []], ids=repr)
def test_what_the_reader_takes_at_any_place_holds(
    validator: Any, whole: dict[str, Any], value: Any, tmp_path: Path
) -> None:
    file = tmp_path / "changed.yaml"
    for path in places(whole):
        changed = copy.deepcopy(whole)
        inside: Any = changed
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = value
        file.write_text(json.dumps(changed))
        assert validate(file) or validator.is_valid(changed), path
