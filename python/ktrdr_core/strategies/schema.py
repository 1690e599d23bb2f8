"""The grammar of strategy files as a JSON schema, for editors: completion, help and ranges while one is written.

It is made of what the core knows, as the reader is: the table of options, the registry of indicators. It takes every
file that the reader takes; what needs more than one key to be seen (a fuzzy set without its indicator) it lets pass.
"""

from __future__ import annotations

from typing import Any

from .. import _core
from .checks import SET_SIZES
from .grammar import OPTIONS

__all__ = ["schema"]

_TYPES = {"text": "string", "flag": "boolean", "integer": "integer", "number": "number"}
_LISTS = {"integers": "integer", "numbers": "number", "texts": "string"}
_LEARNING = "model.training."


def schema() -> dict[str, Any]:
    """Return the JSON schema (draft 7) of strategy files, of both grammars.

    Returns
    -------
    dict
        Plain JSON. ``docs/strategy.schema.json`` holds the same; an editor with the YAML language server takes it
        from the first line of a file: ``# yaml-language-server: $schema=…``.

    Examples
    --------
    >>> from ktrdr_core import strategies
    >>> made = strategies.schema()
    >>> made["properties"]["model"]["properties"]["training"]["properties"]["epochs"]["minimum"]
    1
    """
    root: dict[str, Any] = _section()
    for path, option in OPTIONS.items():
        *sections, name = path.split(".")
        _within(root, sections)[name] = _option(option)
        if path.startswith(_LEARNING):
            # Where the later grammar has it.
            *sections, name = path.removeprefix(_LEARNING).split(".")
            _within(root, ["training", *sections])[name] = _option(option)
    properties = root["properties"]
    for section in (
        properties["deployment"],
        properties["decisions"],
        properties["model"]["properties"]["training"]["properties"]["early_stopping"],
        properties["training"]["properties"]["early_stopping"],
    ):
        # Null says that there is none.
        section["type"] = ["object", "null"]
    _add_training_data(properties["training_data"])
    properties["indicators"] = _indicators()
    properties["fuzzy_sets"] = _fuzzy_sets()
    properties["nn_inputs"] = _inputs()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A strategy of ktrdr-core",
        **root,
        "required": ["name", "training_data", "indicators", "fuzzy_sets"],
    }


def _section() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _within(root: dict[str, Any], sections: list[str]) -> dict[str, Any]:
    """The properties of a section, made where they are not there yet."""
    here = root
    for name in sections:
        here = here["properties"].setdefault(name, _section())
    properties: dict[str, Any] = here["properties"]
    return properties


def _option(option: dict[str, Any]) -> dict[str, Any]:
    kind = option["type"]
    made: dict[str, Any] = {"description": option["help"]}
    if kind in _LISTS:
        items: dict[str, Any] = {"type": _LISTS[kind], **_range(option)}
        made |= {"type": "array", "items": items}
        if kind != "texts":
            made["minItems"] = 1
    elif option["choices"]:
        made["enum"] = list(option["choices"])
    else:
        made |= {"type": _TYPES[kind], **_range(option)}
        if option["pattern"]:
            made["pattern"] = f"^(?:{option['pattern']})$"
    if option["default"] is not None:
        made["default"] = option["default"]
    elif not option["required"]:
        if "enum" in made:
            made["enum"].append(None)
        else:
            made["type"] = [made["type"], "null"]
    return made


def _range(option: dict[str, Any]) -> dict[str, Any]:
    low, high = (
        ("exclusiveMinimum", "exclusiveMaximum") if option["open"] else ("minimum", "maximum")
    )
    ends = {low: option["min"], high: option["max"]}
    return {name: end for name, end in ends.items() if end is not None}


def _names(what: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": what}


def _add_training_data(section: dict[str, Any]) -> None:
    section["required"] = ["symbols", "timeframes"]
    for one, what in (("symbol", "Symbols to train on"), ("timeframe", "Timeframes to read")):
        listed = section["properties"][f"{one}s"]
        listed["properties"] |= {
            "list": _names(what),
            f"{one}s": _names(what),
            one: {"type": "string", "description": f"{what}: the only one"},
        }
        listed["oneOf"] = [{"required": [key]} for key in ("list", f"{one}s", one)]
    section["properties"]["timeframes"]["properties"]["base_timeframe"] = {
        "type": ["string", "null"],
        "description": "The timeframe whose bars are rows; unset: the first one",
    }


def _indicators() -> dict[str, Any]:
    specs = _core.indicator_specs()
    named = {"anyOf": [{"enum": list(specs)}, {"type": "string"}]}
    common = {
        "source": {"type": "string", "description": "The column of the bars it reads: close"},
    }
    rules = {
        key: [_rule(key, name, spec) for name, spec in specs.items()] for key in ("name", "type")
    }
    item = {
        "type": "object",
        "properties": {
            "name": {**named, "description": "Which indicator it is, where type does not say so"},
            "type": {
                "anyOf": [*named["anyOf"], {"type": "null"}],
                "description": "Which indicator it is",
            },
            "feature_id": {
                "type": ["string", "null"],
                "description": "What fuzzy sets call it; unset: name",
            },
            **common,
        },
        "additionalProperties": {"type": "number"},
        "required": ["name"],
        "if": {"required": ["type"], "properties": {"type": {"type": "string"}}},
        "then": {"allOf": rules["type"]},
        "else": {"allOf": rules["name"]},
    }
    later = {
        "type": "object",
        "properties": {"type": {**named, "description": "Which indicator it is"}, **common},
        "additionalProperties": {"type": "number"},
        "required": ["type"],
        "allOf": rules["type"],
    }
    return {
        "description": "What is computed of the bars; each needs a fuzzy set",
        "if": {"type": "array"},
        "then": {"type": "array", "items": item, "minItems": 1},
        "else": {"type": "object", "additionalProperties": later, "minProperties": 1},
    }


def _rule(key: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """What holds for the parameters of an indicator that is named by `key`, however it is capitalised."""
    letters = "[-_]*".join(f"[{one.lower()}{one.upper()}]" for one in name.replace("_", ""))
    known: dict[str, Any] = {
        param: {
            "type": "integer" if one["integer"] else "number",
            "minimum": one["min"],
            "maximum": one["max"],
            "default": one["default"],
        }
        for param, one in spec["params"].items()
    }
    known |= dict.fromkeys(("name", "type", "feature_id"), True)
    if spec["sources"]:
        known["source"] = {"enum": list(spec["sources"])}
    return {
        "if": {"properties": {key: {"type": "string", "pattern": f"^{letters}$"}}},
        "then": {"properties": known, "additionalProperties": False},
    }


def _fuzzy_sets() -> dict[str, Any]:
    described = {
        "type": "object",
        "properties": {
            "type": {"enum": list(SET_SIZES)},
            "parameters": {"type": "array", "items": {"type": "number"}},
        },
        "additionalProperties": False,
        "required": ["type", "parameters"],
        "allOf": [
            {
                "if": {"properties": {"type": {"const": kind}}},
                "then": {"properties": {"parameters": {"minItems": size, "maxItems": size}}},
            }
            for kind, size in SET_SIZES.items()
        ],
    }
    short = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 4}
    indicator = {"type": "string", "description": "Of the later grammar: whose values it is of"}
    one = {"if": {"type": "array"}, "then": short, "else": described}
    return {
        "description": "Sets by name, by the feature_id (or feature_id.output) of an indicator",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "type": "object",
            "minProperties": 1,
            "properties": {"indicator": {"anyOf": [indicator, one]}},
            "additionalProperties": one,
        },
    }


def _inputs() -> dict[str, Any]:
    return {
        "description": "Of the later grammar: what the network sees, in its order",
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "properties": {
                "fuzzy_set": {"type": "string", "description": "A key of fuzzy_sets"},
                "timeframes": {"anyOf": [{"const": "all"}, _names("On which timeframes")]},
            },
            "additionalProperties": False,
            "required": ["fuzzy_set"],
        },
    }
